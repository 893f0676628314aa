// Networks of the test's own: machines that are network namespaces, links between them, and rules. Needs root, iproute2
// and nftables.

import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { CHROMIUM, FIREFOX, chromium, firefox } from "./browser.mjs";

/** A program that leads to a port of the machine on which it runs. */
const LEAD = `
  const socket = require("node:net").connect(process.argv[1], "127.0.0.1");
  process.stdin.pipe(socket);
  socket.pipe(process.stdout);`;

/** A machine's link to its router. */
const UPLINK = "uplink";

/**
 * @param {string[]} command
 * @param {string} [input]
 */
function run(command, input = "") {
  return execFileSync(command[0], command.slice(1), { input, stdio: "pipe", encoding: "utf8" });
}

/** Of all machines; then comes the process whose they are, since several tests may run at once. */
const PREFIX = "callbox-";

export class Machine {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
    this.namespace = `${PREFIX}${process.pid}-${name}`;
    /** What to put in front of a command that shall run here. */
    this.prefix = ["ip", "netns", "exec", this.namespace];
    /** What lies here stands in the place of what is in /etc. */
    this.etc = etcOf(this.namespace);
  }

  /** @param {string} words  of `ip`, such as "link set uplink down" */
  ip(words) {
    return run(["ip", "-n", this.namespace, ...words.split(" ")]);
  }

  /**
   * Tells programs of this machine that start from now on where a host is.
   * @param {string} name
   * @param {string} address
   */
  resolve(name, address) {
    mkdirSync(this.etc, { recursive: true });
    // With a dot at the end Chromium looks up TURN servers.
    writeFileSync(path.join(this.etc, "hosts"), `127.0.0.1 localhost\n${address} ${name} ${name}.\n`);
  }

  /** @param {string[]} settings  for sysctl, such as "net.ipv4.ip_forward=1" */
  set(...settings) {
    run([...this.prefix, "sysctl", "-qw", ...settings]);
  }

  /** @param {string} rules  for nftables, instead of those that are there */
  rules(rules) {
    run([...this.prefix, "nft", "-f", "-"], `flush ruleset\n${rules}`);
  }

  /**
   * Packets that a rule has met.
   * @param {string} comment  the rule's; it has a counter
   * @returns {number}
   */
  counted(comment) {
    const { nftables } = JSON.parse(run([...this.prefix, "nft", "--json", "list", "ruleset"]));
    const found = nftables.filter(({ rule }) => rule?.comment === comment);
    const packets = found.map(({ rule }) => rule.expr.find(({ counter }) => counter).counter.packets);
    return packets.reduce((sum, count) => sum + count, 0);
  }
}

/** All machines of a test. */
export class Network {
  /** @type {Machine[]} */
  #machines = [];
  #dir = mkdtempSync(path.join(tmpdir(), "callbox-netns-"));

  constructor() {
    removeAbandoned();
  }

  /**
   * A machine, in the place of the one that had this name before.
   * @param {string} name
   */
  machine(name) {
    const machine = new Machine(name);
    removeMachine(machine);
    this.#machines.push(machine);
    run(["ip", "netns", "add", machine.namespace]);
    // Looking for duplicates keeps IPv6 addresses from use for a second or two, and then tells browsers of a change.
    machine.set("net.ipv6.conf.default.accept_dad=0");
    machine.ip("link set lo up");
    return machine;
  }

  /** @param {string} name */
  router(name) {
    const router = this.machine(name);
    router.set("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
    return router;
  }

  /**
   * Links a machine to a router, `to-NAME` there, which takes it to everywhere else.
   * @param {Machine} router
   * @param {Machine} machine
   * @param {...string} networks  such as "10.0.0." or "fd00:1::": the machine has number 1 in it
   */
  join(router, machine, ...networks) {
    const link = `to-${machine.name}`;
    router.ip(`link add ${link} type veth peer name ${UPLINK} netns ${machine.namespace}`);
    router.ip(`link set ${link} up`);
    machine.ip(`link set ${UPLINK} up`);
    for (const network of networks) enter(router, machine, network);
  }

  /**
   * Gives a machine another address, and takes away the one that it had.
   * @param {Machine} router
   * @param {Machine} machine
   * @param {string} from  a network, as for `join`
   * @param {string} to
   */
  move(router, machine, from, to) {
    machine.ip(`address delete ${own(from)} dev ${UPLINK}`);
    router.ip(`address delete ${gateway(from)} dev to-${machine.name}`);
    enter(router, machine, to);
  }

  /**
   * Chromium on that machine, with a camera that two cores can encode several times.
   * @param {Machine} machine
   * @param {Parameters<typeof chromium>[0] & { camera?: Camera }} [options]
   */
  chromium(machine, { camera = { width: 320, height: 180, rate: 10 }, ...options } = {}) {
    const film = path.join(this.#dir, `${machine.name}.y4m`);
    writeFileSync(film, video(camera));
    const executablePath = this.#wrapper(machine, CHROMIUM);
    return chromium({ ...options, executablePath, args: [`--use-file-for-fake-video-capture=${film}`] });
  }

  /**
   * Firefox on that machine, with the camera that it has of its own.
   * @param {Machine} machine
   * @param {Parameters<typeof firefox>[0]} [options]
   */
  async firefox(machine, options = {}) {
    // It listens there to what steers it, which is not there.
    const entrance = createServer((socket) => {
      const [command, ...args] = [...machine.prefix, process.execPath, "-e", LEAD, String(port)];
      const { stdin, stdout } = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
      socket.pipe(stdin);
      stdout.pipe(socket);
      for (const stream of [socket, stdin, stdout]) stream.on("error", () => socket.destroy());
    });
    entrance.listen(0, "127.0.0.1");
    await once(entrance, "listening");
    const { port } = /** @type {import("node:net").AddressInfo} */ (entrance.address());
    // It stays as long as the test.
    entrance.unref();
    return firefox({ ...options, executablePath: this.#wrapper(machine, FIREFOX), port });
  }

  /**
   * A program to be started like another one, which it starts on that machine.
   * @param {Machine} machine
   * @param {string} program
   */
  #wrapper(machine, program) {
    const wrapper = path.join(this.#dir, `${machine.name}-${path.basename(program)}`);
    writeFileSync(wrapper, `#!/bin/sh\nexec ${machine.prefix.join(" ")} ${program} "$@"\n`);
    chmodSync(wrapper, 0o755);
    return wrapper;
  }

  remove() {
    this.#machines.forEach(removeMachine);
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/**
 * Rules of a router that gives those behind it its own address and, for each destination, another port, and lets in
 * answers only: address- and port-dependent mapping and filtering (RFC 4787).
 */
export const STRICT_NAT = `
  table inet nat {
    chain postrouting {
      type nat hook postrouting priority srcnat
      oifname ${UPLINK} masquerade fully-random
    }
    chain input {
      type filter hook input priority filter
      iifname ${UPLINK} ct state new counter drop comment "unsolicited"
    }
  }`;

/** @typedef {{ width: number, height: number, rate: number, noisy?: boolean }} Camera  rate: frames in a second */

/**
 * Three seconds of a picture that grows lighter from the left, as YUV4MPEG2; a noisy one takes all the bits it gets.
 * @param {Camera} camera
 */
export function video({ width, height, rate, noisy = false }) {
  const frames = 3 * rate;
  const parts = [Buffer.from(`YUV4MPEG2 W${width} H${height} F${rate}:1 Ip A1:1 C420jpeg\n`)];
  for (let frame = 0; frame < frames; frame += 1) {
    const row = Buffer.alloc(width, 64).fill(200, 0, Math.floor((width * frame) / frames));
    const luma = noisy ? randomBytes(width * height) : Buffer.concat(Array(height).fill(row));
    parts.push(Buffer.from("FRAME\n"), luma, Buffer.alloc((width * height) / 2, 128));
  }
  return Buffer.concat(parts);
}

/** @param {string} network */
const isIpv6 = (network) => network.includes(":");
/** @param {string} network */
const own = (network) => `${network}1/${isIpv6(network) ? 64 : 24}`;
/** @param {string} network */
const gateway = (network) => (isIpv6(network) ? `${network}fe/64` : `${network}254/24`);

/**
 * @param {Machine} router
 * @param {Machine} machine
 * @param {string} network
 */
function enter(router, machine, network) {
  router.ip(`address add ${gateway(network)} dev to-${machine.name}`);
  machine.ip(`address add ${own(network)} dev ${UPLINK}`);
  machine.ip(`route add default via ${gateway(network).split("/")[0]}`);
}

/** @param {string} namespace */
const etcOf = (namespace) => `/etc/netns/${namespace}`;

/** @param {{ namespace: string, etc: string }} machine */
function removeMachine({ namespace, etc }) {
  rmSync(etc, { recursive: true, force: true });
  try {
    run(["ip", "netns", "delete", namespace]);
  } catch {
    // It was not there.
  }
}

/** What aborted runs have left. */
function removeAbandoned() {
  for (const line of run(["ip", "netns", "list"]).split("\n")) {
    const [namespace] = line.split(" ");
    const owner = namespace.startsWith(PREFIX) ? namespace.slice(PREFIX.length).split("-")[0] : "";
    if (!owner || existsSync(`/proc/${owner}`)) continue;
    removeMachine({ namespace, etc: etcOf(namespace) });
  }
}
