// Puts the page together: which screen, which room, which call.

import { Call } from "./call.js";
import { LocalMedia, sentence } from "./media.js";
import { roomOfPath } from "./names.js";
import { CallView } from "./view/call.js";
import { showEnd } from "./view/end.js";
import { problemText, refreshLobby, showLobby } from "./view/lobby.js";
import { BAD_ROOM, showStart } from "./view/start.js";

const UNREACHABLE_MS = 10_000;

/** Why a call could not be, or is over. */
const ENDS = {
  "room-full": ["The room is full", "Everybody who fits is in already. Try again when somebody has left."],
  "bad-room": ["No such room", BAD_ROOM],
  "too-many-rooms": ["No room left on this server", "It has as many open rooms as it may. Try again later."],
  "bad-ticket": ["The server does not know this page", "It may have been set up anew. Load the page again."],
  replaced: ["Continued elsewhere", "This call goes on in another tab or window."],
};

/** @typedef {import("./call.js").RelayOnly} RelayOnly */

/**
 * @param {string | null} value  of `?relay=`
 * @returns {RelayOnly}
 */
function relayOnly(value) {
  if (value === "udp" || value === "tcp" || value === "tls") return value;
  return value === null || value === "0" ? null : "any";
}

/** Where fresh settings come from: the module at first, then the same address again, which gives another visitor. */
class Settings {
  #version = 0;
  /** @type {Promise<{ SETTINGS: { ticket: string, resumeSeconds: number } }> | undefined} */
  #loaded;
  /** How long the server keeps the seat of somebody who is lost. */
  resumeMs = 30_000;

  async ticket() {
    this.#loaded ??= import(`./config.js${this.#version ? `?${this.#version}` : ""}`);
    try {
      const { SETTINGS } = await this.#loaded;
      this.resumeMs = SETTINGS.resumeSeconds * 1000;
      return SETTINGS.ticket;
    } catch (error) {
      // A failed module stays failed under its address.
      this.refresh();
      throw error;
    }
  }

  refresh() {
    this.#version += 1;
    this.#loaded = undefined;
  }
}

/** @param {string} room */
async function enter(room) {
  const query = new URLSearchParams(location.search);
  /** @type {Call | undefined} */
  let call;
  /** @type {CallView | undefined} */
  let view;
  const media = new LocalMedia((kind, track) => {
    call?.setTrack(kind, track);
    view?.refreshOwn();
    const problem = media.problems[kind];
    if (view && problem === "ended") view.notice(sentence(kind, problem));
    if (!view) refreshLobby(media);
  });
  const settings = new Settings();
  // Loaded while the person looks at the lobby; a failure shows when joining.
  settings.ticket().catch(() => {});

  const opening = media.open().then(() => refreshLobby(media));
  const name = await showLobby({ room, name: query.get("name") ?? "", media });
  view = new CallView({ room, name, link: `${location.origin}/r/${encodeURIComponent(room)}`, media, onleave: leave });
  const shown = view;
  // The call does not wait for a permission prompt: tracks join it when they are there.
  void opening.then(() => {
    shown.refreshOwn();
    const problem = problemText(media);
    if (problem) shown.notice(problem);
  });
  const unreachable = setTimeout(() => shown.setUnreachable(), UNREACHABLE_MS);

  const running = new Call({
    url: `wss://${location.host}/ws`,
    room,
    name,
    relay: relayOnly(query.get("relay")),
    ticket: () => settings.ticket(),
    refreshTicket: () => settings.refresh(),
    keepMs: () => settings.resumeMs,
    stream: media.stream,
    onpeer: (id, peerName, peer) => shown.add(id, peerName, peer),
    onchange: (id) => {
      const peer = running.peers.get(id);
      if (peer) shown.tiles.update(id, peer);
    },
    ongone: (id) => shown.remove(id),
    onstate: (online) => shown.setOnline(online),
    onjoined: () => clearTimeout(unreachable),
    onend: (code) => {
      const [title, text] = ENDS[/** @type {keyof typeof ENDS} */ (code)] ?? ["The call ended", ""];
      finish(title, text);
    },
  });
  call = running;
  addEventListener("online", () => running.wake());
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && running.wake());
  addEventListener("pagehide", () => running.leave());
  // From the back-forward cache a page comes back without its connections.
  addEventListener("pageshow", (event) => event.persisted && location.reload());

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
