// The room's door: its lock, those who knock, and waiting before it oneself.

import { inSentence, personName } from "../names.js";
import { byId, copyOf, keepFocus, setToggle, within } from "./dom.js";

/**
 * @typedef {object} Options
 * @property {(locked: boolean) => void} onlock
 * @property {(id: string, admitted: boolean) => void} onanswer
 */

export class DoorView {
  #options;
  #lock = byId("lock", HTMLButtonElement);
  #sign = byId("locked-sign", HTMLElement);
  #list = byId("knocks", HTMLElement);
  #waiting = byId("waiting", HTMLElement);
  /** @type {Map<string, HTMLElement>} */
  #cards = new Map();

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    this.#lock.onclick = () => options.onlock(this.#lock.getAttribute("aria-pressed") !== "true");
    this.#lock.disabled = true;
  }

  /** @param {import("../door.js").Door} door */
  show(door) {
    setToggle(this.#lock, door.locked, "Lock the room");
    this.#lock.disabled = !door.inside;
    this.#sign.hidden = !(door.inside && door.locked);
    this.#waiting.hidden = !door.waiting;
    keepFocus(() => this.#showKnocks(door.knocks), "mic");
  }

  close() {
    this.#list.replaceChildren();
    this.#waiting.hidden = true;
  }

  /** @param {import("../room.js").PeerInfo[]} knocks */
  #showKnocks(knocks) {
    const there = new Set(knocks.map(({ id }) => id));
    for (const [id, card] of this.#cards) {
      if (there.has(id)) continue;
      card.remove();
      this.#cards.delete(id);
    }
    for (const { id, name } of knocks) {
      if (this.#cards.has(id)) continue;
      const card = this.#card(id, personName(name));
      this.#cards.set(id, card);
      this.#list.append(card);
    }
    this.#list.hidden = knocks.length === 0;
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
      button.onclick = () => this.#options.onanswer(id, admitted);
    }
    return card;
  }
}
