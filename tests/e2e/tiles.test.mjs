// Tiles and the own picture: where they are, who is large, what they tell, and what they ask the others for.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Person, chromium, firefox } from "./lib/browser.mjs";
import { fakeScreen } from "./lib/screen.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/until.mjs";

/** @type {Server} */
let server;
/** @type {Record<string, import("puppeteer-core").Browser>} */
const browsers = {};
const ALL = { Chromium: chromium, Firefox: firefox };
/** @type {Set<Person>} */
const open = new Set();

before(async () => (server = await Server.start({ env: { CALLBOX__SIGNALING__MAX_PEERS: "8" } })));
// What a failed test has left open would keep the machine from the next.
afterEach(async () => {
  await Promise.allSettled([...open].map((person) => person.close()));
  open.clear();
});
after(async () => {
  await Promise.all(Object.values(browsers).map((browser) => browser.close()));
  await server?.stop();
});

/** Neither camera nor microphone: the machine has to carry eight people. */
function noDevices() {
  if (!navigator.mediaDevices) return;
  navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("none", "NotFoundError"));
}

/** A small picture, five times a second. */
function smallCamera() {
  if (!navigator.mediaDevices) return;
  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  const video = { width: 320, height: 240, frameRate: 5 };
  navigator.mediaDevices.getUserMedia = (wish) => real({ ...wish, ...(wish.video ? { video } : {}) });
}

/** As a browser does whose tab goes to the back; tests cannot put one there in every browser. */
function setHidden(hidden) {
  Object.defineProperty(document, "visibilityState", { value: hidden ? "hidden" : "visible", configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}

/**
 * A microphone before which somebody hums all the time: Chromium's own beeps twice a second, too briefly to be relied on.
 * Firefox's hums by itself.
 */
function hummingMicrophone() {
  if (!navigator.mediaDevices || navigator.userAgent.includes("Firefox")) return;
  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wish) => {
    const stream = wish.video ? await real({ video: { width: 320, height: 240, frameRate: 5 } }) : new MediaStream();
    const context = new AudioContext();
    const [tone, end] = [context.createOscillator(), context.createMediaStreamDestination()];
    tone.connect(end);
    tone.start();
    if (wish.audio) stream.addTrack(end.stream.getAudioTracks()[0]);
    return stream;
  };
}

async function join(browser, name, who, options) {
  const person = await Person.open(browser, `${server.url}/r/${name}?name=${encodeURIComponent(who)}`, options);
  open.add(person);
  await person.enter();
  return person;
}

/** Everybody in a room of its own; the first of them is in front. */
async function room(browser, name, names, options = {}) {
  const people = [];
  for (const who of names) {
    people.push(await join(browser, name, who, { before: smallCamera, ...options }));
  }
  const [first] = people;
  await first.page.bringToFront();
  await until(`${names.length - 1} tiles`, async () => {
    const tiles = await first.tiles();
    return tiles.length === names.length - 1 && tiles.every(({ width, state }) => width > 0 && state === "connected");
  });
  return people;
}

async function close(people) {
  for (const person of people) {
    assert.deepEqual(person.errors, []);
    open.delete(person);
    await person.close();
  }
}

/** Where everything is once nothing moves any more. */
async function places(person) {
  await until("it stands still", () => person.page.evaluate(() => document.querySelector("#tiles").getAnimations({ subtree: true }).length === 0));
  return person.page.evaluate(() => {
    const box = (element) => {
      const { x, y, width, height } = element.getBoundingClientRect();
      return { x, y, width, height };
    };
    return {
      tiles: [...document.querySelectorAll("figure.tile")].map((tile) => ({
        ...box(tile),
        big: tile.classList.contains("big"),
        shared: tile.querySelector("video.shared") !== null,
        name: tile.querySelector(".name").textContent,
      })),
      stage: box(document.querySelector("#tiles")),
      self: box(document.querySelector("#self")),
      controls: box(document.querySelector(".controls")),
    };
  });
}

const inside = (a, b) => a.x >= b.x - 1 && a.y >= b.y - 1 && a.x + a.width <= b.x + b.width + 1 && a.y + a.height <= b.y + b.height + 1;
const apart = (a, b) => a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;

/** Waits until nothing sticks out or lies on anything else. */
async function placed(person, width, count, free) {
  await until("everything has a place", async () => {
    const { tiles, stage, controls, self } = await places(person);
    const apartFrom = (box, others) => others.every((other) => apart(box, other));
    return (
      stage.width > width - 40 && stage.width < width && tiles.length === count &&
      tiles.every((tile, index) => inside(tile, stage) && apartFrom(tile, tiles.slice(0, index))) &&
      inside(self, stage) && apartFrom(controls, [stage, self]) && (!free || apartFrom(self, tiles))
    );
  }, 30_000);
}

/** The tile of `name`, found again each time. */
const inTile = (name, selector) => `figure.tile:has([title="${name}"]) ${selector}`;
const hasClass = (person, name, className) =>
  person.page.$eval(`figure.tile:has([title="${name}"])`, (tile, className) => tile.classList.contains(className), className);
const big = async (person) => (await places(person)).tiles.find((tile) => tile.big)?.name ?? null;

/** How the last connection that somebody has sends its camera. */
const sends = (person) =>
  person.page.evaluate(() => {
    const [line] = globalThis.testConnections.at(-1).getTransceivers().filter(({ receiver }) => receiver.track.kind === "video");
    const { active, scaleResolutionDownBy } = line.sender.getParameters().encodings[0] ?? {};
    return { active, scale: scaleResolutionDownBy };
  });

for (const [name, launch] of Object.entries(ALL)) {
  const browser = async () => (browsers[name] ??= await launch());

  test(`everybody has a place, also beside a shared screen, and the own picture lies on nobody, ${name}`, async () => {
    const counts = name === "Chromium" ? [1, 2, 3, 5, 8] : [1, 2, 3];
    const all = ["Ana", "Bo", "Cy", "Dee", "Eve", "Finn", "Gus", "Hal"].slice(0, counts.at(-1));
    const people = [];
    for (const who of all) {
      const before = [smallCamera, fakeScreen, smallCamera][people.length] ?? noDevices;
      people.push(await join(await browser(), `places-${name}`, who, { before }));
      if (!counts.includes(people.length)) continue;
      const [ana] = people;
      await ana.page.bringToFront();
      await until(`${people.length - 1} tiles`, async () => (await ana.tiles()).length === people.length - 1);
      for (const [width, height] of [[360, 740], [740, 360], [768, 1024], [1280, 800]]) {
        await ana.page.setViewport({ width, height });
        // A single one may have the whole window.
        await placed(ana, width, people.length - 1, people.length > 2);
      }
      await until("alone or not", async () => ((await ana.text("#alone")) !== "") === (people.length === 1));
    }
    const [ana, bo] = people;
    await bo.page.bringToFront();
    await bo.press("#share");
    await ana.page.bringToFront();
    for (const [width, height] of [[740, 360], [360, 740]]) {
      await ana.page.setViewport({ width, height });
      for (const corner of ["bottom-right", "bottom-left", "top-left", "top-right"]) {
        await until(corner, () => ana.page.$eval("#self", (self, corner) => self.dataset.corner === corner, corner));
        await placed(ana, width, people.length, true);
        await ana.page.focus("#self-move");
        await ana.page.keyboard.press("Enter");
      }
    }
    await close(people);
  });

  test(`a tile is enlarged by double click, button, menu and keyboard, and goes back, ${name}`, async () => {
    const people = await room(await browser(), `enlarge-${name}`, ["Ana", "Bo", "Cy"]);
    const [ana] = people;
    assert.equal(await big(ana), null);
    await ana.page.click(inTile("Bo", "video"), { count: 2 });
    await until("Bo is big", async () => (await big(ana)) === "Bo");
    const { tiles } = await places(ana);
    const area = (who) => tiles.filter((tile) => tile.name === who).map(({ width, height }) => width * height)[0];
    assert.ok(area("Bo") > 6 * area("Cy"), JSON.stringify(tiles));
    await ana.page.click(inTile("Bo", "video"), { count: 2 });
    await until("all are equal", async () => (await big(ana)) === null);

    // The button: with the mouse, then with Enter; Escape goes back.
    await ana.page.hover(inTile("Cy", "video"));
    await ana.page.click(inTile("Cy", ".enlarge"));
    await until("Cy is big", async () => (await big(ana)) === "Cy");
    assert.equal(await ana.page.$eval(inTile("Cy", ".enlarge"), (button) => button.ariaPressed), "true");
    await ana.page.focus(inTile("Bo", ".enlarge"));
    await ana.page.keyboard.press("Enter");
    await until("Bo is big", async () => (await big(ana)) === "Bo");
    await ana.page.keyboard.press("Escape");
    await until("all are equal", async () => (await big(ana)) === null);

    // Escape closes the menu first, which has the same button.
    await ana.page.focus(inTile("Bo", ".options"));
    await ana.page.keyboard.press("Enter");
    await until("the menu", () => ana.page.$eval(inTile("Bo", ".tile-menu"), (menu) => menu.checkVisibility()));
    await ana.page.click(inTile("Bo", ".enlarge-too"));
    await until("Bo is big", async () => (await big(ana)) === "Bo");
    await ana.page.click(inTile("Bo", ".options"));
    await until("the menu", () => ana.page.$eval(inTile("Bo", ".tile-menu"), (menu) => menu.checkVisibility()));
    await ana.page.keyboard.press("Escape");
    await until("no menu", () => ana.page.$eval(inTile("Bo", ".tile-menu"), (menu) => !menu.checkVisibility()));
    assert.equal(await big(ana), "Bo");
    await ana.page.keyboard.press("Escape");
    await until("all are equal", async () => (await big(ana)) === null);
    await close(people);
  });

  test(`the newest shared screen is big and whole, ${name}`, async () => {
    const people = await room(await browser(), `screens-${name}`, ["Ana", "Bo", "Cy"], { before: fakeScreen });
    const [ana, bo, cy] = people;
    await bo.press("#share");
    await until("Bo's screen is big", async () => (await big(ana)) === "Bo's screen");
    const fit = await ana.page.$eval(".tile.big video.shared", (video) => getComputedStyle(video).objectFit);
    assert.equal(fit, "contain");
    await cy.press("#share");
    await until("Cy's screen is big", async () => (await big(ana)) === "Cy's screen");
    await ana.page.bringToFront();
    // Tiles move again for a picture of another shape: the double click would meet the wrong one.
    await until("both screens have pictures", () => ana.page.$$eval(".tile video.shared", (videos) => videos.every(({ videoWidth }) => videoWidth > 0)));
    await big(ana);
    await ana.page.click(inTile("Bo's screen", "video"), { count: 2 });
    await until("Bo's screen is big", async () => (await big(ana)) === "Bo's screen");
    await bo.press("#share");
    await until("Cy's screen is big", async () => (await big(ana)) === "Cy's screen");
    await ana.page.click("#share");
    await until("the own screen is big", async () => (await big(ana)) === "Your screen");
    assert.equal(await ana.page.$eval(inTile("Your screen", "video"), (video) => video.muted), true);
    await ana.page.click("#share");
    await cy.press("#share");
    await until("all are equal", async () => (await big(ana)) === null);
    await close(people);
  });

  test(`the own picture is dragged, moved by keys and button, hidden and shown, ${name}`, async () => {
    const people = await room(await browser(), `self-${name}`, ["Ana", "Bo"]);
    const { page } = people[0];
    const corner = () => page.$eval("#self", (self) => self.dataset.corner);
    const still = () => until("it stands still", () => page.$eval("#self", (self) => self.getAnimations().length === 0));
    const middle = async () => {
      await still();
      return page.$eval("#self", (self) => {
        const { x, y, width, height } = self.getBoundingClientRect();
        return { x: x + width / 2, y: y + height / 2 };
      });
    };
    assert.equal(await corner(), "bottom-right");
    const from = await middle();
    await page.mouse.move(from.x, from.y);
    await page.mouse.down();
    await page.mouse.move(500, 300, { steps: 4 });
    await page.mouse.move(200, 120, { steps: 4 });
    await page.mouse.up();
    assert.equal(await corner(), "top-left");
    const there = await middle();
    assert.ok(there.x < 300 && there.y < 250, JSON.stringify(there));

    await page.focus("#self");
    await page.keyboard.press("ArrowDown");
    assert.equal(await corner(), "bottom-left");
    await page.keyboard.press("ArrowRight");
    assert.equal(await corner(), "bottom-right");
    await still();
    await page.click("#self-move");
    assert.equal(await corner(), "bottom-left");

    await page.setViewport({ width: 400, height: 700 });
    await until("it keeps its corner", async () => {
      const { self, stage, controls } = await places(people[0]);
      return stage.width < 400 && self.x < 40 && inside(self, stage) && apart(self, controls);
    });
    // Dragged onto the controls, it does not cover them.
    const low = await middle();
    await page.mouse.move(low.x, low.y);
    await page.mouse.down();
    await page.mouse.move(low.x, 690, { steps: 4 });
    const { self, controls } = await places(people[0]);
    assert.ok(apart(self, controls), JSON.stringify({ self, controls }));
    await page.mouse.up();

    const shown = () => page.$eval("#self", (self) => self.checkVisibility());
    await still();
    await page.focus("#self-hide");
    await page.keyboard.press("Enter");
    assert.equal(await shown(), false);
    assert.equal(await page.evaluate(() => document.activeElement.id), "more", "the focus is not lost");
    await page.keyboard.press("v");
    assert.equal(await shown(), true);
    await close(people);
  });

  test(`each is as loud as one likes, ${name}`, async () => {
    const people = await room(await browser(), `volume-${name}`, ["Ana", "Bo"]);
    const { page } = people[0];
    const heard = () => page.$eval("video.remote", ({ volume, muted }) => ({ volume, muted }));
    const about = () => page.$eval("figure.tile", (tile) => document.getElementById(tile.getAttribute("aria-describedby")).textContent);
    assert.deepEqual(await heard(), { volume: 1, muted: false });
    await page.focus(".tile .options");
    await page.keyboard.press("Enter");
    await until("the menu", () => page.$eval(".tile-menu", (menu) => menu.checkVisibility()));
    await page.focus(".level");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    assert.deepEqual(await heard(), { volume: 0.9, muted: false });
    await page.keyboard.press("Home");
    assert.equal((await heard()).muted, true);
    assert.match(await about(), /Silenced by you/);
    await page.click(".silence");
    assert.deepEqual(await heard(), { volume: 0.9, muted: false });
    assert.equal(await about(), "");
    await page.click(".silence");
    assert.equal((await heard()).muted, true);
    await close(people);
  });

  test(`microphone, camera and hand of others are told, ${name}`, async () => {
    const long = "Maximiliane-Alexandra von und zu Hohenlohe-Waldenburg-Schillingsfürst";
    const people = await room(await browser(), `signs-${name}`, ["Ana", long], { viewport: { width: 400, height: 700 } });
    const [ana, bo] = people;
    const about = () => ana.page.$eval("figure.tile", (tile) => document.getElementById(tile.getAttribute("aria-describedby")).textContent);
    const visible = (selector) => ana.page.$eval(selector, (element) => element.checkVisibility());
    await until("nothing to tell", async () => (await about()) === "");
    assert.equal(await visible(".of-muted"), false);
    await bo.press("#mic");
    await until("muted", async () => (await about()) === "Microphone off." && (await visible(".of-muted")));
    await bo.press("#hand");
    await until("hand", async () => (await about()) === "Microphone off. Hand raised." && (await visible(".hand")));
    await bo.press("#camera");
    await until("camera", async () => /Camera off/.test(await about()) && (await visible(".initials")));
    assert.equal(await ana.text(".initials"), "MH");
    await bo.press("#mic");
    await bo.press("#hand");
    await bo.press("#camera");
    await until("nothing to tell", async () => (await about()) === "");
    assert.equal((await visible(".hand")) || (await visible(".of-muted")), false);
    const fits = await ana.page.$eval(".tile .caption", (caption) => caption.getBoundingClientRect().right <= innerWidth);
    assert.ok(fits, "a long name is cut short");
    await close(people);
  });

  test(`who speaks is seen, ${name}`, async () => {
    const people = await room(await browser(), `speaker-${name}`, ["Ana", "Bo", "Cy"], { before: hummingMicrophone });
    const [ana, bo, cy] = people;
    await cy.press("#mic");
    await until("Cy is muted", () => hasClass(ana, "Cy", "muted"));
    await until("Cy is not heard", async () => !(await hasClass(ana, "Cy", "speaking")));
    await until("Bo is heard", () => hasClass(ana, "Bo", "speaking"));
    const ring = (who) => ana.page.$eval(`figure.tile:has([title="${who}"])`, (tile) => getComputedStyle(tile, "::after").boxShadow);
    await until("the ring", async () => (await ring("Bo")) !== "none");
    assert.equal(await hasClass(ana, "Cy", "speaking"), false);
    assert.equal(await ring("Cy"), "none");
    await bo.press("#mic");
    await until("nobody is heard", async () => !(await hasClass(ana, "Bo", "speaking")));
    await cy.press("#mic");
    await until("Cy is heard", () => hasClass(ana, "Cy", "speaking"));
    assert.equal(await hasClass(ana, "Bo", "speaking"), false);
    await close(people);
  });

  test(`each is sent at the size at which it is shown, and not to a hidden page, ${name}`, async () => {
    const people = await room(await browser(), `wants-${name}`, ["Ana", "Bo"], { before: () => {} });
    const [ana, bo] = people;
    await until("large", async () => (await sends(bo)).scale <= 1.25);
    await ana.page.setViewport({ width: 360, height: 420 });
    const small = await until("small", async () => {
      const { scale, active } = await sends(bo);
      return active && scale > 1.25 && scale;
    });
    await ana.page.setViewport({ width: 1280, height: 800 });
    await until("large again", async () => (await sends(bo)).scale < small);
    await ana.page.evaluate(setHidden, true);
    await until("nothing is sent", async () => (await sends(bo)).active === false);
    await ana.page.evaluate(setHidden, false);
    await until("it is sent again", async () => (await sends(bo)).active === true);
    await close(people);
  });
}
