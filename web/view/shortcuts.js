// Keys that do what buttons do, and their overview.

import { keep, readStored } from "../remembered.js";
import { byId } from "./dom.js";

/** Without a modifier, so each can be switched off with all others (WCAG 2.1.4). */
const STORED = "callbox.shortcuts";

/**
 * @typedef {object} Shortcut
 * @property {string} key  as KeyboardEvent has it, in lower case
 * @property {string} text  what it does
 * @property {() => void} press
 * @property {() => void} [release]  for keys that are held
 */

export class Shortcuts {
  #dialog = byId("shortcuts", HTMLDialogElement);
  #enabled = byId("shortcuts-on", HTMLInputElement);
  /** @type {Map<string, Shortcut>} */
  #keys;
  #stop = new AbortController();
  /** @type {Shortcut | null} */
  #held = null;

  /** @param {Shortcut[]} shortcuts */
  constructor(shortcuts) {
    this.#keys = new Map(shortcuts.map((shortcut) => [shortcut.key, shortcut]));
    this.#list(shortcuts);
    this.#enabled.checked = readStored(STORED) !== "off";
    this.#enabled.onchange = () => keep(STORED, this.#enabled.checked ? "on" : "off");
    const { signal } = this.#stop;
    document.addEventListener("keydown", (event) => this.#down(event), { signal });
    document.addEventListener("keyup", (event) => this.#up(event.key.toLowerCase()), { signal });
    // A key that is let go elsewhere is never heard of.
    addEventListener("blur", () => this.#letGo(), { signal });
  }

  show() {
    this.#dialog.showModal();
  }

  close() {
    this.#letGo();
    this.#stop.abort();
    this.#dialog.close();
  }

  /** @param {KeyboardEvent} event */
  #down(event) {
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (key === "?") this.show();
    const shortcut = this.#keys.get(key);
    if (!shortcut || !this.#enabled.checked || document.querySelector("dialog[open]")) return;
    // Space is how buttons are pressed.
    if (key === " " && isControl(event.target)) return;
    event.preventDefault();
    if (event.repeat) return;
    this.#held = shortcut.release ? shortcut : null;
    shortcut.press();
  }

  /** @param {string} key */
  #up(key) {
    if (this.#held?.key === key) this.#letGo();
  }

  #letGo() {
    this.#held?.release?.();
    this.#held = null;
  }

  /** @param {Shortcut[]} shortcuts */
  #list(shortcuts) {
    const rows = shortcuts.map(({ key, text }) => {
      const row = document.createElement("div");
      const [name, what] = [document.createElement("dt"), document.createElement("dd")];
      const cap = document.createElement("kbd");
      cap.textContent = key === " " ? "Space" : key.toUpperCase();
      name.append(cap);
      what.textContent = text;
      row.append(name, what);
      return row;
    });
    byId("shortcut-list", HTMLElement).replaceChildren(...rows);
  }
}

/** @param {EventTarget | null} target */
function isTyping(target) {
  return target instanceof HTMLElement && target.matches("input:not([type=range], [type=checkbox]), select, textarea");
}

/** @param {EventTarget | null} target */
function isControl(target) {
  return target instanceof HTMLElement && target.closest("button, a, input, select, summary, [role=button]") !== null;
}
