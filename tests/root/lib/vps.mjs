// A rented server: this machine's release of Debian, booted by systemd-nspawn on a machine of the test's network. Needs root.

import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, rmdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { until } from "../../e2e/lib/until.mjs";
import { REPOSITORY } from "./docs.mjs";

/** Milliseconds: machines that run tests are busy. */
const PATIENCE = 60_000;
/** Hierarchies of control groups that systemd uses, whichever of them are there. */
const GROUPS = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"]
  .filter((group) => existsSync(path.join(group, "cgroup.procs")))
  .map((group) => path.join(group, "callbox-test"));
/** Without systemd here nobody else gives the server a control group. */
const OWN_GROUPS = existsSync("/run/systemd/system") ? [] : GROUPS;

export class Vps {
  #dir = mkdtempSync(path.join(tmpdir(), "callbox-vps-"));
  /** Its file system, seen from here. */
  root = path.join(this.#dir, "root");
  /** Where the shell of its user stands. */
  cwd = "/home/ana/callbox";
  /** Where it finds programs. */
  path = "$PATH";
  console = "";

  /**
   * @param {import("../../e2e/lib/netns.mjs").Machine} machine
   * @param {string} program  callbox
   * @param {string} hosts  lines of /etc/hosts: what it learns from the name server
   */
  static async boot(machine, program, hosts) {
    const vps = new Vps();
    try {
      vps.#install(program, hosts);
      await vps.#start(machine);
    } catch (error) {
      await vps.remove();
      throw error;
    }
    return vps;
  }

  /** The system, a user who may use sudo, and the source, which is built. */
  #install(program, hosts) {
    const tar = execFileSync(path.join(REPOSITORY, "tests/root/make-root"), { encoding: "utf8" }).trim();
    mkdirSync(this.root);
    execFileSync("tar", ["-xf", tar, "-C", this.root]);
    this.write("/etc/hostname", "vps\n");
    this.write("/etc/hosts", `127.0.0.1 localhost\n127.0.1.1 vps\n${hosts}`);
    this.write("/etc/sudoers.d/ana", "ana ALL=(ALL) NOPASSWD:ALL\n");
    execFileSync("chroot", [this.root, "useradd", "--create-home", "--shell", "/bin/bash", "ana"]);
    for (const folder of ["config", "deploy"]) cpSync(path.join(REPOSITORY, folder), path.join(this.root, this.cwd, folder), { recursive: true });
    mkdirSync(path.join(this.root, this.cwd, "target/release"), { recursive: true });
    cpSync(program, path.join(this.root, this.cwd, "target/release/callbox"));
    execFileSync("chroot", [this.root, "chown", "-R", "ana:ana", "/home/ana"]);
    // As adduser makes it: nobody else sees what is in it.
    execFileSync("chroot", [this.root, "chmod", "700", "/home/ana"]);
  }

  async #start(machine) {
    removeGroups();
    OWN_GROUPS.forEach((group) => mkdirSync(group));
    const enter = OWN_GROUPS.map((group) => `echo $$ > ${group}/cgroup.procs; `).join("");
    const keep = OWN_GROUPS.length > 0 ? "--keep-unit" : "";
    const network = `--network-namespace-path=/run/netns/${machine.namespace} --capability=CAP_NET_ADMIN`;
    const words = `-q --register=no ${keep} ${network} --bind-ro=/usr/bin/promtool --hostname=vps --console=pipe --boot`;
    // All its processes are in a namespace that ends with this process, however that happens.
    const contained = "setpriv --pdeathsig KILL -- unshare --pid --fork --kill-child --mount-proc --";
    const script = `${enter} exec ${contained} systemd-nspawn ${words} -D "$0"`;
    const child = spawn("/bin/sh", ["-c", script, this.root], { stdio: ["ignore", "pipe", "pipe"] });
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (this.console += data));
    await until("the server has booted", () => {
      if (child.exitCode !== null) throw new Error(`systemd-nspawn ended:\n${this.console}`);
      // unshare, systemd-nspawn, and the server's first process.
      this.leader = childOf(childOf(String(child.pid)));
      return this.leader && /^(running|degraded)$/m.test(this.#enter(["systemctl", "is-system-running"]).stdout);
    }, PATIENCE);
  }

  /** Runs a command as root. */
  #enter(command, options = {}) {
    const enter = ["-t", this.leader, "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "--"];
    return spawnSync("nsenter", [...enter, ...command], { encoding: "utf8", timeout: PATIENCE, ...options });
  }

  /**
   * What its user types, in one shell that remembers its folder.
   * @param {string} command
   * @param {object} [options]
   * @param {string} [options.input]
   * @param {number} [options.status]  with which it should end
   * @returns {string} what it said
   */
  type(command, { input = "", status = 0 } = {}) {
    const script = `cd '${this.cwd}' && export PATH=${this.path} LANG=C.UTF-8 SYSTEMD_PAGER=cat && { ${command}\n} 2>&1; status=$?; pwd > ~/.folder; exit $status`;
    const ran = this.#enter(["su", "--login", "ana", "--command", script], { input });
    assert.equal(ran.status, status, `\`${command}\` ended with ${ran.status}:\n${ran.stdout}${ran.stderr}${ran.error ?? ""}`);
    this.cwd = this.read("/home/ana/.folder").trim();
    return ran.stdout;
  }

  /**
   * Something that runs until it is stopped.
   * @param {string} command
   * @param {(output: string) => boolean} ready
   * @param {() => Promise<void> | void} meanwhile
   */
  async during(command, ready, meanwhile) {
    const log = "/home/ana/.during";
    this.write("/home/ana/.command", `${command}\n`);
    this.type(`setsid bash ~/.command > ${log} 2>&1 < /dev/null & echo $! > ~/.group`);
    const group = this.read("/home/ana/.group").trim();
    try {
      await until(`\`${command}\` is ready`, () => ready(this.read(log)), PATIENCE).catch((error) => {
        throw new Error(`${error.message}\n${this.read(log)}`);
      });
      await meanwhile();
    } finally {
      this.type(`sudo pkill -TERM --pgroup ${group} || true`);
      await until("it has ended", () => this.type(`pgrep --pgroup ${group} || true`) === "");
    }
  }

  /** @param {string} file */
  read(file) {
    return readFileSync(path.join(this.root, file), "utf8");
  }

  /**
   * @param {string} file
   * @param {string} text
   */
  write(file, text) {
    const place = path.join(this.root, file);
    mkdirSync(path.dirname(place), { recursive: true });
    writeFileSync(place, text);
  }

  async remove() {
    const { child } = this;
    if (child && child.exitCode === null && child.signalCode === null) {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
    }
    await until("its processes have ended", () => OWN_GROUPS.every((group) => populated(group) === false));
    removeGroups();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** @param {string} pid */
function childOf(pid) {
  const file = `/proc/${pid}/task/${pid}/children`;
  return pid && existsSync(file) ? readFileSync(file, "utf8").trim().split(" ")[0] : "";
}

/** Those below a control group. */
const below = (group) => readdirSync(group, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => path.join(group, name));

/** Is there a process in it? */
function populated(group) {
  return existsSync(group) && (readFileSync(path.join(group, "cgroup.procs"), "utf8") !== "" || below(group).some(populated));
}

/** Those of a run that was aborted, too. */
function removeGroups() {
  const remove = (group) => {
    below(group).forEach(remove);
    rmdirSync(group);
  };
  OWN_GROUPS.filter((group) => existsSync(group)).forEach(remove);
}
