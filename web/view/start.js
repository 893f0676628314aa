// The start page: a new room, or one by its name.

import { isRoomName, randomRoomName, tidy } from "../names.js";
import { byId, showScreen } from "./dom.js";

export const BAD_ROOM = "A room's name has up to 64 letters, digits, hyphens and underscores.";

/**
 * The way to install the server's authority.
 * @param {boolean | null} trusted  does this browser trust the server? `null`: not known
 */
export function offerAuthority(trusted) {
  byId("untrusted", HTMLElement).hidden = trusted !== false;
  byId("perhaps-untrusted", HTMLElement).hidden = trusted !== null;
}

/**
 * @param {object} options
 * @param {string} [options.notice]  a sentence above everything
 * @param {(room: string) => void} options.onroom
 */
export function showStart({ notice = "", onroom }) {
  const form = byId("room-form", HTMLFormElement);
  const input = byId("room", HTMLInputElement);
  const error = byId("room-error", HTMLElement);
  byId("start-notice", HTMLElement).textContent = notice;

  byId("new-room", HTMLButtonElement).onclick = () => onroom(randomRoomName());
  input.oninput = () => {
    error.textContent = "";
    input.removeAttribute("aria-invalid");
  };
  form.onsubmit = (event) => {
    event.preventDefault();
    const name = tidy(input.value);
    if (isRoomName(name)) {
      onroom(name);
    } else {
      error.textContent = name ? BAD_ROOM : "Type the room's name first.";
      input.setAttribute("aria-invalid", "true");
      input.focus();
    }
  };
  document.title = "callbox";
  showScreen("start");
}
