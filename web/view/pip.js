// A small window over all others with the pictures of the call (Document Picture-in-Picture), or, where the browser has
// only that, with one picture.

/**
 * @typedef {{ requestWindow: (options: object) => Promise<Window>, window: Window | null }} DocumentPip  not in TypeScript's library yet
 * @typedef {object} Options
 * @property {() => HTMLVideoElement[]} videos  what to show, the most important first
 * @property {() => HTMLButtonElement[]} buttons  whose doubles stand below
 * @property {(open: boolean) => void} onchange
 */

/** @type {DocumentPip | undefined} */
const documentPip = Reflect.get(globalThis, "documentPictureInPicture");

export class PictureInPicture {
  #options;
  /** @type {Window | null} */
  #window = null;
  /** What the small window shows, with their doubles. @type {Map<HTMLVideoElement, HTMLVideoElement>} */
  #shown = new Map();

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
  }

  static get isPossible() {
    return documentPip !== undefined || document.pictureInPictureEnabled === true;
  }

  /** Is there a small window, whoever has opened it? */
  static get isShown() {
    return Boolean(documentPip?.window ?? document.pictureInPictureElement);
  }

  get isOpen() {
    return this.#window !== null || (document.pictureInPictureElement ?? null) !== null;
  }

  async toggle() {
    if (this.isOpen) {
      this.close();
    } else if (documentPip) {
      await this.#open(documentPip);
    } else {
      const [video] = this.#options.videos();
      await video?.requestPictureInPicture().catch(() => {});
      video?.addEventListener("leavepictureinpicture", () => this.#options.onchange(false), { once: true });
    }
    this.#options.onchange(this.isOpen);
  }

  /** Somebody came or went, or shows something else. */
  refresh() {
    const body = this.#window?.document.body;
    const [grid, controls] = body?.children ?? [];
    if (!grid || !controls) return;
    this.#options.buttons().forEach((button, index) => liken(controls.children[index], button));
    const videos = this.#options.videos();
    // A picture that is made anew, or put elsewhere, goes dark for a moment.
    for (const [video, double] of this.#shown) {
      if (videos.includes(video) && double.srcObject === video.srcObject) continue;
      double.remove();
      this.#shown.delete(video);
    }
    videos.forEach((video, index) => {
      const double = this.#shown.get(video) ?? doubleOf(video);
      if (!double.isConnected) grid.append(double);
      double.style.order = String(index);
      this.#shown.set(video, double);
    });
  }

  close() {
    this.#window?.close();
    this.#window = null;
    if (document.pictureInPictureElement) void document.exitPictureInPicture().catch(() => {});
  }

  /** @param {DocumentPip} pip */
  async #open(pip) {
    const opened = await pip.requestWindow({ width: 360, height: 280 }).catch(() => null);
    if (!opened) return;
    this.#window = opened;
    opened.document.title = document.title;
    opened.document.documentElement.lang = document.documentElement.lang;
    opened.document.body.className = "pip";
    for (const link of document.querySelectorAll('link[rel="stylesheet"]')) opened.document.head.append(link.cloneNode());
    // Symbols are found in their own document only.
    const symbols = document.querySelector("svg:has(symbol)");
    this.#shown.clear();
    const controls = box("pip-controls");
    controls.append(...this.#options.buttons().map(doubleOfButton));
    opened.document.body.append(box("pip-grid"), controls);
    this.refresh();
    if (symbols) opened.document.documentElement.append(symbols.cloneNode(true));
    opened.addEventListener("pagehide", () => {
      this.#window = null;
      this.#options.onchange(false);
    });
  }
}

/** @param {HTMLButtonElement} button */
function doubleOfButton(button) {
  const double = /** @type {HTMLButtonElement} */ (button.cloneNode(true));
  double.removeAttribute("id");
  double.onclick = () => button.click();
  return double;
}

/**
 * What changes of a button. One that is made anew loses the focus, and the click that falls on it meanwhile.
 * @param {Element} double
 * @param {HTMLButtonElement} button
 */
function liken(double, button) {
  for (const name of ["class", "title", "aria-label", "aria-pressed"]) {
    const value = button.getAttribute(name);
    if (value !== null) double.setAttribute(name, value);
  }
}

/** @param {string} name  of its class */
function box(name) {
  const box = document.createElement("div");
  box.className = name;
  return box;
}

/** @param {HTMLVideoElement} video */
function doubleOf(video) {
  const double = document.createElement("video");
  double.autoplay = double.muted = double.playsInline = true;
  double.srcObject = video.srcObject;
  double.className = video.className;
  return double;
}
