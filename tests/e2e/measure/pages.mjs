// The two pages that are measured beside each other. Both have #join, #preview and video.remote.

import { bareServer } from "../lib/bare.mjs";
import { Person, chromium } from "../lib/browser.mjs";
import { Server } from "../lib/server.mjs";
import { until } from "../lib/until.mjs";

/** @typedef {"real" | "bare"} Kind */
export const KINDS = /** @type {const} */ (["real", "bare"]);

/** Rooms of runs that are over are not to stand in the way of later ones. */
const ENV = { CALLBOX__SIGNALING__MAX_ROOMS_PER_IP: "1000", CALLBOX__SIGNALING__MAX_CONNECTIONS_PER_IP: "1000" };

/**
 * Gives `use` a server for each page, the real one as it is built in or from CALLBOX__WEB__ROOT, and a browser for both.
 * @param {(servers: Record<Kind, Server>, browser: import("puppeteer-core").Browser) => Promise<void>} use
 */
export async function withBoth(use) {
  const servers = { real: await Server.start({ env: ENV }), bare: await bareServer(ENV) };
  const browser = await chromium();
  try {
    await use(servers, browser);
  } finally {
    await browser.close();
    for (const kind of KINDS) await servers[kind].stop();
  }
}

/** Runs in the page: notes when the server has let it into the room. */
function recordWelcome() {
  globalThis.WebSocket = class extends WebSocket {
    constructor(...args) {
      super(...args);
      this.addEventListener("message", ({ data }) => (globalThis.testWelcomed ||= JSON.parse(data).type === "welcome"));
    }
  };
}

/**
 * A page in front of Join, with its camera open.
 * @param {import("puppeteer-core").Browser} browser
 * @param {string} url
 */
export async function openReady(browser, url) {
  const person = await Person.open(browser, url, { before: recordWelcome });
  await until("the preview", () => person.page.$eval("#preview", (video) => video.videoWidth > 0));
  return person;
}

/**
 * @param {import("puppeteer-core").Browser} browser
 * @param {string} url
 */
export async function enterRoom(browser, url) {
  const person = await openReady(browser, url);
  await person.clickJoin();
  await until("in the room", () => person.page.evaluate(() => globalThis.testWelcomed === true));
  return person;
}

/** @param {Person} person */
export async function seesMotion({ page }) {
  const frames = () => page.evaluate(() => document.querySelector("video.remote")?.getVideoPlaybackQuality().totalVideoFrames ?? 0);
  await until("the remote picture moves", async () => (await frames()) > 5);
}

/** Runs in the page: clicks on Join; milliseconds until the first frame of the other side can be seen. */
export async function joinAndSee() {
  const begin = performance.now();
  document.querySelector("#join").click();
  const appeared = () =>
    new Promise((resolve) => {
      const observer = new MutationObserver(() => {
        const video = document.querySelector("video.remote");
        if (!video) return;
        observer.disconnect();
        resolve(video);
      });
      observer.observe(document.body, { childList: true, subtree: true });
    });
  const video = document.querySelector("video.remote") ?? (await appeared());
  do {
    await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
  } while (!video.checkVisibility({ visibilityProperty: true }));
  return performance.now() - begin;
}
