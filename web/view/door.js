// The room's door: its lock, those who knock, and waiting before it oneself.

import { inSentence } from "../names.js";
import { byId, copyOf, setToggle, within } from "./dom.js";

/** So long after the cards have moved up no press is taken: it may have been meant for the one that was there. */
const SETTLE_MS = 500;

/**
 * @typedef {object} Options
 * @property {(locked: boolean) => void} onlock
 * @property {(id: string, admitted: boolean) => void} onanswer
 * @property {(text: string) => void} notice
 */

export class DoorView {
  #options;
  #lock = byId("lock", HTMLButtonElement);
  #sign = byId("locked-sign", HTMLElement);
  #list = byId("knocks", HTMLElement);
  #waiting = byId("waiting", HTMLElement);
  /** @type {Map<string, HTMLElement>} */
  #cards = new Map();
  #moved = 0;

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    this.#lock.onclick = () => this.#toggle();
    this.#lock.disabled = true;
  }

  /** @param {import("../door.js").Door} door */
  show(door) {
    const there = door.inside && door.online;
    setToggle(this.#lock, door.locked, "Lock the room");
    this.#lock.disabled = !there;
    this.#sign.hidden = !(there && door.locked);
    this.#waiting.hidden = !door.waiting;
    this.#showKnocks(door.knocks);
  }

  close() {
    this.#list.replaceChildren();
    this.#waiting.hidden = true;
  }

  /** Unlocking lets in all who wait, which a key is pressed too easily for. */
  #toggle() {
    const locked = this.#lock.getAttribute("aria-pressed") === "true";
    if (locked && this.#cards.size > 0) this.#options.notice("Somebody waits. Let them in or refuse them before you unlock the room.");
    else this.#options.onlock(!locked);
  }

  /** @param {import("../room.js").PeerInfo[]} knocks */
  #showKnocks(knocks) {
    const there = new Set(knocks.map(({ id }) => id));
    const focused = document.activeElement;
    for (const [id, card] of this.#cards) {
      if (there.has(id)) continue;
      this.#cards.delete(id);
      card.remove();
      this.#moved = performance.now();
    }
    for (const { id, name } of knocks) {
      if (this.#cards.has(id)) continue;
      const card = this.#card(id, name);
      this.#cards.set(id, card);
      this.#list.append(card);
    }
    this.#list.hidden = knocks.length === 0;
    if (focused && !focused.isConnected) this.#focusNext(focused.className);
  }

  /**
   * Whoever answers with keys goes on with the next card; behind the last one nothing is that a key would switch.
   * @param {string} button  its classes
   */
  #focusNext(button) {
    const [next] = this.#cards.values();
    const target = next && [...next.querySelectorAll("button")].find(({ className }) => className === button);
    (target ?? byId("people", HTMLButtonElement)).focus();
  }

  /**
   * @param {string} id
   * @param {string} name
   */
  #card(id, name) {
    const card = copyOf("knock");
    within(card, ".name", HTMLElement).textContent = name;
    for (const [selector, admitted] of /** @type {const} */ ([[".admit", true], [".refuse", false]])) {
      const button = within(card, selector, HTMLButtonElement);
      button.setAttribute("aria-label", `${button.textContent} ${inSentence(name)}`);
      button.onclick = () => {
        if (performance.now() - this.#moved >= SETTLE_MS) this.#options.onanswer(id, admitted);
      };
    }
    return card;
  }
}
