// The program under test: started, told things, killed, and asked how it is.

import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { until } from "../lib/until.mjs";
import { SERVER } from "./place.mjs";
import { held, told } from "./sample.mjs";

const PASSWORD = "a password of this run";
const METRICS = "http://127.0.0.1:9480/metrics";

/** Bounds as they are; two passes of the same load have to meet the same ones. */
const CONFIG = `
listen = "[::]:443"
state = "state"
[tls]
cert = "cert.pem"
key = "key.pem"
[turn.users]
alice = "a-long-password-of-alice"
[log]
level = "warn"
`;

export class Program {
  /** Each process is one. */
  generation = 0;
  startedAt = 0;

  /**
   * @param {string} file  the program
   * @param {import("../lib/netns.mjs").Machine} machine
   */
  constructor(file, machine) {
    this.file = file;
    this.machine = machine;
    this.dir = mkdtempSync(path.join(tmpdir(), "callbox-soak-"));
    this.log = path.join(this.dir, "log");
    const hash = execFileSync(file, ["access", "hash"], { cwd: this.dir, input: `${PASSWORD}\n`, encoding: "utf8" }).trim();
    writeFileSync(path.join(this.dir, "callbox.toml"), `${CONFIG}[access]\nmode = "password"\npassword_hash = "${hash}"\n`);
    this.#makeCertificate();
  }

  async start() {
    this.generation += 1;
    const output = openSync(this.log, "a");
    const [command, args] = this.#there(this.file, "--config", "callbox.toml", "serve");
    // In a process group of its own: what interrupts this program in a terminal is for this program only.
    const child = spawn(command, args, { cwd: this.dir, detached: true, stdio: ["ignore", "pipe", output] });
    closeSync(output);
    this.child = child;
    let banner = "";
    child.stdout.on("data", (data) => (banner += data));
    child.once("exit", (code, signal) => {
      if (this.child === child && !this.stopping) this.died = `The program ended by itself: ${signal ?? `exit code ${code}`}.`;
    });
    await until("the program is ready", () => {
      if (child.exitCode !== null) throw new Error(`the program ended: ${readFileSync(this.log, "utf8").slice(-2000)}`);
      return banner.includes("is ready");
    });
    this.startedAt = Date.now();
  }

  /** As when the machine loses its power, and comes back. */
  async kill() {
    await this.#end("SIGKILL");
    await this.start();
  }

  /** Other files, and the signal to read them. */
  exchangeCertificate() {
    this.#makeCertificate();
    this.hangUp();
  }

  hangUp() {
    this.child?.kill("SIGHUP");
  }

  /** The cookie of somebody who knows the password. */
  async logIn() {
    const body = `next=%2F&password=${encodeURIComponent(PASSWORD).replaceAll("%20", "+")}`;
    const [program, args] = this.#there("curl", "--silent", "--insecure", "--include", "--data", body, `https://${SERVER}/access/login`);
    const answer = execFileSync(program, args, { encoding: "utf8" });
    const cookie = /^set-cookie:\s*([^;\r\n]+)/im.exec(answer)?.[1];
    if (!cookie) throw new Error(`no login: ${answer}`);
    return cookie;
  }

  get password() {
    return PASSWORD;
  }

  /** @returns {Promise<import("./sample.mjs").Held & import("./sample.mjs").Told>} */
  async look() {
    const { stdout } = await promisify(execFile)(...this.#there("curl", "--silent", "--max-time", "5", METRICS));
    return { ...held(Number(this.child?.pid)), ...told(stdout) };
  }

  async stop() {
    await this.#end("SIGTERM");
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** @param {NodeJS.Signals} signal */
  async #end(signal) {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    this.stopping = true;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
    this.stopping = false;
  }

  /**
   * A command on the program's machine.
   * @param {...string} command
   * @returns {[string, string[]]}
   */
  #there(...command) {
    const [program, ...args] = [...this.machine.prefix, ...command];
    return [program, args];
  }

  /** P-256, for the one address; each file appears at once, as with `mv`. */
  #makeCertificate() {
    const [key, cert] = ["key", "cert"].map((name) => path.join(this.dir, `${name}.pem`));
    execFileSync("openssl", [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"],
      ...["-subj", "/CN=soak", "-addext", `subjectAltName=IP:${SERVER}`, "-keyout", `${key}.new`, "-out", `${cert}.new`],
    ], { stdio: "ignore" });
    renameSync(`${key}.new`, key);
    renameSync(`${cert}.new`, cert);
  }
}
