// Keys that do what buttons do, and their overview.

import { keep, readStored } from "../remembered.js";
import { byId, isTyping } from "./dom.js";

/** Without a modifier, so each can be switched off with all others (WCAG 2.1.4). */
const STORED = "callbox.shortcuts";

/** Whoever holds a button's key for less has pressed the button. */
const TAP_MS = 300;

/**
 * @typedef {object} Shortcut
 * @property {string} key  as KeyboardEvent has it, in lower case; behind `shift+` where it takes that, too
 * @property {string} text  what it does
 * @property {HTMLButtonElement} button  that does the same; where it is hidden there is no key either
 * @property {Hold} [hold]  for keys that act as long as they are held; the others press the button
 *
 * @typedef {object} Hold
 * @property {() => boolean} begin  whether there is something to hold
 * @property {(tapped: boolean) => void} end  was the button meant, and not the key?
 */

export class Shortcuts {
  #dialog = byId("shortcuts", HTMLDialogElement);
  #enabled = byId("shortcuts-on", HTMLInputElement);
  /** @type {Map<string, Shortcut>} */
  #keys;
  #stop = new AbortController();
  /** What is held, since when, and whether the button had the focus. @type {{ key: string, hold: Hold, since: number, focused: boolean } | null} */
  #held = null;
  /** Has the focus by the keyboard. With the next key `:focus-visible` is true of what a mouse has pressed, too. @type {EventTarget | null} */
  #chosen = null;

  /** @param {Shortcut[]} shortcuts */
  constructor(shortcuts) {
    const possible = shortcuts.filter(({ button }) => !button.hidden);
    this.#keys = new Map(possible.map((shortcut) => [shortcut.key, shortcut]));
    this.#list(possible);
    this.#enabled.checked = readStored(STORED) !== "off";
    this.#enabled.onchange = () => keep(STORED, this.#enabled.checked ? "on" : "off");
    const { signal } = this.#stop;
    document.addEventListener("keydown", (event) => this.#down(event), { signal });
    document.addEventListener("keyup", (event) => this.#up(event), { signal });
    const choose = (/** @type {Event} */ { target }) => {
      this.#chosen = target instanceof Element && target.matches(":focus-visible") ? target : null;
    };
    document.addEventListener("focusin", choose, { signal });
    document.addEventListener("pointerdown", () => (this.#chosen = null), { signal });
    // A key that is let go elsewhere is never heard of.
    addEventListener("blur", () => this.#letGo(false), { signal });
  }

  show() {
    this.#dialog.showModal();
  }

  close() {
    this.#letGo(false);
    this.#stop.abort();
    this.#dialog.close();
  }

  /** @param {KeyboardEvent} event */
  #down(event) {
    const { target, timeStamp } = event;
    const key = event.key.toLowerCase();
    if (key === this.#held?.key) {
      event.preventDefault();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(target) || document.querySelector("dialog[open]")) return;
    if (key === "?") this.show();
    const shortcut = this.#keys.get(event.shiftKey ? `shift+${key}` : key);
    if (!shortcut || !this.#enabled.checked || (key === " " && this.#takesSpace(target, shortcut.button))) return;
    const { button, hold } = shortcut;
    const focused = target === button;
    if (!hold) {
      if (!event.repeat) button.click();
    } else if (!event.repeat && hold.begin()) {
      this.#held = { key, hold, since: timeStamp, focused };
    } else if (focused) {
      return;
    }
    event.preventDefault();
  }

  /** @param {KeyboardEvent} event */
  #up(event) {
    if (this.#held?.key !== event.key.toLowerCase()) return;
    this.#letGo(this.#held.focused && event.timeStamp - this.#held.since < TAP_MS);
  }

  /**
   * Space presses the button that the keyboard has chosen. One that a mouse has pressed merely happens to have the focus.
   * @param {EventTarget | null} target
   * @param {HTMLButtonElement} own  that Space is a key of anyway
   */
  #takesSpace(target, own) {
    if (!(target instanceof Element) || target === own) return false;
    return target.matches("input, summary") || (target === this.#chosen && target.matches("button, a"));
  }

  /** @param {boolean} tapped */
  #letGo(tapped) {
    const held = this.#held;
    this.#held = null;
    held?.hold.end(tapped);
  }

  /** @param {Shortcut[]} shortcuts */
  #list(shortcuts) {
    const rows = shortcuts.map(({ key, text }) => {
      const row = document.createElement("div");
      const [name, what] = [document.createElement("dt"), document.createElement("dd")];
      name.append(...key.split("+").map(cap));
      what.textContent = text;
      row.append(name, what);
      return row;
    });
    byId("shortcut-list", HTMLElement).replaceChildren(...rows);
  }
}

/** @param {string} key */
function cap(key) {
  const cap = document.createElement("kbd");
  cap.textContent = key === " " ? "Space" : key[0].toUpperCase() + key.slice(1);
  return cap;
}
