// One tile: a person, or a screen that somebody shares.

import { initials } from "../names.js";
import { Bucket, Latest } from "../pace.js";
import { copyOf, setToggle, within } from "./dom.js";
import { glide } from "./motion.js";

/** What is said in a tile while there is no picture or sound to expect. */
const STATES = {
  connecting: "Connecting…",
  connected: "",
  reconnecting: "Connection lost. Reconnecting…",
  ended: "Disconnected: sent far too many messages.",
};

/** On iOS only the device's own buttons change how loud something is: there a page can silence it, and no more. */
const HAS_VOLUME = (() => {
  const probe = document.createElement("video");
  probe.volume = 0.5;
  return probe.volume === 0.5;
})();

/**
 * @typedef {object} Options
 * @property {string} id  whose it is
 * @property {string} label  what stands in it
 * @property {MediaStream} stream
 * @property {boolean} screen  a shared screen, not a person
 * @property {boolean} own
 * @property {number} volume  from 0 to 1
 * @property {() => void} onenlarge
 * @property {(volume: number) => void} onvolume
 * @property {() => void} onratio  the picture has another shape
 */

export class Tile {
  element = copyOf("tile");
  video = within(this.element, "video", HTMLVideoElement);
  id;
  label;
  isScreen;
  /** Of the picture's width to its height; null before there is one. @type {number | null} */
  ratio = null;
  /** Where it is; null before it is somewhere. @type {import("./layout.js").Box | null} */
  box = null;

  #options;
  #enlarge = within(this.element, ".enlarge", HTMLButtonElement);
  #enlargeToo = within(this.element, ".enlarge-too", HTMLButtonElement);
  #menu = within(this.element, ".tile-menu", HTMLElement);
  #silence = within(this.element, ".silence", HTMLButtonElement);
  #level = within(this.element, ".level", HTMLInputElement);
  #about = within(this.element, ".about", HTMLElement);
  /** @type {import("../talk.js").PersonState | null} */
  #remote = null;
  /** @type {number} */
  #volume;
  /** The other side may change it with every frame. */
  #shapes = new Latest(new Bucket(8, 1), () => this.#takeRatio());
  /** The last one above 0, to come back to. */
  #louder = 1;

  /** @param {Options} options */
  constructor(options) {
    const { id, label, screen, stream, own, volume } = options;
    this.#options = options;
    this.id = id;
    this.label = label;
    this.isScreen = screen;
    this.video.dataset.peer = id;
    this.video.setAttribute("aria-label", label);
    this.video.onresize = () => this.#shapes.take(null);
    if (screen) this.#beScreen();
    else within(this.element, ".initials", HTMLElement).textContent = initials(label);
    this.video.muted = own;
    this.video.srcObject = stream;
    this.#name();
    this.#wireEnlarging();
    this.#wireMenu(own);
    this.#volume = volume;
    this.#setVolume(volume);
  }

  /** How high the picture is shown, in CSS pixels; null before it is somewhere. A screen is shown whole, within its box. */
  get pictureHeight() {
    if (!this.box) return null;
    const { width, height } = this.box;
    return this.isScreen && this.ratio ? Math.min(height, width / this.ratio) : height;
  }

  get hasPicture() {
    return !this.element.classList.contains("no-picture");
  }

  /** @param {import("../peer.js").Peer} peer  of whom this is the person's tile */
  update(peer) {
    this.#remote = peer.remote;
    this.element.classList.toggle("no-picture", !peer.hasVideo);
    this.element.dataset.state = peer.state;
    within(this.element, ".state", HTMLElement).textContent = STATES[peer.state];
    this.element.classList.toggle("muted", peer.remote?.mic === false);
    this.element.classList.toggle("hand-up", peer.remote?.hand === true);
    this.#describe();
  }

  /**
   * @param {import("./layout.js").Box} box
   * @param {{ width: number, height: number }} room
   * @param {boolean} gliding
   */
  place(box, room, gliding) {
    const before = this.box;
    this.box = box;
    // In shares of the room, so that nothing sticks out of a window that has become smaller a moment ago.
    const set = (/** @type {string} */ name, /** @type {number} */ length, /** @type {number} */ whole) =>
      this.element.style.setProperty(name, `${whole > 0 ? (100 * length) / whole : 0}%`);
    set("--x", box.x, room.width);
    set("--y", box.y, room.height);
    set("--width", box.width, room.width);
    set("--height", box.height, room.height);
    if (this.#menu.matches(":popover-open")) this.#anchorMenu();
    if (before && gliding) glide(this.element, before, box);
  }

  /** @param {boolean} big */
  setBig(big) {
    this.element.classList.toggle("big", big);
    setToggle(this.#enlarge, big, `Enlarge ${this.label}`);
    this.#enlargeToo.setAttribute("aria-pressed", String(big));
  }

  /** @param {boolean} speaking */
  setSpeaking(speaking) {
    this.element.classList.toggle("speaking", speaking);
  }

  /** @param {boolean} touched  its buttons are shown, as if a pointer hovered */
  setTouched(touched) {
    this.element.classList.toggle("touched", touched);
  }

  close() {
    this.#shapes.stop();
    this.video.srcObject = null;
    this.element.remove();
  }

  /** The picture has come, or has turned. */
  #takeRatio() {
    const { videoWidth, videoHeight } = this.video;
    if (videoWidth === 0) return;
    // Scaled pictures are rounded to whole pixels: the same shape is not quite the same ratio.
    const ratio = Math.round((videoWidth / videoHeight) * 20) / 20;
    if (ratio === this.ratio) return;
    this.ratio = ratio;
    this.video.style.setProperty("--ratio", String(ratio));
    this.#options.onratio();
  }

  #beScreen() {
    this.element.classList.replace("no-picture", "screen");
    this.element.dataset.state = "connected";
    this.video.className = "shared";
  }

  /** Name and description for screen readers. */
  #name() {
    const name = within(this.element, ".name", HTMLElement);
    name.textContent = name.title = this.label;
    within(this.element, ".tile-menu-name", HTMLElement).textContent = this.label;
    const key = `tile-${this.id}${this.isScreen ? "-screen" : ""}`;
    name.id = `${key}-name`;
    this.#about.id = `${key}-about`;
    this.element.setAttribute("aria-labelledby", name.id);
    for (const element of [this.element, this.#enlarge]) element.setAttribute("aria-describedby", this.#about.id);
  }

  #wireEnlarging() {
    const { onenlarge } = this.#options;
    this.#enlarge.onclick = onenlarge;
    this.#enlargeToo.onclick = () => {
      this.#menu.hidePopover();
      onenlarge();
    };
    this.element.ondblclick = ({ target }) => {
      if (target instanceof Element && !target.closest("button, .tile-menu")) onenlarge();
    };
    this.setBig(false);
  }

  /** @param {boolean} own */
  #wireMenu(own) {
    const button = within(this.element, ".options", HTMLButtonElement);
    button.hidden = own;
    button.popoverTargetElement = this.#menu;
    button.setAttribute("aria-label", `Volume and size of ${this.label}`);
    this.#menu.setAttribute("aria-label", this.label);
    this.#menu.addEventListener("beforetoggle", () => this.#anchorMenu());
    this.#level.hidden = !HAS_VOLUME;
    this.#level.setAttribute("aria-label", `Volume of ${this.label}`);
    this.#level.oninput = () => this.#changeVolume(this.#level.valueAsNumber / 100);
    this.#silence.onclick = () => this.#changeVolume(this.#volume > 0 ? 0 : this.#louder);
  }

  /** Below its button; the style sheet keeps it in the window. */
  #anchorMenu() {
    const { right, bottom } = within(this.element, ".options", HTMLButtonElement).getBoundingClientRect();
    this.#menu.style.setProperty("--right", `${right}px`);
    this.#menu.style.setProperty("--below", `${bottom}px`);
  }

  /** @param {number} volume */
  #changeVolume(volume) {
    this.#setVolume(volume);
    this.#options.onvolume(volume);
  }

  /** @param {number} volume */
  #setVolume(volume) {
    this.#volume = volume;
    if (volume > 0) this.#louder = volume;
    this.video.volume = volume;
    this.video.muted = this.#options.own || volume === 0;
    this.#level.value = String(Math.round(volume * 100));
    this.element.classList.toggle("silenced", volume === 0);
    setToggle(this.#silence, volume === 0, `Silence ${this.label}`);
    this.#describe();
  }

  #describe() {
    const parts = [];
    if (this.#remote?.mic === false) parts.push("Microphone off.");
    if (this.#remote?.camera === false) parts.push("Camera off.");
    if (this.#remote?.hand) parts.push("Hand raised.");
    if (this.#volume === 0) parts.push("Silenced by you.");
    this.#about.textContent = parts.join(" ");
  }
}
