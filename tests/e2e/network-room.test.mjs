// A full room behind one address, as of an office, whose pages all use the relay only.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Person } from "./lib/browser.mjs";
import { moving } from "./lib/expect.mjs";
import { Network, STRICT_NAT } from "./lib/netns.mjs";
import { noMicrophone } from "./lib/no-microphone.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/until.mjs";

const PEOPLE = 8;

test("eight pages behind one address see each other over the relay", async (t) => {
  const network = new Network();
  t.after(() => network.remove());
  const [internet, nat] = [network.router("internet"), network.router("nat")];
  const [host, office] = [network.machine("server"), network.machine("office")];
  network.join(internet, host, "51.15.7.");
  network.join(internet, nat, "51.15.8.");
  network.join(nat, office, "192.168.1.");
  nat.rules(STRICT_NAT);
  const server = await Server.startOn(host, "51.15.7.1");
  t.after(() => server.stop());
  const browser = await network.chromium(office, { camera: { width: 160, height: 90, rate: 5 } });
  t.after(() => browser.close());

  const people = [];
  for (let count = 0; count < PEOPLE; count += 1) {
    people.push(await Person.join(browser, `${server.url}/r/full?relay=1`, { before: noMicrophone }));
  }
  for (const person of people) {
    await until(`${PEOPLE - 1} pictures`, async () => {
      const tiles = await person.tiles();
      return tiles.length === PEOPLE - 1 && tiles.every((tile) => tile.width > 0 && tile.state === "connected");
    }, 60_000);
  }
  await Promise.all(people.map((person) => moving(person, 30_000, false)));
  for (const person of people) {
    assert.deepEqual(await person.routes(), Array(PEOPLE - 1).fill("relay"));
    assert.deepEqual(person.errors, []);
  }
});
