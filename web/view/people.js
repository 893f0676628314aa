// The list of those who are in the call.

import { inSentence } from "../names.js";
import { byId, within } from "./dom.js";

export class People {
  #button = byId("people", HTMLButtonElement);
  #list = byId("people-list", HTMLElement);
  #own;
  /** @type {Map<string, { name: string, hand: boolean }>} */
  #others = new Map();
  #hand = false;

  /** @param {string} own  the own name */
  constructor(own) {
    this.#own = own;
    this.#button.onclick = () => this.#open(this.#list.hidden);
    this.#list.onkeydown = this.#button.onkeydown = (event) => {
      if (event.key !== "Escape" || this.#list.hidden) return;
      event.stopPropagation();
      this.#open(false);
      this.#button.focus();
    };
    this.#show();
  }

  /** How many there are with oneself. */
  get count() {
    return this.#others.size + 1;
  }

  /** @param {string} id */
  nameOf(id) {
    return this.#others.get(id)?.name;
  }

  /**
   * @param {string} id
   * @param {string} name
   */
  add(id, name) {
    this.#others.set(id, { name, hand: false });
    this.#show();
  }

  /** @param {string} id */
  remove(id) {
    this.#others.delete(id);
    this.#show();
  }

  /**
   * @param {string | null} id  null for the own one
   * @param {boolean} up
   * @returns {boolean} whether that is new
   */
  setHand(id, up) {
    const other = id === null ? undefined : this.#others.get(id);
    const before = id === null ? this.#hand : (other?.hand ?? up);
    if (before === up) return false;
    if (other) other.hand = up;
    else this.#hand = up;
    this.#show();
    return true;
  }

  close() {
    this.#open(false);
  }

  /** @param {boolean} open */
  #open(open) {
    this.#list.hidden = !open;
    this.#button.setAttribute("aria-expanded", String(open));
  }

  #show() {
    const all = [{ name: `${inSentence(this.#own)} (you)`, hand: this.#hand }, ...this.#others.values()];
    within(this.#button, ".label", HTMLElement).textContent = String(all.length);
    this.#button.setAttribute("aria-label", all.length === 1 ? "1 person in the call" : `${all.length} people in the call`);
    const items = all.map(({ name, hand }) => {
      const item = document.createElement("li");
      item.textContent = hand ? `${inSentence(name)}, hand raised` : name;
      item.dir = "auto";
      return item;
    });
    within(this.#list, "ul", HTMLElement).replaceChildren(...items);
  }
}
