// A shared screen: beside the camera, with its sound, from either side, and gone everywhere when it ends.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Person, chromium, firefox } from "./lib/browser.mjs";
import { moving, seeAndHear } from "./lib/expect.mjs";
import { fakeScreen, stopFromBar } from "./lib/screen.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/until.mjs";

/** @type {Server} */
let server;

before(async () => (server = await Server.start()));
after(() => server?.stop());

/** The shared screens that somebody sees of others: whose, and how wide. */
const screens = (person) =>
  person.page.evaluate(() =>
    [...document.querySelectorAll("video.shared")]
      .filter((video) => video.dataset.peer !== "own" && video.checkVisibility())
      .map((video) => ({ id: video.dataset.peer, width: video.videoWidth })),
  );

const sees = async (person, count) => {
  // Nobody is sent pictures behind another tab.
  await person.page.bringToFront();
  await until(`${count} screens`, async () => {
    const seen = await screens(person);
    return seen.length === count && seen.every(({ width }) => width > 0);
  });
};

/** How many lines of sound somebody receives that are not silent. */
const sounds = (person) =>
  person.page.evaluate(async () => {
    const report = await globalThis.testConnections.at(-1).getStats();
    return [...report.values()].filter((stat) => stat.type === "inbound-rtp" && stat.kind === "audio" && stat.totalAudioEnergy > 0).length;
  });

const isPressed = (person) => person.page.$eval("#share", (button) => button.getAttribute("aria-pressed") === "true");

for (const [name, launch] of Object.entries({ Chromium: chromium, Firefox: firefox })) {
  test(`a screen is shared from either side and ends everywhere, ${name}`, async (t) => {
    const browser = await launch();
    t.after(() => browser.close());
    const join = (who) => Person.join(browser, `${server.url}/r/share-${name}?name=${who}`, { before: fakeScreen });
    const [ana, bo] = [await join("Ana"), await join("Bo")];
    await seeAndHear([ana, bo]);

    await ana.page.click("#share");
    await sees(bo, 1);
    assert.ok(await isPressed(ana));
    assert.equal((await bo.tiles()).length, 1, "the camera is there beside it");
    await moving(bo);
    await until("the screen's sound", async () => (await sounds(bo)) === 2);
    await until("it is announced", async () => (await bo.text("#announcements")).includes("Ana shares a screen"));

    // Both at the same time, from the side that does not offer too.
    await bo.press("#share");
    await sees(ana, 1);
    await sees(bo, 1);
    const cy = await join("Cy");
    await sees(cy, 2);

    await ana.page.evaluate(stopFromBar);
    await sees(cy, 1);
    await sees(bo, 0);
    assert.equal(await isPressed(ana), false);
    await bo.press("#share");
    await sees(ana, 0);
    await sees(cy, 0);

    await bo.press("#share");
    await sees(ana, 1);
    await sees(cy, 1);
    await bo.press("#leave");
    await sees(ana, 0);
    for (const person of [ana, bo, cy]) {
      assert.deepEqual(person.errors, []);
      await person.close();
    }
  });

  test(`a screen is sent for detail or for motion, ${name}`, async (t) => {
    const browser = await launch();
    t.after(() => browser.close());
    const join = () => Person.join(browser, `${server.url}/r/hint-${name}`, { before: fakeScreen });
    const [ana, bo] = [await join(), await join()];
    await seeAndHear([ana, bo]);
    await ana.page.click("#share");
    await sees(bo, 1);
    const sent = () =>
      ana.page.evaluate(() => {
        const sender = globalThis.testConnections.at(-1).getSenders().find(({ track }) => track === globalThis.testScreen.getVideoTracks()[0]);
        const [{ maxFramerate, scaleResolutionDownBy } = {}] = sender?.getParameters().encodings ?? [];
        return { hint: sender?.track.contentHint, rate: maxFramerate, scale: scaleResolutionDownBy };
      });
    const isSent = (hint, rate, scale) =>
      until(`${hint}, ${rate} a second, a ${scale}th`, async () => JSON.stringify(await sent()) === JSON.stringify({ hint, rate, scale }));
    await isSent("detail", 10, 1);
    await ana.page.click("#more");
    await ana.page.select("#share-hint-choice", "motion");
    await isSent("motion", 30, 1);
    await bo.page.bringToFront();
    await bo.page.setViewport({ width: 740, height: 360 });
    await until("no larger than it is shown", async () => (await sent()).scale > 1);
    for (const person of [ana, bo]) await person.close();
  });

  test(`who thinks better of it, and a browser that cannot share, ${name}`, async (t) => {
    const browser = await launch();
    t.after(() => browser.close());
    const refuse = () => {
      navigator.mediaDevices.getDisplayMedia = () => Promise.reject(new DOMException("denied", "NotAllowedError"));
    };
    const ana = await Person.join(browser, `${server.url}/r/cancelled-${name}`, { before: refuse });
    await ana.page.click("#share");
    assert.equal(await ana.text("#notice"), "");
    assert.equal(await isPressed(ana), false);
    const cannot = () => {
      delete MediaDevices.prototype.getDisplayMedia;
    };
    const bo = await Person.join(browser, `${server.url}/r/cannot-${name}`, { before: cannot });
    assert.equal(await bo.page.$eval("#share", (button) => button.checkVisibility()), false);
    for (const person of [ana, bo]) await person.close();
  });
}
