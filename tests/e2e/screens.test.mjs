// Writes a picture of each screen, for people to look at, and checks that nothing sticks out of the window.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { Person, chromium } from "./lib/browser.mjs";
import { seeAndHear } from "./lib/expect.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/until.mjs";

const OUT = path.join(import.meta.dirname, "artifacts");
const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 360, height: 740, hasTouch: true, isMobile: true } };
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
  browser = await chromium();
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

test("calls of two, three and five", async () => {
  const people = [];
  const names = ["Ana", LONG, "Cy", "Dee Dee", "Eve"];
  for (const name of names) {
    const options = { viewport: people.length % 2 ? SIZES.phone : SIZES.desktop };
    people.push(await Person.join(browser, `${server.url}/r/team?name=${encodeURIComponent(name)}`, options));
    if (![2, 3, 5].includes(people.length)) continue;
    await seeAndHear(people.slice(0, 2), people.length - 1);
    await picture(people[0], `call-${people.length}-desktop`);
    await picture(people[1], `call-${people.length}-phone`);
  }
  await people[2].page.click("#camera");
  await until("initials", () => people[0].page.$(".tile.no-picture"));
  await people[0].page.click("#people");
  await people[0].page.click("#mic");
  await picture(people[0], "call-people-desktop");
  await server.kill("SIGKILL");
  await until("the sentence", () => people[0].text("#server-state"));
  await picture(people[0], "call-server-gone-desktop");
  await picture(people[1], "call-server-gone-phone");
  await server.run();
  await Promise.all(people.map((person) => person.close()));
});
