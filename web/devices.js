// Which devices there are and may be used, and which speaker is chosen. Knows no DOM beyond navigator.mediaDevices.

import { DEVICE } from "./problems.js";

/**
 * @typedef {"audio" | "video" | "speaker"} Choosable
 * @typedef {{ id: string, label: string }} Device
 * @typedef {Pick<MediaDeviceInfo, "kind" | "deviceId" | "label">} Listed
 */

const LISTED = { audio: "audioinput", video: "videoinput", speaker: "audiooutput" };
const NAMES = { audio: "Microphone", video: "Camera", speaker: "Speaker" };
const SYSTEM = "System default";

/**
 * What can be chosen of a kind. Before the person has allowed anything browsers name nothing. Pure.
 * @param {Listed[]} all
 * @param {Choosable} kind
 * @returns {Device[]}
 */
export function choices(all, kind) {
  const known = all.filter((device) => device.kind === LISTED[kind] && device.deviceId);
  const named = known.map(({ deviceId, label }, index) => ({ id: deviceId, label: label || `${NAMES[kind]} ${index + 1}` }));
  return kind === "speaker" ? withSystem(named) : named;
}

/**
 * Chromium lists whatever the system uses under a name of its own, which stays when the device goes.
 * @param {MediaStreamTrack} track
 */
export function isStandIn(track) {
  return ["default", "communications"].includes(track.getSettings().deviceId ?? "");
}

/** @param {import("./lines.js").Kind} kind */
export async function permissionOf(kind) {
  const name = /** @type {PermissionName} */ (DEVICE[kind]);
  const status = await navigator.permissions?.query({ name }).catch(() => null);
  return status?.state ?? "prompt";
}

/**
 * What is asked of whichever it is.
 * @param {import("./lines.js").Kind} kind
 * @param {number} lines  of a camera
 * @returns {MediaTrackConstraints}
 */
export function usual(kind, lines) {
  if (kind === "audio") return { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  return { width: { ideal: (lines * 16) / 9 }, height: { ideal: lines }, frameRate: { ideal: 30, max: 30 } };
}

/**
 * The system's own speaker comes first; its id is empty, which every browser understands.
 * @param {Device[]} speakers
 */
function withSystem(speakers) {
  const system = speakers.find(({ id }) => id === "default")?.label ?? SYSTEM;
  return [{ id: "", label: system }, ...speakers.filter(({ id }) => id !== "default")];
}

/**
 * @typedef {object} Options
 * @property {import("./media.js").LocalMedia} media
 * @property {string} speaker  chosen earlier; used as soon as it is there
 * @property {() => void} onchange  devices came or went
 * @property {(id: string) => void} onspeaker  sound goes elsewhere from now on
 * @property {(text: string) => void} onnotice
 */

export class Devices {
  #options;
  #wanted;
  /** What sound goes to. */
  #speaker = "";
  /** What it went to before. */
  #before = "";
  #stop = new AbortController();

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    this.#wanted = options.speaker;
    const { signal } = this.#stop;
    navigator.mediaDevices?.addEventListener("devicechange", () => void this.#changed(), { signal });
  }

  get speaker() {
    return this.#speaker;
  }

  /** @param {Choosable} kind */
  of(kind) {
    return choices(this.#options.media.listed, kind);
  }

  /** @param {string} id  empty for the system's own */
  chooseSpeaker(id) {
    this.#wanted = id;
    this.#fitSpeaker();
  }

  /**
   * @param {string} id  of a speaker that does not take the sound
   * @param {string} [instead]  the one that does; by default that of before
   */
  speakerRefused(id, instead = this.#before) {
    if (this.#speaker !== id) return;
    this.#speaker = this.#wanted = instead;
    this.#before = "";
    this.#options.onchange();
  }

  /** Lists anew, as once names may be read. */
  async refresh() {
    await this.#options.media.look();
    if (this.#stop.signal.aborted) return;
    this.#fitSpeaker();
    this.#options.onchange();
  }

  close() {
    this.#stop.abort();
  }

  async #changed() {
    const before = this.#speaker;
    await this.refresh();
    if (before && !this.#speaker) this.#options.onnotice("The speaker was disconnected. Sound goes to the system's own.");
    await this.#options.media.refit();
  }

  #fitSpeaker() {
    const there = this.of("speaker").some(({ id }) => id === this.#wanted);
    const next = there ? this.#wanted : "";
    if (next === this.#speaker) return;
    this.#before = this.#speaker;
    this.#speaker = next;
    this.#options.onspeaker(next);
  }
}
