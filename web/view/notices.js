// Lines that come and go over a call.

import { announce } from "./announce.js";
import { byId, copyOf } from "./dom.js";

const NOTICE_MS = 6000;
/** Who came and went, in one line. */
const MENTIONS = 3;

export class Notices {
  #joined = false;
  #online = false;
  #crowded = false;
  #unreachable = false;
  #refused = false;
  #line = byId("notice", HTMLElement);
  #important = false;
  /** @type {string[]} */
  #mentions = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {string} text  shown for a while */
  show(text) {
    announce(text);
    this.#put(text, true);
  }

  /** @param {string} text  shown for a while, though not instead of something else */
  mention(text) {
    announce(text);
    this.#mentions = [...this.#mentions, text].slice(-MENTIONS);
    if (!this.#important) this.#put(this.#mentions.join(" "), false);
  }

  /**
   * @param {boolean} online  is the server there?
   * @param {boolean} [crowded]  has it no place for us now?
   */
  setOnline(online, crowded = false) {
    if (online && this.#joined && !this.#online) announce(this.#crowded ? "You are in the room again." : "The server is reachable again.");
    this.#joined ||= online;
    this.#online = online;
    this.#crowded = crowded;
    this.#showServer();
  }

  /** Still not in the room after a while. */
  setUnreachable() {
    this.#unreachable = true;
    this.#showServer();
  }

  /** The server is there, but the browser does not connect to it. */
  setRefused() {
    this.#refused = true;
    this.#showServer();
  }

  close() {
    clearTimeout(this.#timer);
    this.#line.hidden = true;
  }

  /**
   * @param {string} text
   * @param {boolean} important
   */
  #put(text, important) {
    this.#important = important;
    this.#line.textContent = text;
    this.#line.hidden = false;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#next(), NOTICE_MS);
  }

  /** What was not important has waited. */
  #next() {
    const mentions = this.#important ? this.#mentions.join(" ") : "";
    this.#important = false;
    if (mentions) {
      this.#put(mentions, false);
    } else {
      this.#mentions = [];
      this.#line.hidden = true;
    }
  }

  #showServer() {
    const line = byId("server-state", HTMLElement);
    let text = "Connecting to the server…";
    if (this.#joined && this.#crowded) text = "The server has no free place now. You come in again as soon as there is one.";
    else if (this.#joined) text = "The server is not reachable. Trying again; running calls go on.";
    else if (this.#unreachable) text = "The server does not answer. Trying again…";
    line.hidden = this.#online;
    if (this.#online) text = "";
    else if (this.#refused && !this.#joined) {
      this.#showRefused(line);
      return;
    }
    if (line.textContent === text) return;
    line.textContent = text;
    if (text && (this.#joined || this.#unreachable)) announce(text);
  }

  /** @param {HTMLElement} line */
  #showRefused(line) {
    if (line.querySelector("a")) return;
    const why = copyOf("refused-template");
    line.replaceChildren(...why.childNodes);
    announce(line.textContent ?? "");
  }
}
