// Connections from addresses of this machine to the program. Whatever becomes of them is no error here: the other side may
// close them, and be gone.

import dgram from "node:dgram";
import http2 from "node:http2";
import https from "node:https";
import net from "node:net";
import tls from "node:tls";
import WebSocket from "ws";

/** @typedef {{ host: string, https: number, turn: number, turnTls: number, cookie: string }} Target */

export class Wires {
  /** @type {Set<() => void>} */
  #open = new Set();

  /**
   * @param {Target} target
   * @param {string} address  from which they come
   */
  constructor(target, address) {
    this.target = target;
    this.address = address;
    /** What a browser sends along. */
    this.headers = { host: target.host, cookie: target.cookie };
  }

  /** @param {number} port */
  tcp(port) {
    const socket = net.connect({ host: this.target.host, port, localAddress: this.address });
    this.#keep(socket, () => socket.destroy());
    return socket;
  }

  /**
   * @param {number} port
   * @param {string[]} [protocols]
   */
  tls(port, protocols = ["http/1.1"]) {
    const socket = tls.connect({ socket: this.tcp(port), rejectUnauthorized: false, ALPNProtocols: protocols });
    this.#keep(socket, () => socket.destroy());
    return socket;
  }

  /**
   * @param {http2.Settings} [settings]
   */
  http2(settings) {
    const { host, https: port } = this.target;
    const socket = this.tls(port, ["h2"]);
    const session = http2.connect(`https://${host}`, { createConnection: () => socket, settings });
    this.#keep(session, () => session.destroy());
    return session;
  }

  /**
   * Bound to a port that changes with each.
   * @param {(message: Buffer) => void} [take]
   */
  udp(take) {
    const socket = dgram.createSocket("udp4", take);
    let closed = false;
    const close = () => {
      if (!closed) socket.close();
      closed = true;
    };
    this.#keep(socket, close);
    socket.bind(0, this.address);
    return {
      /** @param {Buffer} message */
      send: (message) => {
        if (!closed) socket.send(message, this.target.turn, this.target.host, () => {});
      },
      close,
    };
  }

  /** Without certificate checks, as somebody who has clicked them away. */
  agent() {
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false, localAddress: this.address });
    this.#open.add(() => agent.destroy());
    return agent;
  }

  /**
   * @param {string} path
   * @param {{ agent?: https.Agent, method?: string, headers?: Record<string, string>, body?: string }} [options]
   * @returns {Promise<{ status: number, headers: import("node:http").IncomingHttpHeaders, text: string }>}
   */
  get(path, { agent, method = "GET", headers = {}, body } = {}) {
    const { host, https: port } = this.target;
    return new Promise((resolve, reject) => {
      const options = { host, port, path, method, agent, rejectUnauthorized: false, localAddress: this.address, headers: { ...this.headers, ...headers } };
      const request = https.request(options, (response) => {
        let text = "";
        response.on("error", reject).on("data", (data) => (text += data));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
      });
      request.on("error", reject).setTimeout(15_000, () => request.destroy(new Error("no answer")));
      request.end(body);
    });
  }

  /** @param {Record<string, string>} [headers] */
  websocket(headers = {}) {
    const { host, https: port } = this.target;
    const options = { rejectUnauthorized: false, localAddress: this.address, perMessageDeflate: false, headers: { ...this.headers, ...headers } };
    const socket = new WebSocket(`wss://${host}:${port}/ws`, options);
    this.#keep(socket, () => socket.terminate());
    return socket;
  }

  close() {
    for (const close of this.#open) close();
    this.#open.clear();
  }

  /**
   * @param {import("node:events").EventEmitter} what
   * @param {() => void} close
   */
  #keep(what, close) {
    this.#open.add(close);
    what.on("error", () => {});
    what.once("close", () => this.#open.delete(close));
  }
}
