// The small page that shows how to build on the modules.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { Person, chromium, firefox } from "./lib/browser.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/until.mjs";

const FOLDER = path.resolve(import.meta.dirname, "../../web/example");

/** @type {Server} */
let server;

before(async () => (server = await Server.start()));
after(() => server?.stop());

test("the example has under 60 lines", () => {
  const lines = readdirSync(FOLDER).map((name) => readFileSync(path.join(FOLDER, name), "utf8").split("\n").length - 1);
  assert.ok(lines.reduce((sum, count) => sum + count) < 60, String(lines));
});

for (const [name, launch] of Object.entries({ Chromium: chromium, Firefox: firefox })) {
  test(`the example makes a call, ${name}`, async (t) => {
    const browser = await launch();
    t.after(() => browser.close());
    const people = [await Person.open(browser, `${server.url}/example/`), await Person.open(browser, `${server.url}/example/`)];
    for (const person of people) {
      await until("a picture of the other", async () => {
        const [stats] = await person.stats();
        const width = await person.page.evaluate(() => document.querySelector("#others video")?.videoWidth ?? 0);
        return width > 0 && stats.frames > 10 && stats.energy > 0;
      });
    }
    const [ana, bo] = people;
    await bo.close();
    await until("it is gone", () => ana.page.evaluate(() => document.querySelectorAll("#others video").length === 0));
    assert.deepEqual(ana.errors, []);
  });
}
