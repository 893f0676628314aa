// Starts the real program, as a user would, on loopback ports of its own.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import https from "node:https";
import { tmpdir } from "node:os";
import path from "node:path";
import { until } from "./until.mjs";

/** The debug build, which is there in seconds, unless another one is named. */
export const PROGRAM = process.env.CALLBOX ?? path.resolve(import.meta.dirname, "../../../target/debug/callbox");

/**
 * The kernel chooses the ports that are not known: one that was found free before may be somebody else's by now.
 * @param {string} listen  address
 * @param {{ https?: number, turn?: number, tls?: number }} ports
 */
function configuration(listen, { https = 0, turn = 0, tls = 0 }) {
  return `listen = "${listen}:${https}"\n[turn]\nlisten = "${listen}:${turn}"\ntls_listen = "${listen}:${tls}"\n`;
}

/** @param {string} banner  where the program says which ports it has got */
function portsIn(banner) {
  const found = (/** @type {RegExp} */ pattern) => {
    const port = pattern.exec(banner)?.[1];
    return port === undefined ? undefined : Number(port);
  };
  const https = found(/https:\/\/\S+:(\d+)\//);
  if (https === undefined) throw new Error(`no port in ${banner}`);
  return { https, turn: found(/STUN\/TURN .*?:(\d+) {2}\(UDP, TCP\)/), tls: found(/STUN\/TURN .*:(\d+) {2}\(TLS\)/) };
}

export class Server {
  log = "";
  banner = "";

  /**
   * @param {object} [options]
   * @param {Record<string, string>} [options.env]  such as { CALLBOX__SIGNALING__MAX_PEERS: "2" }
   * @param {string[]} [options.prefix]  a command to run it under
   * @param {string} [options.host]  address to listen on
   * @param {string} [options.name]  the host in URLs, if it is not the address
   */
  static async start({ env = {}, prefix = [], host = "127.0.0.1", name = host } = {}) {
    const server = new Server();
    const listen = host === "127.0.0.1" ? host : "0.0.0.0";
    server.config = configuration(listen, {});
    server.host = host;
    await server.#begin(prefix, env);
    const ports = portsIn(server.banner);
    server.port = ports.https;
    server.url = `https://${name}:${server.port}`;
    // It comes back where the pages look for it.
    server.#configure(configuration(listen, ports));
    return server;
  }

  /**
   * On a machine that it has for itself, on the ports that an operator would choose.
   * @param {import("./netns.mjs").Machine} machine
   * @param {string} host  in URLs
   * @param {Record<string, string>} [env]
   */
  static async startOn(machine, host, env = {}) {
    const server = new Server();
    server.config = 'listen = "[::]:443"\n';
    server.host = host;
    server.port = 443;
    server.url = `https://${host}`;
    await server.#begin(machine.prefix, env);
    return server;
  }

  async #begin(prefix, env) {
    this.prefix = prefix;
    this.env = env;
    this.dir = mkdtempSync(path.join(tmpdir(), "callbox-e2e-"));
    this.#configure(this.config);
    await this.run();
  }

  /** @param {string} config  from the next start on */
  #configure(config) {
    this.config = config;
    writeFileSync(path.join(this.dir, "callbox.toml"), config);
  }

  async run() {
    const command = [...this.prefix, PROGRAM, "--config", "callbox.toml"];
    const child = spawn(command[0], command.slice(1), {
      cwd: this.dir,
      env: { ...process.env, CALLBOX__ADMIN__LISTEN: "off", CALLBOX__SIGNALING__VISITORS_PER_MINUTE: "1000", ...this.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child = child;
    this.banner = "";
    child.stdout.on("data", (data) => {
      this.readyAt = performance.now();
      this.banner += data;
    });
    child.stderr.on("data", (data) => (this.log += data));
    await until("the server is ready", () => {
      if (child.exitCode !== null) throw new Error(`callbox ended: ${this.log}`);
      return /is ready[^]*Certificate/.test(this.banner);
    });
  }

  /** @param {string} path */
  get(path) {
    return new Promise((resolve, reject) => {
      const options = { host: this.host, port: this.port, path, rejectUnauthorized: false };
      https.get(options, (response) => {
        let text = "";
        response.on("data", (data) => (text += data)).on("end", () => resolve(text));
      }).on("error", reject);
    });
  }

  /** @param {NodeJS.Signals} signal */
  async kill(signal) {
    const { child } = this;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await ended;
  }

  async stop() {
    await this.kill("SIGTERM");
    rmSync(this.dir, { recursive: true });
  }
}
