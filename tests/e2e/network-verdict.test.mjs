// Whose connection is bad? In a network of the test's own, where one of two loses packets, or what lies between them. Needs root.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Person } from "./lib/browser.mjs";
import { seeAndHear } from "./lib/expect.mjs";
import { Network } from "./lib/netns.mjs";
import { listen } from "./lib/said.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/until.mjs";

/** Reports, hysteresis, and a page that may say that it is its fault. */
const VERDICT_MS = 30_000;
/** On a busy machine the server's answers may be late for another reason: the first word is taken back then. */
const CORRECTED_MS = 60_000;
const CLEAR_MS = 20_000;

const network = new Network();
/** @type {import("./lib/netns.mjs").Machine} */
let internet;
/** @type {Server} */
let server;
/** It relays nothing: no repair finds a way around what lies between two. @type {Server} */
let withoutRelay;
/** Ana has both. @type {Record<"chromium" | "firefox" | "bo", import("puppeteer-core").Browser>} */
let browsers;

before(async () => {
  internet = network.router("internet");
  const host = network.machine("server");
  network.join(internet, host, "51.15.7.");
  const machines = ["ana", "bo"].map((name) => network.machine(name));
  machines.forEach((machine, index) => network.join(internet, machine, `51.15.${8 + index}.`));
  const [ana, bo] = machines;
  server = await Server.startOn(host, "51.15.7.1");
  const another = network.machine("another");
  network.join(internet, another, "51.15.6.");
  withoutRelay = await Server.startOn(another, "51.15.6.1", { CALLBOX__TURN__ENABLED: "false" });
  browsers = { chromium: await network.chromium(ana), firefox: await network.firefox(ana), bo: await network.chromium(bo) };
});
after(async () => {
  await Promise.all(Object.values(browsers ?? {}).map((browser) => browser.close()));
  await Promise.all([server?.stop(), withoutRelay?.stop()]);
  network.remove();
});

/** Every fifth packet from and to Ana is lost. */
const LOSS = `
  table inet filter {
    chain forward {
      type filter hook forward priority filter
      ip saddr 51.15.8.0/24 numgen random mod 100 < 20 counter drop comment "lost"
      ip daddr 51.15.8.0/24 numgen random mod 100 < 20 counter drop comment "lost"
    }
  }`;

/** The same between Ana and Bo alone: both reach the servers as before. */
const LOSS_BETWEEN = `
  table inet filter {
    chain forward {
      type filter hook forward priority filter
      ip saddr { 51.15.8.0/24, 51.15.9.0/24 } ip daddr { 51.15.8.0/24, 51.15.9.0/24 } numgen random mod 100 < 20 counter drop comment "lost"
    }
  }`;

/** How the page says that all is well or not: in the tile, over all tiles, and to screen readers. */
const look = (person) =>
  person.page.evaluate(() => {
    const seen = (element) => (element?.checkVisibility() ? element.textContent : "");
    const sign = document.querySelector(".signal");
    return {
      level: sign.dataset.level,
      name: sign.querySelector("button").getAttribute("aria-label"),
      tile: seen(sign.querySelector(".said")),
      own: seen(document.querySelector("#own-trouble")),
    };
  });

/**
 * What of that judges a connection; where packets are lost, a connection may be lost and come back besides.
 * @param {string[]} all
 */
const judging = (all) =>
  all.map((text) => text.replace(/The connection to \w+ is lost\. Reconnecting\.|\w+ is back\./g, "").trim()).filter(Boolean);

/** Two people in a room, who see and hear each other. */
async function meet(browser, room, { at = server, query = "" } = {}) {
  const url = (name) => `${at.url}/r/${room}?name=${name}${query}`;
  const people = [await Person.join(browser, url("Ana")), await Person.join(browsers.bo, url("Bo"))];
  await seeAndHear(people);
  for (const person of people) await until("the sign is good", async () => (await look(person)).name.endsWith(": good"));
  return people;
}

/** Waits until nothing is said of any connection any more. */
async function recovered(people) {
  for (const person of people) {
    await until("it is good again", async () => {
      const { level, tile, own } = await look(person);
      return level === "good" && tile === "" && own === "";
    }, CLEAR_MS);
  }
}

for (const [how, browser, query] of /** @type {const} */ ([["Chromium", "chromium", ""], ["Firefox, over the relay", "firefox", "&relay=udp"]])) {
  test(`the one who loses packets hears that it is the own connection, the other whose it is, ${how}`, async () => {
    const people = await meet(browsers[browser], `loss-${browser}`, { query });
    const [ana, bo] = people;
    const [heardByAna, heardByBo] = [await listen(ana), await listen(bo)];

    internet.rules(LOSS);
    await until("Ana hears that it is hers", async () => (await look(ana)).own === "Your connection is bad.", VERDICT_MS);
    await until("Bo hears that it is Ana's", async () => (await look(bo)).tile === "Ana's connection is bad.", VERDICT_MS);
    for (const person of people) {
      const { level, name } = await look(person);
      assert.equal(level, "bad");
      assert.match(name, /: bad$/);
    }
    assert.equal((await look(ana)).tile, "", "said once, not in each tile too");
    assert.equal((await look(bo)).own, "");

    internet.rules("");
    await recovered(people);
    assert.deepEqual(judging(await heardByAna()), ["Your connection is bad."]);
    const toBo = judging(await heardByBo());
    assert.equal(toBo.length, 1, `${toBo}`);
    await Promise.all(people.map((person) => person.close()));
  });
}

test("where packets are lost between both, each hears that it is neither's, Firefox and Chromium", async () => {
  const people = await meet(browsers.firefox, "between", { at: withoutRelay });
  const [ana, bo] = people;
  internet.rules(LOSS_BETWEEN);
  for (const [person, other] of /** @type {const} */ ([[ana, "Bo"], [bo, "Ana"]])) {
    const sentence = `The connection between you and ${other} is bad.`;
    await until(sentence, async () => (await look(person)).tile === sentence, CORRECTED_MS).catch(async (error) => {
      throw new Error(`${error.message} It says: ${JSON.stringify(await look(person))}`);
    });
    assert.equal((await look(person)).own, "");
  }
  assert.ok(internet.counted("lost") > 0);

  internet.rules("");
  await recovered(people);
  await Promise.all(people.map((person) => person.close()));
});
