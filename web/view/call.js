// The screen of a call: bar, tiles, own picture, controls.

import { sentence } from "../media.js";
import { byId, copyWith, onClick, setToggle, showScreen, within } from "./dom.js";
import { Tiles } from "./tiles.js";

const NOTICE_MS = 6000;
const ANNOUNCE_MS = 100;

/**
 * @typedef {object} Options
 * @property {string} room
 * @property {string} name  the own one
 * @property {string} link
 * @property {import("../media.js").LocalMedia} media
 * @property {() => void} onleave
 */

export class CallView {
  tiles = new Tiles(() => this.notice("Click or tap anywhere to hear the others."));
  #options;
  /** @type {Map<string, string>} */
  #names = new Map();
  #joined = false;
  #online = false;
  #unreachable = false;
  /** @type {string[]} */
  #said = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #noticeTimer;

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    const { room, link, media } = options;
    byId("call-room", HTMLElement).textContent = room;
    byId("link", HTMLElement).textContent = link.replace(/^https:\/\//, "");
    byId("self-video", HTMLVideoElement).srcObject = media.stream;
    this.#toggle("mic", "audio");
    this.#toggle("camera", "video");
    for (const id of ["copy-link", "copy-link-alone"]) {
      const button = byId(id, HTMLButtonElement);
      button.onclick = () => void copyWith(button, link);
    }
    byId("leave", HTMLButtonElement).onclick = options.onleave;
    byId("people", HTMLButtonElement).onclick = () => this.#togglePeople();
    this.refreshOwn();
    this.#refreshPeople();
    this.setOnline(false);
    showScreen("call");
    byId("mic", HTMLButtonElement).focus();
  }

  /** The own microphone and camera changed. */
  refreshOwn() {
    const { media } = this.#options;
    const camera = media.isOn("video");
    const mic = media.isOn("audio");
    setToggle(byId("mic", HTMLButtonElement), mic, "Microphone");
    setToggle(byId("camera", HTMLButtonElement), camera, "Camera");
    const self = byId("self", HTMLElement);
    self.classList.toggle("no-picture", !camera);
    self.classList.toggle("muted", !mic);
  }

  /**
   * @param {string} id
   * @param {string} name
   * @param {import("../peer.js").Peer} peer
   */
  add(id, name, peer) {
    this.#names.set(id, name || "Guest");
    this.tiles.add(id, name, peer);
    this.#announce(`${name || "Guest"} joined.`);
    this.#refreshPeople();
  }

  /** @param {string} id */
  remove(id) {
    const name = this.#names.get(id);
    this.#names.delete(id);
    this.tiles.remove(id);
    if (name) this.#announce(`${name} left.`);
    this.#refreshPeople();
  }

  /** @param {boolean} online */
  setOnline(online) {
    this.#joined ||= online;
    this.#online = online;
    this.#showServer();
  }

  /** Still not in the room after a while. */
  setUnreachable() {
    this.#unreachable = true;
    this.#showServer();
  }

  #showServer() {
    const line = byId("server-state", HTMLElement);
    let text = "Connecting to the server…";
    if (this.#joined) text = "The server is not reachable. Trying again; running calls go on.";
    else if (this.#unreachable) text = "The server does not answer. Trying again…";
    line.hidden = this.#online;
    // Written only when it changes: a screen reader says it each time.
    if (line.textContent !== text) line.textContent = text;
  }

  close() {
    clearTimeout(this.#noticeTimer);
    this.tiles.close();
    byId("self-video", HTMLVideoElement).srcObject = null;
    byId("people-list", HTMLElement).hidden = true;
  }

  /**
   * @param {string} id
   * @param {"audio" | "video"} kind
   */
  #toggle(id, kind) {
    const button = byId(id, HTMLButtonElement);
    const { media } = this.#options;
    onClick(button, async () => {
      const on = !media.isOn(kind);
      await media.set(kind, on);
      const problem = media.problems[kind];
      if (on && problem) this.notice(sentence(kind, problem));
      this.refreshOwn();
    });
  }

  /** @param {string} text  shown for a while */
  notice(text) {
    const line = byId("notice", HTMLElement);
    line.textContent = text;
    line.hidden = false;
    clearTimeout(this.#noticeTimer);
    this.#noticeTimer = setTimeout(() => (line.hidden = true), NOTICE_MS);
  }

  /** @param {string} text  for screen readers */
  #announce(text) {
    // Several may come at once; the later ones must not silence the first.
    this.#said.push(text);
    if (this.#said.length > 1) return;
    setTimeout(() => {
      byId("announcements", HTMLElement).textContent = this.#said.join(" ");
      this.#said = [];
    }, ANNOUNCE_MS);
  }

  #togglePeople() {
    const list = byId("people-list", HTMLElement);
    list.hidden = !list.hidden;
    byId("people", HTMLButtonElement).setAttribute("aria-expanded", String(!list.hidden));
  }

  #refreshPeople() {
    const button = byId("people", HTMLButtonElement);
    const names = [`${this.#options.name || "Guest"} (you)`, ...this.#names.values()];
    within(button, ".label", HTMLElement).textContent = String(names.length);
    button.setAttribute("aria-label", names.length === 1 ? "1 person in the call" : `${names.length} people in the call`);
    const items = names.map((name) => {
      const item = document.createElement("li");
      item.textContent = name;
      return item;
    });
    within(byId("people-list", HTMLElement), "ul", HTMLElement).replaceChildren(...items);
  }
}
