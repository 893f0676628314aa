// Pebble, the ACME server for tests of Let's Encrypt's makers, on a machine of the test's network.

import { execFileSync, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { Authority, Trusting } from "../../e2e/lib/certificates.mjs";
import { until } from "../../e2e/lib/until.mjs";

const NAME = "acme.example.com";

export class Pebble {
  /** The certificate of its own server, under another root than those that it issues. */
  #own = new Authority(NAME);
  #processes = [];
  log = "";
  url = `https://${NAME}:14000/dir`;
  /** Trusts its own server. */
  ca = this.#own.pem;

  /**
   * @param {import("../../e2e/lib/netns.mjs").Machine} machine
   * @param {Record<string, string>} names  and their addresses, for what it looks up
   */
  static async start(machine, names) {
    const pebble = new Pebble();
    pebble.machine = machine;
    const config = {
      listenAddress: "0.0.0.0:14000",
      managementListenAddress: "127.0.0.1:15000",
      certificate: pebble.#own.path("host.pem"),
      privateKey: pebble.#own.path("host.key"),
      httpPort: 80,
      tlsPort: 443,
      ocspResponderURL: "",
      externalAccountBindingRequired: false,
      // Browsers take none for longer than a year.
      certificateValidityPeriod: 90 * 86_400,
    };
    const file = pebble.#own.path("pebble.json");
    writeFileSync(file, JSON.stringify({ pebble: config }));
    const off = ["http01", "https01", "tlsalpn01", "defaultIPv4", "defaultIPv6"].flatMap((name) => [`-${name}`, ""]);
    pebble.#run("pebble-challtestsrv", ...off, "-dns01", "127.0.0.1:8053", "-management", "127.0.0.1:8055");
    pebble.#run("pebble", "-config", file, "-dnsserver", "127.0.0.1:8053");
    await until("pebble issues", () => pebble.#ask("https://127.0.0.1:15000/roots/0").includes("BEGIN"));
    for (const [host, address] of Object.entries(names)) {
      await until("its name server is there", () => pebble.#ask("http://127.0.0.1:8055/add-a", JSON.stringify({ host, addresses: [address] })) !== null);
    }
    return pebble;
  }

  /** What trusts the certificates that it issues; its `pem` is their root. */
  get issued() {
    const file = path.join(path.dirname(this.ca), "issued.pem");
    writeFileSync(file, this.#ask("https://127.0.0.1:15000/roots/0"));
    return new Trusting(file);
  }

  /** What is answered there; null if nobody does. */
  #ask(url, body) {
    const data = body ? ["--data", body] : [];
    try {
      return execFileSync("ip", ["netns", "exec", this.machine.namespace, "curl", "-sSk", "--fail", ...data, url], { encoding: "utf8", stdio: "pipe" });
    } catch {
      return body ? null : "";
    }
  }

  #run(command, ...words) {
    const prefix = ["setpriv", "--pdeathsig", "KILL", "--", ...this.machine.prefix];
    const env = { ...process.env, PEBBLE_VA_NOSLEEP: "1", PEBBLE_WFE_NONCEREJECT: "0" };
    const child = spawn(prefix[0], [...prefix.slice(1), command, ...words], { env, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (this.log += data));
    this.#processes.push(child);
  }

  remove() {
    for (const child of this.#processes) child.kill("SIGKILL");
    this.#own.remove();
  }
}
