// What two pages tell each other directly, over a data channel: no server is needed for it, and none can read it.
// Knows no DOM.

import { Bucket, Latest } from "./pace.js";

/** A message longer than this is nobody's. */
const MAX_LENGTH = 16_384;
/** How much another channel counts, where a message counts 1 and 1 for each of its KiB. */
const CHANNEL = 20;

/**
 * What the others shall know of a person.
 * @typedef {object} PersonState
 * @property {boolean} mic  is heard
 * @property {boolean} camera  is seen
 * @property {boolean} hand  is up
 * @property {boolean} screen  shares a screen
 * @property {boolean} trouble  has a bad connection to more than one
 *
 * How large a page shows what it gets, in pixels of height; 0 for hidden.
 * @typedef {{ camera: number, screen: number }} Wanted
 *
 * @typedef {{ type: "state" } & PersonState} StateMessage
 * @typedef {{ type: "want" } & Wanted} WantMessage
 * @typedef {{ type: "bye" }} ByeMessage  leaves for good
 * @typedef {StateMessage | WantMessage | ByeMessage} TalkMessage
 */

/**
 * What came, if it is something known and well-formed. Pure.
 * @param {unknown} text
 * @returns {TalkMessage | null}
 */
export function read(text) {
  if (typeof text !== "string" || text.length > MAX_LENGTH) return null;
  let message;
  try {
    message = JSON.parse(text);
  } catch {
    return null;
  }
  if (message?.type === "state") {
    const { mic, camera, hand, screen, trouble } = message;
    return { type: "state", mic: !!mic, camera: !!camera, hand: !!hand, screen: !!screen, trouble: !!trouble };
  }
  if (message?.type === "want") {
    return { type: "want", camera: height(message.camera), screen: height(message.screen) };
  }
  return message?.type === "bye" ? { type: "bye" } : null;
}

/** @param {unknown} value */
function height(value) {
  return typeof value === "number" && value >= 0 && value < 10_000 ? value : 0;
}

export class Talk {
  #channel;
  #states;
  #wants;

  /**
   * @param {RTCPeerConnection} pc
   * @param {object} options
   * @param {() => void} options.onopen
   * @param {(message: TalkMessage) => void} options.onmessage
   * @param {(cost: number) => boolean} options.bears  is so much more borne of the other side, whatever it is?
   */
  constructor(pc, { onopen, onmessage, bears }) {
    // Each costs work here, and only the last counts.
    this.#states = new Latest(new Bucket(8, 1), onmessage);
    this.#wants = new Latest(new Bucket(8, 1), onmessage);
    // Also makes a connection between two who send nothing.
    this.#channel = pc.createDataChannel("callbox", { negotiated: true, id: 0 });
    this.#channel.binaryType = "arraybuffer";
    this.#channel.onopen = onopen;
    this.#channel.onmessage = ({ data }) => {
      if (!bears(1 + (data.length ?? data.byteLength) / 1_024)) return;
      const message = read(data);
      if (message?.type === "state") this.#states.take(message);
      else if (message?.type === "want") this.#wants.take(message);
      else if (message) onmessage(message);
    };
    // No page opens one, and nobody reads what comes over it.
    pc.ondatachannel = ({ channel }) => {
      channel.close();
      bears(CHANNEL);
    };
  }

  /** @param {TalkMessage} message  dropped where there is no channel yet, or no longer */
  send(message) {
    if (this.#channel.readyState === "open") this.#channel.send(JSON.stringify(message));
  }

  /** Nothing of what waits is heeded. */
  close() {
    this.#states.stop();
    this.#wants.stop();
  }
}
