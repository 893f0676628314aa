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
    // Any gesture will do; the button is one of the places for it.
    for (const gesture of ["pointerup", "keyup"]) {
      document.addEventListener(gesture, () => this.#button.hidden || this.play(), { signal });
    }
  }

  /** Plays what stands still, as also after browsers have frozen the page. */
  play() {
    for (const video of this.#videos()) if (video.paused && video.srcObject) void this.#play(video);
  }

  close() {
    this.#stop.abort();
    this.#button.hidden = true;
  }

  /** @param {HTMLVideoElement} video */
  async #play(video) {
    try {
      await video.play();
    } catch (error) {
      // Others are of no consequence, such as that of a tile that is gone meanwhile.
      if (error instanceof DOMException && error.name === "NotAllowedError") this.#button.hidden = false;
      return;
    }
    if (!this.#videos().some(({ paused }) => paused)) this.#button.hidden = true;
  }
}
