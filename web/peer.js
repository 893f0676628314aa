// One other person, over a connection that repairs itself, and over another one where that cannot be. Knows no DOM.

import { Incoming } from "./incoming.js";
import { Link } from "./link.js";
import { Asking, Bucket } from "./pace.js";
import { Intake } from "./sdp.js";

const FIRST_OFFER_MS = 10_000;
/** So long a connection lives at the least, whatever the other side says: each costs the browser and the relay something. */
const ERA_MS = 1_000;

/**
 * @typedef {import("./lines.js").Slot} Slot
 * @typedef {"connecting" | "connected" | "reconnecting" | "ended"} PeerState  ended for good from here, for sending far too much
 * @typedef {import("./negotiation.js").Description} Description
 * @typedef {import("./negotiation.js").Candidate} Candidate
 * @typedef {object} Options
 * @property {boolean} offer  this side offers and is the impolite one
 * @property {RTCConfiguration} config
 * @property {{ person: MediaStream, screen: MediaStream }} streams  name what is sent to the other side
 * @property {() => [Slot, MediaStreamTrack][]} tracks  what is sent at first
 * @property {() => import("./talk.js").PersonState} state  what the other side shall know
 * @property {(data: { description: Description | null } | { candidate: Candidate | null }) => boolean} send
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
  /** @type {Incoming} */
  #incoming;
  #link;
  /** The last that was wanted: it is said once there is a channel. @type {import("./talk.js").Wanted | null} */
  #want = null;
  /** Once tracks are added and offers may be made. */
  #started = false;
  #present = true;
  #closed = false;
  /** Which connection to the other side this is. */
  #era = 0;
  #renewedAt = -Infinity;
  /** Connections that take the place of another. */
  #eras = new Bucket(5, 0.1);
  #intake = new Intake((data) => this.#handle(data), ({ message }) => this.#closed || console.warn("signal not applied:", message));
  /** Messages over the channel, by number and size, and signals that are not let in. */
  #borne = new Bucket(300, 20);
  /** Characters that are sent by way of the server, which closes on who sends it too much. */
  #sent = new Bucket(250_000, 25_000);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #firstOfferTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #anewTimer;
  #asking = new Asking(() => this.#sendAsking(), () => void this.#negotiation.offer());

  /**
   * @param {Options} options
   * @param {Peer} [before]  closed; this one takes its place, its streams, and what was known of the person
   */
  constructor(options, before) {
    this.#options = options;
    this.#polite = !options.offer;
    this.#config = options.config;
    this.#incoming = before ? before.#incoming : new Incoming();
    this.#incoming.onchange = options.onchange;
    this.remote = before?.remote ?? null;
    this.#link = this.#connect();
    if (options.offer) this.#start();
    else this.#firstOfferTimer = setTimeout(() => this.#start(), FIRST_OFFER_MS);
  }

  get #pc() {
    return this.#link.pc;
  }

  get #lines() {
    return this.#link.lines;
  }

  get #talk() {
    return this.#link.talk;
  }

  get #negotiation() {
    return this.#link.negotiation;
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
    return this.state !== "ended" && this.#incoming.shows("video", this.remote?.camera);
  }

  get hasScreen() {
    return this.state !== "ended" && this.#incoming.shows("screen", this.remote?.screen);
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
   * @param {{ description?: Description | null, candidate?: Candidate | null }} data
   */
  receive(data) {
    if (!this.#closed && !this.#intake.take(data, performance.now())) this.#bears(1);
  }

  /**
   * The other side can be reached (again), or not. What was sent in between may be lost.
   * @param {boolean} present
   * @param {boolean} offer  offer if nothing has been begun yet
   */
  setPresent(present, offer) {
    this.#present = present;
    if (!present || this.#closed) return;
    if (!this.#started && offer && this.#era === 0) {
      this.#polite = false;
      this.#start();
      return;
    }
    this.#negotiation.offerAgain();
    void this.#link.repair.resume(this.#started);
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
    if (!this.#started || this.#closed) return;
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
    this.#hush();
    this.#link.close();
  }

  #hush() {
    clearTimeout(this.#firstOfferTimer);
    clearTimeout(this.#anewTimer);
    this.#asking.stop();
  }

  /**
   * No page sends so much, and what is too much costs something even if nobody heeds it: the connection ends.
   * @param {number} cost
   */
  #bears(cost) {
    if (this.#closed) return false;
    if (this.#borne.take(performance.now(), cost) === 0) return true;
    this.close();
    this.remote = null;
    this.#incoming.onchange = () => {};
    this.#setState("ended");
    return false;
  }

  #connect() {
    const era = this.#era || undefined;
    const { streams, tracks, startBitrate } = this.#options;
    return new Link({
      config: () => this.#config,
      streams,
      tracks: tracks(),
      startBitrate,
      isPolite: () => this.#polite,
      isPresent: () => this.#present,
      mayOffer: () => this.#started && !this.#closed,
      restart: () => this.#restart(),
      send: (description) => this.#send({ description: { ...description, era } }),
      oncandidate: (candidate) => this.#send({ candidate: candidate && era ? { ...candidate.toJSON(), era } : candidate }),
      onneeded: () => this.#negotiate(),
      onoffer: (restarts) => this.#offered(restarts),
      onstate: () => this.#connectionChanged(),
      ontrack: (slot, track) => this.#incoming.take(slot, track),
      onopen: () => this.#opened(),
      onmessage: (message) => this.#told(message),
      bears: (cost) => this.#bears(cost),
      ondead: () => this.#beginAnew(),
    });
  }

  /** This connection is dead. */
  #beginAnew() {
    const wait = this.#eras.take(performance.now());
    clearTimeout(this.#anewTimer);
    this.#anewTimer = wait > 0 ? setTimeout(() => this.#beginAnew(), wait) : undefined;
    if (wait > 0) return;
    this.#intake.reset();
    this.#renew(this.#era + 1);
    if (this.#polite) this.#asking.ask();
    else this.#start();
  }

  /**
   * Another connection to the same person takes the place of this one; the streams stay.
   * @param {number} era
   */
  #renew(era) {
    this.#hush();
    this.#link.close();
    this.#era = era;
    this.#renewedAt = performance.now();
    this.#started = false;
    this.#link = this.#connect();
    // Whoever is to offer may not hear of it.
    this.#firstOfferTimer = setTimeout(() => this.#start(), FIRST_OFFER_MS);
    this.#options.onwant();
    this.#setState("reconnecting");
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
    void this.#negotiation.offer();
  }

  #begin() {
    this.#started = true;
    clearTimeout(this.#firstOfferTimer);
    this.#asking.stop();
  }

  /** The impolite side offers. */
  #negotiate() {
    if (this.#polite) this.#ask();
    else void this.#negotiation.offer();
  }

  /**
   * The polite side asks for an offer, and says in its answer what it has to say. It offers by itself only if it is asking
   * in vain: offers that cross cost it a rollback, after which Chromium leaves received tracks muted, and one that was
   * made while the network was gone crosses with the next that comes.
   */
  #ask() {
    if (this.#started && !this.#closed) this.#asking.ask();
  }

  #sendAsking() {
    return this.#send({ description: this.#era ? { era: this.#era } : null });
  }

  /** @type {Options["send"]} */
  #send(data) {
    const length = "description" in data ? data.description?.sdp?.length : 0;
    return this.#sent.take(performance.now(), 1_000 + (length ?? 0)) === 0 && this.#options.send(data);
  }

  /** The other side wants an offer. */
  #asked() {
    if (!this.#started) this.#start();
    // The first offer is on its way, or was lost.
    else if (!this.#pc.remoteDescription && this.#pc.signalingState === "have-local-offer") this.#negotiation.offerAgain();
    else if (this.#pc.connectionState !== "connected") this.#link.repair.begin(0);
    else this.#negotiation.wantOffer();
  }

  /** @param {boolean} restarts  the other side has begun: no need to do it from here */
  #offered(restarts) {
    if (restarts) this.#link.repair.began();
    this.#begin();
    this.#lines.attach();
  }

  /** @param {{ description?: Description | null, candidate?: Candidate | null }} data */
  async #handle({ description, candidate }) {
    // That there are no more candidates says nothing of an era.
    const era = candidate === null ? this.#era : ((description ?? candidate)?.era ?? 0);
    if (!Number.isSafeInteger(era) || era < this.#era || this.#closed) return;
    if (era > this.#era) {
      // What is passed over comes again.
      const now = performance.now();
      if (now - this.#renewedAt < ERA_MS || this.#eras.take(now) > 0) return;
      this.#renew(era);
    }
    if (description === null || (description && !description.type)) this.#asked();
    else if (description) await this.#negotiation.describe(description);
    else if (candidate !== undefined) await this.#negotiation.addCandidate(candidate);
  }

  #connectionChanged() {
    const { connectionState } = this.#pc;
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

  #setState(/** @type {PeerState} */ state) {
    this.state = state;
    this.#options.onchange();
  }
}
