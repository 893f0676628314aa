// A page without a browser: it loads what a page loads, joins a room, talks with those who are there, and goes.

import { once } from "node:events";
import { ALLOCATE, REFRESH, answer, request } from "./stun.mjs";
import { Wires } from "./wires.mjs";

const FILES = ["/", "/style.css", "/main.js", "/call.js", "/icon.svg"];
/** Milliseconds, as web/signaling.js does. */
const PING = 10_000;
/** An offer of a page with camera and microphone has about this length. */
const SDP = "x".repeat(3000);

export class Person {
  /** @type {string[]} */
  peers = [];
  id = "";
  resume = "";
  ticket = "";
  joined = false;
  /** @type {import("ws").WebSocket | undefined} */
  socket;
  /** @type {(() => void) | undefined} */
  #endRelaying;

  /**
   * @param {import("./wires.mjs").Target} target
   * @param {string} address
   * @param {string} room
   * @param {string} name
   */
  constructor(target, address, room, name) {
    this.wires = new Wires(target, address);
    this.room = room;
    this.name = name;
  }

  /** Loads the page and its credentials. */
  async load() {
    const agent = this.wires.agent();
    for (const file of FILES) await this.wires.get(file, { agent, headers: { "accept-encoding": "gzip, br" } });
    const { text } = await this.wires.get("/config.js", { agent });
    this.ticket = /"ticket": ?"([^"]+)"/.exec(text)?.[1] ?? "";
    agent.destroy();
  }

  /**
   * Joins, or comes back, and is in when this ends.
   * @returns {Promise<boolean>} false: it was not let in
   */
  async join() {
    const socket = this.wires.websocket();
    this.socket = socket;
    socket.on("message", (data) => this.#hear(JSON.parse(String(data))));
    const ended = once(socket, "close").then(() => false);
    await Promise.race([once(socket, "open"), ended]).catch(() => {});
    const { room, name, ticket, resume } = this;
    this.say({ type: "join", room, name, ticket, ...(resume && { resume }) });
    const pings = setInterval(() => this.say({ type: "ping" }), PING);
    socket.once("close", () => {
      clearInterval(pings);
      this.joined = false;
    });
    const welcomed = new Promise((resolve) => (this.welcomed = resolve));
    return Promise.race([welcomed, ended]);
  }

  /** @param {object} message */
  say(message) {
    if (this.socket?.readyState === this.socket?.OPEN) this.socket?.send(JSON.stringify(message));
  }

  /** Tells each of the others what a page tells them when a connection is made. */
  talk() {
    for (const to of this.peers) {
      this.say({ type: "signal", to, data: { description: { type: "offer", sdp: SDP } } });
      for (let port = 0; port < 6; port += 1) {
        this.say({ type: "signal", to, data: { candidate: { candidate: `candidate:1 1 udp 1 10.0.0.1 ${9 + port} typ host` } } });
      }
    }
  }

  /** Asks for a relayed address, and gives it back when it goes. */
  relay() {
    const { login } = this;
    if (!login) return;
    const wire = this.wires.udp((message) => {
      const heard = answer(message);
      if (heard?.code !== 401 && heard?.code !== 438) return;
      const { challenge } = heard;
      wire.send(request(ALLOCATE, { login, challenge }));
      this.#endRelaying = () => wire.send(request(REFRESH, { login, challenge, lifetime: 0 }));
    });
    wire.send(request(ALLOCATE));
  }

  /** Says goodbye. */
  async leave() {
    this.#endRelaying?.();
    this.say({ type: "leave" });
    const { socket } = this;
    if (socket && socket.readyState !== socket.CLOSED) {
      await Promise.race([once(socket, "close").catch(() => {}), new Promise((resolve) => setTimeout(resolve, 3000).unref())]);
    }
    this.vanish();
  }

  /** Is gone without a word. */
  vanish() {
    this.wires.close();
  }

  #hear(message) {
    if (message.type === "welcome") {
      const [server] = message.pc_config.iceServers.filter(({ username }) => username);
      this.login = server && { username: server.username, credential: server.credential };
      this.id = message.id;
      this.resume = message.resume;
      this.peers = message.peers.map(({ id }) => id);
      this.joined = true;
      this.welcomed(true);
    } else if (message.type === "peer-joined") {
      this.peers = [...new Set([...this.peers, message.peer.id])];
    } else if (message.type === "peer-left") {
      this.peers = this.peers.filter((id) => id !== message.id);
    } else if (message.type === "error") {
      this.refused = message.code;
      this.welcomed(false);
    }
  }

  /** @type {(joined: boolean) => void} */
  welcomed = () => {};
}
