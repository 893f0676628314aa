// A person's way through a room: the lobby, the call, the end. Puts media, call and views together.

import { Call } from "./call.js";
import { Devices } from "./devices.js";
import { address, invitation } from "./invitation.js";
import { LocalMedia } from "./media.js";
import { cleanName } from "./names.js";
import { sentence } from "./problems.js";
import { Remembered } from "./remembered.js";
import { Settings } from "./settings.js";
import { ScreenShare } from "./share.js";
import { refusesSockets } from "./trust.js";
import { announce } from "./view/announce.js";
import { Awake } from "./view/awake.js";
import { CallView } from "./view/call.js";
import { DeviceChooser } from "./view/devices.js";
import { byId } from "./view/dom.js";
import { ENDS, showEnd } from "./view/end.js";
import { wireInvite } from "./view/invite.js";
import { problemText, refreshLobby, showLobby, showLobbyNotice, showLobbyRefused } from "./view/lobby.js";
import { Watch } from "./watch.js";

const UNREACHABLE_MS = 10_000;
/** What the server says to what was asked of it in the room. */
const REFUSALS = { "room-full": "The room is full. Somebody has to leave first.", "too-fast": "That was too fast. Try again in a moment." };
/** What happens to a device by itself. */
const SUDDEN = ["ended", "stopped", "interrupted"];

export class Meeting {
  #room;
  #url = `wss://${location.host}/ws`;
  #remembered = new Remembered();
  #settings = new Settings();
  #media = this.#openMedia();
  #devices = this.#findDevices();
  #chooser = this.#makeChooser();
  #share = this.#makeShare();
  #watch = this.#makeWatch();
  /** Opened while the person looks at the lobby; the server closes it when that takes long. @type {WebSocket | null} */
  #socket = null;
  /** @type {Call | undefined} */
  #call;
  /** @type {CallView | undefined} */
  #view;
  /** What is to be shown once the call's screen is there. @type {((view: CallView) => void)[]} */
  #waiting = [];
  /** Is somebody told why the server cannot be reached, or about to be? */
  #explained = false;
  #joined = false;
  #finished = false;
  /** @type {Awake | undefined} */
  #awake;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #unreachable;

  /** @param {string} room */
  constructor(room) {
    this.#room = room;
  }

  /** From the lobby into the call. */
  async enter() {
    const query = new URLSearchParams(location.search);
    // Loaded while the person looks at the lobby; a failure shows when joining.
    this.#settings.ticket().catch(() => {});
    const opening = this.#media.open().then(() => {
      refreshLobby(this.#media);
      return this.#devices.refresh();
    });
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.#media.refit());
    this.#warm();
    byId("join", HTMLButtonElement).onpointerenter = () => this.#warm();
    void this.#wireInvite();
    const named = query.get("name") ?? this.#remembered.memory.name;
    const name = await showLobby({ room: this.#room, name: named, media: this.#media, chooser: this.#chooser });
    this.#remembered.set({ name });
    this.#call = this.#join(cleanName(name), relayOnly(query.get("relay")));
    // What asks to be let in leaves before the screen is built, which takes time.
    await new Promise((resolve) => setTimeout(resolve));
    const view = this.#show(name);
    // The call does not wait for a permission prompt: tracks join it when they are there.
    await opening;
    if (this.#finished) return;
    this.#tellOwn();
    const problem = problemText(this.#media);
    if (problem) view.notices.show(problem);
  }

  async #wireInvite() {
    const room = this.#room;
    const oncopied = () => (this.#view ? this.#say("Link copied.") : announce("Link copied."));
    wireInvite({ room, oncopied, ...address(room) });
    try {
      await this.#settings.ticket();
      if (this.#settings.invitations) wireInvite({ room, oncopied, ...(await invitation(room)) });
    } catch {
      // Of a server that cannot be reached, joining tells.
    }
  }

  #warm() {
    if (this.#socket && this.#socket.readyState < 2) return;
    this.#socket = new WebSocket(this.#url);
    this.#socket.addEventListener("error", () => void this.#explain());
  }

  /** The server could not be reached, and was not before. */
  async #explain() {
    if (this.#explained) return;
    this.#explained = true;
    this.#explained = await this.#isRefused();
    if (!this.#explained) return;
    if (!this.#view) showLobbyRefused();
    this.#whenShown((view) => view.notices.setRefused());
  }

  /** Does it seem that this browser does not trust the server? */
  async #isRefused() {
    try {
      await this.#settings.ticket();
      return this.#settings.localCa && (await refusesSockets());
    } catch {
      // It is not there at all.
      return false;
    }
  }

  /**
   * @param {string} name
   * @param {import("./call.js").RelayOnly} relay
   */
  #join(name, relay) {
    const settings = this.#settings;
    const call = new Call({
      url: this.#url,
      socket: this.#socket,
      room: this.#room,
      name,
      relay,
      ticket: () => settings.ticket(),
      refreshTicket: () => settings.refresh(),
      keepMs: () => settings.resumeMs,
      stream: this.#media.stream,
      onpeer: (id, peerName, peer) => {
        this.#whenShown((view) => view.add(id, peerName, peer));
        this.#watch.add(id, peer);
      },
      onagain: (id, peerName, peer) => {
        this.#whenShown((view) => view.replace(id, peerName, peer));
        this.#watch.remove(id);
        this.#watch.add(id, peer);
      },
      onchange: (id) => {
        const peer = call.peers.get(id);
        if (peer?.state === "ended") this.#watch.remove(id);
        if (peer) this.#whenShown((view) => view.update(id, peer));
      },
      ongone: (id) => {
        this.#watch.remove(id);
        this.#whenShown((view) => view.remove(id));
      },
      onstate: (online, crowded) => {
        this.#watch.setOnline(online);
        this.#joined ||= online;
        if (!this.#joined) void this.#explain();
        this.#whenShown((view) => view.notices.setOnline(online, crowded));
      },
      onpong: (ms) => this.#watch.pong(ms),
      onjoined: () => this.#whenShown((view) => {
        clearTimeout(this.#unreachable);
        view.joined();
      }),
      ondoor: (news) => this.#whenShown((view) => {
        if (call.door.waiting) clearTimeout(this.#unreachable);
        view.showDoor(call.door, news);
      }),
      onrefused: (code) => {
        const text = REFUSALS[/** @type {keyof typeof REFUSALS} */ (code)];
        if (text) this.#whenShown((view) => view.notices.show(text));
      },
      ondraining: (seconds) => this.#whenShown((view) => view.notices.show(stopping(seconds))),
      onend: (code) => {
        const [title, text] = ENDS[/** @type {keyof typeof ENDS} */ (code)] ?? ["The call ended", ""];
        this.#whenShown(() => this.#finish(title, text));
      },
    });
    return call;
  }

  /** @param {string} name */
  #show(name) {
    const view = new CallView({
      room: this.#room,
      name,
      media: this.#media,
      share: this.#share,
      onhand: (hand) => this.#call?.setState({ hand }),
      onlock: (locked) => this.#call?.lock(locked),
      onanswer: (id, admitted) => this.#call?.answer(id, admitted),
      onlimit: (limit) => void this.#setLimit(limit),
      onwant: (id, wanted) => this.#call?.peers.get(id)?.want(wanted),
      connection: (id) => this.#watch.get(id),
      speaker: () => this.#devices.speaker,
      onsilent: (id) => this.#speakerRefused(id, ""),
      chosen: this.#remembered.memory,
      onchoice: (choice) => this.#remembered.set(choice),
      onleave: () => this.#leave(),
    });
    this.#view = view;
    void view.tiles.setSink(this.#devices.speaker);
    this.#chooser.toDialog();
    this.#awake = new Awake();
    this.#unreachable = setTimeout(() => view.notices.setUnreachable(), UNREACHABLE_MS);
    for (const act of this.#waiting) act(view);
    this.#tellOwn();
    this.#listen();
    return view;
  }

  /** @param {(view: CallView) => void} act  for now, or for when the screen is there */
  #whenShown(act) {
    if (this.#view) act(this.#view);
    else this.#waiting.push(act);
  }

  /** What the browser says of the page and its network. */
  #listen() {
    const call = /** @type {Call} */ (this.#call);
    const wake = () => {
      call.wake();
      this.#view?.wake();
    };
    addEventListener("online", () => call.wake());
    // A phone was turned, or the camera gives another size.
    byId("self-video", HTMLVideoElement).addEventListener("resize", () => call.reshape());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && wake());
    document.addEventListener("resume", wake);
    document.addEventListener("freeze", () => call.freeze());
    addEventListener("pagehide", () => call.leave());
    addEventListener("beforeunload", (event) => call.peers.size > 0 && event.preventDefault());
    // From the back-forward cache a page comes back without its connections.
    addEventListener("pageshow", (event) => event.persisted && location.reload());
  }

  /** To the own page and to the others: what is on. */
  #tellOwn() {
    const { shared } = this.#share;
    this.#call?.setState({ mic: this.#media.isSent("audio"), camera: this.#media.isSent("video"), screen: shared !== null });
    this.#view?.refreshOwn();
  }

  /** @param {string} id */
  async #setSpeaker(id) {
    const done = (await this.#view?.tiles.setSink(id)) ?? true;
    if (!done) this.#speakerRefused(id);
  }

  /**
   * @param {string} id
   * @param {string} [instead]  where sound goes now; by default where it went before
   */
  #speakerRefused(id, instead) {
    this.#devices.speakerRefused(id, instead);
    this.#remembered.set({ speaker: this.#devices.speaker });
    const where = instead === "" ? "Sound goes to the system's own." : "Sound stays where it was.";
    this.#say(`This speaker cannot be used now. ${where}`);
  }

  /** @param {import("./quality.js").Limit} limit */
  async #setLimit(limit) {
    this.#call?.setLimit(limit);
    await this.#media.setLines(limit === "1080" ? 1080 : 720);
    this.#call?.reshape();
  }

  #leave() {
    this.#call?.leave();
    this.#finish("You left the call", "The room stays open as long as somebody is in it.");
  }

  /**
   * @param {string} title
   * @param {string} text
   */
  #finish(title, text) {
    this.#finished = true;
    clearTimeout(this.#unreachable);
    this.#watch.close();
    this.#awake?.close();
    this.#share.close();
    this.#devices.close();
    this.#chooser.close();
    this.#media.close();
    this.#view?.close();
    showEnd({ title, text, again: true });
  }

  /** @param {string} text */
  #say(text) {
    if (this.#view) this.#view.notices.show(text);
    else showLobbyNotice(text);
  }

  #openMedia() {
    const remembered = this.#remembered;
    return new LocalMedia({
      chosen: remembered.memory,
      onchange: (kind, track) => this.#mediaChanged(kind, track),
      onchoice: (kind, choice) => remembered.set({ [kind]: { ...remembered.memory[kind], ...choice } }),
      onnotice: (text) => this.#say(text),
    });
  }

  /**
   * @param {"audio" | "video"} kind
   * @param {MediaStreamTrack | null} track
   */
  #mediaChanged(kind, track) {
    this.#call?.setTrack(kind, track);
    this.#tellOwn();
    // Browsers name devices once one is in use.
    if (track) void this.#devices.refresh();
    else this.#chooser.refresh();
    const problem = this.#media.problems[kind];
    if (this.#view && problem && SUDDEN.includes(problem)) this.#say(sentence(kind, problem));
    if (this.#view) return;
    showLobbyNotice("");
    refreshLobby(this.#media);
  }

  #findDevices() {
    return new Devices({
      media: this.#media,
      speaker: this.#remembered.memory.speaker,
      onchange: () => this.#chooser.refresh(),
      onspeaker: (id) => void this.#setSpeaker(id),
      onnotice: (text) => this.#say(text),
    });
  }

  #makeChooser() {
    const onspeaker = (/** @type {string} */ speaker) => this.#remembered.set({ speaker });
    return new DeviceChooser({ media: this.#media, devices: this.#devices, onspeaker });
  }

  #makeShare() {
    return new ScreenShare((shared) => {
      this.#call?.setTrack("screen", shared?.screen ?? null);
      this.#call?.setTrack("sound", shared?.sound ?? null);
      this.#tellOwn();
    });
  }

  #makeWatch() {
    return new Watch({
      onsample: (id, watched) => this.#view?.setConnection(id, watched),
      onavailable: (id, bitrate) => this.#call?.setAvailable(id, bitrate),
      onstrained: () => this.#call?.setStrained(),
      ontrouble: (trouble) => this.#call?.setState({ trouble }),
      onhurry: (hurry) => this.#call?.hurry(hurry),
    });
  }
}

/** @param {number} seconds  until the server stops */
function stopping(seconds) {
  const minutes = Math.round(seconds / 60);
  const when = minutes < 1 ? "in less than a minute" : minutes === 1 ? "in a minute" : `in ${minutes} minutes`;
  return `The server stops ${when}. Calls that it relays end then; come back in a few minutes.`;
}

/**
 * @param {string | null} value  of `?relay=`
 * @returns {import("./call.js").RelayOnly}
 */
function relayOnly(value) {
  if (value === "udp" || value === "tcp" || value === "tls") return value;
  return value === null || value === "0" ? null : "any";
}
