// The panel that tells about the connection to one person. It is no modal dialog: the call goes on beside it.

import { sentence } from "../verdict.js";
import { byId } from "./dom.js";
import { Figures, notesOf } from "./figures.js";

/** @typedef {import("../watch.js").Watched} Watched */

export class Panel {
  #panel = byId("connection", HTMLElement);
  #title = byId("connection-title", HTMLElement);
  #verdict = byId("connection-verdict", HTMLElement);
  #notes = byId("connection-notes", HTMLElement);
  #figures = new Figures(byId("connection-facts", HTMLElement), byId("connection-flows", HTMLElement));
  /** Whom it tells about, while it is open. @type {{ id: string, name: string, opener: HTMLElement } | null} */
  #about = null;

  constructor() {
    byId("connection-close", HTMLButtonElement).onclick = () => this.close();
    this.#panel.onkeydown = (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.close();
    };
  }

  /**
   * Opens it for somebody, or closes it where it is open for the same.
   * @param {object} about
   * @param {string} about.id
   * @param {string} about.name
   * @param {HTMLElement} about.opener  gets the focus back
   * @param {Watched | undefined} watched  what is known already
   */
  toggle(about, watched) {
    if (this.#about?.id === about.id) {
      this.close();
      return;
    }
    this.#about?.opener.setAttribute("aria-expanded", "false");
    this.#about = about;
    about.opener.setAttribute("aria-expanded", "true");
    this.#title.textContent = `Connection to ${about.name}`;
    const known = watched !== undefined && watched.samples.length > 0;
    this.#panel.classList.toggle("measuring", !known);
    this.#verdict.textContent = "Measuring…";
    this.#notes.hidden = true;
    if (known) this.show(about.id, watched);
    this.#panel.hidden = false;
    this.#panel.scrollTop = 0;
    this.#title.focus();
  }

  /**
   * There is a new sample of somebody.
   * @param {string} id
   * @param {Watched} watched
   */
  show(id, watched) {
    if (this.#about?.id !== id) return;
    this.#panel.classList.remove("measuring");
    this.#panel.dataset.level = watched.verdict.level;
    this.#verdict.textContent = sentence(watched.verdict, this.#about.name);
    this.#figures.show(watched);
    this.#notes.textContent = notesOf(watched.samples);
    this.#notes.hidden = this.#notes.textContent === "";
  }

  /** @param {string} id */
  left(id) {
    if (this.#about?.id === id) this.close();
  }

  close() {
    const { opener } = this.#about ?? {};
    if (!opener) return;
    const focused = this.#panel.contains(document.activeElement);
    this.#about = null;
    this.#panel.hidden = true;
    opener.setAttribute("aria-expanded", "false");
    if (!focused) return;
    // Whoever left has taken the button along.
    (opener.isConnected ? opener : byId("mic", HTMLElement)).focus();
  }
}
