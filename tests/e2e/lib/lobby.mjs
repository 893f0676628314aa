// The lobby of a room with the devices of `hardware`, and what it shows of them.

import { after, before } from "node:test";
import { Person, chromium, firefox } from "./browser.mjs";
import { hardware } from "./hardware.mjs";
import { Server } from "./server.mjs";
import { until } from "./until.mjs";

export const MIC = "#microphone-choice";
export const CAMERA = "#camera-choice";
export const SPEAKER = "#speaker-choice";

/** @param {Person} person */
export const value = (person, select) => person.page.$eval(select, (element) => element.value);
export const labels = (person, select) => person.page.$$eval(`${select} option`, (options) => options.map((option) => option.text));
export const pressed = (person, button) => person.page.$eval(button, (element) => element.getAttribute("aria-pressed"));
export const level = (person) => person.page.$eval("#mic-level", (meter) => Number(meter.getAttribute("aria-valuenow")));
export const plug = (person, ...device) => person.page.evaluate((device) => globalThis.testHardware.plug(...device), device);
export const unplug = (person, id) => person.page.evaluate((id) => globalThis.testHardware.unplug(id), id);
export const asked = (person) => person.page.evaluate(() => globalThis.testHardware.asked);
export const shownBy = (person, video) => person.page.$eval(video, (element) => element.srcObject.getVideoTracks()[0]?.label ?? "");
export const isUsed = (person, select, id) => until(`${id} is used`, async () => (await value(person, select)) === id);
export const isListed = (person, select, text) => until(`${text} is listed`, async () => (await labels(person, select)).includes(text));

/** The lobby at the URL of a room, once the devices are listed. */
async function openLobby(browser, url, options = {}) {
  const person = await Person.open(browser, url, { before: hardware, ...options });
  await until("devices are listed", async () => (await labels(person, MIC)).length > 0);
  if (!options.before) await isListed(person, MIC, "Mic 2");
  return person;
}

/** @param {() => void} more  runs after `hardware`, and as that not in Firefox's empty page before */
export const withHardware = (more) => `if (navigator.mediaDevices) { (${hardware})(); (${more})(); }`;

/**
 * Firefox runs Web Audio only where the machine has a sound output.
 * @param {import("puppeteer-core").Browser} browser
 * @param {string} url
 */
async function runsWebAudio(browser, url) {
  const person = await Person.open(browser, url);
  const running = await person.page.evaluate(() => {
    const started = new AudioContext().resume().then(() => true);
    return Promise.race([started, new Promise((resolve) => setTimeout(() => resolve(false), 3_000))]);
  });
  await person.close();
  return running;
}

/** A server and both browsers, as long as the tests of a file run. */
export function inLobbies() {
  /** @type {Server} */
  let server;
  /** @type {Record<string, import("puppeteer-core").Browser>} */
  const browsers = {};
  /** @type {Record<string, boolean>} */
  const hasSound = { Chromium: true };
  before(async () => {
    server = await Server.start();
    browsers.Chromium = await chromium();
    browsers.Firefox = await firefox();
    hasSound.Firefox = await runsWebAudio(browsers.Firefox, server.url);
  });
  after(async () => {
    await Promise.all(Object.values(browsers).map((browser) => browser.close()));
    await server?.stop();
  });
  return {
    browsers,
    hasSound,
    address: () => server.url,
    lobby: (browser, room, options) => openLobby(browser, `${server.url}/r/${room}`, options),
  };
}
