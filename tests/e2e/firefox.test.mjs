// Firefox with Firefox, and Firefox with Chromium, direct and relayed.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Person, chromium, firefox } from "./lib/browser.mjs";
import { seeAndHear } from "./lib/expect.mjs";
import { Server } from "./lib/server.mjs";

/** @type {Server} */
let server;
/** @type {Record<string, import("puppeteer-core").Browser>} */
const browsers = {};

before(async () => {
  server = await Server.start();
  browsers.Firefox = await firefox();
  browsers.Chromium = await chromium();
});
after(async () => {
  await Promise.all(Object.values(browsers).map((browser) => browser.close()));
  await server?.stop();
});

const PAIRS = [
  ["Firefox", "Firefox"],
  ["Firefox", "Chromium"],
  ["Chromium", "Firefox"],
];
for (const [first, second] of PAIRS) {
  for (const query of ["", "?relay=1"]) {
    test(`${first}, joined by ${second}${query ? ", both over the relay" : ""}`, async () => {
      const url = `${server.url}/r/${first}-${second}${query ? "-relay" : ""}${query}`;
      const people = [await Person.join(browsers[first], url), await Person.join(browsers[second], url)];
      await seeAndHear(people);
      if (query) for (const person of people) assert.deepEqual(await person.routes(), ["relay"]);
      await Promise.all(people.map((person) => person.close()));
    });
  }
}
