// What comes from one other person: microphone and camera, a shared screen and its sound. Knows no DOM.

import { isScreen } from "./lines.js";

/** @typedef {import("./lines.js").Slot} Slot */

export class Incoming {
  /** Microphone and camera. */
  person = new MediaStream();
  /** The shared screen, and its sound. */
  screen = new MediaStream();

  /** Pictures that have come, until the other side ends them. @type {Set<Slot>} */
  #seen = new Set();

  /** Tracks have come, or their being muted has changed. */
  onchange = () => {};

  /**
   * @param {Slot} slot
   * @param {MediaStreamTrack} track
   */
  take(slot, track) {
    const stream = isScreen(slot) ? this.screen : this.person;
    for (const old of stream.getTracks()) {
      if (old.kind === track.kind && old !== track) stream.removeTrack(old);
    }
    stream.addTrack(track);
    // On a busy machine the picture may be there before the track is.
    if (!track.muted) this.#seen.add(slot);
    track.onunmute = () => {
      this.#seen.add(slot);
      this.onchange();
    };
    track.onmute = () => this.onchange();
    this.onchange();
  }

  /**
   * Is there a picture to show? Browsers mute a track for as long as nothing comes, also where nothing is wanted because
   * the page is hidden, or where the connection is lost: what the other side says counts more, once there was a picture.
   * A screen stays where it is even while another connection is made, which ends tracks: the window is not arranged anew
   * for a moment.
   * @param {"video" | "screen"} slot
   * @param {boolean | undefined} told  what the other side says of it
   */
  shows(slot, told) {
    const stream = isScreen(slot) ? this.screen : this.person;
    const [track] = stream.getVideoTracks();
    if (told === false || !track) return false;
    const known = told === true && this.#seen.has(slot);
    if (track.readyState !== "live") return known && isScreen(slot);
    return known || !track.muted;
  }

  /** @param {Slot} slot  ended by the other side: the next picture is another one */
  end(slot) {
    this.#seen.delete(slot);
  }
}
