// The sign in a tile that tells how good a connection is, and the panel behind it, in both browsers.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Person, chromium, firefox } from "./lib/browser.mjs";
import { seeAndHear } from "./lib/expect.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/until.mjs";

/** @type {Server} */
let server;
/** @type {Record<string, import("puppeteer-core").Browser>} */
const browsers = {};
const NAMES = ["Chromium", "Firefox"];

before(async () => {
  server = await Server.start();
  browsers.Chromium = await chromium();
  browsers.Firefox = await firefox();
});
after(async () => {
  await Promise.all(Object.values(browsers).map((browser) => browser.close()));
  await server?.stop();
});

/** Firefox shows one tab at a time, and nobody sends pictures to one that is hidden: that is not what is tested here. */
function seen() {
  Object.defineProperty(document, "visibilityState", { get: () => "visible" });
}

/**
 * Ana and Bo in a room.
 * @param {string} name  of the browser
 * @param {string} query
 */
async function pair(name, query = "") {
  const people = [];
  for (const who of ["Ana", "Bo"]) {
    const url = `${server.url}/r/panel-${name}${query.replace(/\W/g, "-")}?name=${who}${query}`;
    people.push(await Person.join(browsers[name], url, { before: seen }));
  }
  await seeAndHear(people);
  return people;
}

const close = (people) => Promise.all(people.map((person) => person.close()));

/** The texts of the panel, by what they are called. */
const figures = (person) =>
  person.page.evaluate(() => {
    const facts = [...document.querySelectorAll("#connection-facts > div")];
    const flows = [...document.querySelectorAll("#connection-flows tr:not([hidden])")];
    return Object.fromEntries([
      ...facts.map((fact) => [fact.querySelector("dt").textContent, fact.querySelector(".value").textContent]),
      ...flows.map((row) => [row.querySelector("th").textContent, [...row.querySelectorAll(".value")].map((cell) => cell.textContent)]),
    ]);
  });

async function open(person) {
  await person.page.click(".signal button");
  await until("the panel is open", () => person.text("#connection-title"));
  await until("there are figures", async () => (await figures(person)).Route);
}

/** The name or the id of what has the focus; Firefox handles keys a little later. */
const focus = (person, wanted) =>
  until(`${wanted} has the focus`, () =>
    person.page.evaluate((wanted) => {
      const { id, ariaLabel } = document.activeElement;
      return id === wanted || ariaLabel?.startsWith(wanted);
    }, wanted),
  );
const graph = (person) => person.page.$eval("#connection-flows .line", (line) => line.getAttribute("d"));

for (const name of NAMES) {
  test(`${name}: a direct call says so, with live figures each way`, async () => {
    const people = await pair(name);
    const [ana] = people;
    await open(ana);
    assert.equal(await ana.text("#connection-title"), "Connection to Bo");
    assert.equal((await figures(ana)).Route, "Direct");
    await until("all figures are there", async () => {
      const all = await figures(ana);
      const flowing = all["Bit rate"].every((text) => /^\d.* [kM]bit\/s$/.test(text));
      const pictures = all.Camera.every((text) => /^\d+\s×\s\d+, \d+\sfps$/.test(text));
      const quality = [...all.Loss, ...all.Jitter].every((text) => /^\d.* (%|ms)$/.test(text));
      return flowing && pictures && quality && /^\d+ ms$/.test(all["Round trip"]) && all.Codecs.every((text) => /VP[89].*Opus/.test(text));
    });
    assert.equal((await figures(ana)).Screen, undefined, "nobody shares one");
    const before = { all: await figures(ana), graph: await graph(ana) };
    await until("they move", async () => (await figures(ana))["Bit rate"].some((text, index) => text !== before.all["Bit rate"][index]));
    assert.notEqual(await graph(ana), before.graph);
    const sign = () => ana.page.$eval(".signal button", (button) => button.getAttribute("aria-label"));
    await until("the sign is good", async () => (await sign()) === "Connection to Bo: good");
    await until("the sentence is good", async () => (await ana.text("#connection-verdict")) === "The connection is good.");

    await people[1].press("#camera");
    await until("the camera is off", async () => (await figures(ana)).Camera[0] === "Off");
    assert.deepEqual(ana.errors, []);
    await close(people);
  });

  test(`${name}: the panel is opened and closed with keys alone, and gives the focus back`, async () => {
    const people = await pair(name, "&keys=1");
    const [ana, bo] = people;
    await ana.page.bringToFront();
    await ana.page.focus(".signal button");
    await focus(ana, "Connection to Bo");
    await ana.page.keyboard.press("Enter");
    await focus(ana, "connection-title");
    assert.equal(await ana.page.$eval(".signal button", (button) => button.getAttribute("aria-expanded")), "true");
    await ana.page.keyboard.press("Tab");
    await focus(ana, "Close");
    await ana.page.keyboard.press("Escape");
    await focus(ana, "Connection to Bo");
    assert.equal(await ana.text("#connection-title"), "");
    await ana.page.keyboard.press("Enter");
    await focus(ana, "connection-title");
    await bo.press("#leave");
    await until("it closes with whom it is about", async () => (await ana.text("#connection-title")) === "");
    await focus(ana, "Microphone");
    await close(people);
  });
}
