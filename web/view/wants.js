// Tells the others how large they are shown: not with every pixel of a window that is being resized, and not twice.

const DEBOUNCE_MS = 500;
const STEP = 10;

/** @typedef {import("../talk.js").Wanted} Wanted */

/** @param {number} height  in CSS pixels */
export function inDevicePixels(height) {
  return Math.ceil((height * devicePixelRatio) / STEP) * STEP;
}

export class Wants {
  #tell;
  /** As it is now. @type {Map<string, Wanted>} */
  #now = new Map();
  /** As it was told, in JSON. @type {Map<string, string>} */
  #told = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {(id: string, wanted: Wanted) => void} tell */
  constructor(tell) {
    this.#tell = tell;
  }

  /**
   * @param {string} id
   * @param {Wanted} wanted
   */
  set(id, wanted) {
    if (JSON.stringify(this.#now.get(id)) === JSON.stringify(wanted)) return;
    this.#now.set(id, wanted);
    this.#schedule();
  }

  /** @param {string} id  may have missed what it was told */
  again(id) {
    this.#told.delete(id);
    this.#schedule();
  }

  /** @param {string} id */
  remove(id) {
    this.#now.delete(id);
    this.#told.delete(id);
  }

  close() {
    clearTimeout(this.#timer);
  }

  #schedule() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      for (const [id, wanted] of this.#now) {
        const text = JSON.stringify(wanted);
        if (this.#told.get(id) === text) continue;
        this.#told.set(id, text);
        this.#tell(id, wanted);
      }
    }, DEBOUNCE_MS);
  }
}
