// One connection to another person, with its negotiation, its repair, and what goes over it: media lines and a channel.
// Knows no DOM.

import { Lines } from "./lines.js";
import { Negotiation } from "./negotiation.js";
import { Repair } from "./repair.js";
import { Talk } from "./talk.js";

/** For so long the states of ICE and of the whole connection may differ. */
const STATES_MS = 1_000;

/**
 * @typedef {object} LinkOptions
 * @property {{ person: MediaStream, screen: MediaStream }} streams  name what is sent to the other side
 * @property {[import("./lines.js").Slot, MediaStreamTrack][]} tracks  what is sent at first
 * @property {() => void} restart  ICE
 * @property {(candidate: RTCIceCandidate | null) => void} oncandidate
 * @property {() => void} onneeded  there is something to negotiate
 * @property {() => void} onstate  of the connection
 * @property {(slot: import("./lines.js").Slot, track: MediaStreamTrack) => void} ontrack
 * @property {() => void} onopen  the channel
 * @property {(message: import("./talk.js").TalkMessage) => void} onmessage
 * @property {(cost: number) => boolean} bears  is so much more borne of the other side?
 * @property {() => void} ondead  no restart mends it
 *
 * @typedef {LinkOptions & import("./negotiation.js").Options} Options
 */

export class Link {
  pc;
  lines;
  talk;
  repair;
  negotiation;
  #ondead;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #deadTimer;

  /** @param {Options} options */
  constructor(options) {
    const { streams, tracks, isPolite, isPresent, restart, onopen, onmessage, bears } = options;
    this.#ondead = options.ondead;
    const pc = (this.pc = new RTCPeerConnection(options.config()));
    pc.onicecandidate = ({ candidate }) => options.oncandidate(candidate);
    pc.onnegotiationneeded = () => options.onneeded();
    pc.onsignalingstatechange = () => {
      if (pc.signalingState !== "stable") return;
      this.lines.reshape();
      this.negotiation.settled();
    };
    pc.oniceconnectionstatechange = () => this.#watch();
    pc.onconnectionstatechange = () => {
      this.repair.connectionChanged();
      this.#watch();
      options.onstate();
    };
    pc.ontrack = ({ track, transceiver }) => {
      const slot = this.lines.slotOf(transceiver);
      if (slot) options.ontrack(slot, track);
    };
    this.negotiation = new Negotiation(pc, options);
    this.repair = new Repair({ connection: pc, isPolite, isPresent, restart });
    this.lines = new Lines(pc, streams);
    for (const [slot, track] of tracks) this.lines.set(slot, track);
    this.talk = new Talk(pc, { onopen, onmessage, bears });
  }

  close() {
    clearTimeout(this.#deadTimer);
    this.negotiation.close();
    this.repair.close();
    this.talk.close();
    this.pc.close();
  }

  /**
   * What carries media can have failed for good although ICE is up again: Firefox gives DTLS up with ICE. That no restart
   * mends.
   */
  #watch() {
    const isDead = () => this.pc.connectionState === "failed" && ["connected", "completed"].includes(this.pc.iceConnectionState);
    clearTimeout(this.#deadTimer);
    if (isDead()) this.#deadTimer = setTimeout(() => isDead() && this.#ondead(), STATES_MS);
  }
}
