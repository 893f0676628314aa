// One run: everything is started, the plan is followed, samples are taken, and everything is stopped.

import { spawn } from "node:child_process";
import os from "node:os";
import path from "node:path";
import { Call } from "./call.mjs";
import { Place, SERVER } from "./place.mjs";
import { Program } from "./program.mjs";

/** Seconds. */
const EVERY = 10;
/** Of a rest: by then the seats of those who vanished are free, and connections are closed. */
const SETTLE = 35;
const STEADY = 20;
const TICK_MS = 100;

/** @typedef {import("./judge.mjs").Sample} Sample */

export class Run {
  /** @type {Sample[]} */
  samples = [];
  /** @type {{ at: number, kind: string, what?: string }[]} */
  done = [];
  steady = STEADY;
  stopped = false;
  died = "";
  /** @type {Promise<void> | undefined} */
  ending;
  /** What the crowd says of itself. */
  #crowd = { joined: 0, resumed: 0, refused: 0, failed: 0, steady: 0, present: 0 };
  /** The number of the rest, and since when it lasts, in seconds; 0: there is none. */
  #rest = { number: 0, since: 0 };
  #children = [];

  /**
   * @param {string} file  the program
   * @param {number} seed
   */
  constructor(file, seed) {
    this.file = file;
    this.seed = seed;
  }

  async begin() {
    this.place = new Place();
    this.program = new Program(this.file, this.place.server);
    await this.program.start();
    const cookie = await this.program.logIn();
    const target = { host: SERVER, https: 443, turn: 3478, turnTls: 5349, cookie };
    const { crowd, hostile, crowdAddresses, hostileAddresses } = this.place;
    this.crowd = this.#child("crowd.mjs", crowd, { target, addresses: crowdAddresses, steady: STEADY, seed: this.seed });
    this.crowd.on("message", (/** @type {any} */ said) => (this.#crowd = said));
    this.hostile = this.#child("hostile.mjs", hostile, { target, addresses: hostileAddresses });
    this.call = new Call();
    await this.call.begin(this.place, `https://${SERVER}/r/soak?relay=1`, this.program.password);
    this.begun = Date.now();
  }

  /**
   * @param {import("./plan.mjs").Event[]} events
   * @param {number} end  seconds
   * @param {(sample: Sample) => void} take
   */
  async through(events, end, take) {
    const due = [...events];
    let next = EVERY;
    while (this.#now() < end && !this.stopped && !this.died) {
      while (due.length > 0 && due[0].at <= this.#now()) await this.#carryOut(/** @type {import("./plan.mjs").Event} */ (due.shift()));
      this.died ||= this.program?.died ?? "";
      if (this.#now() >= next) {
        next += EVERY * Math.ceil((this.#now() - next) / EVERY || 1);
        const sample = await this.#sample();
        if (sample) {
          this.samples.push(sample);
          take(sample);
        }
      }
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
  }

  /** What the program has written, warnings and errors. */
  get log() {
    return this.program?.log;
  }

  /** Ends it before its time. */
  stop() {
    this.stopped = true;
    // What it waits for while it begins ends with the browsers.
    if (!this.begun) void this.end();
  }

  async end() {
    if (this.ending) return this.ending;
    this.ending = this.#end();
    return this.ending;
  }

  async #end() {
    for (const child of this.#children) child.kill("SIGKILL");
    await this.call?.end();
    await this.program?.stop().catch(() => {});
    this.place?.remove();
  }

  /** What was done, in numbers. */
  counted() {
    const kinds = new Map();
    for (const { kind, what } of this.done) kinds.set(what ?? kind, (kinds.get(what ?? kind) ?? 0) + 1);
    const list = [...kinds].map(([kind, count]) => `${kind} ${count}`).join(", ");
    const { joined, resumed, refused, failed } = this.#crowd;
    return [`Done: ${list}.`, `Visits: ${joined}, resumed ${resumed}, refused ${refused}, broken off ${failed}.`];
  }

  /** Seconds since the beginning. */
  #now() {
    return (Date.now() - (this.begun ?? 0)) / 1000;
  }

  /** @param {import("./plan.mjs").Event} event */
  async #carryOut({ kind, what, people, seconds, seed }) {
    this.done.push({ at: this.#now(), kind, what });
    if (kind === "bustle") this.#rest.since = 0;
    else if (kind === "rest") this.#rest = { number: this.#rest.number + 1, since: this.#now() };
    if (kind === "rest" || kind === "crowd") this.crowd?.send({ people: people ?? 0 });
    else if (kind === "hostile") this.hostile?.send({ kind: what, seed, seconds });
    else if (kind === "kill") await this.program?.kill();
    else if (kind === "certificate") this.program?.exchangeCertificate();
    else if (kind === "hangup") this.program?.hangUp();
    else if (kind === "address") this.place?.changeAddress();
  }

  /** @returns {Promise<Sample | null>} null: the program does not answer, as while it is started again */
  async #sample() {
    try {
      const looked = await /** @type {Program} */ (this.program).look();
      const at = this.#now();
      const { number, since } = this.#rest;
      const generation = this.program?.generation ?? 0;
      const seconds = at - (this.last?.at ?? 0);
      const same = this.last?.generation === generation;
      const call = (this.call?.people ?? []).map((person) => {
        const before = this.last?.frames.get(person.name) ?? 0;
        return { name: person.name, fps: (person.frames - before) / seconds, still: person.stood() };
      });
      const frames = new Map(this.call?.people.map(({ name, frames }) => [name, frames]));
      const rate = (value, before, unit = 1) => (same ? (unit * (value - before)) / seconds : null);
      const sample = {
        at,
        generation,
        rest: since > 0 && at - since >= SETTLE ? number : 0,
        load: os.loadavg()[0],
        ...looked,
        wakeups: rate(looked.wakeups, this.last?.wakeups),
        cpu: rate(looked.cpu, this.last?.cpu, 100),
        steady: this.#crowd.steady,
        joined: this.#crowd.joined,
        call,
      };
      this.last = { at, generation, wakeups: looked.wakeups, cpu: looked.cpu, frames };
      return sample;
    } catch {
      return null;
    }
  }

  /**
   * @param {string} file
   * @param {import("../lib/netns.mjs").Machine} machine
   * @param {object} told
   */
  #child(file, machine, told) {
    const [command, ...args] = [...machine.prefix, process.execPath, path.join(import.meta.dirname, file), JSON.stringify(told)];
    const child = spawn(command, args, { detached: true, stdio: ["ignore", "inherit", "inherit", "ipc"] });
    child.once("exit", () => {
      if (!this.ending) this.died ||= `${file} ended by itself.`;
    });
    this.#children.push(child);
    return child;
  }
}
