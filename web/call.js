// A call: signaling, room and peers put together. Knows no DOM.

import { Door } from "./door.js";
import { personName } from "./names.js";
import { Peer } from "./peer.js";
import { believed, cameraCodec, cameraEncoding, screenEncoding, startBitrate } from "./quality.js";
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
 * @property {WebSocket | null} [socket]  opened ahead
 * @property {() => Promise<string>} ticket
 * @property {() => void} refreshTicket
 * @property {() => number} keepMs  how long a peer is kept that the server does not list after its own restart
 * @property {MediaStream} stream  the own microphone and camera
 * @property {(id: string, name: string, peer: Peer) => void} onpeer  somebody came
 * @property {(id: string, name: string, peer: Peer) => void} [onagain]  another connection to somebody who was there before,
 *   with the same streams, after the page had been away for too long to keep its seat; by default told as `ongone` and
 *   `onpeer`
 * @property {(id: string) => void} onchange  state or tracks of somebody changed, or what they say of themselves
 * @property {(id: string) => void} ongone
 * @property {(online: boolean, crowded: boolean) => void} onstate  is the server there? has it no place for us now?
 * @property {(ms: number) => void} [onpong]  so long the server took to answer
 * @property {() => void} onjoined  welcomed, for the first time or again
 * @property {(seconds: number) => void} [ondraining]  so soon the server stops
 * @property {(news: import("./door.js").News[]) => void} [ondoor]  the room was locked, somebody knocks, or the like
 * @property {(code: string) => void} [onrefused]  the server refused what was asked for
 * @property {(code: string) => void} onend
 */

export class Call {
  /** @type {Map<string, Peer>} */
  peers = new Map();
  door = new Door();

  #options;
  #signaling;
  #room;
  /** @type {RTCConfiguration} */
  #config = {};
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #expiry;
  /** What the others know of us. @type {import("./talk.js").PersonState} */
  #state = { mic: false, camera: false, hand: false, screen: false, trouble: false };
  /** The own screen and its sound, while they are shared. */
  #screen = new MediaStream();
  /** @type {import("./quality.js").Limit} */
  #limit = "auto";
  /** What the path to somebody is believed to carry, in bits per second. @type {Map<string, number>} */
  #paths = new Map();
  /** Was encoding too much for this machine? */
  #strained = false;

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    const { url, socket, room, name, ticket, refreshTicket } = options;
    this.#room = new Room(options.keepMs);
    this.#signaling = new Signaling({
      url,
      socket,
      room,
      name,
      ticket,
      refreshTicket,
      locked: () => this.door.locked,
      onrefused: options.onrefused,
      onstate: (online, crowded) => this.#setOnline(online, crowded),
      onpong: options.onpong,
      onmessage: (message) => this.#receive(message),
      // A room that filled up while the server was away leaves those who still see each other to themselves.
      insists: (code) => code === "room-full" && [...this.peers.values()].some(({ state }) => state === "connected"),
      onend: (code) => this.#end(code),
    });
  }

  /**
   * Sends another track here, or none.
   * @param {import("./lines.js").Slot} slot
   * @param {MediaStreamTrack | null} track
   */
  setTrack(slot, track) {
    if (slot === "screen" || slot === "sound") {
      const kind = slot === "screen" ? "video" : "audio";
      for (const old of this.#screen.getTracks()) if (old.kind === kind) this.#screen.removeTrack(old);
      if (track) this.#screen.addTrack(track);
    }
    for (const peer of this.peers.values()) peer.setTrack(slot, track);
    this.reshape();
  }

  /** @param {Partial<import("./talk.js").PersonState>} change  of what the others know of us */
  setState(change) {
    const state = { ...this.#state, ...change };
    if (JSON.stringify(state) === JSON.stringify(this.#state)) return;
    this.#state = state;
    for (const peer of this.peers.values()) peer.tell();
  }

  /** @param {import("./quality.js").Limit} limit  of what is sent to each */
  setLimit(limit) {
    this.#limit = limit;
    this.reshape();
    for (const peer of this.peers.values()) peer.tell();
  }

  /**
   * What the path to somebody is expected to carry.
   * @param {string} id
   * @param {number} bitrate  bits per second
   */
  setAvailable(id, bitrate) {
    const before = this.#paths.get(id) ?? Infinity;
    const path = believed(before, bitrate);
    if (path === before) return;
    this.#paths.set(id, path);
    this.#shape(id);
  }

  /** The pictures that are sent, or what limits them, changed. */
  reshape() {
    for (const id of this.peers.keys()) this.#shape(id);
  }

  /** This machine does not keep up with encoding. */
  setStrained() {
    if (this.#strained) return;
    this.#strained = true;
    this.reshape();
  }

  /** @param {boolean} locked  has whoever comes to knock? */
  lock(locked) {
    this.#signaling.lock(locked);
  }

  /**
   * @param {string} id  of somebody who knocked
   * @param {boolean} admitted
   */
  answer(id, admitted) {
    this.#signaling.answer(id, admitted);
  }

  /** The page is about to be frozen. */
  freeze() {
    this.#signaling.freeze();
  }

  /** @param {boolean} hurry  measure the link to the server more often? */
  hurry(hurry) {
    this.#signaling.hurry(hurry);
  }

  /** The network is said to be back. */
  wake() {
    this.#signaling.wake();
  }

  leave() {
    this.#signaling.leave();
    for (const peer of this.peers.values()) peer.leave();
    this.#close();
  }

  /**
   * @param {boolean} online
   * @param {boolean} crowded
   */
  #setOnline(online, crowded) {
    // Who is there is not known while the server is not.
    if (!online) {
      clearTimeout(this.#expiry);
      this.door.lost();
      this.#options.ondoor?.([]);
    }
    this.#options.onstate(online, crowded);
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
    // From here on everybody has the name that is shown.
    const { peer, peers = [], knocks = [] } = message;
    for (const person of [...peers, ...knocks, ...(peer ? [peer] : [])]) person.name = personName(person);
    const { locked } = this.door;
    const news = this.door.receive(message);
    if (news) this.#options.ondoor?.(news);
    // With everybody away for too long the room was given up, and its lock with it.
    if (message.type === "welcome" && locked && !message.locked && message.peers.length === 0) this.lock(true);
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
      case "draining":
        this.#options.ondraining?.(message.seconds);
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
        case "anew":
          this.#addAgain(action.id, action.name);
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
          this.#paths.delete(action.id);
          this.#options.ongone(action.id);
      }
    }
    this.reshape();
    this.#scheduleExpiry();
  }

  /** @param {string} id */
  #shape(id) {
    const peer = this.peers.get(id);
    if (!peer) return;
    const [captured] = this.#options.stream.getVideoTracks();
    const [shared] = this.#screen.getVideoTracks();
    const { camera, screen } = peer.wanted;
    const given = { others: this.peers.size, path: this.#paths.get(id) ?? Infinity };
    const sharing = shared !== undefined && screen > 0;
    const video = cameraEncoding({ ...given, limit: this.#limit, wanted: camera, captured: sizeOf(captured), sharing });
    const codec = cameraCodec({ others: given.others, cores: navigator.hardwareConcurrency, strained: this.#strained });
    peer.shape("video", { ...video, codec });
    if (!shared) return;
    const hint = shared.contentHint === "motion" ? "motion" : "detail";
    const beside = captured && video.active ? video.maxBitrate : 0;
    peer.shape("screen", screenEncoding({ ...given, hint, wanted: screen, captured: sizeOf(shared), camera: beside }));
  }

  /**
   * @param {string} id
   * @param {string} name
   * @param {boolean} offer
   */
  #add(id, name, offer) {
    this.#options.onpeer(id, name, this.#connect(id, offer));
  }

  /**
   * @param {string} id  of somebody known from before
   * @param {string} name
   */
  #addAgain(id, name) {
    const before = this.peers.get(id);
    before?.close();
    this.#paths.delete(id);
    const { onagain, ongone, onpeer } = this.#options;
    if (!onagain) ongone(id);
    (onagain ?? onpeer)(id, name, this.#connect(id, false, before));
  }

  /**
   * @param {string} id
   * @param {boolean} offer
   * @param {Peer} [before]  to the same person
   */
  #connect(id, offer, before) {
    const peer = new Peer({
      offer,
      config: this.#config,
      streams: { person: this.#options.stream, screen: this.#screen },
      tracks: () => this.#tracks(),
      state: () => this.#told(),
      send: (data) => this.#signaling.signal(id, data),
      onchange: () => {
        if (peer.state === "reconnecting") this.#signaling.check();
        this.#options.onchange(id);
      },
      onwant: () => this.#shape(id),
      onbye: () => this.#act(this.#room.peerLeft(id)),
      startBitrate: () => startBitrate(this.peers.size),
    }, before);
    this.peers.set(id, peer);
    return peer;
  }

  /** Of a camera that sends nothing, the last picture would stand still. */
  #told() {
    return { ...this.#state, camera: this.#state.camera && this.#limit !== "audio" };
  }

  /** What is sent to whoever comes. */
  #tracks() {
    const slots = /** @type {const} */ ([
      ["audio", this.#options.stream.getAudioTracks()],
      ["video", this.#options.stream.getVideoTracks()],
      ["screen", this.#screen.getVideoTracks()],
      ["sound", this.#screen.getAudioTracks()],
    ]);
    return slots.flatMap(([slot, [track]]) => (track ? [/** @type {[typeof slot, MediaStreamTrack]} */ ([slot, track])] : []));
  }

  #scheduleExpiry() {
    clearTimeout(this.#expiry);
    const deadline = this.#room.nextDeadline;
    if (deadline === null) return;
    this.#expiry = setTimeout(() => this.#act(this.#room.expire(Date.now())), deadline - Date.now() + 1);
  }
}

/**
 * @param {MediaStreamTrack | undefined} track  may not have given a picture yet
 * @returns {import("./quality.js").Size}
 */
function sizeOf(track) {
  const { width = 1280, height = 720 } = track?.getSettings() ?? {};
  return { width, height };
}
