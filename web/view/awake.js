// Keeps the screen on during a call, where the browser can (Screen Wake Lock).

export class Awake {
  /** @type {WakeLockSentinel | null} */
  #lock = null;
  #wanted = true;
  /** One that is asked for twice would be given back once. */
  #asking = false;
  #onvisible = () => void this.#ask();

  constructor() {
    // It is given back by the browser whenever the page is hidden.
    document.addEventListener("visibilitychange", this.#onvisible);
    void this.#ask();
  }

  close() {
    this.#wanted = false;
    document.removeEventListener("visibilitychange", this.#onvisible);
    void this.#lock?.release();
    this.#lock = null;
  }

  async #ask() {
    const held = this.#lock !== null && !this.#lock.released;
    if (!this.#wanted || held || this.#asking || document.visibilityState !== "visible" || !navigator.wakeLock) return;
    this.#asking = true;
    try {
      const lock = await navigator.wakeLock.request("screen");
      if (this.#wanted) this.#lock = lock;
      else await lock.release();
    } catch {
      // A battery that is low, for one; the call goes on.
    } finally {
      this.#asking = false;
    }
  }
}
