// How often something is done: asked for until it is done, or done for others no more often than they may have it.
// Knows no DOM.

const AGAIN_MS = 4_000;
const TIMES = 3;

/** Asks for something that may get lost, or is not done. */
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

/** What may be had at once, and how soon there is more: a token bucket. Pure. */
export class Bucket {
  #size;
  #perSecond;
  #tokens;
  #at = 0;

  /**
   * @param {number} size  at once
   * @param {number} perSecond
   */
  constructor(size, perSecond) {
    this.#size = this.#tokens = size;
    this.#perSecond = perSecond;
  }

  /**
   * @param {number} now  milliseconds
   * @param {number} [cost]
   * @returns {number} 0 if it was taken; else nothing was, and is to be had in so many milliseconds
   */
  take(now, cost = 1) {
    const filled = (Math.max(0, now - this.#at) * this.#perSecond) / 1_000;
    this.#tokens = Math.min(this.#size, this.#tokens + filled);
    this.#at = Math.max(this.#at, now);
    if (this.#tokens < cost) return Math.ceil(((cost - this.#tokens) * 1_000) / this.#perSecond);
    this.#tokens -= cost;
    return 0;
  }
}

/**
 * Passes on what others say, as often as a bucket allows. What comes too soon waits, and only the last of it is passed on.
 * @template T
 */
export class Latest {
  #bucket;
  #pass;
  /** @type {T | undefined} */
  #last;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {Bucket} bucket
   * @param {(value: T) => void} pass
   */
  constructor(bucket, pass) {
    this.#bucket = bucket;
    this.#pass = pass;
  }

  /** @param {T} value */
  take(value) {
    this.#last = value;
    if (this.#timer === undefined) this.#next(value);
  }

  /** What waits is nobody's any more. */
  stop() {
    clearTimeout(this.#timer);
  }

  /** @param {T} value */
  #next(value) {
    const wait = this.#bucket.take(performance.now());
    this.#timer = wait > 0 ? setTimeout(() => this.#next(/** @type {T} */ (this.#last)), wait) : undefined;
    if (wait === 0) this.#pass(value);
  }
}
