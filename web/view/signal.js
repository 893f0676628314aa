// The sign in a tile that tells how good the connection is; it opens the panel that tells more.

import { sentence } from "../verdict.js";
import { byId, copyOf, within } from "./dom.js";

const OPEN = "callbox:connection";

/**
 * Puts the sign into a tile.
 * @param {HTMLElement} tile
 * @param {string} id
 * @param {string} name
 */
export function addSignal(tile, id, name) {
  const signal = copyOf("signal");
  signal.dataset.of = id;
  const button = within(signal, "button", HTMLButtonElement);
  label(button, name, "measuring");
  // A double click on a tile means something else.
  button.ondblclick = (event) => event.stopPropagation();
  button.onclick = () => signal.dispatchEvent(new CustomEvent(OPEN, { bubbles: true }));
  tile.append(signal);
}

/**
 * @typedef {object} Options
 * @property {(text: string) => void} announce  for screen readers
 * @property {(id: string, button: HTMLButtonElement) => void} onopen  somebody wants to know more
 */

export class Signals {
  #options;
  #tiles = byId("tiles", HTMLElement);
  #own = byId("own-trouble", HTMLElement);
  #stop = new AbortController();
  /** With whom the connection is bad by the own network's fault. @type {Set<string>} */
  #mine = new Set();
  /** Whose bad connection has been announced; "" is the own one. @type {Set<string>} */
  #said = new Set();

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    this.#tiles.addEventListener(OPEN, (event) => this.#open(event), { signal: this.#stop.signal });
  }

  /**
   * @param {string} id
   * @param {string} name
   * @param {import("../watch.js").Watched} watched
   */
  show(id, name, { verdict, peer }) {
    const signal = this.#find(id);
    if (!signal) return;
    // Of a connection that is lost the tile says so itself.
    const text = verdict.level === "bad" && peer.state === "connected" ? sentence(verdict, name) : "";
    const mine = verdict.fault === "mine";
    signal.dataset.level = verdict.level;
    label(within(signal, "button", HTMLButtonElement), name, verdict.level === "poor" ? "weak" : verdict.level);
    // What is the own network's fault is said once for all tiles.
    write(within(signal, ".said", HTMLElement), mine ? "" : text);
    if (mine && text) this.#mine.add(id);
    else this.#mine.delete(id);
    write(this.#own, this.#mine.size > 0 ? (this.#own.textContent || text) : "");
    this.#announce(id, verdict, text);
  }

  /** @param {string} id */
  remove(id) {
    this.#said.delete(id);
    this.#mine.delete(id);
    if (this.#mine.size === 0) write(this.#own, "");
  }

  close() {
    this.#stop.abort();
    write(this.#own, "");
  }

  /**
   * Once, when it is known whose fault it is, until it has been good again.
   * @param {string} id
   * @param {import("../verdict.js").Verdict} verdict
   * @param {string} text
   */
  #announce(id, { level, fault }, text) {
    if (level === "good") this.#said.delete(id);
    if (this.#mine.size === 0) this.#said.delete("");
    const whose = fault === "mine" ? "" : id;
    if (!text || fault === null || this.#said.has(whose) || this.#said.has(id)) return;
    this.#said.add(whose).add(id);
    this.#options.announce(text);
  }

  /** @param {Event} event */
  #open(event) {
    const signal = event.target;
    if (!(signal instanceof HTMLElement)) return;
    this.#options.onopen(signal.dataset.of ?? "", within(signal, "button", HTMLButtonElement));
  }

  /** @param {string} id */
  #find(id) {
    const signals = [...this.#tiles.querySelectorAll(".signal")].filter((each) => each instanceof HTMLElement);
    return signals.find((each) => each.dataset.of === id);
  }
}

/**
 * @param {HTMLButtonElement} button
 * @param {string} name
 * @param {string} how
 */
function label(button, name, how) {
  const text = `Connection to ${name}: ${how}`;
  if (button.title === text) return;
  button.title = text;
  button.setAttribute("aria-label", text);
}

/**
 * @param {HTMLElement} line
 * @param {string} text
 */
function write(line, text) {
  line.hidden = text === "";
  if (line.textContent !== text) line.textContent = text;
}
