// What the page /check says where something is wrong, in networks of the test's own. Needs root.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Person } from "./lib/browser.mjs";
import { Authority } from "./lib/certificates.mjs";
import { Network, STRICT_NAT } from "./lib/netns.mjs";
import { Server } from "./lib/server.mjs";
import { verdictOf } from "./lib/verdict.mjs";

const NAME = "call.test";

const network = new Network();
const authority = new Authority(NAME);
const lapsed = new Authority(NAME, { expired: true });
/** @type {import("./lib/netns.mjs").Machine} */
let internet;
/** Ana's, and Bo's behind a NAT. @type {import("puppeteer-core").Browser[]} */
const browsers = [];

before(async () => {
  internet = network.router("internet");
  const [ana, bo, nat] = [network.machine("ana"), network.machine("bo"), network.router("nat")];
  network.join(internet, ana, "51.15.8.");
  network.join(internet, nat, "51.15.9.");
  network.join(nat, bo, "192.168.1.");
  nat.rules(STRICT_NAT);
  for (const client of [ana, bo]) browsers.push(await open(client));
});
after(async () => {
  await Promise.all(browsers.map((browser) => browser.close()));
  network.remove();
  authority.remove();
  lapsed.remove();
});

/** @param {import("./lib/netns.mjs").Machine} client */
function open(client) {
  client.resolve(NAME, "51.15.7.1");
  return network.chromium(client, { env: authority.chromium });
}

/** What the router drops between a client, by its address, and the server. */
const blocked = (from, match) =>
  ["saddr", "daddr"].map((side) => `ip ${side} ${from} ${match} counter drop comment "blocked ${from}"`).join("\n");

/** @param {string[]} rules */
const forward = (...rules) => `
  table inet filter {
    chain forward {
      type filter hook forward priority filter
      ${rules.join("\n")}
    }
  }`;

/** What begins with a STUN message's magic cookie (RFC 8489, 5), behind TCP headers of the usual lengths. */
const plainTurn = (from) =>
  [5, 8].map((words) => `ip saddr ${from} tcp doff ${words} @th,${(words + 1) * 32},32 0x2112a442 reject with tcp reset`).join("\n");

/**
 * A new server in the place of the one before, until the end of the test.
 * @param {import("node:test").TestContext} t
 * @param {Record<string, string>} [env]
 * @param {Authority} [certified]
 */
async function serve(t, env = {}, certified = authority) {
  const host = network.machine("server");
  network.join(internet, host, "51.15.7.");
  t.after(() => internet.ip("link delete to-server"));
  const server = await Server.startOn(host, NAME, { ...certified.server, ...env });
  t.after(() => server.stop());
  return server;
}

/**
 * What the page says to somebody.
 * @param {Server} server
 * @param {import("puppeteer-core").Browser} browser
 */
async function look(server, browser) {
  const person = await Person.open(browser, `${server.url}/check`);
  const found = await verdictOf(person);
  await person.close();
  return found;
}

test("nothing is wrong", async (t) => {
  const server = await serve(t);
  const seen = await Promise.all(browsers.map((browser) => look(server, browser)));
  for (const { level, sentence, rows } of seen) {
    assert.equal(sentence, "Calls will work. From here they go directly, or over UDP on port 3478.");
    assert.equal(level, "good");
    assert.deepEqual(Object.values(rows).map(({ status }) => status), Array(9).fill("ok"), JSON.stringify(rows));
    assert.match(rows["From outside to the relay"].found, /^Packets to 51\.15\.7\.1 arrive/);
  }
  const [, behindNat] = seen;
  assert.equal(behindNat.rows["STUN, port 3478"].found, "This device appears as 51.15.9.1.");
});

// Browsers wait for what does not answer, so three people do that at once.
test("UDP is blocked, the port of the relay is closed, and nothing but HTTPS gets through", async (t) => {
  const server = await serve(t);
  const machine = network.machine("cy");
  network.join(internet, machine, "51.15.10.");
  const another = await open(machine);
  t.after(() => another.close());
  const [ana, bo, cy] = [8, 9, 10].map((number) => `51.15.${number}.1`);
  internet.rules(
    forward(
      blocked(ana, "meta l4proto udp"),
      blocked(bo, "meta l4proto { tcp, udp } th dport 3478"),
      plainTurn(cy),
      blocked(cy, "meta l4proto udp"),
    ),
  );
  t.after(() => internet.rules(""));
  const [noUdp, closed, httpsOnly] = await Promise.all([...browsers, another].map((browser) => look(server, browser)));

  assert.equal(noUdp.sentence, "Calls will work. From here they go over TCP on port 443.");
  assert.match(noUdp.rows["Relay over UDP, port 3478"].found, /^UDP is blocked/);
  assert.match(noUdp.rows["Call through the relay"].found, /Mbit\/s over TCP/);

  assert.equal(closed.sentence, "Calls will work. From here they go over TCP on port 443, since UDP port 3478 of the server is closed.");
  assert.equal(closed.rows["Relay over UDP, port 3478"].found, "Closed: other UDP gets through.");

  assert.equal(httpsOnly.sentence, "Calls will work. From here they go over TLS on port 443.");
  assert.equal(httpsOnly.rows["Relay over TCP, port 443"].status, "warning");
  for (const from of [ana, bo, cy]) assert.ok(internet.counted(`blocked ${from}`) > 0);
});

test("public_ip is wrong", async (t) => {
  const server = await serve(t, { CALLBOX__PUBLIC_IP: "51.15.99.9" });
  const [open, behindNat] = await Promise.all(browsers.map((browser) => look(server, browser)));
  for (const { level, sentence } of [open, behindNat]) {
    assert.match(sentence, /packets do not come back from the relay\. The server's public_ip is likely wrong\.$/);
    assert.equal(level, "bad");
  }
  const outside = "From outside to the relay";
  assert.equal(open.rows[outside].found, "The relay says that it is 51.15.99.9, but its packets come from another address.");
  assert.equal(behindNat.rows[outside].found, "Packets to 51.15.99.9 do not arrive.");
});

test("the certificate has expired", async (t) => {
  const { sentence, rows } = await look(await serve(t, {}, lapsed), browsers[0]);
  assert.equal(sentence, "Calls will work. From here they go directly, or over UDP on port 3478.");
  assert.match(rows.Certificate.found, /^It has expired on /);
  assert.equal(rows["Relay over TLS, port 443"].found, "The browser does not accept the certificate.");
});
