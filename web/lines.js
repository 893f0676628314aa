// The media lines of one connection: which of its transceivers carries what. Knows no DOM.
//
// The n-th line of a kind has the same meaning on both sides: first a person's microphone and camera, then a shared
// screen and its sound. The latter two are made when they are first needed.

/**
 * @typedef {"audio" | "video"} Kind
 * @typedef {"audio" | "video" | "screen" | "sound"} Slot  microphone, camera, shared screen, and what is heard on it
 * @typedef {object} Encoding  how a line is sent
 * @property {boolean} active
 * @property {number} maxBitrate  bits per second
 * @property {number} [scaleResolutionDownBy]
 * @property {number} [maxFramerate]
 * @property {string | null} [codec]  such as "video/VP9", in browsers that let a page choose; null for their own choice
 */

/** @type {Record<Slot, { kind: Kind, nth: number }>} */
const PLACES = {
  audio: { kind: "audio", nth: 0 },
  video: { kind: "video", nth: 0 },
  sound: { kind: "audio", nth: 1 },
  screen: { kind: "video", nth: 1 },
};
const SLOTS = /** @type {Slot[]} */ (Object.keys(PLACES));
export const KINDS = /** @type {Kind[]} */ (["audio", "video"]);

/** @param {Slot} slot */
export function isScreen(slot) {
  return PLACES[slot].nth > 0;
}

export class Lines {
  #pc;
  #streams;
  /** @type {Map<Slot, MediaStreamTrack>} */
  #tracks = new Map();
  /** @type {Map<Slot, Encoding>} */
  #encodings = new Map();
  /** What was chosen last, and what the browser had taken by itself. @type {Map<Slot, { chosen: string | null, own: string }>} */
  #codecs = new Map();
  /** Lines whose encoding is being set; browsers take one change at a time. @type {Set<Slot>} */
  #busy = new Set();

  /**
   * @param {RTCPeerConnection} pc
   * @param {{ person: MediaStream, screen: MediaStream }} streams  name what belongs together to the other side
   */
  constructor(pc, streams) {
    this.#pc = pc;
    this.#streams = streams;
  }

  /** Before the first offer: a line for microphone and camera each, also to receive where there is nothing to send. */
  open() {
    for (const kind of KINDS) {
      const track = this.#tracks.get(kind);
      if (track) this.#pc.addTrack(track, this.#streams.person);
      else this.#pc.addTransceiver(kind, { direction: "recvonly" });
    }
    this.widen();
  }

  /** Puts what is to be sent on the lines that are there, as after an offer that has brought some. */
  attach() {
    for (const slot of SLOTS) this.#put(slot);
  }

  /** Makes lines for all that is to be sent, and `screen` ones if the other side wants to share. */
  widen(screen = false) {
    const needed = screen ? /** @type {Slot[]} */ (["screen", "sound"]) : SLOTS.filter((slot) => this.#tracks.has(slot));
    for (const slot of needed) {
      if (!this.line(slot)) this.#pc.addTransceiver(PLACES[slot].kind, { direction: "recvonly" });
    }
    this.attach();
  }

  /**
   * Sends another track here, or none.
   * @param {Slot} slot
   * @param {MediaStreamTrack | null} track
   */
  set(slot, track) {
    if (track) this.#tracks.set(slot, track);
    else this.#tracks.delete(slot);
  }

  /**
   * How it is to be sent from now on.
   * @param {Slot} slot
   * @param {Encoding} encoding
   */
  shape(slot, encoding) {
    this.#encodings.set(slot, encoding);
    void this.#encode(slot);
  }

  /** Once negotiated, lines can be shaped. */
  reshape() {
    for (const slot of this.#encodings.keys()) void this.#encode(slot);
  }

  /** @param {Slot} slot */
  line(slot) {
    const { kind, nth } = PLACES[slot];
    return this.#lines(kind)[nth];
  }

  /** The `mid`s of the lines that carry a shared screen and its sound. */
  get screenMids() {
    const mids = SLOTS.filter(isScreen).map((slot) => this.line(slot)?.mid ?? null);
    return new Set(mids.filter((mid) => mid !== null));
  }

  /**
   * @param {RTCRtpTransceiver} transceiver
   * @returns {Slot | undefined}
   */
  slotOf(transceiver) {
    return SLOTS.find((slot) => this.line(slot) === transceiver);
  }

  /**
   * All of a kind, in the order in which both sides know them.
   * @param {Kind} kind
   */
  #lines(kind) {
    const place = (/** @type {RTCRtpTransceiver} */ line) => (line.mid === null ? Infinity : Number(line.mid));
    const lines = this.#pc.getTransceivers().filter((line) => line.receiver.track.kind === kind);
    return lines.sort((a, b) => (place(a) === place(b) ? 0 : place(a) - place(b)));
  }

  /** @param {Slot} slot */
  #put(slot) {
    const line = this.line(slot);
    if (!line) return;
    const track = this.#tracks.get(slot) ?? null;
    // One line for the whole call: removeTrack and addTrack would add another each time.
    if (line.sender.track !== track) line.sender.replaceTrack(track).catch(() => {});
    const direction = track ? "sendrecv" : "recvonly";
    if (line.direction === direction) return;
    if (track) line.sender.setStreams?.(isScreen(slot) ? this.#streams.screen : this.#streams.person);
    line.direction = direction;
  }

  /** @param {Slot} slot */
  async #encode(slot) {
    const sender = this.line(slot)?.sender;
    const wanted = this.#encodings.get(slot);
    if (!sender?.track || !wanted || this.#busy.has(slot)) return;
    const parameters = sender.getParameters();
    const [encoding] = parameters.encodings ?? [];
    const { codec = null, ...rest } = wanted;
    const keys = /** @type {(keyof typeof rest)[]} */ (Object.keys(rest));
    const same = codec === (this.#codecs.get(slot)?.chosen ?? null) && keys.every((key) => encoding?.[key] === rest[key]);
    if (!encoding || same) return;
    Object.assign(encoding, rest);
    // The browser lists what it takes first; once chosen, only another choice leads back.
    const own = this.#codecs.get(slot)?.own ?? parameters.codecs[0]?.mimeType ?? "";
    const find = (/** @type {string | null} */ mime) => parameters.codecs.find(({ mimeType }) => mimeType === mime);
    // What the other side cannot take is not among them.
    const taken = this.#codecs.has(slot) || codec !== null ? (find(codec) ?? find(own)) : undefined;
    if (taken) Object.assign(encoding, { codec: taken });
    this.#busy.add(slot);
    const done = await sender.setParameters(parameters).then(() => true, () => false);
    this.#busy.delete(slot);
    if (done && taken) this.#codecs.set(slot, { chosen: codec, own });
    if (done && this.#encodings.get(slot) !== wanted) await this.#encode(slot);
  }
}
