// After a call, or where one cannot be: a sentence and what to do next.

import { byId, showScreen } from "./dom.js";

/**
 * @param {object} options
 * @param {string} options.title
 * @param {string} options.text
 * @param {boolean} options.again  offer to try again
 */
export function showEnd({ title, text, again }) {
  byId("end-title", HTMLElement).textContent = title;
  byId("end-text", HTMLElement).textContent = text;
  const button = byId("again", HTMLButtonElement);
  button.hidden = !again;
  button.onclick = () => location.reload();
  showScreen("end");
  byId("end-title", HTMLElement).focus();
}
