// Each thing that goes wrong has its sentence.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Person, chromium } from "./lib/browser.mjs";
import { seeAndHear } from "./lib/expect.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/until.mjs";

/** @type {Server} */
let server;
/** @type {import("puppeteer-core").Browser} */
let browser;
/** @type {import("puppeteer-core").Browser} */
let bare;

before(async () => {
  server = await Server.start({ env: { CALLBOX__SIGNALING__MAX_PEERS: "2" } });
  browser = await chromium();
  bare = await chromium({ devices: false });
});
after(async () => {
  await browser?.close();
  await bare?.close();
  await server?.stop();
});

/** @param {Person} person */
const problem = (person) => until("a sentence", () => person.text("#lobby-problem"));

test("permission denied", async (t) => {
  const strict = await chromium({ allow: false });
  t.after(() => strict.close());
  const person = await Person.open(strict, `${server.url}/r/denied`, { deny: true });
  assert.match(await problem(person), /not allowed for this page/);
  await person.enter();
  await until("still in the call", async () => (await person.text("#alone")).includes("first one here"));
});

test("no device", async () => {
  const person = await Person.open(bare, `${server.url}/r/none`);
  assert.match(await problem(person), /No camera and no microphone were found\..*You can join without/);
  await person.close();
});

test("a pair without any device connects", async () => {
  const people = [await Person.join(bare, `${server.url}/r/bare`), await Person.join(bare, `${server.url}/r/bare`)];
  for (const person of people) {
    await until("connected", async () => (await person.tiles())[0]?.state === "connected");
    assert.deepEqual(person.errors, []);
  }
  await Promise.all(people.map((person) => person.close()));
});

test("one without devices sees and hears one who has them", async () => {
  for (const [order, [first, second]] of [[bare, browser], [browser, bare]].entries()) {
    const people = [await Person.join(first, `${server.url}/r/half-${order}`), await Person.join(second, `${server.url}/r/half-${order}`)];
    await seeAndHear([people[first === bare ? 0 : 1]], 1);
    await Promise.all(people.map((person) => person.close()));
  }
});

test("a device that another program uses", async () => {
  const busy = () => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("in use", "NotReadableError"));
  };
  const person = await Person.open(browser, `${server.url}/r/busy`, { before: busy });
  assert.match(await problem(person), /camera is in use by another program/);
  await person.close();
});

test("a device that is free again can be switched on, and another one chosen", async () => {
  const busyAtFirst = () => {
    const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    let calls = 0;
    navigator.mediaDevices.getUserMedia = (wish) =>
      (calls += 1) <= 3 ? Promise.reject(new DOMException("", "NotAllowedError")) : real(wish);
  };
  const person = await Person.open(browser, `${server.url}/r/free`, { before: busyAtFirst });
  await problem(person);
  await person.page.click("#lobby-camera");
  await until("the preview", () => person.page.$eval("#preview", (video) => video.videoWidth > 0));
  await person.page.click("#lobby-mic");
  await until("no problem", async () => (await person.text("#lobby-problem")) === "");
  const choose = async (select) => {
    const values = await person.page.$$eval(`${select} option`, (options) => options.map(({ value }) => value));
    assert.ok(values.length > 1, `the fake devices are several: ${values}`);
    await person.page.select(select, values[1]);
    await until("it is used", () => person.page.$eval(select, (element, value) => element.value === value, values[1]));
    return values[1];
  };
  await choose("#microphone-choice");
  await person.close();
});

test("an insecure origin", async () => {
  const insecure = () => Object.defineProperty(navigator, "mediaDevices", { value: undefined });
  const person = await Person.open(browser, `${server.url}/r/insecure`, { before: insecure });
  assert.match(await problem(person), /not secure. Open the page with https/);
  await person.close();
});

test("a full room", async () => {
  const people = [];
  for (let i = 0; i < 2; i += 1) people.push(await Person.join(browser, `${server.url}/r/full`));
  const third = await Person.open(browser, `${server.url}/r/full`);
  await third.clickJoin();
  await until("the sentence", async () => (await third.text("#end-title")) === "The room is full");
  assert.match(await third.text("#end-text"), /Try again when somebody has left/);
  await Promise.all([...people, third].map((person) => person.close()));
});

test("a bad room name, in the address and in the form", async () => {
  const person = await Person.open(browser, `${server.url}/r/no%20such%2Froom!`);
  assert.match(await person.text("#start-notice"), /up to 64 letters, digits/);
  await person.page.type("#room", "what?!");
  await person.page.click("#room-form button");
  assert.match(await person.text("#room-error"), /up to 64 letters, digits/);
  await person.page.$eval("#room", (input) => (input.value = ""));
  await person.page.type("#room", "Blue  Otter");
  await Promise.all([person.page.waitForNavigation(), person.page.click("#room-form button")]);
  assert.equal(new URL(person.page.url()).pathname, "/r/blue-otter");
  await person.close();
});

test("the start page opens a room that nobody guesses", async () => {
  const person = await Person.open(browser, server.url);
  await Promise.all([person.page.waitForNavigation(), person.page.click("#new-room")]);
  assert.match(person.page.url(), /\/r\/[a-z2-9]{4}(-[a-z2-9]{4}){3}$/);
  await person.close();
});

test("the server is gone", async (t) => {
  const other = await Server.start();
  t.after(() => other.stop());
  const person = await Person.open(browser, `${other.url}/r/gone`);
  await person.page.waitForSelector("#join", { visible: true });
  await other.kill("SIGKILL");
  await person.clickJoin();
  await until("the sentence", async () => (await person.text("#server-state")).includes("does not answer"));
  const tries = () => person.page.evaluate(() => performance.now());
  const since = await tries();
  await until("it stays through further tries", async () => {
    assert.match(await person.text("#server-state"), /does not answer/);
    assert.equal(await person.text("#alone"), "", "nobody knows who is there");
    return (await tries()) > since + 5_000;
  });
  await other.run();
  await until("in the room", async () => (await person.text("#server-state")) === "");
  await until("nobody else is", async () => (await person.text("#alone")).includes("first one here"));
  await other.kill("SIGTERM");
  await until("the sentence", async () => (await person.text("#server-state")).includes("not reachable"));
  const said = (text) => until(`"${text}" is said`, async () => (await person.text("#announcements")).includes(text));
  await said("not reachable");
  await other.run();
  await said("reachable again");
  await person.close();
});


test("the server is about to stop", async (t) => {
  const other = await Server.start({ env: { CALLBOX__SERVER__DRAIN: "10m" } });
  t.after(async () => {
    await other.kill("SIGKILL");
    await other.stop();
  });
  const [ana, bo] = [await Person.join(bare, `${other.url}/r/last`), await Person.join(bare, `${other.url}/r/last`)];
  await until("connected", async () => (await ana.tiles())[0]?.state === "connected");
  other.child.kill("SIGTERM");
  for (const person of [ana, bo]) {
    await until("the sentence", async () => (await person.text("#notice")).includes("stops in 10 minutes"));
  }
  const late = await Person.open(bare, `${other.url}/r/another`);
  await late.clickJoin();
  await until("why", async () => (await late.text("#end-title")) === "The server is about to stop");
  const room = await Person.join(bare, `${other.url}/r/last`);
  await until("room for one more", async () => (await room.tiles()).length === 2);
  for (const person of [ana, bo, late, room]) await person.close();
});
