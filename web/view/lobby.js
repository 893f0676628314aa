// The lobby: see and hear oneself before others do.

import { sentence } from "../problems.js";
import { wireFlip } from "./devices.js";
import { byId, copyOf, oneAtATime, setDevice, setMirror, showScreen } from "./dom.js";

/**
 * @param {object} options
 * @param {string} options.room
 * @param {string} options.name
 * @param {import("../media.js").LocalMedia} options.media
 * @param {import("./devices.js").DeviceChooser} options.chooser
 * @returns {Promise<string>} the name to join with
 */
export function showLobby({ room, name, media, chooser }) {
  const preview = byId("preview", HTMLVideoElement);
  const nameInput = byId("name", HTMLInputElement);
  byId("lobby-room", HTMLElement).textContent = room;
  document.title = `${room} · callbox`;
  nameInput.value = name;
  preview.srcObject = media.stream;
  wireToggle("lobby-mic", "audio", media);
  wireToggle("lobby-camera", "video", media);
  wireFlip("lobby-flip", media, showLobbyNotice);
  refreshLobby(media);
  showScreen("lobby");
  chooser.showIn(byId("lobby-devices", HTMLElement));
  return new Promise((resolve) => {
    byId("lobby-form", HTMLFormElement).onsubmit = (event) => {
      event.preventDefault();
      preview.srcObject = null;
      resolve(nameInput.value.trim());
    };
    byId("join", HTMLButtonElement).focus();
  });
}

/**
 * Shows what is on, and what is wrong.
 * @param {import("../media.js").LocalMedia} media
 */
export function refreshLobby(media) {
  const camera = media.isSent("video");
  const preview = byId("preview", HTMLVideoElement);
  preview.hidden = !camera;
  setMirror(preview, media);
  byId("preview-off", HTMLElement).hidden = camera;
  setDevice(byId("lobby-mic", HTMLButtonElement), media, "audio");
  setDevice(byId("lobby-camera", HTMLButtonElement), media, "video");
  const problem = problemText(media);
  const line = byId("lobby-problem", HTMLElement);
  const text = problem && `${problem} You can join without.`;
  // Written only when it changes: a screen reader says it each time.
  if (line.textContent !== text) line.textContent = text;
}

/** @param {string} text  what changed by itself; empty once something else did */
export function showLobbyNotice(text) {
  byId("lobby-notice", HTMLElement).textContent = text;
}

/** The browser refuses what a call needs. */
export function showLobbyRefused() {
  byId("lobby-refused", HTMLElement).replaceChildren(copyOf("refused-template"));
}

/**
 * What is wrong with camera and microphone, each said once.
 * @param {import("../media.js").LocalMedia} media
 */
export function problemText(media) {
  const { audio, video } = media.problems;
  if (audio === "denied" && video === "denied") {
    return "Camera and microphone are not allowed for this page. Allow them in the browser's address bar.";
  }
  if (audio === "missing" && video === "missing") {
    return "No camera and no microphone were found. You will see and hear the others.";
  }
  const sentences = [audio && sentence("audio", audio), video && sentence("video", video)];
  return [...new Set(sentences.filter(Boolean))].join(" ");
}

/**
 * @param {string} id
 * @param {"audio" | "video"} kind
 * @param {import("../media.js").LocalMedia} media
 */
function wireToggle(id, kind, media) {
  const button = byId(id, HTMLButtonElement);
  oneAtATime(button, async () => {
    await media.set(kind, !media.isOn(kind));
    refreshLobby(media);
  });
}
