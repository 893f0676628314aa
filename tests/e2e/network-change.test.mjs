// Calls over networks that change or lose packets.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Person } from "./lib/browser.mjs";
import { moving, seeAndHear } from "./lib/expect.mjs";
import { Network } from "./lib/netns.mjs";
import { listen } from "./lib/said.mjs";
import { fakeScreen } from "./lib/screen.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/until.mjs";

const LOSSY_MS = 20_000;

const network = new Network();
/** @type {import("./lib/netns.mjs").Machine} */
let internet;
/** @type {import("./lib/netns.mjs").Machine} */
let ana;
/** @type {Server} */
let server;
/** Ana has both. @type {Record<"chromium" | "firefox" | "bo", import("puppeteer-core").Browser>} */
let browsers;

before(async () => {
  internet = network.router("internet");
  const [host, bo] = [network.machine("server"), network.machine("bo")];
  ana = network.machine("ana");
  network.join(internet, host, "51.15.7.");
  network.join(internet, ana, "51.15.8.");
  network.join(internet, bo, "51.15.9.");
  server = await Server.startOn(host, "51.15.7.1");
  browsers = { chromium: await network.chromium(ana), firefox: await network.firefox(ana), bo: await network.chromium(bo) };
});
after(async () => {
  await Promise.all(Object.values(browsers ?? {}).map((browser) => browser.close()));
  await server?.stop();
  network.remove();
});

/**
 * @param {string} room
 * @param {"chromium" | "firefox"} [anas]
 */
async function call(room, anas = "chromium") {
  const people = [];
  for (const browser of [browsers[anas], browsers.bo]) {
    people.push(await Person.join(browser, `${server.url}/r/${room}`, { before: fakeScreen }));
  }
  await seeAndHear(people);
  return people;
}

/**
 * Bo shares a screen with Ana.
 * @param {Person[]} people
 * @returns {Promise<() => Promise<void>>} sees that it has stayed where it is, and moves
 */
async function share([ana, bo]) {
  await bo.press("#share");
  await ana.page.waitForSelector("video.shared");
  const time = () => ana.page.$eval("video.shared", (video) => video.currentTime);
  await until("the screen moves", async () => (await time()) > 0);
  await until("it is said", () => ana.page.$eval("#announcements", (region) => region.textContent.includes("shares a screen")));
  await ana.page.$eval("video.shared", (video) => (video.testMark = "same"));
  return async () => {
    const then = await time();
    await until("the screen moves", async () => (await time()) > then);
    assert.equal(await ana.page.$eval("video.shared", (video) => video.testMark), "same");
  };
}

/** Of Ana, one after the other. */
const ADDRESSES = ["51.15.8.", "51.15.10.", "51.15.11.", "51.15.12.", "51.15.13."];
const CALLS = /** @type {const} */ ([["Chromium", "chromium", ""], ["Chromium, over the relay", "chromium", "?relay=1"], ["Firefox", "firefox", ""], ["Firefox, over the relay", "firefox", "?relay=1"]]);
for (const [index, [how, anas, query]] of CALLS.entries()) {
  test(`a call goes on where one gets another address, ${how}`, async () => {
    const people = await call(`address-${anas}${query}`, anas);
    const ids = await Promise.all(people.map(async (person) => (await person.tiles())[0].id));
    for (const person of people) await person.markTiles();
    // Where another connection is made, in Firefox, a screen could be taken away and come back.
    const screen = how === "Firefox" ? await share(people) : null;
    const said = how === "Firefox" ? await listen(people[0]) : null;

    network.move(internet, ana, ADDRESSES[index], ADDRESSES[index + 1]);
    for (const [index, person] of people.entries()) {
      await moving(person, 20_000);
      await until("connected", async () => (await person.tiles())[0].state === "connected");
      const tiles = await person.tiles();
      assert.deepEqual(tiles.map(({ id, mark }) => ({ id, mark })), [{ id: ids[index], mark: "same" }]);
      await until("the page is calm again", async () => (await person.text("#server-state")) === "");
    }
    await screen?.();
    // Sentences of one moment are said together.
    // The one who came second may bear a number, since neither has a name.
    const told = ((await said?.()) ?? []).join(" ").replaceAll(/ \(\d+\)/g, "").match(/The connection to Guest is lost\. Reconnecting\.|Guest is back\.|Guest (?:shares|stopped)/g);
    if (said) assert.deepEqual(told, ["The connection to Guest is lost. Reconnecting.", "Guest is back."]);
    await Promise.all(people.map((person) => person.close()));
  });
}

test("pictures and sound go on where 5 % of all packets are lost, directly and over the relay", async () => {
  internet.rules(`
    table inet filter {
      chain forward {
        type filter hook forward priority filter
        numgen random mod 100 < 5 counter drop comment "lost"
      }
    }`);
  const people = [...(await call("lossy")), ...(await call("lossy-relay?relay=1"))];
  await until("the direct way is found", async () => {
    const routes = await Promise.all(people.map((person) => person.routes()));
    return routes.flat().join() === "host,host,relay,relay";
  });
  const end = Date.now() + LOSSY_MS;
  while (Date.now() < end) await Promise.all(people.map((person) => moving(person, 3_000)));
  assert.ok(internet.counted("lost") > 100);
});
