// Calls from networks that let nothing out but HTTPS to the server.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Person } from "./lib/browser.mjs";
import { Authority } from "./lib/certificates.mjs";
import { seeAndHear } from "./lib/expect.mjs";
import { Network } from "./lib/netns.mjs";
import { Server } from "./lib/server.mjs";

const ADDRESS = "51.15.7.1";
const NAME = "call.test";

/**
 * Rules of the router in the middle, which lets those machines reach port 443 of the server only.
 * @param {string[]} names
 * @param {string} [first]  rules that come before
 */
function onlyHttps(names, first = "") {
  const blocked = names.flatMap((name) => [
    `iifname to-${name} ip daddr ${ADDRESS} tcp dport 443 accept`,
    `iifname to-${name} counter drop comment "blocked"`,
  ]);
  return `
    table inet filter {
      chain forward {
        type filter hook forward priority filter
        ${[first, ...blocked].join("\n")}
      }
    }`;
}

/** What begins with a STUN message's magic cookie (RFC 8489, 5), behind TCP headers of the usual lengths. */
const NO_PLAIN_STUN = [5, 8]
  .map((words) => `tcp dport 443 tcp doff ${words} @th,${(words + 1) * 32},32 0x2112a442`)
  .map((match) => `${match} counter reject with tcp reset comment "plain TURN"`)
  .join("\n");

/**
 * Ana and Bo in networks of their own, and a server; all gone after the test.
 * @param {import("node:test").TestContext} t
 * @param {Authority} [authority]  of the server's certificate, which the browsers trust
 */
async function lay(t, authority) {
  const network = new Network();
  t.after(() => network.remove());
  const internet = network.router("internet");
  const [host, ...clients] = ["server", "ana", "bo"].map((name) => network.machine(name));
  [host, ...clients].forEach((machine, index) => network.join(internet, machine, `51.15.${7 + index}.`));
  const server = await Server.startOn(host, authority ? NAME : ADDRESS, authority?.server);
  t.after(() => server.stop());
  for (const client of clients) client.resolve(NAME, ADDRESS);
  const trusting = authority && { insecure: false, env: authority.chromium };
  const call = async (room) => {
    const people = [];
    for (const client of clients) {
      const browser = await network.chromium(client, trusting);
      t.after(() => browser.close());
      people.push(await Person.join(browser, `${server.url}/r/${room}`));
    }
    await seeAndHear(people);
    assert.ok(internet.counted("blocked") > 0, "other ways were tried in vain");
    return people;
  };
  return { internet, call };
}

test("one reaches nothing but the server's port 443", async (t) => {
  const { internet, call } = await lay(t);
  internet.rules(onlyHttps(["ana"]));
  const [ana] = await call("one-blocked");
  assert.deepEqual(await ana.relayProtocols(), ["tcp"]);
});

test("both reach nothing but the server's port 443, and its certificate is self-signed", async (t) => {
  const { internet, call } = await lay(t);
  internet.rules(onlyHttps(["ana", "bo"]));
  for (const person of await call("both-blocked")) assert.deepEqual(await person.relayProtocols(), ["tcp"]);
});

test("both may speak nothing but TLS to the server's port 443, and its certificate is trusted", async (t) => {
  const authority = new Authority(NAME);
  t.after(() => authority.remove());
  const { internet, call } = await lay(t, authority);
  internet.rules(onlyHttps(["ana", "bo"], NO_PLAIN_STUN));
  for (const person of await call("tls-only")) assert.deepEqual(await person.relayProtocols(), ["tls"]);
  assert.ok(internet.counted("plain TURN") > 0, "plain TURN was tried in vain");
});
