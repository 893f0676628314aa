// One other person: an RTCPeerConnection under perfect negotiation (W3C WebRTC, 10.7), which repairs itself.
// Knows no DOM.

const OFFER_AGAIN_MS = 5_000;
const FIRST_OFFER_MS = 10_000;
const DISCONNECTED_MS = 2_500;
const RETRY_MS = 8_000;
/** The polite one leaves the impolite one time to begin, so that both seldom offer at once. */
const POLITE_DELAY_MS = 2_000;

/**
 * @typedef {"audio" | "video"} Kind
 * @typedef {"connecting" | "connected" | "reconnecting"} PeerState
 * @typedef {object} Options
 * @property {boolean} offer  this side offers and is the impolite one
 * @property {RTCConfiguration} config
 * @property {MediaStream} stream  names the local tracks' stream to the other side
 * @property {MediaStreamTrack[]} tracks  the local tracks
 * @property {(data: { description: RTCSessionDescription | null } | { candidate: RTCIceCandidate | null }) => boolean} send
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
  /** @type {Map<Kind, RTCRtpSender>} */
  #senders = new Map();
  /** Once tracks are added and offers may be made. */
  #started = false;
  #present = true;
  #makingOffer = false;
  #ignoreOffer = false;
  #answerPending = false;
  #restartWanted = false;
  #closed = false;
  /** Signals are handled one after the other. */
  #queue = Promise.resolve();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #offerTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #restartTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #firstOfferTimer;

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
   * @param {{ description?: RTCSessionDescriptionInit, candidate?: RTCIceCandidateInit | null }} data
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
    const sender = this.#senders.get(kind);
    if (track && sender?.track) void sender.replaceTrack(track);
    else if (track) this.#senders.set(kind, this.#pc.addTrack(track, this.#options.stream));
    else if (sender?.track) this.#pc.removeTrack(sender);
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#offerTimer);
    clearTimeout(this.#restartTimer);
    clearTimeout(this.#firstOfferTimer);
    this.#pc.close();
  }

  #open() {
    const pc = new RTCPeerConnection(this.#config);
    // Makes a connection even between two who send nothing.
    pc.createDataChannel("callbox", { negotiated: true, id: 0 });
    pc.onicecandidate = ({ candidate }) => this.#options.send({ candidate });
    pc.onnegotiationneeded = () => void this.#offer();
    pc.onsignalingstatechange = () => {
      if (pc.signalingState === "stable") clearTimeout(this.#offerTimer);
    };
    pc.onconnectionstatechange = () => this.#connectionChanged();
    pc.ontrack = ({ track }) => {
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
    for (const [kind, track] of this.#tracks) {
      this.#senders.set(kind, this.#pc.addTrack(track, this.#options.stream));
    }
  }

  async #offer() {
    if (!this.#started || this.#makingOffer || this.#pc.signalingState !== "stable") return;
    try {
      this.#makingOffer = true;
      await this.#pc.setLocalDescription();
      this.#sendDescription();
    } catch (error) {
      if (!this.#closed) console.warn("no offer:", error);
    } finally {
      this.#makingOffer = false;
    }
  }

  #sendDescription() {
    this.#options.send({ description: this.#pc.localDescription });
    clearTimeout(this.#offerTimer);
    if (this.#pc.signalingState === "have-local-offer") {
      this.#offerTimer = setTimeout(() => this.#offerAgain(), OFFER_AGAIN_MS);
    }
  }

  /** An offer that was not answered got lost, or its answer did. */
  #offerAgain() {
    if (this.#pc.signalingState !== "have-local-offer") return;
    if (this.#present) this.#sendDescription();
  }

  /** @param {{ description?: RTCSessionDescriptionInit, candidate?: RTCIceCandidateInit | null }} data */
  async #handle({ description, candidate }) {
    if (description) await this.#applyDescription(description);
    else if (candidate !== undefined) await this.#applyCandidate(candidate);
  }

  /** @param {RTCSessionDescriptionInit} description */
  async #applyDescription(description) {
    const pc = this.#pc;
    const ready = !this.#makingOffer && (pc.signalingState === "stable" || this.#answerPending);
    const collision = description.type === "offer" && !ready;
    this.#ignoreOffer = !this.#polite && collision;
    if (this.#ignoreOffer) return;
    // The answer to an offer that was sent twice.
    if (description.type === "answer" && pc.signalingState !== "have-local-offer") return;
    this.#answerPending = description.type === "answer";
    try {
      await pc.setRemoteDescription(description);
    } finally {
      this.#answerPending = false;
    }
    if (description.type !== "offer") return;
    clearTimeout(this.#restartTimer);
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
    const needed = this.#restartWanted || this.state === "reconnecting" || (await this.#isRelayed());
    if (needed && !this.#closed) this.#restartIn(0);
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
    clearTimeout(this.#restartTimer);
    this.#restartTimer = setTimeout(() => this.#restart(), delay + (this.#polite ? POLITE_DELAY_MS : 0));
  }

  #restart() {
    this.#restartWanted = !this.#present;
    if (!this.#present) return;
    this.#pc.setConfiguration(this.#config);
    this.#pc.restartIce();
    this.#restartTimer = setTimeout(() => {
      if (this.#pc.connectionState !== "connected") this.#restart();
    }, RETRY_MS);
  }
}
