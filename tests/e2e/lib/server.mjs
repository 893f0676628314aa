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
   */
  static async start({ env = {}, prefix = [], host = "127.0.0.1" } = {}) {
    const server = new Server();
    server.dir = mkdtempSync(path.join(tmpdir(), "callbox-e2e-"));
    server.host = host;
    server.port = await freePort();
    server.prefix = prefix;
    server.env = env;
    const listen = host === "127.0.0.1" ? host : "0.0.0.0";
    writeFileSync(
      path.join(server.dir, "callbox.toml"),
      `listen = "${listen}:${server.port}"\n[turn]\nlisten = "${listen}:${await freePort()}"\ntls_listen = "${listen}:${await freePort()}"\n`,
    );
    await server.run();
    return server;
  }

  get url() {
    return `https://${this.host}:${this.port}`;
  }

  async run() {
    const command = [...this.prefix, PROGRAM, "--config", "callbox.toml"];
    const child = spawn(command[0], command.slice(1), {
      cwd: this.dir,
      env: { ...process.env, CALLBOX__SIGNALING__VISITORS_PER_MINUTE: "1000", ...this.env },
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
