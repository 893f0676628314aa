// A page whose network is cut, in network namespaces of the test's own. Needs root and iproute2.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { Person, chromium } from "./lib/browser.mjs";
import { moving, seeAndHear } from "./lib/expect.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/until.mjs";

const CUT_MS = 10_000;
const SERVER = "callbox-server";
const CLIENTS = ["callbox-ana", "callbox-bo"];

const ip = (...words) => execFileSync("ip", words, { stdio: ["ignore", "ignore", "pipe"] });

/** The server in the middle routes between two networks, one for each client. */
function lay() {
  remove();
  ip("netns", "add", SERVER);
  ip("-n", SERVER, "link", "set", "lo", "up");
  // Such as of containers: nobody else can open its address.
  ip("-n", SERVER, "link", "add", "cb-bridge", "type", "bridge");
  ip("-n", SERVER, "address", "add", "10.87.9.1/24", "dev", "cb-bridge");
  ip("-n", SERVER, "link", "set", "cb-bridge", "up");
  ip("netns", "exec", SERVER, "sysctl", "-qw", "net.ipv4.ip_forward=1");
  CLIENTS.forEach((client, index) => {
    const [near, far, network] = [`cb-near${index}`, `cb-far${index}`, `10.87.${index}`];
    ip("netns", "add", client);
    ip("link", "add", near, "netns", SERVER, "type", "veth", "peer", "name", far, "netns", client);
    ip("-n", SERVER, "address", "add", `${network}.1/24`, "dev", near);
    ip("-n", client, "address", "add", `${network}.2/24`, "dev", far);
    for (const [namespace, link] of [[SERVER, near], [client, far], [client, "lo"]]) {
      ip("-n", namespace, "link", "set", link, "up");
    }
    ip("-n", client, "route", "add", "default", "via", `${network}.1`);
  });
}

function remove() {
  for (const namespace of [SERVER, ...CLIENTS]) {
    try {
      ip("netns", "delete", namespace);
    } catch {
      // It was not there.
    }
  }
}

/** @type {Server} */
let server;
/** @type {import("puppeteer-core").Browser[]} */
const browsers = [];
/** @type {string} */
let dir;

before(async () => {
  lay();
  dir = mkdtempSync(path.join(tmpdir(), "callbox-netns-"));
  server = await Server.start({ prefix: ["ip", "netns", "exec", SERVER], host: "10.87.0.1" });
  for (const client of CLIENTS) {
    const wrapper = path.join(dir, client);
    writeFileSync(wrapper, `#!/bin/sh\nexec ip netns exec ${client} ${process.env.CHROMIUM ?? "/usr/bin/chromium"} "$@"\n`);
    chmodSync(wrapper, 0o755);
    browsers.push(await chromium({ executablePath: wrapper }));
  }
});
after(async () => {
  await Promise.all(browsers.map((browser) => browser.close()));
  await server?.stop();
  remove();
  rmSync(dir, { recursive: true });
});

test("the addresses that others can open are announced, and those of bridges are not", () => {
  for (const index of [0, 1]) assert.ok(server.banner.includes(`https://10.87.${index}.1:${server.port}/`), server.banner);
  assert.ok(!server.banner.includes("https://10.87.9.1"), server.banner);
});

for (const query of ["", "?relay=1"]) {
  test(`a page whose network is cut for 10 seconds comes back as the same peer${query && ", over the relay"}`, async () => {
    const room = `r/cut${query ? "-relay" : ""}${query}`;
    const ana = await Person.join(browsers[0], `${server.url}/${room}`);
    const bo = await Person.join(browsers[1], `https://10.87.1.1:${server.port}/${room}`);
    await seeAndHear([ana, bo]);
    const people = [ana, bo];
    const ids = await Promise.all(people.map(async (person) => (await person.tiles())[0].id));
    for (const person of people) await person.markTiles();

    ip("-n", SERVER, "link", "set", "cb-near1", "down");
    await until("it is noticed", async () => (await ana.tiles())[0].state === "reconnecting");
    await new Promise((resolve) => setTimeout(resolve, CUT_MS));
    ip("-n", SERVER, "link", "set", "cb-near1", "up");

    for (const [index, person] of people.entries()) {
      await until("connected again", async () => (await person.tiles())[0]?.state === "connected", 30_000);
      await moving(person);
      const tiles = await person.tiles();
      assert.deepEqual(tiles.map(({ id, mark }) => ({ id, mark })), [{ id: ids[index], mark: "same" }]);
      await until("the page is calm again", async () => (await person.text("#server-state")) === "");
    }
    await Promise.all(people.map((person) => person.close()));
  });
}
