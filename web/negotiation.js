// Perfect negotiation (W3C WebRTC, 10.7) over one connection: who offers, who answers, and what becomes of offers that cross
// or get lost. Knows no DOM.

import { Bucket } from "./pace.js";
import { candidates, iceGeneration, isBounded, tuned } from "./sdp.js";

const OFFER_AGAIN_MS = 5_000;
/** Of one generation: each is tried with each of the own ones, at whatever address it names. */
const MAX_CANDIDATES = 200;

/**
 * `offer` numbers an offer; its answer carries the same number, so that a late answer is not taken for another offer's.
 * `era` numbers the connections between the two, from 0; what has no `type` but an era asks for an offer of that.
 * @typedef {Partial<RTCSessionDescriptionInit> & { offer?: number, era?: number }} Description
 * @typedef {RTCIceCandidateInit & { era?: number }} Candidate
 *
 * @typedef {object} Options
 * @property {() => boolean} isPolite
 * @property {() => boolean} isPresent  can the other side be reached?
 * @property {() => boolean} mayOffer
 * @property {() => RTCConfiguration} config  for a restart that the other side has begun
 * @property {() => number} startBitrate  at which pictures from the other side begin, in bits per second
 * @property {(description: Description) => void} send
 * @property {(restarts: boolean) => void} onoffer  there is one of the other side's, about to be answered; does it restart ICE?
 */

export class Negotiation {
  #pc;
  #options;
  #makingOffer = false;
  #ignoreOffer = false;
  #answerPending = false;
  #offerWanted = false;
  /** Of the other side's that are answered: this side gathers candidates for each, too. */
  #restarts = new Bucket(5, 0.2);
  /** Of the other side's generation. @type {Set<string>} */
  #candidates = new Set();
  #offerNumber = 0;
  /** @type {number | undefined} */
  #answeredOffer;
  #closed = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #offerTimer;

  /**
   * @param {RTCPeerConnection} pc
   * @param {Options} options
   */
  constructor(pc, options) {
    this.#pc = pc;
    this.#options = options;
  }

  /** Offers now, if nothing is being negotiated. */
  async offer() {
    if (!this.#options.mayOffer() || this.#makingOffer || this.#pc.signalingState !== "stable") return;
    try {
      this.#makingOffer = true;
      await this.#pc.setLocalDescription();
      this.#offerNumber += 1;
      this.#send();
    } catch (error) {
      if (!this.#closed) console.warn("no offer:", error);
    } finally {
      this.#makingOffer = false;
    }
  }

  /** Offers as soon as nothing is being negotiated. */
  wantOffer() {
    if (this.#pc.signalingState === "stable") void this.offer();
    else this.#offerWanted = true;
  }

  /** An offer that was not answered got lost, or its answer did. */
  offerAgain() {
    if (this.#pc.signalingState === "have-local-offer" && this.#options.isPresent()) this.#send();
  }

  /** Nothing is being negotiated any more. */
  settled() {
    clearTimeout(this.#offerTimer);
    if (!this.#offerWanted) return;
    this.#offerWanted = false;
    void this.offer();
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#offerTimer);
  }

  #send() {
    const { localDescription, signalingState } = this.#pc;
    if (!localDescription || this.#closed) return;
    const { type, sdp } = localDescription;
    // It has as many lines as the other side wanted. The server would close the connection on one that is too long.
    if (!isBounded(sdp)) return;
    const offer = type === "offer" ? this.#offerNumber : this.#answeredOffer;
    this.#options.send({ type, sdp: tuned(sdp, this.#options.startBitrate()), offer });
    clearTimeout(this.#offerTimer);
    if (signalingState === "have-local-offer") {
      this.#offerTimer = setTimeout(() => this.offerAgain(), OFFER_AGAIN_MS);
    }
  }

  /** @param {Description} description  of the other side */
  async describe({ type = "offer", sdp = "", offer }) {
    const pc = this.#pc;
    const ready = !this.#makingOffer && (pc.signalingState === "stable" || this.#answerPending);
    const collision = type === "offer" && !ready;
    this.#ignoreOffer = !this.#options.isPolite() && collision;
    if (this.#ignoreOffer) return;
    if (type === "answer") {
      // The answer to an offer that was sent twice, or that is no longer the last.
      const late = offer !== undefined && offer !== this.#offerNumber;
      if (late || pc.signalingState !== "have-local-offer") return;
    }
    const changes = iceGeneration(pc.remoteDescription?.sdp) !== iceGeneration(sdp);
    const restarts = type === "offer" && changes;
    const again = restarts && pc.remoteDescription !== null;
    const all = new Set([...(changes ? [] : this.#candidates), ...candidates(sdp)]);
    // A restart that is passed over comes again.
    this.#ignoreOffer = all.size > MAX_CANDIDATES || (again && this.#restarts.take(performance.now()) > 0);
    if (this.#ignoreOffer) return;
    this.#candidates = all;
    // This side gathers anew as well, and what it had may have expired.
    if (again) pc.setConfiguration(this.#options.config());
    this.#answerPending = type === "answer";
    try {
      await pc.setRemoteDescription({ type, sdp });
    } finally {
      this.#answerPending = false;
    }
    if (type !== "offer" || this.#closed) return;
    this.#answeredOffer = offer;
    this.#options.onoffer(restarts);
    await pc.setLocalDescription();
    this.#send();
  }

  /** @param {RTCIceCandidateInit | null} candidate  of the other side */
  async addCandidate(candidate) {
    if (!this.#pc.remoteDescription) return;
    const all = new Set([...this.#candidates, ...candidates(candidate?.candidate ?? "")]);
    if (all.size > MAX_CANDIDATES) return;
    this.#candidates = all;
    try {
      await this.#pc.addIceCandidate(candidate ?? undefined);
    } catch (error) {
      // Of an offer that was ignored, or of a generation that is over.
      if (!this.#ignoreOffer && this.#pc.connectionState !== "connected" && !this.#closed) throw error;
    }
  }
}
