// The own picture in a call: in a corner of one's choice, or hidden.

import { KINDS } from "../lines.js";
import { cornerAfter, cornerBy, cornerNear, cornerOf } from "./corners.js";
import { byId, setMirror, within } from "./dom.js";
import { glide } from "./motion.js";

/** A pointer that moves less has tapped. */
const DRAG_PX = 6;

export class SelfView {
  #box = byId("self", HTMLElement);
  #video = byId("self-video", HTMLVideoElement);
  #media;
  #onhide;
  #onplace;
  #onchoice;
  #shown;
  #corner;
  /** Where the pointer went down, and where the picture was then. */
  #drag = { x: 0, y: 0, left: 0, top: 0, dragging: false };
  #stop = new AbortController();
  /** With the button for another camera it needs more room. */
  #observer = new ResizeObserver(() => this.#resized());
  /** Where nothing limits it. @type {{ width: number, height: number } | null} */
  #size = null;
  /** Has it been placed, and made as small as its place? */
  #limited = false;
  /** Does the limit of what is sent leave no picture? */
  #soundOnly = false;

  /**
   * @param {import("../media.js").LocalMedia} media
   * @param {object} options
   * @param {{ corner: string, self: boolean }} options.chosen  the last time
   * @param {() => void} options.onhide  hidden with its own button, which goes with it
   * @param {() => void} options.onplace  it has another place or size, or none
   * @param {() => void} options.onchoice  it was moved, hidden or shown
   */
  constructor(media, { chosen, onhide, onplace, onchoice }) {
    this.#media = media;
    this.#shown = chosen.self;
    this.#corner = cornerOf(chosen.corner);
    this.#onhide = onhide;
    this.#onplace = onplace;
    this.#onchoice = onchoice;
    this.#video.srcObject = media.stream;
    this.#wire();
    this.#box.dataset.corner = this.#corner;
    this.refresh();
  }

  /** Microphone or camera changed. */
  refresh() {
    this.#box.hidden = !this.#shown;
    const media = this.#media;
    setMirror(this.#video, media);
    this.#box.classList.toggle("no-picture", !media.isSent("video") || this.#soundOnly);
    this.#box.classList.toggle("muted", !media.isSent("audio"));
    const paused = KINDS.some((kind) => media.isOn(kind) && !media.isSent(kind));
    const soundOnly = this.#soundOnly && media.isOn("video");
    within(this.#box, ".name", HTMLElement).textContent = paused ? "You, paused" : soundOnly ? "Sound only" : "You";
    byId("toggle-self", HTMLButtonElement).setAttribute("aria-pressed", String(this.#shown));
  }

  /** @param {boolean} only  the others get no picture, whatever the camera gives */
  setSoundOnly(only) {
    this.#soundOnly = only;
    this.refresh();
  }

  toggle() {
    this.#shown = !this.#shown;
    this.refresh();
    this.#onplace();
    this.#onchoice();
  }

  /** What is to be remembered. */
  get choice() {
    return { corner: this.#corner, self: this.#shown };
  }

  /** Its corner, and its size where nothing limits it; null where it is hidden. */
  measure() {
    if (!this.#shown) return null;
    this.#size ??= this.#wished();
    return { corner: this.#corner, ...this.#size };
  }

  #wished() {
    this.#box.classList.toggle("unlimited", this.#limited);
    const { offsetWidth: width, offsetHeight: height } = this.#box;
    this.#box.classList.remove("unlimited");
    return { width, height };
  }

  /** Asking for it makes the browser lay out the page at once, so it is asked for where it may have changed. */
  #resized() {
    this.#size = null;
    this.#onplace();
  }

  /**
   * @param {import("./layout.js").Box} box  beside the tiles, or on one
   * @param {{ width: number, height: number }} room
   */
  place({ x, y, width, height }, room) {
    this.#limited = true;
    const set = (/** @type {string} */ name, /** @type {number} */ length) => this.#box.style.setProperty(name, `${length}px`);
    set("--in-x", Math.min(x, room.width - x - width));
    set("--in-y", Math.min(y, room.height - y - height));
    set("--most-wide", width);
    set("--most-high", height);
  }

  close() {
    this.#stop.abort();
    this.#observer.disconnect();
    this.#video.srcObject = null;
  }

  #wire() {
    const box = this.#box;
    const { signal } = this.#stop;
    byId("self-hide", HTMLButtonElement).onclick = () => {
      this.toggle();
      this.#onhide();
    };
    byId("self-move", HTMLButtonElement).onclick = () => this.#moveTo(cornerAfter(this.#corner));
    this.#video.onresize = () => {
      const { classList } = box;
      const upright = this.#video.videoHeight > this.#video.videoWidth;
      if (classList.contains("portrait") === upright) return;
      classList.toggle("portrait", upright);
      this.#resized();
    };
    this.#observer.observe(byId("self-flip", HTMLButtonElement));
    // Heard before tiles are laid out for the new size.
    addEventListener("resize", () => (this.#size = null), { signal });
    box.addEventListener("keydown", (event) => this.#key(event), { signal });
    box.addEventListener("pointerdown", (event) => this.#grab(event), { signal });
    box.addEventListener("pointermove", (event) => this.#pull(event), { signal });
    box.addEventListener("pointerup", (event) => this.#drop(event), { signal });
    box.addEventListener("pointercancel", () => this.#moveTo(this.#corner), { signal });
    document.addEventListener("pointerdown", ({ target }) => this.#leave(target), { signal });
  }

  /** @param {import("./corners.js").Corner} corner */
  #moveTo(corner) {
    const before = this.#box.getBoundingClientRect();
    this.#drag.dragging = false;
    this.#box.classList.remove("dragged");
    this.#setPulled(0, 0);
    this.#corner = this.#box.dataset.corner = corner;
    this.#onplace();
    this.#onchoice();
    glide(this.#box, before, this.#box.getBoundingClientRect());
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const corner = cornerBy(this.#corner, event.key);
    if (!corner || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.#moveTo(corner);
  }

  /** @param {PointerEvent} event */
  #grab(event) {
    if (event.button !== 0 || (event.target instanceof Element && event.target.closest("button"))) return;
    const [box, area] = [this.#box.getBoundingClientRect(), this.#area];
    this.#drag = { x: event.clientX, y: event.clientY, left: box.left - area.left, top: box.top - area.top, dragging: false };
    this.#box.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  #pull(event) {
    if (!this.#box.hasPointerCapture(event.pointerId)) return;
    const [x, y] = [event.clientX - this.#drag.x, event.clientY - this.#drag.y];
    if (!this.#drag.dragging && Math.hypot(x, y) < DRAG_PX) return;
    this.#drag.dragging = true;
    this.#box.classList.add("dragged");
    const area = this.#area;
    const { offsetWidth, offsetHeight } = this.#box;
    const { left, top } = this.#drag;
    const within = (/** @type {number} */ by, /** @type {number} */ from, /** @type {number} */ room) =>
      Math.min(Math.max(by, -from), room - from);
    this.#setPulled(within(x, left, area.width - offsetWidth), within(y, top, area.height - offsetHeight));
  }

  /**
   * @param {number} x  how far a pointer has it from its place
   * @param {number} y
   */
  #setPulled(x, y) {
    this.#box.style.setProperty("--pulled-x", `${x}px`);
    this.#box.style.setProperty("--pulled-y", `${y}px`);
  }

  /** @param {PointerEvent} event */
  #drop(event) {
    if (!this.#box.hasPointerCapture(event.pointerId)) return;
    if (this.#drag.dragging) {
      const { x, y, width, height } = this.#box.getBoundingClientRect();
      this.#moveTo(cornerNear({ x: x + width / 2, y: y + height / 2 }, this.#area));
    } else if (event.pointerType === "touch") {
      this.#box.classList.add("touched");
    }
  }

  /** @param {EventTarget | null} target  elsewhere: the buttons that a finger had shown are hidden again */
  #leave(target) {
    if (!(target instanceof Node && this.#box.contains(target))) this.#box.classList.remove("touched");
  }

  /** The room in which it moves: the controls are not in it. */
  get #area() {
    return (this.#box.offsetParent ?? document.body).getBoundingClientRect();
  }
}
