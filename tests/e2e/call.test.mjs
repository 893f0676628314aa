// Calls between real browsers, direct and relayed.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Person, chromium } from "./lib/browser.mjs";
import { moving, seeAndHear } from "./lib/expect.mjs";
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

/** @param {string} room */
function pages(room, ...names) {
  const open = (name) => Person.join(browser, `${server.url}/r/${room}${room.includes("?") ? "&" : "?"}name=${name}`);
  return names.reduce(async (people, name) => [...(await people), await open(name)], Promise.resolve([]));
}

const close = (people) => Promise.all(people.map((person) => person.close()));

test("two pages see and hear each other directly", async () => {
  const people = await pages("direct", "Ana", "Bo");
  await seeAndHear(people);
  assert.equal((await people[0].tiles())[0].name, "Bo");
  for (const person of people) assert.ok(!(await person.routes()).includes("relay"));
  await close(people);
});

test("two pages see and hear each other when both may only use the relay", async () => {
  const people = await pages("relayed?relay=1", "Ana", "Bo");
  await seeAndHear(people);
  for (const person of people) assert.deepEqual(await person.routes(), ["relay"]);
  await close(people);
});

test("three pages see and hear each other", async () => {
  const people = await pages("three", "Ana", "Bo", "Cy");
  await seeAndHear(people);
  await close(people);
});

test("a relayed call survives that the server is killed", async () => {
  const people = await pages("killed?relay=1", "Ana", "Bo");
  await seeAndHear(people);
  const ids = await Promise.all(people.map(async (person) => (await person.tiles())[0].id));
  for (const person of people) await person.markTiles();

  await server.kill("SIGKILL");
  await until("the page says so", () => people[0].text("#server-state").then((text) => text.includes("not reachable")));
  await server.run();
  const returned = Date.now();
  for (const person of people) await moving(person, 10_000 - (Date.now() - returned));

  for (const [index, person] of people.entries()) {
    const tiles = await person.tiles();
    assert.deepEqual(tiles.map(({ id, mark }) => ({ id, mark })), [{ id: ids[index], mark: "same" }]);
    assert.deepEqual(await person.routes(), ["relay"]);
    await until("the page is calm again", async () => (await person.text("#server-state")) === "");
  }
  await close(people);
});

test("a reload leaves no ghost", async () => {
  const [ana, bo] = await pages("reload", "Ana", "Bo");
  await seeAndHear([ana, bo]);
  const [{ id }] = await ana.tiles();
  await bo.page.reload();
  await until("the old tile is gone", async () => (await ana.tiles()).length === 0, 3_000);
  await bo.enter();
  await seeAndHear([ana, bo]);
  assert.notEqual((await ana.tiles())[0].id, id);
  await close([ana, bo]);
});

test("hanging up frees the seat at once and ends in a page that offers to come back", async () => {
  const [ana, bo] = await pages("leave", "Ana", "Bo");
  await seeAndHear([ana, bo]);
  await bo.page.click("#leave");
  assert.equal(await bo.text("#end-title"), "You left the call");
  await until("the tile is gone", async () => (await ana.tiles()).length === 0, 3_000);
  await until("it is announced", async () => (await ana.text("#announcements")).includes("Bo left"));
  await close([ana, bo]);
});

test("muting and switching the camera off and on reaches the other side", async () => {
  const [ana, bo] = await pages("mute", "Ana", "Bo");
  await seeAndHear([ana, bo]);
  const pressed = (id) => bo.page.$eval(`#${id}`, (button) => button.getAttribute("aria-pressed"));
  const picture = () => ana.page.$eval("figure.tile", (tile) => !tile.classList.contains("no-picture"));

  await bo.page.click("#camera");
  await until("the initials show", async () => !(await picture()));
  assert.equal(await pressed("camera"), "false");
  await bo.page.click("#camera");
  await until("the picture is back", picture);
  await moving(ana);
  const lines = () => bo.page.evaluate(() => globalThis.testConnections.at(-1).getTransceivers().length);
  const before = await lines();
  for (let round = 0; round < 3; round += 1) {
    await bo.page.click("#camera");
    await until("the initials show", async () => !(await picture()));
    await bo.page.click("#camera");
    await until("the picture is back", picture);
  }
  await moving(ana);
  assert.equal(await lines(), before, "no further media section each time");

  await bo.page.click("#mic");
  assert.equal(await pressed("mic"), "false");
  const level = () => ana.stats().then(([{ energy }]) => energy);
  let last = await level();
  await until("it is silent", async () => {
    const before = last;
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    last = await level();
    return last === before;
  });
  await bo.page.click("#mic");
  await moving(ana);
  await close([ana, bo]);
});

test("who is there is listed, and the link can be copied", async () => {
  const [ana, bo] = await pages("list", "Ana", "Bo");
  await seeAndHear([ana, bo]);
  await ana.page.click("#people");
  assert.match(await ana.text("#people-list"), /Ana \(you\)\s*Bo/);
  assert.equal(await ana.page.$eval("#people", (button) => button.getAttribute("aria-label")), "2 people in the call");
  await ana.page.evaluate(() => {
    navigator.clipboard.writeText = async (text) => void (globalThis.testCopied = text);
  });
  await ana.page.click("#copy-link");
  await until("it is copied", () => ana.page.evaluate(() => globalThis.testCopied));
  assert.equal(await ana.page.evaluate(() => globalThis.testCopied), `${server.url}/r/list`);
  await close([ana, bo]);
});

// Beyond the lifetime of permissions (5 minutes), of allocations (10 minutes) and of many credentials.
if (process.env.CALLBOX_LONG) {
  test("a relayed call outlives its credentials", async (t) => {
    const own = await Server.start({ env: { CALLBOX__TURN__CREDENTIAL_TTL: "20s" } });
    t.after(() => own.stop());
    const url = `${own.url}/r/long?relay=1`;
    const people = [await Person.join(browser, url), await Person.join(browser, url)];
    await seeAndHear(people);
    for (let minute = 0; minute < 11; minute += 1) {
      await new Promise((resolve) => setTimeout(resolve, 60_000));
      for (const person of people) await moving(person, 3_000);
      for (const person of people) assert.equal((await person.tiles())[0].state, "connected");
    }
    await close(people);
  });
}
