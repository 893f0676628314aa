// Browsers that want a gesture before a page is heard.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Person, chromium, firefox } from "./lib/browser.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/until.mjs";

const STRICT = {
  Chromium: () => chromium({ args: ["--autoplay-policy=user-gesture-required"] }),
  Firefox: () => firefox({ preferences: { "media.autoplay.default": 5, "media.autoplay.blocking_policy": 2 } }),
};

/**
 * Runs an expression in the page. The usual way to do so counts as a gesture in Chromium.
 * @param {Person} person
 * @param {string} expression
 */
async function look(person, expression) {
  if (!person.session) return person.page.evaluate(expression);
  const { result } = await person.session.send("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true, userGesture: false });
  return result.value;
}

/**
 * Clicks into the middle of an element, and does no more than that: looking for it is no gesture either.
 * @param {Person} person
 * @param {string} selector
 */
async function click(person, selector) {
  const place = `(({ x, y, width, height }) => [x + width / 2, y + height / 2])(document.querySelector("${selector}").getBoundingClientRect())`;
  const [x, y] = await look(person, place);
  await person.page.mouse.click(x, y);
}

/**
 * Where that can be told apart, as what helps people to use a page does: a click, and neither pointer nor key.
 * @param {Person} person
 * @param {string} selector
 */
async function activate(person, selector) {
  if (!person.session) return click(person, selector);
  const expression = `document.querySelector("${selector}").click()`;
  await person.session.send("Runtime.evaluate", { expression, userGesture: true });
}

/** Somebody who joins without having touched the page. */
async function join(browser, name, url, options) {
  const person = await Person.open(browser, url, options);
  if (name === "Chromium") person.session = await person.page.createCDPSession();
  await until("the lobby", () => look(person, 'document.documentElement.dataset.shown === "lobby"'));
  await look(person, 'document.querySelector("#join").click()');
  return person;
}

for (const [name, launch] of Object.entries(STRICT)) {
  test(`where a page is silent before a gesture, a button asks for one, which brings the sound, ${name}`, async (t) => {
    const server = await Server.start();
    t.after(() => server.stop());
    const browser = await launch();
    t.after(() => browser.close());
    const url = `${server.url}/r/silent`;
    const ana = await join(browser, name, url);
    // A camera that is on would be permission enough in some browsers.
    const bo = await join(browser, name, url, { deny: true });
    await until("the button", () => look(bo, 'document.querySelector("#hear").checkVisibility()'));
    const plays = 'Array.from(document.querySelectorAll("video.remote"), (video) => !video.paused && !video.muted).join()';
    assert.equal(await look(bo, plays), "false");
    await activate(bo, "#hear");
    await until("it plays", async () => (await look(bo, plays)) === "true");
    await until("the button goes", async () => !(await bo.text("#hear")));

    const cy = await join(browser, name, url, { deny: true });
    await until("the button", () => look(cy, 'document.querySelector("#hear").checkVisibility()'));
    // Firefox takes its time to refuse: until those who were to be heard have left.
    await look(cy, `{
      globalThis.testRefusals = [];
      const refusal = new DOMException("before a gesture", "NotAllowedError");
      HTMLMediaElement.prototype.play = () => new Promise((_, reject) => globalThis.testRefusals.push(() => reject(refusal)));
      document.dispatchEvent(new PointerEvent("pointerup"));
    }`);
    for (const person of [ana, bo]) {
      assert.deepEqual(person.errors, []);
      await person.close();
    }
    await until("there is nobody to hear", () => look(cy, '!document.querySelector("#hear").checkVisibility()'));
    const asks = 'for (const refuse of testRefusals) refuse(); new Promise((resolve) => setTimeout(() => resolve(document.querySelector("#hear").checkVisibility())))';
    assert.equal(await look(cy, asks), false, "nor is anybody asked for a gesture then");
    assert.ok(await look(cy, "testRefusals.length > 0"));
    assert.deepEqual(cy.errors, []);
  });
}
