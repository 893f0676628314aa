// The documentation, followed word by word on a server that was rented a minute ago: each command is typed, each file is written. It leads to a
// call that browsers trust. Needs root, debootstrap, systemd-nspawn and Pebble.

import "../e2e/lib/shipped.mjs";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { Person } from "../e2e/lib/browser.mjs";
import { seeAndHear } from "../e2e/lib/expect.mjs";
import { Network } from "../e2e/lib/netns.mjs";
import { PROGRAM } from "../e2e/lib/server.mjs";
import { until } from "../e2e/lib/until.mjs";
import { DOCUMENTS, REPOSITORY, read } from "./lib/docs.mjs";
import { Pebble } from "./lib/pebble.mjs";
import { special } from "./lib/special.mjs";
import { Vps } from "./lib/vps.mjs";

const NAME = "call.example.com";
const ADDRESS = "51.15.7.1";

const items = DOCUMENTS.flatMap(read);
const network = new Network();
/** @type {import("./lib/special.mjs").Scene} */
const scene = { name: NAME, address: ADDRESS, checkFrom, call };
const specials = special(scene);
const used = new Set();
/** Ana's and Bo's. They take no certificate but those that Pebble issues. @type {import("puppeteer-core").Browser[]} */
const browsers = [];

before(async () => {
  const internet = network.router("internet");
  const machines = ["acme", "ana", "bo"].map((name) => network.machine(name));
  machines.forEach((machine, index) => network.join(internet, machine, `51.15.${6 + 2 * index}.`));
  const [acme, ...clients] = machines;
  scene.clients = clients;
  for (const client of clients) client.resolve(NAME, ADDRESS);
  scene.pebble = await Pebble.start(acme, { [NAME]: ADDRESS });
  scene.trusting = scene.pebble.issued;
  for (const client of clients) browsers.push(await network.chromium(client, { insecure: false, env: scene.trusting.chromium }));
  const server = network.machine("server");
  scene.vps = await Vps.boot(server, PROGRAM, `${ADDRESS} ${NAME}\n51.15.6.1 acme.example.com\n`);
  scene.connect = () => network.join(internet, server, "51.15.7.");
});
after(async () => {
  try {
    await Promise.all(browsers.map((browser) => browser.close()));
    await scene.vps?.remove();
  } finally {
    scene.pebble?.remove();
    scene.trusting?.remove();
    network.remove();
  }
});

/** `callbox check` of a page from a client's machine; it has to find nothing wrong. */
function checkFrom(client, ...words) {
  const command = [...client.prefix, PROGRAM, "check", "--ca", scene.trusting.pem, ...words];
  return execFileSync(command[0], command.slice(1), { encoding: "utf8", cwd: "/" });
}

/**
 * Ana and Bo see and hear each other, over the relay.
 * @param {string} room  its link
 * @param {string} transport  by which they reach the relay
 */
async function call(room, transport) {
  const people = [];
  try {
    for (const browser of browsers) people.push(await Person.join(browser, `${room}?relay=${transport}`));
    await seeAndHear(people);
    for (const person of people) assert.deepEqual(await person.relayProtocols(), [transport]);
  } finally {
    await Promise.all(people.map((person) => person.close()));
  }
}

/** Does all that stands under a heading of the second level. */
async function follow(section) {
  const own = items.filter((item) => item.section === section);
  assert.ok(own.length > 0, `${section} has neither commands nor files`);
  for (const item of own) {
    const key = item.language === "sh" ? item.text : `${section} ${item.language}`;
    const how = specials[key];
    if (how) used.add(key);
    try {
      if (how) await how(item);
      else if (item.language === "sh") scene.vps.type(item.text);
      else write(item);
    } catch (error) {
      throw new Error(`${item.where}: ${error.message}\n${logOfServer()}`, { cause: error });
    }
    item.done = true;
  }
}

/** Writes a file that a block names, or says why the block is not one that this test understands. */
function write({ language, file, text }) {
  if (language === "text") return;
  assert.ok(file, `a block of ${language} that names no file in its first line, such as "# /etc/callbox/callbox.toml"`);
  if (language !== "toml") {
    scene.vps.write(file, text);
    return;
  }
  // An excerpt: what it changes has to be understood.
  scene.vps.write("/home/ana/excerpt.toml", text);
  scene.vps.type("callbox config --config ~/excerpt.toml");
}

function logOfServer() {
  try {
    return scene.vps.type("sudo journalctl -u callbox -n 20 --no-pager -o cat");
  } catch {
    return scene.vps?.console ?? "";
  }
}

test("README: built, started in its folder, and tried out with a certificate for the name and for the address", async () => {
  await follow("README.md: Run and test");
  scene.vps.path = "$PWD/target/release:$PATH";
  await scene.vps.during("target/release/callbox", (log) => log.includes("is ready"), async () => {
    await follow("README.md: Configure");
    await follow("README.md: In a private network");
  });
  scene.vps.path = "$PATH";
});

test("README: on a VPS, word by word, to a call that browsers trust", async () => {
  scene.connect();
  await follow("README.md: On a VPS");

  await call(`https://${NAME}/r/first-call`, "tls");
});

test("README: what it says of a server that runs", async () => {
  for (const name of ["Who may call", "Watch over it", "What it replaces", "A web app of your own", "Something does not work: `callbox check`"]) {
    await follow(`README.md: ${name}`);
  }
});

for (const document of DOCUMENTS.slice(1)) {
  test(`${document}: each command and each file`, async () => {
    const sections = new Set(items.filter(({ where }) => where.startsWith(`${document}:`)).map(({ section }) => section));
    for (const section of sections) await follow(section);
  });
}

test("after all of it the server is well", async () => {
  await until("it answers", () => {
    try {
      return checkFrom(scene.clients[0], `https://${NAME}/`);
    } catch {
      return false;
    }
  });
});

test("nothing in the documentation was left out, and nothing is arranged for what is not in it", () => {
  const left = items.filter(({ done, language }) => !done && language !== "text").map(({ where, text }) => `${where}: ${text}`);
  assert.deepEqual(left, []);
  assert.deepEqual(Object.keys(specials).filter((key) => !used.has(key)), []);
});

test("the metrics of the alerts are those that callbox has", () => {
  const described = readFileSync(path.join(REPOSITORY, "src/admin/described.rs"), "utf8");
  const yaml = items.filter(({ language }) => language === "yaml").map(({ text }) => text).join("");
  const names = new Set(yaml.match(/\bcallbox_[a-z_]+/g));
  assert.ok(names.size > 3);
  for (const name of names) assert.ok(described.includes(`"${name}"`), name);
});
