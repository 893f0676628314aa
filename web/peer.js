// One other person: an RTCPeerConnection under perfect negotiation (W3C WebRTC, 10.7), which repairs itself.
// Knows no DOM.

import { Incoming } from "./incoming.js";
import { Lines } from "./lines.js";
import { Repair } from "./repair.js";
import { iceGeneration, tuned } from "./sdp.js";
import { Talk } from "./talk.js";

const OFFER_AGAIN_MS = 5_000;
const FIRST_OFFER_MS = 10_000;
const ASK_AGAIN_MS = 4_000;
const ASK_TIMES = 3;

/**
 * @typedef {import("./lines.js").Slot} Slot
 * @typedef {"connecting" | "connected" | "reconnecting"} PeerState
 * `offer` numbers an offer; its answer carries the same number, so that a late answer is not taken for another offer's.
 * @typedef {RTCSessionDescriptionInit & { offer?: number }} Description
 * @typedef {object} Options
 * @property {boolean} offer  this side offers and is the impolite one
 * @property {RTCConfiguration} config
 * @property {{ person: MediaStream, screen: MediaStream }} streams  name what is sent to the other side
 * @property {() => [Slot, MediaStreamTrack][]} tracks  what is sent at first
 * @property {() => import("./talk.js").PersonState} state  what the other side shall know
 * @property {(data: { description: Description | null } | { candidate: RTCIceCandidate | null }) => boolean} send
 *   passes a signal to the other side; false if that is not possible now
 * @property {() => void} onchange  state, tracks, or their being muted
 * @property {() => void} onwant  the other side wants another size
 * @property {() => void} onbye  the other side has left for good
 * @property {() => number} startBitrate  at which pictures from the other side begin, in bits per second
 */

export class Peer {
  /** What it says of itself; null before it has said anything. @type {import("./talk.js").PersonState | null} */
  remote = null;
  /** How large it shows what it gets. @type {import("./talk.js").Wanted} */
  wanted = { camera: Infinity, screen: Infinity };
  /** @type {PeerState} */
  state = "connecting";

  #options;
  #polite;
  #config;
  #incoming;
  #pc;
  #lines;
  #talk;
  /** The last that was wanted: it is said once there is a channel. @type {import("./talk.js").Wanted | null} */
  #want = null;
  /** Once tracks are added and offers may be made. */
  #started = false;
  #present = true;
  #makingOffer = false;
  #ignoreOffer = false;
  #answerPending = false;
  #offerWanted = false;
  #offerNumber = 0;
  /** @type {number | undefined} */
  #answeredOffer;
  #closed = false;
  /** Signals are handled one after the other. */
  #queue = Promise.resolve();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #offerTimer;
  #repair;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #firstOfferTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #askTimer;

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    this.#polite = !options.offer;
    this.#config = options.config;
    this.#incoming = new Incoming(() => options.onchange());
    this.#pc = this.#open();
    this.#repair = new Repair({
      connection: this.#pc,
      isPolite: () => this.#polite,
      isPresent: () => this.#present,
      restart: () => this.#restart(),
    });
    this.#lines = new Lines(this.#pc, options.streams);
    for (const [slot, track] of options.tracks()) this.#lines.set(slot, track);
    this.#talk = new Talk(this.#pc, { onopen: () => this.#opened(), onmessage: (message) => this.#told(message) });
    if (options.offer) this.#start();
    else this.#firstOfferTimer = setTimeout(() => this.#start(), FIRST_OFFER_MS);
  }

  /** For statistics. */
  get connection() {
    return this.#pc;
  }

  /** The `mid`s of the lines that carry a shared screen and its sound. */
  get screenMids() {
    return this.#lines.screenMids;
  }

  /** What the other side sends: microphone and camera. */
  get stream() {
    return this.#incoming.person;
  }

  /** The screen that it shares, and its sound. */
  get screen() {
    return this.#incoming.screen;
  }

  get hasVideo() {
    return this.#incoming.shows("video", this.remote?.camera);
  }

  get hasScreen() {
    return this.#incoming.shows("screen", this.remote?.screen);
  }

  /** Says anew what the other side shall know. */
  tell() {
    this.#talk.send({ type: "state", ...this.#options.state() });
  }

  /**
   * Says how large the other side's pictures are shown here.
   * @param {import("./talk.js").Wanted} wanted
   */
  want(wanted) {
    this.#want = wanted;
    this.#talk.send({ type: "want", ...wanted });
  }

  /**
   * @param {Slot} slot
   * @param {import("./lines.js").Encoding} encoding
   */
  shape(slot, encoding) {
    this.#lines.shape(slot, encoding);
  }

  /**
   * A signal from the other side.
   * @param {{ description?: Description | null, candidate?: RTCIceCandidateInit | null }} data
   */
  receive(data) {
    this.#queue = this.#queue.then(() => this.#handle(data)).catch((error) => {
      if (!this.#closed) console.warn("signal not applied:", error.message);
    });
  }

  /**
   * The other side can be reached (again), or not. What was sent in between may be lost.
   * @param {boolean} present
   * @param {boolean} offer  offer if nothing has been begun yet
   */
  setPresent(present, offer) {
    this.#present = present;
    if (!present) return;
    if (!this.#started && offer) {
      this.#polite = false;
      this.#start();
      return;
    }
    this.#offerAgain();
    void this.#repair.resume(this.#started);
  }

  /**
   * ICE servers with fresh credentials, used from the next restart on.
   * @param {RTCConfiguration} config
   */
  setConfig(config) {
    this.#config = config;
  }

  /**
   * Sends another track here, or none.
   * @param {Slot} slot
   * @param {MediaStreamTrack | null} track
   */
  setTrack(slot, track) {
    this.#lines.set(slot, track);
    if (!this.#started) return;
    // The impolite side makes lines; of a screen to come it hears by `state`.
    if (this.#polite) this.#lines.attach();
    else this.#lines.widen();
    this.#lines.reshape();
  }

  /** Leaves for good, and says so directly: the server may be away. */
  leave() {
    this.#talk.send({ type: "bye" });
    this.close();
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#offerTimer);
    this.#repair.close();
    clearTimeout(this.#firstOfferTimer);
    clearTimeout(this.#askTimer);
    this.#pc.close();
  }

  #open() {
    const pc = new RTCPeerConnection(this.#config);
    pc.onicecandidate = ({ candidate }) => this.#options.send({ candidate });
    pc.onnegotiationneeded = () => this.#negotiate();
    pc.onsignalingstatechange = () => {
      if (pc.signalingState !== "stable") return;
      clearTimeout(this.#offerTimer);
      this.#lines.reshape();
      if (!this.#offerWanted) return;
      this.#offerWanted = false;
      void this.#offer();
    };
    pc.onconnectionstatechange = () => this.#connectionChanged();
    pc.ontrack = ({ track, transceiver }) => {
      const slot = this.#lines.slotOf(transceiver);
      if (slot) this.#incoming.take(slot, track);
    };
    return pc;
  }

  /** The channel is open: what was said before was said to nobody. */
  #opened() {
    this.tell();
    if (this.#want) this.want(this.#want);
  }

  /** @param {import("./talk.js").TalkMessage} message */
  #told(message) {
    if (message.type === "want") {
      this.wanted = { camera: message.camera, screen: message.screen };
      this.#options.onwant();
      return;
    }
    if (message.type === "bye") {
      this.#options.onbye();
      return;
    }
    this.remote = message;
    if (!message.camera) this.#incoming.end("video");
    if (!message.screen) this.#incoming.end("screen");
    if (message.screen && this.#started && !this.#polite) this.#lines.widen(true);
    this.#options.onchange();
  }

  #start() {
    if (this.#started) return;
    this.#begin();
    this.#lines.open();
    // Without tracks nothing else asks for the first offer: it did when nothing was started yet.
    if (this.#pc.signalingState === "stable") void this.#offer();
  }

  #begin() {
    this.#started = true;
    clearTimeout(this.#firstOfferTimer);
  }

  /** The impolite side offers. */
  #negotiate() {
    if (this.#polite) this.#ask();
    else void this.#offer();
  }

  /**
   * The polite side asks for an offer, and says in its answer what it has to say. It offers by itself only if it is asking
   * in vain: offers that cross cost it a rollback, after which Chromium leaves received tracks muted, and one that was
   * made while the network was gone crosses with the next that comes.
   */
  #ask(times = ASK_TIMES) {
    if (!this.#started || this.#closed) return;
    const sent = this.#options.send({ description: null });
    clearTimeout(this.#askTimer);
    this.#askTimer = setTimeout(() => {
      if (!sent) this.#ask(times);
      else if (times > 1) this.#ask(times - 1);
      else void this.#offer();
    }, ASK_AGAIN_MS);
  }

  /** The other side wants an offer. */
  #asked() {
    if (!this.#started) this.#start();
    else if (this.#pc.connectionState !== "connected") this.#repair.begin(0);
    else if (this.#pc.signalingState === "stable") void this.#offer();
    else this.#offerWanted = true;
  }

  async #offer() {
    if (!this.#started || this.#closed || this.#makingOffer || this.#pc.signalingState !== "stable") return;
    try {
      this.#makingOffer = true;
      await this.#pc.setLocalDescription();
      this.#offerNumber += 1;
      this.#sendDescription();
    } catch (error) {
      if (!this.#closed) console.warn("no offer:", error);
    } finally {
      this.#makingOffer = false;
    }
  }

  #sendDescription() {
    const { localDescription, signalingState } = this.#pc;
    if (!localDescription) return;
    const { type, sdp } = localDescription;
    const offer = type === "offer" ? this.#offerNumber : this.#answeredOffer;
    this.#options.send({ description: { type, sdp: tuned(sdp, this.#options.startBitrate()), offer } });
    clearTimeout(this.#offerTimer);
    if (signalingState === "have-local-offer") {
      this.#offerTimer = setTimeout(() => this.#offerAgain(), OFFER_AGAIN_MS);
    }
  }

  /** An offer that was not answered got lost, or its answer did. */
  #offerAgain() {
    if (this.#pc.signalingState !== "have-local-offer") return;
    if (this.#present) this.#sendDescription();
  }

  /** @param {{ description?: Description | null, candidate?: RTCIceCandidateInit | null }} data */
  async #handle({ description, candidate }) {
    if (description === null) this.#asked();
    else if (description) await this.#applyDescription(description);
    else if (candidate !== undefined) await this.#applyCandidate(candidate);
  }

  /** @param {Description} description */
  async #applyDescription(description) {
    const pc = this.#pc;
    const { type, sdp = "", offer } = description;
    const ready = !this.#makingOffer && (pc.signalingState === "stable" || this.#answerPending);
    const collision = type === "offer" && !ready;
    this.#ignoreOffer = !this.#polite && collision;
    if (this.#ignoreOffer) return;
    if (type === "answer") {
      // The answer to an offer that was sent twice, or that is no longer the last.
      const late = offer !== undefined && offer !== this.#offerNumber;
      if (late || pc.signalingState !== "have-local-offer") return;
    }
    const restarts = type === "offer" && iceGeneration(pc.remoteDescription?.sdp) !== iceGeneration(sdp);
    // This side gathers anew as well, and what it had may have expired.
    if (restarts && pc.remoteDescription) pc.setConfiguration(this.#config);
    this.#answerPending = type === "answer";
    try {
      await pc.setRemoteDescription({ type, sdp });
    } finally {
      this.#answerPending = false;
    }
    if (type !== "offer") return;
    clearTimeout(this.#askTimer);
    this.#answeredOffer = offer;
    // The other side restarts ICE: no need to do it from here.
    if (restarts) this.#repair.began();
    this.#begin();
    this.#lines.attach();
    await pc.setLocalDescription();
    this.#sendDescription();
  }

  /** @param {RTCIceCandidateInit | null} candidate */
  async #applyCandidate(candidate) {
    if (!this.#pc.remoteDescription) return;
    try {
      await this.#pc.addIceCandidate(candidate ?? undefined);
    } catch (error) {
      // Of an offer that was ignored, or of a generation that is over.
      if (!this.#ignoreOffer && this.state !== "connected") throw error;
    }
  }

  #connectionChanged() {
    const { connectionState } = this.#pc;
    this.#repair.connectionChanged();
    if (connectionState === "connected") {
      this.#lines.reshape();
      this.#setState("connected");
    } else if (connectionState === "disconnected" || connectionState === "failed") {
      this.#setState("reconnecting");
    }
  }

  #restart() {
    this.#pc.setConfiguration(this.#config);
    if (this.#polite) this.#ask();
    else this.#pc.restartIce();
  }

  /** @param {PeerState} state */
  #setState(state) {
    this.state = state;
    this.#options.onchange();
  }
}
