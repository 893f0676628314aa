// A path that gets narrow for a while: pictures get smaller instead of standing still, and large again. In Chromium, which
// alone tells what it expects a path to carry. Needs root.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Person } from "./lib/browser.mjs";
import { moving, seeAndHear } from "./lib/expect.mjs";
import { Network } from "./lib/netns.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/until.mjs";

const CAMERA = { width: 640, height: 360, rate: 10, noisy: true };
const NARROW = `
  table inet filter {
    chain forward {
      type filter hook forward priority filter
      ip saddr 51.15.8.0/24 limit rate over 26 kbytes/second burst 8 kbytes counter drop comment "too much"
    }
  }`;
/** The browser's estimate falls within seconds, and grows again in as many steps as it likes. */
const SHRINK_MS = 40_000;
const GROW_MS = 60_000;

/** The camera's lines that somebody may send at the most, as the page has told its browser. */
const lines = (person) =>
  person.page.evaluate(() => {
    const sender = globalThis.testConnections.at(-1).getSenders().find(({ track }) => track?.kind === "video");
    const [{ scaleResolutionDownBy = 1 }] = sender.getParameters().encodings;
    return sender.track.getSettings().height / scaleResolutionDownBy;
  });

test("a narrow path gets smaller pictures, which go on, and large ones when it is wide again", async (t) => {
  const network = new Network();
  t.after(() => network.remove());
  const internet = network.router("internet");
  const [host, ...clients] = ["server", "ana", "bo"].map((name) => network.machine(name));
  [host, ...clients].forEach((machine, index) => network.join(internet, machine, `51.15.${7 + index}.`));
  const server = await Server.startOn(host, "51.15.7.1");
  t.after(() => server.stop());
  const people = [];
  for (const client of clients) {
    const browser = await network.chromium(client, { camera: CAMERA });
    t.after(() => browser.close());
    people.push(await Person.join(browser, `${server.url}/r/narrow`));
  }
  await seeAndHear(people);
  const [ana, bo] = people;
  assert.equal(await lines(ana), CAMERA.height);

  internet.rules(NARROW);
  await until("Ana's picture is smaller", async () => (await lines(ana)) < CAMERA.height, SHRINK_MS);
  assert.ok(internet.counted("too much") > 0);
  await moving(bo, 20_000);
  assert.equal(await lines(bo), CAMERA.height, "the other way is as wide as before");

  internet.rules("");
  await until("Ana's picture is large again", async () => (await lines(ana)) === CAMERA.height, GROW_MS);
  await moving(bo);
  for (const person of people) assert.deepEqual(person.errors, []);
});
