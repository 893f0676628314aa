// A first visit over a slow line: what is transferred, when something is seen, and whether it stays where it is.

import { Person, chromium } from "../lib/browser.mjs";
import { Server } from "../lib/server.mjs";
import { until } from "../lib/until.mjs";
import { median, seconds, spread, verdict } from "./figures.mjs";

/** As Lighthouse's slow 4G. The latency is added to each request, but not to the handshakes before it. */
const LINE = { offline: false, latency: 150, downloadThroughput: 1_600_000 / 8, uploadThroughput: 750_000 / 8 };

/** After which no more is expected to move. */
const CALM_SECONDS = 1.5;

/** Runs in the page before its scripts: collects what moves without anybody having touched anything. */
function recordShifts() {
  globalThis.testShifts = [];
  const named = ({ node }) => `${node?.nodeName}${node?.id ? `#${node.id}` : ""}`;
  new PerformanceObserver((list) => {
    for (const { value, hadRecentInput, sources } of list.getEntries()) {
      if (!hadRecentInput) globalThis.testShifts.push({ value, what: sources.map(named) });
    }
  }).observe({ type: "layout-shift", buffered: true });
}

/** One page of somebody who was never here, and what it transfers and says. */
class Visit {
  bytes = 0;
  requests = 0;
  /** @type {string[]} */
  messages = [];

  /** @param {import("puppeteer-core").Browser} browser */
  static async begin(browser) {
    const visit = new Visit();
    const context = await browser.createBrowserContext();
    visit.page = await context.newPage();
    await visit.page.setViewport({ width: 1280, height: 800 });
    await visit.page.evaluateOnNewDocument(recordShifts);
    const session = await visit.page.createCDPSession();
    await session.send("Network.enable");
    await session.send("Network.emulateNetworkConditions", LINE);
    session.on("Network.requestWillBeSent", () => (visit.requests += 1));
    session.on("Network.loadingFinished", ({ encodedDataLength }) => (visit.bytes += encodedDataLength));
    visit.page.on("console", (message) => visit.messages.push(`${message.type()}: ${message.text()}`));
    visit.page.on("pageerror", (error) => visit.messages.push(String(error)));
    visit.page.on("dialog", (dialog) => void dialog.accept());
    return visit;
  }

  /** @param {string} url */
  async open(url) {
    await this.page.goto(url, { waitUntil: "networkidle0" });
  }

  async paints() {
    const entries = await this.page.evaluate(() => performance.getEntriesByType("paint").map(({ name, startTime }) => [name, startTime]));
    return Object.fromEntries(entries);
  }

  /** What has moved since this was last asked. */
  async shift() {
    await seconds(CALM_SECONDS);
    const shifts = await this.page.evaluate(() => globalThis.testShifts.splice(0));
    const value = shifts.reduce((sum, each) => sum + each.value, 0);
    return { value, what: [...new Set(shifts.flatMap(({ what }) => what))].join(" ") };
  }

  async end() {
    await this.page.browserContext().close();
  }
}

/** @param {import("puppeteer-core").Browser} browser @param {Server} server */
async function startPage(browser, server) {
  const visit = await Visit.begin(browser);
  await visit.open(`${server.url}/`);
  await visit.page.waitForSelector("#new-room", { visible: true });
  const shifts = { "start page": await visit.shift() };
  const paints = await visit.paints();
  await visit.end();
  return { ...visit, paints, shifts };
}

/** Lobby and call; somebody else comes into the room. @param {import("puppeteer-core").Browser} browser @param {Server} server */
async function roomPage(browser, server, run) {
  const url = `${server.url}/r/visit-${run}`;
  const visit = await Visit.begin(browser);
  await visit.open(url);
  await until("the preview", () => visit.page.$eval("#preview", (video) => video.videoWidth > 0));
  const lobby = await visit.shift();
  const paints = await visit.paints();
  await visit.page.click("#join");
  await visit.page.waitForSelector("#leave", { visible: true });
  const joined = await visit.shift();
  const other = await Person.join(browser, url);
  await until("a picture", () => visit.page.$$eval("video.remote", (videos) => videos.some((video) => video.videoWidth > 0)));
  const shifts = { lobby, "after joining": joined, "when another one comes": await visit.shift() };
  await visit.end();
  await other.close();
  return { ...visit, paints, shifts };
}

/** @param {{ runs: number }} options */
export async function measureVisit({ runs }) {
  const server = await Server.start();
  const browser = await chromium();
  try {
    console.log("First visit, 1.6 Mbit/s and 150 ms, nothing in the cache:");
    for (const [name, visit] of Object.entries({ "start page": startPage, "room's page": roomPage })) {
      const visits = [];
      for (let run = 0; run < runs; run += 1) visits.push(await visit(browser, server, run));
      report(name, visits);
    }
  } finally {
    await browser.close();
    await server.stop();
  }
}

/** @param {string} name @param {Awaited<ReturnType<typeof startPage>>[]} visits */
function report(name, visits) {
  const [{ bytes, requests }] = visits;
  const kilobytes = bytes / 1000;
  console.log(`  ${name}: ${kilobytes.toFixed(1)} kB in ${requests} requests, ${verdict(kilobytes < 90, "less than 90 kB")}`);
  const of = (paint) => visits.map(({ paints }) => paints[paint]);
  const first = of("first-paint");
  console.log(`    first paint ${spread(first)} ms, ${verdict(median(first) < 1000, "less than 1000 ms")}`);
  console.log(`    first contentful paint ${spread(of("first-contentful-paint"))} ms`);
  for (const stage of Object.keys(visits[0].shifts)) {
    const worst = visits.map(({ shifts }) => shifts[stage]).toSorted((a, b) => b.value - a.value)[0];
    console.log(`    layout shift, ${stage}: ${worst.value.toFixed(4)} ${worst.what}, ${verdict(worst.value === 0, "0")}`);
  }
  const messages = [...new Set(visits.flatMap((visit) => visit.messages))];
  console.log(`    console: ${messages.length ? messages.join("\n      ") : "nothing"}, ${verdict(messages.length === 0, "nothing")}`);
}
