// Writes a picture of each screen, for people to look at, and checks that nothing sticks out of the window.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { Person, chromium } from "./lib/browser.mjs";
import { fakeScreen } from "./lib/screen.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/until.mjs";

const OUT = path.join(import.meta.dirname, "artifacts");
const SIZES = {
  phone: { width: 360, height: 740, hasTouch: true, isMobile: true },
  landscape: { width: 740, height: 360, hasTouch: true, isMobile: true },
  tablet: { width: 768, height: 1024, hasTouch: true, isMobile: true },
  desktop: { width: 1440, height: 900 },
};
const LONG = "Maximiliane-Alexandra von und zu Hohenlohe-Waldenburg-Schillingsfürst";

const deny = () => {
  navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("denied", "NotAllowedError"));
};

/** @type {Server} */
let server;
/** @type {import("puppeteer-core").Browser} */
let browser;

before(async () => {
  mkdirSync(OUT, { recursive: true });
  server = await Server.start();
  // Eight people in one browser: cameras that are slow leave the machine time for the rest.
  browser = await chromium({ args: ["--use-fake-device-for-media-stream=fps=5"] });
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** @param {Person} person */
async function picture(person, name) {
  // Entrance animations have ended.
  await until("it stands still", () =>
    person.page.evaluate(() => document.getAnimations().every((animation) => animation.playState === "finished")),
  );
  const outside = await person.page.evaluate(() =>
    [...document.querySelectorAll("main:not([hidden]) *")]
      .filter((element) => element.checkVisibility() && element.getBoundingClientRect().right > innerWidth + 1)
      .map((element) => element.outerHTML.slice(0, 80)),
  );
  assert.deepEqual(outside, [], `${name} has something outside the window`);
  await person.page.screenshot({ path: path.join(OUT, `${name}.png`) });
}

for (const [size, viewport] of Object.entries(SIZES)) {
  for (const scheme of ["dark", "light"]) {
    test(`start page, lobby and errors, ${size}, ${scheme}`, async () => {
      const emulate = (person) => person.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      const start = await Person.open(browser, server.url, { viewport });
      await emulate(start);
      await picture(start, `start-${size}-${scheme}`);
      await start.page.type("#room", "?!");
      await start.page.click("#room-form button");
      await picture(start, `start-error-${size}-${scheme}`);
      const lobby = await Person.open(browser, `${server.url}/r/team-meeting?name=Ana`, { viewport });
      await emulate(lobby);
      await until("the preview", () => lobby.page.$eval("#preview", (video) => video.videoWidth > 0));
      await picture(lobby, `lobby-${size}-${scheme}`);
      const denied = await Person.open(browser, `${server.url}/r/${"long-room-name-".repeat(4)}x`, { viewport, before: deny });
      await emulate(denied);
      await until("the sentence", () => denied.text("#lobby-problem"));
      await picture(denied, `lobby-denied-${size}-${scheme}`);
      await denied.enter();
      await picture(denied, `alone-${size}-${scheme}`);
      await denied.page.click("#leave");
      await picture(denied, `end-${size}-${scheme}`);
      await Promise.all([start, lobby, denied].map((person) => person.close()));
    });
  }
}

/** Whoever wants to look at all has time. */
const ALL = process.env.CALLBOX_LONG !== undefined;
const CALLS = ALL ? Object.keys(SIZES) : ["phone", "desktop"];

/** The same page at each size. */
async function pictures(person, name) {
  for (const size of CALLS) {
    const { width, height } = SIZES[size];
    // Touch would load it anew.
    await person.page.setViewport({ width, height });
    await picture(person, `${name}-${size}`);
  }
}

test("a locked room", async () => {
  const join = (name) => Person.join(browser, `${server.url}/r/locked?name=${encodeURIComponent(name)}`, { viewport: SIZES.desktop });
  const ana = await join("Ana");
  await until("it can be locked", () => ana.page.$eval("#lock", (button) => !button.disabled));
  await ana.page.keyboard.press("k");
  const [bo, cy] = [await join("Bo"), await join(LONG)];
  await until("has to wait", () => bo.text("#waiting"));
  await pictures(bo, "locked-waiting");
  await ana.page.bringToFront();
  await until("both wait", () => ana.page.$$eval(".knock", (cards) => cards.length === 2));
  await pictures(ana, "locked-knocks");
  await ana.page.click(".knock .refuse");
  await bo.page.bringToFront();
  await until("it is over", () => bo.text("#end-title"));
  await pictures(bo, "end-refused");
  await Promise.all([ana, bo, cy].map((person) => person.close()));
});

// Their places are measured in tiles.test.mjs.
test("calls of up to eight people", { skip: !ALL && "CALLBOX_LONG is not set" }, async () => {
  const names = ["Ana", LONG, "Cy", "Dee Dee", "Eve", "Fay", "Gus", "Hal"];
  const people = [];
  for (const [index, name] of names.entries()) {
    // The machine carries a few cameras.
    const options = { before: index < 4 ? fakeScreen : deny, viewport: SIZES.desktop };
    people.push(await Person.join(browser, `${server.url}/r/team?name=${encodeURIComponent(name)}`, options));
    const others = index;
    const [{ page }] = people;
    await page.bringToFront();
    await until(`${others} others`, async () => (await people[0].tiles()).filter(({ state }) => state === "connected").length === others);
    if (![1, 2, 3, 5].includes(others)) continue;
    await until("pictures", async () => (await people[0].tiles()).slice(0, 3).every(({ width }) => width > 0));
    await pictures(people[0], `call-${others}`);
  }
  const [ana, bo, cy] = people;
  await pictures(ana, "call-7");
  await cy.page.bringToFront();
  await cy.page.click("#hand");
  await cy.page.click("#mic");
  await bo.page.bringToFront();
  await bo.page.click("#share");
  await ana.page.bringToFront();
  await until("the screen", () => ana.page.evaluate(() => document.querySelector("video.shared")?.videoWidth > 0));
  await pictures(ana, "call-screen");
  await ana.page.click("#people");
  await pictures(ana, "call-people");
  await ana.page.click("#people");
  await ana.page.click("#more");
  await pictures(ana, "call-menu");
  await ana.page.click("#show-shortcuts");
  await pictures(ana, "call-shortcuts");
  await ana.page.keyboard.press("Escape");
  await ana.page.click(".signal button");
  await until("figures", () => ana.page.$eval("#connection", (panel) => panel.checkVisibility() && !panel.matches(".measuring")));
  await pictures(ana, "call-connection");
  await ana.page.click("#connection-close");
  await ana.page.click("#more");
  await ana.page.click("#show-devices");
  await pictures(ana, "call-devices");
  await ana.page.keyboard.press("Escape");
  await ana.page.focus(".tile:not(.screen) .options");
  await ana.page.keyboard.press("Enter");
  await pictures(ana, "call-tile-menu");
  await ana.page.keyboard.press("Escape");
  // As these look; to get there by itself takes long.
  await ana.page.evaluate(() => {
    const tile = document.querySelector(".tile:not(.screen)");
    tile.dataset.state = "reconnecting";
    tile.querySelector(".state").textContent = "Connection lost. Reconnecting…";
    const trouble = document.querySelector("#own-trouble");
    trouble.textContent = "Your connection is bad.";
    trouble.hidden = false;
  });
  await pictures(ana, "call-trouble");
  const ninth = await Person.open(browser, `${server.url}/r/team`, { viewport: SIZES.phone });
  await ninth.clickJoin();
  await until("the room is full", () => ninth.text("#end-title"));
  await pictures(ninth, "end-full");
  await ninth.close();
  await server.kill("SIGKILL");
  await until("the sentence", () => ana.text("#server-state"));
  await pictures(ana, "call-server-gone");
  await server.run();
  await Promise.all(people.map((person) => person.close()));
});

test("the dialogs of the lobby", async () => {
  for (const scheme of ["dark", "light"]) {
    const person = await Person.open(browser, `${server.url}/r/team`, { viewport: { width: 360, height: 740 } });
    await person.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    await person.page.click("[data-invite=qr]");
    await until("the code", () => person.page.$eval("dialog[open] img", (image) => image.complete && image.naturalWidth > 0));
    await pictures(person, `lobby-qr-${scheme}`);
    await person.close();
  }
});
