// The call as the system knows it: buttons of headsets, keyboards and lock screens (Media Session, where there is one).

/** @typedef {"togglemicrophone" | "togglecamera" | "hangup"} Action */

export class Session {
  /** @type {any} */
  #session = navigator.mediaSession;
  #actions;

  /** @param {Record<Action, () => void>} actions */
  constructor(actions) {
    this.#actions = actions;
    for (const [action, act] of Object.entries(actions)) this.#handle(action, act);
  }

  /**
   * @param {boolean} microphone  is it on?
   * @param {boolean} camera
   */
  async show(microphone, camera) {
    try {
      await this.#session?.setMicrophoneActive?.(microphone);
      await this.#session?.setCameraActive?.(camera);
    } catch {
      // Some browsers let no hidden page say so.
    }
  }

  close() {
    for (const action of Object.keys(this.#actions)) this.#handle(action, null);
    void this.show(false, false);
  }

  /**
   * @param {string} action
   * @param {(() => void) | null} act
   */
  #handle(action, act) {
    try {
      this.#session?.setActionHandler(action, act);
    } catch {
      // The browser does not know it.
    }
  }
}
