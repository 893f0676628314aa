// Watches over the connections of a call: samples each of them, keeps the last samples, and judges them. Knows no DOM.

import { sampleOf } from "./stats.js";
import { NOTHING, isShaky, isSteady, isTrouble, judge, levelOf } from "./verdict.js";

export const SAMPLE_MS = 2_000;
/** Two minutes. */
export const KEPT = 60;
/** What the browser expects to get through means little before it has sent pictures for a while. */
const GUESSING_MS = 8_000;
/** Answers of the server that still tell something about what happens now. */
const ANSWERS = 40;
const ANSWER_MS = 20_000;
/** Samples in a row in which the machine was too slow to encode: a moment is nothing. */
const STRAIN = 5;
const REPORT_MS = 5_000;

/**
 * @typedef {import("./stats.js").Sample} Sample
 * @typedef {object} Watched
 * @property {import("./peer.js").Peer} peer
 * @property {Sample[]} samples  the newest is the last
 * @property {import("./verdict.js").Verdict} verdict
 *
 * @typedef {object} Options
 * @property {(id: string, watched: Watched) => void} onsample  there is a new sample of somebody
 * @property {(id: string, bitrate: number) => void} onavailable  bits per second that the path to somebody carries
 * @property {() => void} onstrained  the machine has been too slow to encode for a while
 * @property {(trouble: boolean) => void} ontrouble  is it the own network's fault?
 * @property {(hurry: boolean) => void} onhurry  shall the link to the server be measured more often?
 */

export class Watch {
  #options;
  /** @type {Map<string, Watched & { sendingSince: number }>} */
  #watched = new Map();
  #judgement = NOTHING;
  /** Round trips to the server. @type {{ at: number, ms: number }[]} */
  #answers = [];
  #online = true;
  #busy = false;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
  }

  /**
   * @param {string} id
   * @param {import("./peer.js").Peer} peer
   */
  add(id, peer) {
    this.#watched.set(id, { peer, samples: [], verdict: { level: "good", fault: null, samples: 0 }, sendingSince: Infinity });
    this.#timer ??= setInterval(() => void this.#look(), SAMPLE_MS);
  }

  /** @param {string} id */
  remove(id) {
    this.#watched.delete(id);
    if (this.#watched.size === 0) this.close();
  }

  /**
   * @param {string} id
   * @returns {Watched | undefined}
   */
  get(id) {
    return this.#watched.get(id);
  }

  /** @param {number} ms  that the server took to answer */
  pong(ms) {
    this.#answers = [...this.#answers, { at: performance.now(), ms }].slice(-ANSWERS);
  }

  /** @param {boolean} online  is the server there? */
  setOnline(online) {
    this.#online = online;
  }

  close() {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#watched.clear();
    this.#judge();
  }

  async #look() {
    // A busy browser takes its time: nothing is gained by asking it twice.
    if (this.#busy) return;
    this.#busy = true;
    const sampled = await Promise.allSettled([...this.#watched].map(([id, watched]) => this.#sample(id, watched)));
    this.#busy = false;
    // A report that makes no sense is to be looked into, and takes nothing from the others.
    for (const result of sampled) if (result.status === "rejected") console.error(result.reason);
    this.#judge();
    for (const [id, watched] of this.#watched) {
      if (watched.samples.length > 0) this.#options.onsample(id, watched);
    }
  }

  /**
   * @param {string} id
   * @param {Watched & { sendingSince: number }} watched
   */
  async #sample(id, watched) {
    const { peer, samples } = watched;
    if (peer.state === "connecting") return;
    const report = await reportOf(peer.connection);
    if (!report) return;
    const last = samples.at(-1) ?? null;
    const sample = sampleOf(/** @type {any} */ (report), last, peer.screenMids);
    // Only the newest is ever continued.
    if (last) last.counters = new Map();
    watched.samples = [...samples, sample].slice(-KEPT);
    this.#measurePath(id, watched, sample);
    const recent = watched.samples.slice(-STRAIN);
    if (recent.length === STRAIN && recent.every(({ limited }) => limited === "cpu")) this.#options.onstrained();
  }

  /**
   * @param {string} id
   * @param {Watched & { sendingSince: number }} watched
   * @param {Sample} sample
   */
  #measurePath(id, watched, { available, sent }) {
    const now = performance.now();
    const sending = watched.peer.state === "connected" && (sent.camera !== null || sent.screen !== null);
    watched.sendingSince = sending ? Math.min(watched.sendingSince, now) : Infinity;
    if (available === null || now - watched.sendingSince < GUESSING_MS || !sending) return;
    // Somebody may have left while the browser was asked.
    if (this.#watched.get(id) === watched) this.#options.onavailable(id, available);
  }

  #judge() {
    const peers = new Map(
      [...this.#watched]
        .filter(([, { samples }]) => samples.length > 0)
        .map(([id, { peer, samples }]) => [
          id,
          { samples, connected: peer.state === "connected", trouble: peer.remote?.trouble ?? false },
        ]),
    );
    const since = performance.now() - ANSWER_MS;
    const answers = this.#answers.filter(({ at }) => at > since).map(({ ms }) => ms);
    this.#judgement = judge(this.#judgement, {
      peers,
      shaky: !this.#online || isShaky(answers),
      steady: this.#online && isSteady(answers),
    });
    for (const [id, watched] of this.#watched) watched.verdict = this.#judgement.verdicts.get(id) ?? watched.verdict;
    const { verdicts } = this.#judgement;
    // Before a verdict falls, so that it can name the fault.
    const doubtful = [...peers.values()].some(({ samples, connected }) => !connected || levelOf(samples[samples.length - 1]) !== "good");
    this.#options.onhurry(doubtful || [...verdicts.values()].some(({ level }) => level !== "good"));
    this.#options.ontrouble(isTrouble(this.#judgement));
  }
}

/**
 * One that does not come keeps nobody waiting: in Firefox a connection that is closed meanwhile gives none.
 * @param {RTCPeerConnection} connection
 * @returns {Promise<RTCStatsReport | null>}
 */
async function reportOf(connection) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = /** @type {Promise<null>} */ (new Promise((resolve) => (timer = setTimeout(resolve, REPORT_MS, null))));
  const report = await Promise.race([connection.getStats().catch(() => null), late]);
  clearTimeout(timer);
  return report;
}
