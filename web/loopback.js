// Calls of a page with itself, to see what the relay carries. Data goes instead of pictures, which needs no permission.

import { median } from "./diagnosis.js";
import { plain } from "./gather.js";

/**
 * @typedef {object} Carried  what a call through the relay, from the page to itself, came to
 * @property {number} bitrate  bits per second that arrived
 * @property {number} offered  bits per second that were sent
 * @property {number} roundTrip  milliseconds, the median
 *
 * @typedef {object} Inward  what became of packets that go to a relayed address from outside of the relay
 * @property {string} relayed  the address that the relay gave out
 * @property {boolean} connected
 * @property {boolean} elsewhere  they came, but from another address than the relay gave out
 * @property {string} from  that address, where the browser tells
 */

const PATIENCE_MS = 8_000;
const PINGS = 9;
const SENDING_MS = 2_000;
const PACE_MS = 20;
const MESSAGE_BYTES = 1_000;
/** A message costs about a tenth more on its way, and the limit must not be what loses it. */
const SHARE_OF_LIMIT = 0.85;
/** Browsers refuse a candidate with a low one. */
const ANY_PORT = 49_152;
const MAX_WAITING_BYTES = 65_536;

/**
 * Between two relayed addresses, as two people have it behind strict NATs.
 * @param {RTCIceServer} server  the relay, with one URL
 * @param {number} limit  bits per second that the server lets pass
 * @returns {Promise<Carried | null>}  null if no packet came through
 */
export async function throughRelay(server, limit) {
  const pair = new Pair({ iceServers: [server], iceTransportPolicy: "relay" }, { iceServers: [server], iceTransportPolicy: "relay" });
  try {
    if (!(await pair.open())) return null;
    const roundTrip = await pair.roundTrip();
    return roundTrip === null ? null : { roundTrip, ...(await pair.send(limit * SHARE_OF_LIMIT)) };
  } finally {
    pair.close();
  }
}

/**
 * Between a relayed address and this device itself, over UDP. Packets inside of the relay would not tell whether the address
 * that it gives out is the one under which the world reaches it.
 * @param {RTCIceServer} server  the relay, with one URL
 * @param {RTCIceServer[]} stun
 * @param {string} own  the address of this device as the server sees it
 * @returns {Promise<Inward>}
 */
export async function fromOutside(server, stun, own) {
  const pair = new Pair({ iceServers: [server], iceTransportPolicy: "relay" }, { iceServers: stun });
  let relayed = "";
  pair.passes = ({ type, address, protocol }, side) => {
    if (side === 0) relayed = plain(address);
    // What is behind the NAT is no peer for a relay, and a name with .local says nothing to it.
    return side === 0 || (protocol === "udp" && (type === "srflx" || plain(address) === own));
  };
  try {
    // The relay lets in whom it was told of. Where STUN is blocked only the server knows the address, and any port will do.
    pair.also = `candidate:1 1 udp 1 ${own} ${ANY_PORT} typ srflx raddr 0.0.0.0 rport ${ANY_PORT}`;
    const connected = await pair.open();
    const { type, address } = connected ? await pair.remote() : { type: "", address: "" };
    // Such a candidate is one that nobody told of. Not every browser forgets that when it is told of it later.
    const elsewhere = type === "prflx" && address !== relayed;
    return { relayed, connected, elsewhere, from: elsewhere ? address : "" };
  } finally {
    pair.close();
  }
}

/** Two connections of one page. The first one offers. */
class Pair {
  #left;
  #right;
  #channel;
  /** @type {Promise<RTCDataChannel>} */
  #other;
  /** Which candidates of a side the other one is told of. @type {(candidate: RTCIceCandidate, side: 0 | 1) => boolean} */
  passes = () => true;
  /** A candidate that the first side is told of too. */
  also = "";

  /**
   * @param {RTCConfiguration} left
   * @param {RTCConfiguration} right
   */
  constructor(left, right) {
    this.#left = new RTCPeerConnection(left);
    this.#right = new RTCPeerConnection(right);
    // A path is measured, not how well it is mended.
    this.#channel = this.#left.createDataChannel("check", { ordered: false, maxRetransmits: 0 });
    this.#other = new Promise((resolve) => (this.#right.ondatachannel = ({ channel }) => resolve(channel)));
  }

  /** @returns {Promise<boolean>} whether it opened in time */
  async open() {
    const [left, right] = [this.#left, this.#right];
    const opened = new Promise((resolve) => (this.#channel.onopen = () => resolve(true)));
    /** @type {RTCIceCandidate[]} */
    const early = [];
    left.onicecandidate = ({ candidate }) => {
      if (!candidate?.candidate || !this.passes(candidate, 0)) return;
      if (right.remoteDescription) void right.addIceCandidate(candidate).catch(() => {});
      else early.push(candidate);
    };
    right.onicecandidate = ({ candidate }) => {
      if (candidate?.candidate && this.passes(candidate, 1)) void left.addIceCandidate(candidate).catch(() => {});
    };
    const late = after(PATIENCE_MS, false);
    try {
      await left.setLocalDescription();
      await right.setRemoteDescription(bare(left.localDescription));
      for (const candidate of early) void right.addIceCandidate(candidate).catch(() => {});
      await right.createAnswer().then((answer) => left.setRemoteDescription(answer).then(() => right.setLocalDescription(answer)));
      if (this.also) await left.addIceCandidate({ candidate: this.also, sdpMid: "0" }).catch(() => {});
    } catch {
      return false;
    }
    return Promise.race([opened, late]);
  }

  /** @returns {Promise<number | null>} milliseconds, the median; null if no answer came */
  async roundTrip() {
    const other = await this.#other;
    other.onmessage = ({ data }) => other.send(data);
    const times = [];
    for (let count = 0; count < PINGS; count += 1) {
      const start = performance.now();
      const answer = new Promise((resolve) => (this.#channel.onmessage = () => resolve(true)));
      this.#channel.send("ping");
      if (await Promise.race([answer, after(1_000, false)])) times.push(performance.now() - start);
    }
    return median(times);
  }

  /**
   * @param {number} bitrate
   * @returns {Promise<{ bitrate: number, offered: number }>}
   */
  async send(bitrate) {
    const other = await this.#other;
    const message = new Uint8Array(MESSAGE_BYTES);
    let received = 0;
    let sent = 0;
    other.binaryType = "arraybuffer";
    other.onmessage = ({ data }) => (received += data.byteLength ?? 0);
    const start = performance.now();
    for (let passed = 0; passed < SENDING_MS; passed = performance.now() - start) {
      const due = (bitrate / 8) * (passed / 1_000);
      while (sent < due && this.#channel.bufferedAmount < MAX_WAITING_BYTES && this.#channel.readyState === "open") {
        this.#channel.send(message);
        sent += MESSAGE_BYTES;
      }
      await after(PACE_MS, null);
    }
    const seconds = (performance.now() - start) / 1_000;
    return { bitrate: (received * 8) / seconds, offered: (sent * 8) / seconds };
  }

  /** The other end of what the second side uses. */
  async remote() {
    const report = await this.#right.getStats();
    const stats = [...report.values()];
    const transport = stats.find(({ type, selectedCandidatePairId }) => type === "transport" && selectedCandidatePairId);
    const pair = transport
      ? report.get(transport.selectedCandidatePairId)
      : stats.find(({ type, state, nominated }) => type === "candidate-pair" && state === "succeeded" && nominated);
    const remote = report.get(pair?.remoteCandidateId);
    return { type: String(remote?.candidateType ?? ""), address: plain(remote?.address ?? null) };
  }

  close() {
    this.#left.close();
    this.#right.close();
  }
}

/**
 * A description without candidates: which of them pass is decided one by one.
 * @param {RTCSessionDescription | null} description
 * @returns {RTCSessionDescriptionInit}
 */
function bare(description) {
  const sdp = (description?.sdp ?? "").replace(/^a=candidate:.*\r?\n/gm, "");
  return { type: description?.type ?? "offer", sdp };
}

/**
 * @template T
 * @param {number} ms
 * @param {T} value
 * @returns {Promise<T>}
 */
function after(ms, value) {
  return new Promise((resolve) => setTimeout(() => resolve(value), ms));
}
