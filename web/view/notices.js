// Lines that come and go over a call, and what screen readers say.

import { byId } from "./dom.js";

const NOTICE_MS = 6000;
const ANNOUNCE_MS = 100;

export class Notices {
  #joined = false;
  #online = false;
  #unreachable = false;
  /** @type {string[]} */
  #said = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #noticeTimer;

  /** @param {string} text  shown for a while */
  show(text) {
    const line = byId("notice", HTMLElement);
    line.textContent = text;
    line.hidden = false;
    clearTimeout(this.#noticeTimer);
    this.#noticeTimer = setTimeout(() => (line.hidden = true), NOTICE_MS);
  }

  /** @param {string} text  for screen readers */
  announce(text) {
    // Several may come at once; the later ones must not silence the first.
    this.#said.push(text);
    if (this.#said.length > 1) return;
    setTimeout(() => {
      byId("announcements", HTMLElement).textContent = this.#said.join(" ");
      this.#said = [];
    }, ANNOUNCE_MS);
  }

  /** @param {boolean} online  is the server there? */
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

  close() {
    clearTimeout(this.#noticeTimer);
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
}
