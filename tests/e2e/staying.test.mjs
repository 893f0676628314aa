// Calls that stay: over a server that dies, credentials that expire, a WebSocket that breaks, and a page that sleeps.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Person, chromium, firefox } from "./lib/browser.mjs";
import { moving, seeAndHear } from "./lib/expect.mjs";
import { listen } from "./lib/said.mjs";
import { fakeScreen } from "./lib/screen.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/until.mjs";

const TTL_S = 10;
const FROZEN_MS = 60_000;

/** What has to be the same afterwards. */
async function look(person) {
  const pressed = (id) => person.page.$eval(id, (button) => button.getAttribute("aria-pressed"));
  const tiles = (await person.tiles()).map(({ id, mark }) => ({ id, mark }));
  return { tiles, mic: await pressed("#mic"), camera: await pressed("#camera"), hand: await pressed("#hand") };
}

async function calm(people) {
  for (const person of people) {
    await until("the page is calm again", async () => (await person.text("#server-state")) === "");
    await until("connected", async () => (await person.tiles())[0].state === "connected");
  }
}

/** The usernames of the relay that a page's connections have. */
const usernames = (person) =>
  person.page.evaluate(() =>
    globalThis.testConnections
      .filter((pc) => pc.signalingState !== "closed")
      .flatMap((pc) => pc.getConfiguration().iceServers.flatMap(({ username }) => username || [])),
  );

/** A relayed call of two, of whom the second has raised a hand and muted the microphone. */
async function begin(t, launch, env = {}) {
  const server = await Server.start({ env });
  const browser = await launch();
  t.after(async () => {
    await browser.close();
    await server.stop();
  });
  const url = `${server.url}/r/stay?relay=1`;
  const people = [await Person.join(browser, url), await Person.join(browser, url)];
  await seeAndHear(people);
  await people[1].press("#hand");
  await people[1].press("#mic");
  await until("both are done", async () => {
    const { mic, hand } = await look(people[1]);
    return mic === "false" && hand === "true";
  });
  for (const person of people) await person.markTiles();
  const before = await Promise.all(people.map(look));
  return { server, people, before };
}

const same = async (people, before) => assert.deepEqual(await Promise.all(people.map(look)), before);

/** Frames flow both ways; the second one's microphone is off. */
async function flows(people) {
  for (const person of people) await moving(person, 15_000, person === people[1]);
}

/** The server dies and comes back, and the call is what it was. */
async function outlives(server, people, before) {
  await server.kill("SIGKILL");
  for (const person of people) {
    await until("the page says so", async () => (await person.text("#server-state")).includes("not reachable"));
  }
  await server.run();
  await flows(people);
  await calm(people);
  await same(people, before);
}

const BROWSERS = Object.entries({ Chromium: chromium, Firefox: firefox });

for (const [name, launch] of BROWSERS) {
  test(`over a server that is killed, ${name}`, async (t) => {
    const { server, people, before } = await begin(t, launch);
    await outlives(server, people, before);
    for (const person of people) assert.deepEqual(await person.routes(), ["relay"]);
  });

  test(`over a WebSocket that breaks, ${name}`, async (t) => {
    const record = () => {
      const { WebSocket } = globalThis;
      globalThis.testSockets = [];
      globalThis.WebSocket = class extends WebSocket {
        constructor(...args) {
          super(...args);
          globalThis.testSockets.push(this);
        }
      };
    };
    const server = await Server.start();
    const browser = await launch();
    t.after(async () => {
      await browser.close();
      await server.stop();
    });
    const url = `${server.url}/r/socket`;
    const people = [await Person.join(browser, url, { before: record }), await Person.join(browser, url, { before: record })];
    await seeAndHear(people);
    for (const person of people) await person.markTiles();
    const before = await Promise.all(people.map(look));
    for (const person of people) await person.page.evaluate(() => globalThis.testSockets.at(-1).close(4000));
    const reconnected = (person) => person.page.evaluate(() => globalThis.testSockets.length > 1 && globalThis.testSockets.at(-1).readyState === 1);
    for (const person of people) await until("another WebSocket", () => reconnected(person));
    await calm(people);
    for (const person of people) await moving(person);
    await same(people, before);
  });
}

for (const [name, launch] of BROWSERS) {
  test(`after an absence that costs the seat, in the same tiles, ${name}`, async (t) => {
    const interruptible = () => {
      const { WebSocket } = globalThis;
      globalThis.testSockets = [];
      globalThis.WebSocket = class extends WebSocket {
        constructor(url, ...rest) {
          super(globalThis.testAway ? `${url}-nowhere` : url, ...rest);
          globalThis.testSockets.push(this);
        }
      };
    };
    const server = await Server.start({ env: { CALLBOX__SIGNALING__RESUME: "2s" } });
    const browser = await launch();
    t.after(async () => {
      await browser.close();
      await server.stop();
    });
    const url = `${server.url}/r/absent`;
    const ana = await Person.join(browser, `${url}?name=Ana`, { before: interruptible });
    const bo = await Person.join(browser, `${url}?name=Bo`, { before: fakeScreen });
    await seeAndHear([ana, bo]);
    const regions = ["announcements", "notice"];
    const news = await listen(ana, regions);
    await bo.press("#share");
    await bo.press("#hand");
    await ana.page.waitForSelector("video.shared");
    await until("both are said", async () => /(?=.*shares a screen)(?=.*raised a hand)/s.test((await news()).join(" ")));
    await ana.markTiles();
    await ana.press("#hand");
    const [{ id }] = await ana.tiles();
    await ana.page.$eval("figure.tile:not(.screen) .enlarge", (button) => button.click());
    const said = await listen(ana, regions);

    await ana.page.evaluate(() => {
      globalThis.testAway = true;
      globalThis.testSockets.at(-1).close(4000);
    });
    await until("Ana's seat is given up", async () => (await bo.tiles()).length === 0);
    await ana.page.evaluate(() => (globalThis.testAway = false));
    await until("Ana is there again", async () => (await bo.tiles())[0]?.state === "connected");
    await until("connected", async () => (await ana.tiles())[0]?.state === "connected");
    for (const person of [bo, ana]) await moving(person);
    assert.deepEqual((await ana.tiles()).map(({ id, mark }) => ({ id, mark })), [{ id, mark: "same" }]);
    const time = () => ana.page.$eval("video.shared", (video) => video.currentTime);
    const then = await time();
    await until("the screen moves", async () => (await time()) > then);
    assert.ok(await ana.page.$eval("figure.tile.big", (tile) => !tile.classList.contains("screen")), "whom she had made big is big");
    assert.ok(await ana.page.$eval("figure.tile:not(.screen)", (tile) => tile.classList.contains("hand-up")), "Bo's hand is up");
    assert.doesNotMatch((await said()).join(" "), /shares|stopped|raised/, "nothing of that is news");
    await until("the hand is still up", () => bo.page.$eval("figure.tile:not(.screen)", (tile) => tile.classList.contains("hand-up")));
    await until("the page is calm again", async () => (await ana.text("#server-state")) === "");
  });
}

const EXPIRY = "over credentials that expire three times, and a restart then";

/** @param {import("node:test").TestContext} t @param {typeof chromium} launch */
async function outliveCredentials(t, launch) {
  const { server, people, before } = await begin(t, launch, { CALLBOX__TURN__CREDENTIAL_TTL: `${TTL_S}s` });
  const [first] = await usernames(people[0]);
  const expiry = Number(first.split(":")[0]);
  await until("three lifetimes have passed", () => Date.now() / 1000 > expiry + 2 * TTL_S + 2, 4 * TTL_S * 1000);
  await flows(people);
  await outlives(server, people, before);
  const [last] = await usernames(people[0]);
  assert.ok(Number(last.split(":")[0]) > expiry + 2 * TTL_S, `with fresh credentials: ${first}, ${last}`);
}

// Alone: where too little of the machine is left, Firefox decodes nothing for a while.
test(`${EXPIRY}, Firefox`, (t) => outliveCredentials(t, firefox));

// These mostly wait, so they do it together.
describe("over time", { concurrency: true }, () => {
  test(`${EXPIRY}, Chromium`, (t) => outliveCredentials(t, chromium));

  test("over a minute of sleep", async (t) => {
    const server = await Server.start();
    const browsers = [await chromium(), await chromium()];
    t.after(async () => {
      await Promise.all(browsers.map((browser) => browser.close()));
      await server.stop();
    });
    const url = `${server.url}/r/sleep?relay=1`;
    // A page that was frozen this way is not shown again, as one is that a person comes back to.
    const shown = () => Object.defineProperty(document, "visibilityState", { get: () => "visible" });
    const people = [];
    for (const browser of browsers) people.push(await Person.join(browser, url, { before: shown }));
    await seeAndHear(people);
    for (const person of people) await person.markTiles();
    const before = await Promise.all(people.map(look));
    const session = await people[0].page.createCDPSession();
    await session.send("Page.setWebLifecycleState", { state: "frozen" });
    await new Promise((resolve) => setTimeout(resolve, FROZEN_MS));
    await session.send("Page.setWebLifecycleState", { state: "active" });
    for (const person of people) await moving(person, 15_000);
    await calm(people);
    assert.deepEqual(await look(people[1]), before[1], "nobody left and came back");
    assert.deepEqual(await look(people[0]), before[0]);
  });
});
