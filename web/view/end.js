// After a call, or where one cannot be: a sentence and what to do next.

import { byId, showScreen } from "./dom.js";
import { BAD_ROOM } from "./start.js";

/** Why a call could not be, or is over, by the code that signaling ends with. */
export const ENDS = {
  "room-full": ["The room is full", "Everybody who fits is in already. Try again when somebody has left."],
  "bad-room": ["No such room", BAD_ROOM],
  "too-many-rooms": ["No room left on this server", "It has as many open rooms as it may. Try again later."],
  "bad-ticket": ["The server does not know this page", "It may have been set up anew. Load the page again."],
  "not-invited": ["Not for this room", "You may call here, but not in this room. Ask those in it for a link."],
  refused: ["You were not let in", "Those in the room have turned you away."],
  "room-closed": ["Everybody has left", "Nobody is there any more who could let you in. Join again to open the room anew."],
  unanswered: ["Nobody let you in", "Those in the room have not answered. Try again later."],
  "too-many-knocks": ["Too many wait already", "The room is locked, and others wait to be let in. Try again in a minute."],
  draining: ["The server is about to stop", "It opens no more rooms until it is back. Try again in a few minutes."],
  revoked: ["Access was withdrawn", "Those who run this server have ended all logins and invitations. Ask them for another one."],
  replaced: ["Continued elsewhere", "This call goes on in another tab or window."],
};

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
  document.title = `${title} · callbox`;
  showScreen("end");
  byId("end-title", HTMLElement).focus();
}
