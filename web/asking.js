// How often somebody asks for something that may get lost, or is not done. Knows no DOM.

const AGAIN_MS = 4_000;
const TIMES = 3;

export class Asking {
  #send;
  #ongiveup;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {() => boolean} send  asks; false where that is not possible now, which does not count
   * @param {() => void} ongiveup  asked in vain
   */
  constructor(send, ongiveup) {
    this.#send = send;
    this.#ongiveup = ongiveup;
  }

  /** @param {number} [times] */
  ask(times = TIMES) {
    const sent = this.#send();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!sent) this.ask(times);
      else if (times > 1) this.ask(times - 1);
      else this.#ongiveup();
    }, AGAIN_MS);
  }

  /** It was done, or need not be any more. */
  stop() {
    clearTimeout(this.#timer);
  }
}
