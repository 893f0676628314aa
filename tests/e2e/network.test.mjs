// A page whose network is cut, in a network of the test's own. Needs root.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Person } from "./lib/browser.mjs";
import { moving, seeAndHear } from "./lib/expect.mjs";
import { Network } from "./lib/netns.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/until.mjs";

const CUT_MS = 10_000;
/** Those of the server in two networks, one for each client, between which it routes. */
const ADDRESSES = ["10.87.0.254", "10.87.1.254"];

const network = new Network();
/** @type {Server} */
let server;
/** @type {import("./lib/netns.mjs").Machine} */
let host;
/** @type {import("puppeteer-core").Browser[]} */
const browsers = [];

before(async () => {
  host = network.router("server");
  // Such as of containers: nobody else can open its address.
  host.ip("link add cb-bridge type bridge");
  host.ip("address add 10.87.9.1/24 dev cb-bridge");
  host.ip("link set cb-bridge up");
  const clients = ["ana", "bo"].map((name) => network.machine(name));
  clients.forEach((client, index) => network.join(host, client, `10.87.${index}.`));
  server = await Server.start({ prefix: host.prefix, host: ADDRESSES[0] });
  for (const client of clients) browsers.push(await network.chromium(client));
});
after(async () => {
  await Promise.all(browsers.map((browser) => browser.close()));
  await server?.stop();
  network.remove();
});

test("the addresses that others can open are announced, and those of bridges are not", () => {
  for (const address of ADDRESSES) assert.ok(server.banner.includes(`https://${address}:${server.port}/`), server.banner);
  assert.ok(!server.banner.includes("https://10.87.9.1"), server.banner);
});

for (const query of ["", "?relay=1"]) {
  test(`a page whose network is cut for 10 seconds comes back as the same peer${query && ", over the relay"}`, async () => {
    const room = `r/cut${query ? "-relay" : ""}${query}`;
    const ana = await Person.join(browsers[0], `${server.url}/${room}`);
    const bo = await Person.join(browsers[1], `https://${ADDRESSES[1]}:${server.port}/${room}`);
    await seeAndHear([ana, bo]);
    const people = [ana, bo];
    const ids = await Promise.all(people.map(async (person) => (await person.tiles())[0].id));
    for (const person of people) await person.markTiles();

    host.ip("link set to-bo down");
    await until("it is noticed", async () => (await ana.tiles())[0].state === "reconnecting");
    await new Promise((resolve) => setTimeout(resolve, CUT_MS));
    host.ip("link set to-bo up");

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
