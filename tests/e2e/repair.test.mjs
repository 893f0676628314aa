// Connections that repair themselves when signaling loses something.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Person, chromium, firefox } from "./lib/browser.mjs";
import { seeAndHear } from "./lib/expect.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/until.mjs";

/** @type {Server} */
let server;
/** @type {import("puppeteer-core").Browser} */
let browser;

before(async () => {
  server = await Server.start();
  browser = await chromium();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** The first description of this type that the page sends gets lost on its way. */
const loses = {
  offer: () => {
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (text) {
      if (!globalThis.testLost && text.includes('"type":"offer"')) globalThis.testLost = true;
      else send.call(this, text);
    };
  },
  answer: () => {
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (text) {
      if (!globalThis.testLost && text.includes('"type":"answer"')) globalThis.testLost = true;
      else send.call(this, text);
    };
  },
};

for (const [type, who] of [["offer", 0], ["answer", 1]]) {
  test(`a lost ${type} is made up for`, async () => {
    const people = [];
    for (const index of [0, 1]) {
      const options = index === who ? { before: loses[type] } : {};
      people.push(await Person.join(browser, `${server.url}/r/lost-${type}`, options));
    }
    await seeAndHear(people);
    assert.ok(await people[who].page.evaluate(() => globalThis.testLost), "something was lost");
    await Promise.all(people.map((person) => person.close()));
  });
}

test("both switch their cameras at the same moment", async () => {
  const people = [];
  for (let i = 0; i < 2; i += 1) people.push(await Person.join(browser, `${server.url}/r/glare`));
  await seeAndHear(people);
  for (let round = 0; round < 4; round += 1) {
    await Promise.all(people.map((person) => person.page.click("#camera")));
    const shown = round % 2 === 1;
    for (const person of people) {
      await until(`pictures ${shown ? "on" : "off"}`, () =>
        person.page.$eval("figure.tile", (tile, on) => tile.classList.contains("no-picture") !== on, shown),
      );
    }
  }
  await seeAndHear(people);
  await Promise.all(people.map((person) => person.close()));
});

test("a muted microphone and a camera that is off stay so when the server restarts", async () => {
  const people = [];
  for (let i = 0; i < 2; i += 1) people.push(await Person.join(browser, `${server.url}/r/muted?relay=1`));
  await seeAndHear(people);
  const [ana, bo] = people;
  await bo.page.click("#mic");
  await bo.page.click("#camera");
  await until("the initials show", () => ana.page.$(".tile.no-picture"));
  await server.kill("SIGKILL");
  await until("the page says so", () => bo.text("#server-state"));
  await server.run();
  await until("the page is calm again", async () => (await bo.text("#server-state")) === "");
  await until("connected", async () => (await ana.tiles())[0].state === "connected");
  for (const id of ["#mic", "#camera"]) {
    assert.equal(await bo.page.$eval(id, (button) => button.getAttribute("aria-pressed")), "false", id);
  }
  const sending = await bo.page.evaluate(() =>
    globalThis.testConnections
      .at(-1)
      .getSenders()
      .some(({ track }) => track?.enabled),
  );
  assert.equal(sending, false);
  await Promise.all(people.map((person) => person.close()));
});

test("who leaves while the server is away is gone at once", async (t) => {
  const other = await firefox();
  t.after(() => other.close());
  const away = await Server.start();
  t.after(() => away.stop());
  const join = (where, name) => Person.join(where, `${away.url}/r/away?name=${name}`);
  const [ana, bo, cy] = [await join(browser, "Ana"), await join(other, "Bo"), await join(browser, "Cy")];
  await seeAndHear([ana, bo, cy]);
  await away.kill("SIGKILL");
  for (const [leaver, seen] of [[ana, "Bo"], [bo, ""]]) {
    await leaver.page.click("#leave");
    await until("the tile is gone", async () => (await cy.tiles()).map(({ name }) => name).join() === seen, 5_000);
  }
});
