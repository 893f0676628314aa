// Calls between people whom only the relay can bring together: behind strict NAT, with different versions of IP, and with
// a server that is behind NAT itself.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Person } from "./lib/browser.mjs";
import { seeAndHear } from "./lib/expect.mjs";
import { Network, STRICT_NAT } from "./lib/netns.mjs";
import { Server } from "./lib/server.mjs";

/**
 * A network with a router in the middle, which is gone after the test.
 * @param {import("node:test").TestContext} t
 */
function lay(t) {
  const network = new Network();
  t.after(() => network.remove());
  return { network, internet: network.router("internet") };
}

/**
 * A call between two machines.
 * @param {import("node:test").TestContext} t
 * @param {Network} network
 * @param {import("./lib/netns.mjs").Machine[]} machines
 * @param {string[]} urls
 */
async function call(t, network, machines, urls) {
  const people = [];
  for (const [index, machine] of machines.entries()) {
    const browser = await network.chromium(machine);
    t.after(() => browser.close());
    people.push(await Person.join(browser, urls[index] ?? urls[0]));
  }
  await seeAndHear(people);
  return people;
}

test("both are behind NAT with address- and port-dependent mapping and filtering", async (t) => {
  const { network, internet } = lay(t);
  const host = network.machine("server");
  network.join(internet, host, "51.15.7.");
  const clients = ["ana", "bo"].map((name, index) => {
    const [nat, client] = [network.router(`nat-${name}`), network.machine(name)];
    network.join(internet, nat, `51.15.${8 + index}.`);
    network.join(nat, client, "192.168.1.");
    nat.rules(STRICT_NAT);
    return { nat, client };
  });
  const server = await Server.startOn(host, "51.15.7.1");
  t.after(() => server.stop());

  const people = await call(t, network, clients.map(({ client }) => client), [`${server.url}/r/nat`]);
  for (const person of people) {
    const [{ local, remote }] = await person.stats();
    assert.ok(local === "relay" || remote === "relay", `${local} with ${remote}`);
  }
  for (const { nat } of clients) assert.ok(nat.counted("unsolicited") > 0, "a direct path was tried in vain");
});

test("one has IPv6 only and the other has IPv4 only", async (t) => {
  const { network, internet } = lay(t);
  const [host, ana, bo] = ["server", "ana", "bo"].map((name) => network.machine(name));
  network.join(internet, host, "51.15.7.", "2a01:4f8:7::");
  network.join(internet, ana, "2a01:4f8:8::");
  network.join(internet, bo, "51.15.9.");
  const server = await Server.startOn(host, "51.15.7.1");
  t.after(() => server.stop());

  const people = await call(t, network, [ana, bo], ["https://[2a01:4f8:7::1]/r/families", `${server.url}/r/families`]);
  assert.deepEqual(await people[0].routes(), ["relay"]);
});

test("the server is behind 1:1 NAT without hairpin, and both use the relay only", async (t) => {
  const { network, internet } = lay(t);
  const [host, ana, bo] = ["server", "ana", "bo"].map((name) => network.machine(name));
  const cloud = network.router("cloud");
  network.join(internet, cloud, "51.15.7.");
  network.join(cloud, host, "10.0.0.");
  network.join(internet, ana, "51.15.8.");
  network.join(internet, bo, "51.15.9.");
  cloud.rules(`
    table ip nat {
      chain prerouting {
        type nat hook prerouting priority dstnat
        iifname uplink ip daddr 51.15.7.1 dnat to 10.0.0.1
      }
      chain postrouting {
        type nat hook postrouting priority srcnat
        oifname uplink ip saddr 10.0.0.1 snat to 51.15.7.1
      }
      chain input {
        type filter hook input priority filter
        ip saddr 10.0.0.1 ip daddr 51.15.7.1 counter drop comment "hairpin"
      }
    }`);
  const server = await Server.startOn(host, "51.15.7.1", { CALLBOX__PUBLIC_IP: "51.15.7.1" });
  t.after(() => server.stop());

  const people = await call(t, network, [ana, bo], [`${server.url}/r/hairpin?relay=1`]);
  for (const person of people) assert.deepEqual(await person.routes(), ["relay"]);
  assert.equal(cloud.counted("hairpin"), 0, "what goes from relay to relay stays in the server");
});
