// The page /check: what it finds where all is well, and how it tells.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { Person, chromium, firefox } from "./lib/browser.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/until.mjs";
import { verdictOf } from "./lib/verdict.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** @type {Server} */
let server;
before(async () => (server = await Server.start()));
after(() => server?.stop());

/** What axe-core has against the page as it is. */
async function violations({ page }) {
  await until("it stands still", () => page.evaluate(() => document.getAnimations().every(({ playState }) => playState !== "running")));
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" | ")}`);
  });
}

/** What is wider than the window, or too small for a finger. */
function wrongs() {
  const shown = [...document.querySelectorAll("main *")].filter((element) => element.checkVisibility());
  const outside = shown.filter((element) => element.getBoundingClientRect().right > innerWidth + 0.5 && !element.closest("thead"));
  const small = shown.filter((element) => element.matches("button, a") && element.getBoundingClientRect().height < 43.5);
  const wide = document.documentElement.scrollWidth > innerWidth ? [document.documentElement] : [];
  return [...outside, ...small, ...wide].map((element) => element.outerHTML.slice(0, 100));
}

const clipboard = () => {
  const told = (globalThis.testTold = {});
  Object.defineProperty(navigator, "clipboard", { configurable: true, value: { writeText: async (text) => void (told.copied = text) } });
  if (!navigator.mediaDevices) return;
  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = (wish) => {
    told.asked = [...(told.asked ?? []), ...Object.keys(wish)];
    return real(wish);
  };
};
const told = ({ page }) => page.evaluate(() => globalThis.testTold);

for (const [name, launch] of Object.entries({ Chromium: chromium, Firefox: firefox })) {
  test(`all is well, and can be sent on, ${name}`, async (t) => {
    const schemes = { dark: await launch({ preferences: { "layout.css.prefers-color-scheme.content-override": 0 } }) };
    t.after(() => schemes.dark.close());
    const person = await Person.open(schemes.dark, server.url, { before: clipboard });
    const loaded = [];
    person.page.on("request", (request) => loaded.push(new URL(request.url())));
    await Promise.all([person.page.waitForNavigation(), person.page.click('a[href="/check"]')]);

    const { level, sentence, rows } = await verdictOf(person);
    assert.match(sentence, /^Calls will work\. From here they go directly, or over UDP on port \d+\.$/);
    assert.equal(level, "good");
    const failed = Object.entries(rows).filter(([, { status }]) => status === "failed" || status === "running");
    assert.deepEqual(failed, []);
    const { found } = rows["Call through the relay"];
    // Over TCP where a busy machine was slow to answer over UDP.
    const [, rate] = /^([\d.]+) Mbit\/s over (?:UDP|TCP)[, ].*round trip [\d.]+ ms/.exec(found) ?? [];
    assert.ok(Number(rate) > 0.2 && Number(rate) < 1, `no more than the limit: ${found}`);

    const hosts = new Set(loaded.filter(({ protocol }) => protocol !== "data:").map(({ host }) => host));
    assert.deepEqual([...hosts], [new URL(server.url).host], "nobody else is asked");
    assert.equal(loaded.some(({ pathname }) => ["/media.js", "/call.js", "/lobby.css"].includes(pathname)), false, "only what it needs");

    await person.page.click("#copy-report");
    await until("it says so", async () => (await person.text("#copy-report .label")) === "Copied");
    const { copied, asked } = await told(person);
    assert.equal(asked, undefined, "nobody was asked for a camera");
    assert.ok(copied.includes(sentence) && copied.includes(`${server.url}/check`), copied);
    assert.match(copied, /^ok {7}WebSocket .* in [\d.]+ ms\.$/m);
    assert.match(copied, /^ {2}relay udp 127\.0\.0\.1 port \d+, priority \d+, after \d+ ms$/m);

    await person.page.click("#ask");
    await until("both were asked for", async () => (await told(person)).asked?.join() === "audio,video");
    await until("there are devices", async () => /1 camera: ./.test(await person.text("#devices")));
    assert.deepEqual(person.errors, []);
    await person.page.click("#again");
    assert.equal((await verdictOf(person)).level, "good", "once more");
  });

  test(`small windows, light and dark, and whom axe-core speaks for, ${name}`, async (t) => {
    for (const scheme of ["dark", "light"]) {
      const browser = await launch({ preferences: { "layout.css.prefers-color-scheme.content-override": scheme === "dark" ? 0 : 1 } });
      t.after(() => browser.close());
      const person = await Person.open(browser, `${server.url}/check`, { before: () => Object.defineProperty(navigator, "clipboard", { value: undefined }) });
      if (name === "Chromium") await person.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      await verdictOf(person);
      await person.page.click("#copy-report");
      await until("the report is shown", () => person.text("#by-hand-label"));
      for (const size of [[320, 568], [360, 740], [568, 320], [1440, 900]]) {
        await person.page.setViewport({ width: size[0], height: size[1] });
        assert.deepEqual(await person.page.evaluate(wrongs), [], `${scheme}, ${size}`);
        assert.deepEqual(await violations(person), [], `${scheme}, ${size}`);
      }
      assert.deepEqual(person.errors, []);
    }
  });
}

test("a page that gets no credentials says so", async (t) => {
  const limited = await Server.start({ env: { CALLBOX__SIGNALING__VISITORS_PER_MINUTE: "1" } });
  t.after(() => limited.stop());
  const browser = await chromium();
  t.after(() => browser.close());
  await limited.get("/config.js?check");
  const person = await Person.open(browser, `${limited.url}/check`);
  const { level, sentence } = await verdictOf(person);
  assert.deepEqual([level, sentence], ["bad", "Calls will not work: the server did not tell this page how to reach it."]);
});
