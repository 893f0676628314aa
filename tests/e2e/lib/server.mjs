// Starts the real program, as a user would, on loopback ports of its own.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import https from "node:https";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { until } from "./until.mjs";

export const PROGRAM = process.env.CALLBOX ?? path.resolve(import.meta.dirname, "../../../target/release/callbox");

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const probe = net.createServer().once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
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
    const listen = host === "127.0.0.1" ? host : "0.0.0.0";
    const [port, turn, tls] = [await freePort(), await freePort(), await freePort()].map((port) => `${listen}:${port}`);
    const server = new Server();
    server.config = `listen = "${port}"\n[turn]\nlisten = "${turn}"\ntls_listen = "${tls}"\n`;
    server.host = host;
    server.port = Number(port.split(":")[1]);
    server.url = `https://${name}:${server.port}`;
    await server.#begin(prefix, env);
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
    writeFileSync(path.join(this.dir, "callbox.toml"), this.config);
    await this.run();
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
      return this.banner.includes("is ready");
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
