// When a connection restarts ICE: soon after it broke, and again, less and less often, until it is back.
// Knows no DOM.

const DISCONNECTED_MS = 2_500;
const RETRY_MS = 8_000;
const MAX_RETRY_MS = 30_000;
/** A restart that was begun so recently answers for all that ask for one. */
const SETTLE_MS = 3_000;
/** The polite one leaves the impolite one time to begin, so that both seldom offer at once. */
const POLITE_DELAY_MS = 2_000;

/**
 * @typedef {object} Options
 * @property {RTCPeerConnection} connection
 * @property {() => boolean} isPolite
 * @property {() => boolean} isPresent  can the other side be reached?
 * @property {() => void} restart
 */

export class Repair {
  #options;
  #wanted = false;
  #beganAt = -Infinity;
  #retryMs = RETRY_MS;
  /** Has this restart been given more time, since candidates were still being gathered? */
  #waited = false;
  #closed = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
  }

  connectionChanged() {
    switch (this.#options.connection.connectionState) {
      case "connected":
        clearTimeout(this.#timer);
        this.#retryMs = RETRY_MS;
        break;
      case "disconnected":
        this.begin(DISCONNECTED_MS);
        break;
      case "failed":
        this.begin(0);
    }
  }

  /**
   * Signaling came back: paths through the server may be gone although ICE has not noticed yet.
   * @param {boolean} started  is there anything to repair?
   */
  async resume(started) {
    const unconnected = started && this.#options.connection.connectionState !== "connected";
    const needed = this.#wanted || unconnected || (await this.#isRelayed());
    if (needed && performance.now() - this.#beganAt > SETTLE_MS) this.begin(0);
  }

  /** @param {number} delay  milliseconds */
  begin(delay) {
    if (this.#closed) return;
    const settles = this.#beganAt + SETTLE_MS - performance.now();
    const wait = Math.max(delay + (this.#options.isPolite() ? POLITE_DELAY_MS : 0), settles);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#restart(), wait);
  }

  /** A restart has begun, here or on the other side: gives it time, then tries again. */
  began() {
    this.#beganAt = performance.now();
    this.#waited = false;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#retry(), this.#retryMs);
    this.#retryMs = Math.min(MAX_RETRY_MS, this.#retryMs * 1.5);
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #restart() {
    this.#wanted = !this.#options.isPresent();
    if (this.#wanted) return;
    this.#options.restart();
    this.began();
  }

  #retry() {
    const { connectionState, iceGatheringState } = this.#options.connection;
    if (connectionState === "connected") {
      // A restart that ICE bears without a gap changes no state.
      this.#retryMs = RETRY_MS;
      return;
    }
    // Another one would throw away what a slow resolver or server is about to give.
    if (iceGatheringState === "gathering" && !this.#waited) {
      this.#waited = true;
      this.#timer = setTimeout(() => this.#retry(), RETRY_MS);
    } else {
      this.#restart();
    }
  }

  async #isRelayed() {
    const report = await this.#options.connection.getStats();
    const candidates = [...report.values()]
      .filter((stat) => stat.type === "candidate-pair" && stat.nominated && stat.state === "succeeded")
      .flatMap((pair) => [report.get(pair.localCandidateId), report.get(pair.remoteCandidateId)]);
    return candidates.some((candidate) => candidate?.candidateType === "relay");
  }
}
