// The lobby: see and hear oneself before others do.

import { sentence } from "../media.js";
import { byId, onClick, setToggle, showScreen } from "./dom.js";

/**
 * @param {object} options
 * @param {string} options.room
 * @param {string} options.name
 * @param {import("../media.js").LocalMedia} options.media
 * @returns {Promise<string>} the name to join with
 */
export function showLobby({ room, name, media }) {
  const preview = byId("preview", HTMLVideoElement);
  const nameInput = byId("name", HTMLInputElement);
  const join = byId("join", HTMLButtonElement);
  byId("lobby-room", HTMLElement).textContent = room;
  document.title = `${room} · callbox`;
  nameInput.value = name;
  preview.srcObject = media.stream;
  const show = () => void render(media);
  wireToggle("lobby-mic", "audio", media, show);
  wireToggle("lobby-camera", "video", media, show);
  wireChoice("microphone-choice", "audio", media, show);
  wireChoice("camera-choice", "video", media, show);
  if (navigator.mediaDevices) navigator.mediaDevices.ondevicechange = show;
  show();
  showScreen("lobby");
  return new Promise((resolve) => {
    byId("lobby-form", HTMLFormElement).onsubmit = (event) => {
      event.preventDefault();
      preview.srcObject = null;
      if (navigator.mediaDevices) navigator.mediaDevices.ondevicechange = null;
      resolve(nameInput.value.trim());
    };
    join.focus();
  });
}

/** Shows what is on, and what is wrong. */
export function refreshLobby(/** @type {import("../media.js").LocalMedia} */ media) {
  void render(media);
}

/** @param {import("../media.js").LocalMedia} media */
async function render(media) {
  const camera = media.isOn("video");
  byId("preview", HTMLVideoElement).hidden = !camera;
  byId("preview-off", HTMLElement).hidden = camera;
  setToggle(byId("lobby-mic", HTMLButtonElement), media.isOn("audio"), "Microphone");
  setToggle(byId("lobby-camera", HTMLButtonElement), camera, "Camera");
  const problem = problemText(media);
  byId("lobby-problem", HTMLElement).textContent = problem && `${problem} You can join without.`;
  await fillChoice("microphone-choice", "audio", media);
  await fillChoice("camera-choice", "video", media);
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
 * @param {() => void} show
 */
function wireToggle(id, kind, media, show) {
  const button = byId(id, HTMLButtonElement);
  onClick(button, async () => {
    await media.set(kind, !media.isOn(kind));
    show();
  });
}

/**
 * @param {string} id
 * @param {"audio" | "video"} kind
 * @param {import("../media.js").LocalMedia} media
 * @param {() => void} show
 */
function wireChoice(id, kind, media, show) {
  const select = byId(id, HTMLSelectElement);
  select.onchange = async () => {
    await media.choose(kind, select.value);
    show();
  };
}

/**
 * @param {string} id
 * @param {"audio" | "video"} kind
 * @param {import("../media.js").LocalMedia} media
 */
async function fillChoice(id, kind, media) {
  const select = byId(id, HTMLSelectElement);
  const devices = await media.devices(kind);
  select.disabled = devices.length === 0;
  const options = devices.map((device, index) => {
    const label = device.label || `${kind === "audio" ? "Microphone" : "Camera"} ${index + 1}`;
    return new Option(label, device.deviceId, false, device.deviceId === media.deviceId(kind));
  });
  select.replaceChildren(...(options.length ? options : [new Option("None found", "")]));
}
