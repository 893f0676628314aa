// Lets pictures and sound of the others play: at once, or, where the browser wants a gesture before a page is heard, with
// the next one. A button asks for it.

import { byId } from "./dom.js";

export class Playback {
  #videos;
  #button = byId("hear", HTMLButtonElement);
  #stop = new AbortController();

  /** @param {() => HTMLVideoElement[]} videos  all that shall play */
  constructor(videos) {
    this.#videos = videos;
    const { signal } = this.#stop;
    // What helps people to use a page may click without a pointer or a key.
    this.#button.onclick = () => this.play();
    // Any gesture will do; the button is one of the places for it.
    for (const gesture of ["pointerup", "keyup"]) {
      document.addEventListener(gesture, () => this.#button.hidden || this.play(), { signal });
    }
  }

  /** Plays what stands still, as also after browsers have frozen the page. */
  play() {
    for (const video of this.#silent()) void this.#play(video);
    this.#settle();
  }

  close() {
    this.#stop.abort();
    this.#button.hidden = true;
  }

  #silent() {
    return this.#videos().filter(({ paused, srcObject }) => paused && srcObject);
  }

  /** Whom the button was for is heard, or has left. */
  #settle() {
    if (this.#button.hidden || this.#silent().length > 0) return;
    const focused = document.activeElement === this.#button;
    this.#button.hidden = true;
    if (focused) byId("mic", HTMLElement).focus();
  }

  /** @param {HTMLVideoElement} video */
  async #play(video) {
    try {
      await video.play();
    } catch (error) {
      // Others are of no consequence, nor is that of a tile that is gone meanwhile.
      const refused = error instanceof DOMException && error.name === "NotAllowedError";
      if (refused && this.#silent().includes(video)) this.#button.hidden = false;
      return;
    }
    this.#settle();
  }
}
