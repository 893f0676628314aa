// The choice of camera, microphone and speaker: in the lobby, then in a dialog of the call.

import { LevelMeter } from "../level.js";
import { refusal } from "../problems.js";
import { byId, oneAtATime, within } from "./dom.js";
import { playTone } from "./tone.js";

const NO_CHOICE = "Chosen in the system's settings";

/** Firefox shows one speaker, and others only to whoever picks them in a window of its own. */
const picksSpeaker = () => typeof Reflect.get(navigator.mediaDevices ?? {}, "selectAudioOutput") === "function";

export class DeviceChooser {
  #options;
  #box = byId("devices", HTMLElement);
  #dialog = byId("devices-dialog", HTMLDialogElement);
  #speaker = byId("speaker-choice", HTMLSelectElement);
  #status = byId("device-status", HTMLElement);
  #meter = new LevelMeter((level) => this.#showLevel(level));
  /** While it can be seen. */
  #active = false;

  /**
   * @param {object} options
   * @param {import("../media.js").LocalMedia} options.media
   * @param {import("../devices.js").Devices} options.devices
   * @param {(id: string) => void} options.onspeaker  the person chose one
   */
  constructor(options) {
    this.#options = options;
    this.#wire("microphone-choice", "audio");
    this.#wire("camera-choice", "video");
    this.#speaker.onchange = () => this.#chooseSpeaker(this.#speaker.value);
    this.#wireTest();
    this.#wirePick();
  }

  /** @param {HTMLElement} place  stands there from now on, and can be seen */
  showIn(place) {
    place.append(this.#box);
    this.#setActive(true);
  }

  /** From now on in a dialog, which a button of the call's menu opens. */
  toDialog() {
    this.#setActive(false);
    within(this.#dialog, ".devices-place", HTMLElement).append(this.#box);
    this.#dialog.onclose = () => this.#setActive(false);
    byId("show-devices", HTMLButtonElement).onclick = () => {
      byId("menu", HTMLElement).hidePopover();
      this.#dialog.showModal();
      this.#setActive(true);
    };
  }

  /** Devices came or went, or another one is used. */
  refresh() {
    const { media, devices } = this.#options;
    for (const id of ["lobby-flip", "self-flip"]) byId(id, HTMLButtonElement).hidden = !media.canFlip;
    for (const [id, kind] of /** @type {const} */ ([["microphone-choice", "audio"], ["camera-choice", "video"]])) {
      fill(byId(id, HTMLSelectElement), devices.of(kind), media.deviceId(kind) ?? "", noneText(media.problems[kind]));
    }
    const canChoose = "setSinkId" in HTMLMediaElement.prototype;
    fill(this.#speaker, canChoose ? devices.of("speaker") : [], devices.speaker, NO_CHOICE);
    if (this.#active) this.#meter.listen(media.isOn("audio") ? media.track("audio") : null);
  }

  close() {
    this.#setActive(false);
    this.#dialog.close();
  }

  /** @param {boolean} active */
  #setActive(active) {
    this.#active = active;
    this.#status.textContent = "";
    if (active) this.refresh();
    else this.#meter.close();
  }

  /** @param {number} level */
  #showLevel(level) {
    const meter = byId("mic-level", HTMLElement);
    meter.style.setProperty("--level", level.toFixed(2));
    meter.setAttribute("aria-valuenow", String(Math.round(level * 100)));
  }

  /**
   * @param {string} id
   * @param {"audio" | "video"} kind
   */
  #wire(id, kind) {
    const select = byId(id, HTMLSelectElement);
    select.onchange = async () => {
      const { media } = this.#options;
      const label = select.selectedOptions[0].text;
      this.#status.textContent = "";
      const problem = await media.choose(kind, select.value);
      this.refresh();
      const used = media.track(kind)?.label;
      if (problem) this.#status.textContent = refusal(label, problem) + (used ? ` Still in use: ${used}.` : "");
    };
  }

  /** @param {string} id */
  #chooseSpeaker(id) {
    this.#options.devices.chooseSpeaker(id);
    this.#options.onspeaker(id);
    this.#status.textContent = "";
    this.refresh();
  }

  #wireTest() {
    const button = byId("test-speaker", HTMLButtonElement);
    oneAtATime(button, async () => {
      button.classList.add("playing");
      const played = await playTone(this.#options.devices.speaker);
      button.classList.remove("playing");
      this.#status.textContent = played ? "" : "This speaker could not be used. Try another one.";
    });
  }

  #wirePick() {
    const button = byId("pick-speaker", HTMLButtonElement);
    button.hidden = !picksSpeaker();
    oneAtATime(button, async () => {
      /** @type {() => Promise<MediaDeviceInfo>} */
      const pick = Reflect.get(navigator.mediaDevices, "selectAudioOutput");
      const picked = await pick.call(navigator.mediaDevices).catch(() => null);
      if (!picked) return;
      await this.#options.devices.refresh();
      this.#chooseSpeaker(picked.deviceId);
    });
  }
}

/**
 * The button from one camera of a phone to the other.
 * @param {string} id
 * @param {import("../media.js").LocalMedia} media
 * @param {(text: string) => void} notice
 */
export function wireFlip(id, media, notice) {
  oneAtATime(byId(id, HTMLButtonElement), async () => {
    const problem = await media.flip();
    if (problem) notice(refusal("The other camera", problem));
  });
}

/** @param {import("../media.js").Problem | null} problem */
function noneText(problem) {
  if (!problem) return "Not known yet";
  return problem === "denied" ? "Not allowed" : "None found";
}

/**
 * @param {HTMLSelectElement} select
 * @param {import("../devices.js").Device[]} devices
 * @param {string} chosen
 * @param {string} none  what stands there instead of a choice
 */
function fill(select, devices, chosen, none) {
  const listed = devices.length > 0 ? devices : [{ id: "", label: none }];
  select.disabled = devices.length === 0;
  const same = listed.length === select.options.length
    && listed.every(({ id, label }, index) => select.options[index].value === id && select.options[index].text === label);
  // A list that is open would close.
  if (!same) select.replaceChildren(...listed.map(({ id, label }) => new Option(label, id)));
  if (listed.some(({ id }) => id === chosen)) select.value = chosen;
}
