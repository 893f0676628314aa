// What screen readers say, on every screen.

import { byId } from "./dom.js";

const WAIT_MS = 100;

/** @type {string[]} */
let said = [];

/** @param {string} text */
export function announce(text) {
  // Several may come at once; the later ones must not silence the first.
  said.push(text);
  if (said.length > 1) return;
  const region = byId("announcements", HTMLElement);
  // Screen readers hear nothing of what lies behind a dialog.
  const place = document.querySelector("dialog[open]") ?? document.body;
  if (region.parentElement !== place) {
    region.textContent = "";
    place.append(region);
  }
  setTimeout(() => {
    region.textContent = said.join(" ");
    said = [];
  }, WAIT_MS);
}
