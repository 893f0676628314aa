// The own screen, while it is shared. Knows no DOM beyond navigator.mediaDevices.

/**
 * Which matters more when the path is narrow: sharp letters, or smooth movement.
 * @typedef {"detail" | "motion"} Hint
 * @typedef {{ screen: MediaStreamTrack, sound: MediaStreamTrack | null } | null} Shared
 */

/** What is asked of the browser. Voices of the call must not come back with the sound to those who speak. */
function wish() {
  const sparesOwn = "restrictOwnAudio" in navigator.mediaDevices.getSupportedConstraints();
  const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, restrictOwnAudio: true };
  return {
    video: { frameRate: { ideal: 30, max: 30 } },
    audio,
    // Known to Chromium only.
    ...{ systemAudio: sparesOwn ? "include" : "exclude", selfBrowserSurface: "exclude", surfaceSwitching: "include" },
  };
}

export class ScreenShare {
  /** @type {Shared} */
  shared = null;
  /** @type {Hint} */
  #hint = "detail";
  #closed = false;
  #onchange;

  /** @param {(shared: Shared) => void} onchange  begun, or ended: here, or from the browser's own bar */
  constructor(onchange) {
    this.#onchange = onchange;
  }

  static get isPossible() {
    return typeof navigator.mediaDevices?.getDisplayMedia === "function";
  }

  get hint() {
    return this.#hint;
  }

  set hint(hint) {
    this.#hint = hint;
    if (!this.shared) return;
    this.shared.screen.contentHint = hint;
    this.#onchange(this.shared);
  }

  /**
   * Asks the person what to share.
   * @returns {Promise<string | null>} a sentence if nothing can be shared; null also where the person thought better of it
   */
  async start() {
    let stream;
    try {
      stream = await navigator.mediaDevices.getDisplayMedia(wish());
    } catch (error) {
      const { name, message } = /** @type {DOMException} */ (error);
      if (name !== "NotAllowedError") return "The screen could not be shared.";
      // Of the two ways to get here, only the system's is a problem to tell.
      return /system/i.test(message) ? "The system does not allow the browser to share the screen." : null;
    }
    // The call may have ended while the person was choosing.
    if (this.#closed) {
      for (const track of stream.getTracks()) track.stop();
      return null;
    }
    this.stop();
    const [screen] = stream.getVideoTracks();
    const [sound = null] = stream.getAudioTracks();
    screen.contentHint = this.#hint;
    if (sound) sound.contentHint = "music";
    screen.onended = () => this.stop();
    this.shared = { screen, sound };
    this.#onchange(this.shared);
    return null;
  }

  stop() {
    if (!this.shared) return;
    const { screen, sound } = this.shared;
    this.shared = null;
    screen.onended = null;
    screen.stop();
    sound?.stop();
    this.#onchange(null);
  }
  /** For good: what the person still chooses in the browser's own window is not shared. */
  close() {
    this.#closed = true;
    this.stop();
  }
}
