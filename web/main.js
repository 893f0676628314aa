// Puts the page together: which screen, which room, which call.

import { Awake } from "./awake.js";
import { Call } from "./call.js";
import { Devices } from "./devices.js";
import { LocalMedia, sentence } from "./media.js";
import { roomOfPath } from "./names.js";
import { Remembered } from "./remembered.js";
import { Settings } from "./settings.js";
import { ScreenShare } from "./share.js";
import { CallView } from "./view/call.js";
import { byId } from "./view/dom.js";
import { DeviceChooser } from "./view/devices.js";
import { ENDS, showEnd } from "./view/end.js";
import { wireInvite } from "./view/invite.js";
import { problemText, refreshLobby, showLobby, showLobbyNotice } from "./view/lobby.js";
import { BAD_ROOM, showStart } from "./view/start.js";
import { Watch } from "./watch.js";

const UNREACHABLE_MS = 10_000;
/** The server's welcome and the first steps of a connection come before the screen, which takes time to build. */
const SHOW_MS = 80;

/** @typedef {import("./call.js").RelayOnly} RelayOnly */

/**
 * @param {string | null} value  of `?relay=`
 * @returns {RelayOnly}
 */
function relayOnly(value) {
  if (value === "udp" || value === "tcp" || value === "tls") return value;
  return value === null || value === "0" ? null : "any";
}

/** @param {string} room */
async function enter(room) {
  const query = new URLSearchParams(location.search);
  /** @type {Call | undefined} */
  let call;
  /** @type {CallView | undefined} */
  let view;
  const remembered = new Remembered();
  const { memory } = remembered;
  const say = (/** @type {string} */ text) => (view ? view.notices.show(text) : showLobbyNotice(text));
  const media = new LocalMedia({
    chosen: memory,
    onchange: (kind, track) => {
      call?.setTrack(kind, track);
      tellOwn();
      // Browsers name devices once one is in use.
      if (track) void devices.refresh();
      else chooser.refresh();
      const problem = media.problems[kind];
      if (view && (problem === "ended" || problem === "interrupted")) say(sentence(kind, problem));
      if (view) return;
      showLobbyNotice("");
      refreshLobby(media);
    },
    onchoice: (kind, choice) => remembered.set({ [kind]: { ...remembered.memory[kind], ...choice } }),
    onnotice: say,
  });
  const devices = new Devices({
    media,
    speaker: memory.speaker,
    onchange: () => chooser.refresh(),
    onspeaker: (id) => view?.tiles.setSink(id),
    onnotice: say,
  });
  const chooser = new DeviceChooser({ media, devices, onspeaker: (speaker) => remembered.set({ speaker }) });
  const share = new ScreenShare((shared) => {
    call?.setTrack("screen", shared?.screen ?? null);
    call?.setTrack("sound", shared?.sound ?? null);
    tellOwn();
  });
  const settings = new Settings();
  // Loaded while the person looks at the lobby; a failure shows when joining.
  settings.ticket().catch(() => {});

  const opening = media.open().then(() => {
    refreshLobby(media);
    return devices.refresh();
  });
  const url = `wss://${location.host}/ws`;
  /** Opened while the person looks at the lobby; the server closes it when that takes long. @type {WebSocket | null} */
  let socket = null;
  const warm = () => {
    if (!socket || socket.readyState > 1) socket = new WebSocket(url);
  };
  warm();
  byId("join", HTMLButtonElement).onpointerenter = warm;
  const link = `${location.origin}/r/${encodeURIComponent(room)}`;
  wireInvite({ room, link });
  const name = await showLobby({ room, name: query.get("name") ?? memory.name, media, chooser });
  remembered.set({ name });
  const watch = new Watch({
    onsample: (id, watched) => view?.setConnection(id, watched),
    onavailable: (id, bitrate) => call?.setAvailable(id, bitrate),
    ontrouble: (trouble) => call?.setState({ trouble }),
    onhurry: (hurry) => call?.hurry(hurry),
  });
  /** What is to be shown once the screen is there. @type {((shown: CallView) => void)[]} */
  const waiting = [];
  const whenShown = (/** @type {(shown: CallView) => void} */ act) => void (view ? act(view) : waiting.push(act));
  const running = new Call({
    url,
    socket,
    room,
    name,
    relay: relayOnly(query.get("relay")),
    ticket: () => settings.ticket(),
    refreshTicket: () => settings.refresh(),
    keepMs: () => settings.resumeMs,
    stream: media.stream,
    onpeer: (id, peerName, peer) => {
      whenShown((shown) => shown.add(id, peerName, peer));
      watch.add(id, peer);
    },
    onchange: (id) => {
      const peer = running.peers.get(id);
      if (peer) whenShown((shown) => shown.update(id, peer));
    },
    ongone: (id) => {
      watch.remove(id);
      whenShown((shown) => shown.remove(id));
    },
    onstate: (online) => {
      watch.setOnline(online);
      whenShown((shown) => shown.notices.setOnline(online));
    },
    onpong: (ms) => watch.pong(ms),
    onjoined: () => whenShown(() => clearTimeout(unreachable)),
    onend: (code) => {
      const [title, text] = ENDS[/** @type {keyof typeof ENDS} */ (code)] ?? ["The call ended", ""];
      whenShown(() => finish(title, text));
    },
  });
  call = running;
  await new Promise((resolve) => setTimeout(resolve, SHOW_MS));
  view = new CallView({
    room,
    name,
    link,
    media,
    share,
    onhand: (hand) => call?.setState({ hand }),
    onlimit: (limit) => call?.setLimit(limit),
    onwant: (id, wanted) => call?.peers.get(id)?.want(wanted),
    connection: (id) => watch.get(id),
    onleave: leave,
  });
  const shown = view;
  shown.tiles.setSink(devices.speaker);
  chooser.toDialog();
  const awake = new Awake();
  // The call does not wait for a permission prompt: tracks join it when they are there.
  void opening.then(() => {
    tellOwn();
    const problem = problemText(media);
    if (problem) shown.notices.show(problem);
  });
  const unreachable = setTimeout(() => shown.notices.setUnreachable(), UNREACHABLE_MS);
  for (const act of waiting) act(shown);
  tellOwn();
  addEventListener("online", () => running.wake());
  const wake = () => {
    running.wake();
    shown.wake();
  };
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && wake());
  document.addEventListener("resume", wake);
  document.addEventListener("freeze", () => running.freeze());
  addEventListener("pagehide", () => running.leave());
  addEventListener("beforeunload", (event) => running.peers.size > 0 && event.preventDefault());
  // From the back-forward cache a page comes back without its connections.
  addEventListener("pageshow", (event) => event.persisted && location.reload());

  /** To the own page and to the others: what is on. */
  function tellOwn() {
    call?.setState({ mic: media.isOn("audio"), camera: media.isOn("video"), screen: share.shared !== null });
    view?.refreshOwn();
  }

  function leave() {
    running.leave();
    finish("You left the call", "The room stays open as long as somebody is in it.");
  }

  /**
   * @param {string} title
   * @param {string} text
   */
  function finish(title, text) {
    clearTimeout(unreachable);
    watch.close();
    awake.close();
    share.stop();
    devices.close();
    chooser.close();
    media.close();
    shown.close();
    showEnd({ title, text, again: true });
  }
}

const room = roomOfPath(location.pathname);
if (room) {
  void enter(room);
} else {
  showStart({
    notice: room === null ? BAD_ROOM : "",
    onroom: (name) => location.assign(`/r/${encodeURIComponent(name)}`),
  });
}
