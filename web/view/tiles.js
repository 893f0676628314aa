// The pictures of the others, and the own one.

import { initials } from "../names.js";
import { byId, copyOf, within } from "./dom.js";

/** Wide enough for a picture of 4:3 to be preferred over more columns. */
const RATIO = 4 / 3;

/**
 * How many columns make the largest tiles. Pure.
 * @param {number} count
 * @param {number} width
 * @param {number} height
 */
export function columnsFor(count, width, height) {
  let best = { columns: 1, size: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const size = Math.min(width / columns, (height / rows) * RATIO);
    if (size > best.size) best = { columns, size };
  }
  return best.columns;
}

/** What is said in a tile while there is no picture or sound to expect. */
const STATES = { connecting: "Connecting…", connected: "", reconnecting: "Connection lost. Reconnecting…" };

export class Tiles {
  #grid = byId("tiles", HTMLElement);
  #empty = byId("alone", HTMLElement);
  /** @type {Map<string, HTMLElement>} */
  #tiles = new Map();
  #observer = new ResizeObserver(() => this.#arrange());

  #waitsForClick = false;
  #onblocked;

  /** @param {() => void} onblocked  sound needs a gesture first */
  constructor(onblocked) {
    this.#onblocked = onblocked;
    this.#observer.observe(this.#grid);
    this.#arrange();
  }

  /**
   * @param {string} id
   * @param {string} name
   * @param {import("../peer.js").Peer} peer
   */
  add(id, name, peer) {
    const tile = copyOf("tile");
    const shown = name || "Guest";
    within(tile, ".initials", HTMLElement).textContent = initials(shown);
    within(tile, ".name", HTMLElement).textContent = shown;
    const video = within(tile, "video", HTMLVideoElement);
    video.dataset.peer = id;
    video.setAttribute("aria-label", shown);
    video.srcObject = peer.stream;
    this.#tiles.set(id, tile);
    this.#grid.append(tile);
    this.update(id, peer);
    this.#arrange();
  }

  /**
   * @param {string} id
   * @param {import("../peer.js").Peer} peer
   */
  update(id, peer) {
    const tile = this.#tiles.get(id);
    if (!tile) return;
    tile.classList.toggle("no-picture", !peer.hasVideo);
    tile.dataset.state = peer.state;
    within(tile, ".state", HTMLElement).textContent = STATES[peer.state];
    const video = within(tile, "video", HTMLVideoElement);
    // Sound plays even where there is no picture.
    if (video.paused) video.play().catch((error) => error.name === "NotAllowedError" && this.#playWithNextClick());
  }

  /** The browser wants a gesture before it plays sound. */
  #playWithNextClick() {
    if (this.#waitsForClick) return;
    this.#waitsForClick = true;
    this.#onblocked();
    const play = () => {
      this.#waitsForClick = false;
      for (const video of this.#grid.querySelectorAll("video")) video.play().catch(() => {});
    };
    document.addEventListener("click", play, { once: true });
  }

  /** @param {string} id */
  remove(id) {
    this.#tiles.get(id)?.remove();
    this.#tiles.delete(id);
    this.#arrange();
  }

  close() {
    this.#observer.disconnect();
    this.#grid.replaceChildren();
    this.#tiles.clear();
  }

  #arrange() {
    const count = this.#tiles.size;
    this.#empty.hidden = count > 0;
    const columns = columnsFor(count, this.#grid.clientWidth, this.#grid.clientHeight);
    const rows = Math.ceil(count / columns);
    this.#grid.style.setProperty("--columns", String(columns * 2));
    this.#grid.style.setProperty("--rows", String(rows || 1));
    // A last row that is not full is centred.
    const missing = rows * columns - count;
    [...this.#tiles.values()].forEach((tile, index) => {
      const first = missing > 0 && index === (rows - 1) * columns;
      tile.style.gridColumnStart = first ? String(missing + 1) : "";
    });
  }
}
