// Ways for the link of a room to get to somebody else: copied, shared, or read by a camera.

import { byId, copyWith, oneAtATime } from "./dom.js";

/**
 * @param {{ room: string, oncopied: () => void } & import("../invitation.js").Invitation} options
 */
export function wireInvite({ room, link, code, oncopied }) {
  byId("link", HTMLElement).textContent = shown(link);
  for (const button of document.querySelectorAll("button[data-invite]")) {
    if (!(button instanceof HTMLButtonElement)) continue;
    if (button.dataset.invite === "copy") {
      // By hand it is copied from the dialog.
      oneAtATime(button, async () => ((await copyWith(button, link)) ? oncopied() : showCode(link, code)));
    }
    if (button.dataset.invite === "qr") button.onclick = () => showCode(link, code);
    if (button.dataset.invite === "share") wireShare(button, { title: `callbox: ${room}`, url: link });
  }
}

/**
 * @param {HTMLButtonElement} button
 * @param {ShareData} data
 */
function wireShare(button, data) {
  button.hidden = typeof navigator.share !== "function";
  oneAtATime(button, async () => {
    byId("menu", HTMLElement).hidePopover();
    // Whoever thinks better of it has shared nothing, and that is all.
    await navigator.share(data).catch(() => {});
  });
}

/**
 * @param {string} link
 * @param {string} code
 */
function showCode(link, code) {
  const image = byId("qr-image", HTMLImageElement);
  image.src = code;
  byId("qr-link", HTMLElement).textContent = shown(link);
  byId("menu", HTMLElement).hidePopover();
  byId("qr", HTMLDialogElement).showModal();
}

/** @param {string} link  as people read it */
function shown(link) {
  return link.replace(/^https:\/\//, "");
}
