// One other person: an RTCPeerConnection under perfect negotiation (W3C WebRTC, 10.7), which repairs itself.
// Knows no DOM.

const OFFER_AGAIN_MS = 5_000;
const FIRST_OFFER_MS = 10_000;
const DISCONNECTED_MS = 2_500;
const RETRY_MS = 8_000;
const MAX_RETRY_MS = 30_000;
/** A restart that was begun so recently answers for all that ask for one. */
const SETTLE_MS = 3_000;
/** The polite one leaves the impolite one time to begin, so that both seldom offer at once. */
const POLITE_DELAY_MS = 2_000;
const ASK_AGAIN_MS = 4_000;
const ASK_TIMES = 3;

/**
 * @typedef {"audio" | "video"} Kind
 * @typedef {"connecting" | "connected" | "reconnecting"} PeerState
 * `offer` numbers an offer; its answer carries the same number, so that a late answer is not taken for another offer's.
 * @typedef {RTCSessionDescriptionInit & { offer?: number }} Description
 * @typedef {object} Options
 * @property {boolean} offer  this side offers and is the impolite one
 * @property {RTCConfiguration} config
 * @property {MediaStream} stream  names the local tracks' stream to the other side
 * @property {MediaStreamTrack[]} tracks  the local tracks
 * @property {(data: { description: Description | null } | { candidate: RTCIceCandidate | null }) => boolean} send
 *   passes a signal to the other side; false if that is not possible now
 * @property {() => void} onchange  state, tracks, or their being muted
 */

export class Peer {
  /** What the other side sends. */
  stream = new MediaStream();
  /** @type {PeerState} */
  state = "connecting";

  #options;
  #polite;
  #config;
  #pc;
  /** @type {Map<Kind, MediaStreamTrack>} */
  #tracks = new Map();
  /** Once tracks are added and offers may be made. */
  #started = false;
  #present = true;
  #makingOffer = false;
  #ignoreOffer = false;
  #answerPending = false;
  #restartWanted = false;
  #offerWanted = false;
  #restartedAt = -Infinity;
  #retryMs = RETRY_MS;
  #offerNumber = 0;
  /** @type {number | undefined} */
  #answeredOffer;
  #closed = false;
  /** Signals are handled one after the other. */
  #queue = Promise.resolve();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #offerTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #restartTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #firstOfferTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #askTimer;

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    this.#polite = !options.offer;
    this.#config = options.config;
    for (const track of options.tracks) this.#tracks.set(/** @type {Kind} */ (track.kind), track);
    this.#pc = this.#open();
    if (options.offer) this.#start();
    else this.#firstOfferTimer = setTimeout(() => this.#start(), FIRST_OFFER_MS);
  }

  /** For statistics. */
  get connection() {
    return this.#pc;
  }

  get hasVideo() {
    return this.stream.getVideoTracks().some((track) => track.readyState === "live" && !track.muted);
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
    void this.#restartIfNeeded();
  }

  /**
   * ICE servers with fresh credentials, used from the next restart on.
   * @param {RTCConfiguration} config
   */
  setConfig(config) {
    this.#config = config;
  }

  /**
   * Sends another track of this kind, or none.
   * @param {Kind} kind
   * @param {MediaStreamTrack | null} track
   */
  setTrack(kind, track) {
    if (track) this.#tracks.set(kind, track);
    else this.#tracks.delete(kind);
    if (!this.#started) return;
    const transceiver = this.#pc.getTransceivers().find((t) => t.receiver.track.kind === kind);
    if (!transceiver) {
      if (track) this.#pc.addTrack(track, this.#options.stream);
      return;
    }
    // One transceiver per kind for the whole call: removeTrack and addTrack would add another each time.
    transceiver.sender.replaceTrack(track).catch(() => {});
    const direction = track ? "sendrecv" : "recvonly";
    if (transceiver.direction === direction) return;
    if (track) transceiver.sender.setStreams?.(this.#options.stream);
    transceiver.direction = direction;
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#offerTimer);
    clearTimeout(this.#restartTimer);
    clearTimeout(this.#firstOfferTimer);
    clearTimeout(this.#askTimer);
    this.#pc.close();
  }

  #open() {
    const pc = new RTCPeerConnection(this.#config);
    // Makes a connection even between two who send nothing.
    pc.createDataChannel("callbox", { negotiated: true, id: 0 });
    pc.onicecandidate = ({ candidate }) => this.#options.send({ candidate });
    pc.onnegotiationneeded = () => this.#negotiate();
    pc.onsignalingstatechange = () => {
      if (pc.signalingState !== "stable") return;
      clearTimeout(this.#offerTimer);
      if (!this.#offerWanted) return;
      this.#offerWanted = false;
      void this.#offer();
    };
    pc.onconnectionstatechange = () => this.#connectionChanged();
    pc.ontrack = ({ track }) => {
      for (const old of this.stream.getTracks()) {
        if (old.kind === track.kind && old !== track) this.stream.removeTrack(old);
      }
      this.stream.addTrack(track);
      track.onmute = track.onunmute = this.#options.onchange;
      this.#options.onchange();
    };
    return pc;
  }

  #start() {
    if (this.#started) return;
    this.#addTracks();
    for (const kind of /** @type {Kind[]} */ (["audio", "video"])) {
      if (!this.#tracks.has(kind)) this.#pc.addTransceiver(kind, { direction: "recvonly" });
    }
    // Without tracks nothing else asks for the first offer: it did when nothing was started yet.
    if (this.#pc.signalingState === "stable") void this.#offer();
  }

  #addTracks() {
    this.#started = true;
    clearTimeout(this.#firstOfferTimer);
    for (const track of this.#tracks.values()) this.#pc.addTrack(track, this.#options.stream);
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
    else if (this.#pc.connectionState !== "connected") this.#restartIn(0);
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
    this.#options.send({ description: { type, sdp, offer } });
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
    const before = iceGeneration(pc.remoteDescription?.sdp);
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
    if (before !== iceGeneration(sdp)) this.#restartBegan();
    if (!this.#started) this.#addTracks();
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
    switch (this.#pc.connectionState) {
      case "connected":
        clearTimeout(this.#restartTimer);
        this.#retryMs = RETRY_MS;
        this.#setState("connected");
        break;
      case "disconnected":
        this.#setState("reconnecting");
        this.#restartIn(DISCONNECTED_MS);
        break;
      case "failed":
        this.#setState("reconnecting");
        this.#restartIn(0);
    }
  }

  /** @param {PeerState} state */
  #setState(state) {
    this.state = state;
    this.#options.onchange();
  }

  /** After signaling came back: paths through the server may be gone although ICE has not noticed yet. */
  async #restartIfNeeded() {
    const unconnected = this.#started && this.state !== "connected";
    const needed = this.#restartWanted || unconnected || (await this.#isRelayed());
    const settled = performance.now() - this.#restartedAt > SETTLE_MS;
    if (needed && settled && !this.#closed) this.#restartIn(0);
  }

  async #isRelayed() {
    const report = await this.#pc.getStats();
    const candidates = [...report.values()]
      .filter((stat) => stat.type === "candidate-pair" && stat.nominated && stat.state === "succeeded")
      .flatMap((pair) => [report.get(pair.localCandidateId), report.get(pair.remoteCandidateId)]);
    return candidates.some((candidate) => candidate?.candidateType === "relay");
  }

  /** @param {number} delay  milliseconds */
  #restartIn(delay) {
    const settles = this.#restartedAt + SETTLE_MS - performance.now();
    const wait = Math.max(delay + (this.#polite ? POLITE_DELAY_MS : 0), settles);
    clearTimeout(this.#restartTimer);
    this.#restartTimer = setTimeout(() => this.#restart(), wait);
  }

  #restart() {
    this.#restartWanted = !this.#present;
    if (!this.#present) return;
    this.#pc.setConfiguration(this.#config);
    if (this.#polite) this.#ask();
    else this.#pc.restartIce();
    this.#restartBegan();
  }

  /** Gives the restart time, then tries again, less and less often. */
  #restartBegan() {
    this.#restartedAt = performance.now();
    clearTimeout(this.#restartTimer);
    this.#restartTimer = setTimeout(() => {
      if (this.#pc.connectionState !== "connected") this.#restart();
    }, this.#retryMs);
    this.#retryMs = Math.min(MAX_RETRY_MS, this.#retryMs * 1.5);
  }
}

/**
 * A description of another ICE generation has another user fragment (RFC 8445, 2.3).
 * @param {string | undefined} sdp
 */
function iceGeneration(sdp) {
  return /^a=ice-ufrag:(.*)$/m.exec(sdp ?? "")?.[1];
}
