// A call: signaling, room and peers put together. Knows no DOM.

import { Peer } from "./peer.js";
import { Room } from "./room.js";
import { Signaling } from "./signaling.js";

/**
 * Which relay addresses `?relay=` asks for; null for no restriction.
 * @typedef {"udp" | "tcp" | "tls" | "any" | null} RelayOnly
 */

/**
 * @param {RTCConfiguration} config
 * @param {RelayOnly} relay
 * @returns {RTCConfiguration}
 */
export function configure(config, relay) {
  // One path for all media: a third of the candidates and of the relay's allocations.
  const base = { ...config, bundlePolicy: /** @type {const} */ ("max-bundle") };
  if (!relay) return base;
  const wanted = (/** @type {string} */ url) => {
    if (relay === "any") return true;
    if (relay === "tls") return url.startsWith("turns:");
    return url.startsWith("turn:") && url.endsWith(`?transport=${relay}`);
  };
  const iceServers = (config.iceServers ?? [])
    .map((server) => ({ ...server, urls: [server.urls].flat().filter(wanted) }))
    .filter((server) => server.urls.length > 0);
  return { ...base, iceServers, iceTransportPolicy: "relay" };
}

/**
 * @typedef {object} Options
 * @property {string} url
 * @property {string} room
 * @property {string} name
 * @property {RelayOnly} relay
 * @property {() => Promise<string>} ticket
 * @property {() => void} refreshTicket
 * @property {() => number} keepMs  how long a peer is kept that the server does not list after its own restart
 * @property {MediaStream} stream  the local stream
 * @property {(id: string, name: string, peer: Peer) => void} onpeer  somebody came
 * @property {(id: string) => void} onchange  state or tracks of somebody changed
 * @property {(id: string) => void} ongone
 * @property {(online: boolean) => void} onstate  is the server there?
 * @property {() => void} onjoined  welcomed, for the first time or again
 * @property {(code: string) => void} onend
 */

export class Call {
  /** @type {Map<string, Peer>} */
  peers = new Map();

  #options;
  #signaling;
  #room;
  /** @type {RTCConfiguration} */
  #config = {};
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #expiry;

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    const { url, room, name, ticket, refreshTicket } = options;
    this.#room = new Room(options.keepMs);
    this.#signaling = new Signaling({
      url,
      room,
      name,
      ticket,
      refreshTicket,
      onstate: (online) => this.#setOnline(online),
      onmessage: (message) => this.#receive(message),
      onend: (code) => this.#end(code),
    });
  }

  /**
   * @param {"audio" | "video"} kind
   * @param {MediaStreamTrack | null} track
   */
  setTrack(kind, track) {
    for (const peer of this.peers.values()) peer.setTrack(kind, track);
  }

  /** The network is said to be back. */
  wake() {
    this.#signaling.wake();
  }

  leave() {
    this.#signaling.leave();
    this.#close();
  }

  /** @param {boolean} online */
  #setOnline(online) {
    // Who is there is not known while the server is not.
    if (!online) clearTimeout(this.#expiry);
    this.#options.onstate(online);
  }

  /** @param {string} code */
  #end(code) {
    this.#close();
    this.#options.onend(code);
  }

  #close() {
    clearTimeout(this.#expiry);
    for (const peer of this.peers.values()) peer.close();
    this.peers.clear();
  }

  /** @param {import("./signaling.js").ServerMessage} message */
  #receive(message) {
    switch (message.type) {
      case "welcome":
        this.#configure(message.pc_config);
        this.#act(this.#room.welcome({ resumed: message.resumed, peers: message.peers }, Date.now()));
        this.#options.onjoined();
        break;
      case "peer-joined":
        this.#act(this.#room.peerJoined(message.peer));
        break;
      case "peer-left":
        this.#act(this.#room.peerLeft(message.id));
        break;
      case "signal":
        this.peers.get(message.from)?.receive(message.data);
        break;
      case "pc-config":
        this.#configure(message.pc_config);
    }
  }

  /** @param {RTCConfiguration} config */
  #configure(config) {
    this.#config = configure(config, this.#options.relay);
    for (const peer of this.peers.values()) peer.setConfig(this.#config);
  }

  /** @param {import("./room.js").Action[]} actions */
  #act(actions) {
    for (const action of actions) {
      switch (action.type) {
        case "add":
          this.#add(action.id, action.name, action.offer);
          break;
        case "meet":
          this.peers.get(action.id)?.setPresent(true, action.offer);
          break;
        case "absent":
          this.peers.get(action.id)?.setPresent(false, false);
          break;
        case "remove":
          this.peers.get(action.id)?.close();
          this.peers.delete(action.id);
          this.#options.ongone(action.id);
      }
    }
    this.#scheduleExpiry();
  }

  /**
   * @param {string} id
   * @param {string} name
   * @param {boolean} offer
   */
  #add(id, name, offer) {
    const peer = new Peer({
      offer,
      config: this.#config,
      stream: this.#options.stream,
      tracks: this.#options.stream.getTracks(),
      send: (data) => this.#signaling.signal(id, data),
      onchange: () => {
        if (peer.state === "reconnecting") this.#signaling.check();
        this.#options.onchange(id);
      },
    });
    this.peers.set(id, peer);
    this.#options.onpeer(id, name, peer);
  }

  #scheduleExpiry() {
    clearTimeout(this.#expiry);
    const deadline = this.#room.nextDeadline;
    if (deadline === null) return;
    this.#expiry = setTimeout(() => this.#act(this.#room.expire(Date.now())), deadline - Date.now() + 1);
  }
}
