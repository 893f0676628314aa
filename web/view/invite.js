// Ways for the link of a room to get to somebody else: copied, shared, or read by a camera.

import { byId, copyWith, oneAtATime } from "./dom.js";

/**
 * @param {object} options
 * @param {string} options.room
 * @param {string} options.link
 * @param {() => void} options.oncopied
 */
export function wireInvite({ room, link, oncopied }) {
  byId("link", HTMLElement).textContent = shown(link);
  for (const button of document.querySelectorAll("button[data-invite]")) {
    if (!(button instanceof HTMLButtonElement)) continue;
    if (button.dataset.invite === "copy") {
      // By hand it is copied from the dialog.
      oneAtATime(button, async () => ((await copyWith(button, link)) ? oncopied() : showCode(room, link)));
    }
    if (button.dataset.invite === "qr") button.onclick = () => showCode(room, link);
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
 * @param {string} room
 * @param {string} link
 */
function showCode(room, link) {
  const image = byId("qr-image", HTMLImageElement);
  image.src = `/qr.svg?room=${encodeURIComponent(room)}`;
  byId("qr-link", HTMLElement).textContent = shown(link);
  byId("menu", HTMLElement).hidePopover();
  byId("qr", HTMLDialogElement).showModal();
}

/** @param {string} link  as people read it */
function shown(link) {
  return link.replace(/^https:\/\//, "");
}
