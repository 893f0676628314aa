// Many pages in one room for a long time: do they stay connected, and does one of them grow?

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Person, chromium } from "../lib/browser.mjs";
import { video } from "../lib/netns.mjs";
import { noMicrophone } from "../lib/no-microphone.mjs";
import { Server } from "../lib/server.mjs";
import { until } from "../lib/until.mjs";
import { seconds, verdict } from "./figures.mjs";

/** Two cores encode it 56 times. */
const CAMERA = { width: 320, height: 180, rate: 5 };
/** What a page may grow by in a minute, in the second half: tables of the last minutes are full by then. */
const GROWTH = { kilobytes: 5, nodes: 0.5, listeners: 0.5 };
/** By then everything is loaded and compiled. */
const FIRST_MINUTE = 1;

/** Runs in the page: counts what happens to its connections from now on. */
function recordTrouble() {
  globalThis.testTrouble = [];
  for (const pc of globalThis.testConnections) {
    pc.addEventListener("connectionstatechange", () => globalThis.testTrouble.push(pc.connectionState));
  }
}

/**
 * The heap after garbage was collected, and how much of the document there is.
 * @param {import("puppeteer-core").CDPSession} session
 */
async function memory(session) {
  // Twice, since what a finaliser lets go is collected the next time only.
  for (let time = 0; time < 2; time += 1) await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  const { nodes, jsEventListeners } = await session.send("Memory.getDOMCounters");
  return { kilobytes: usedSize / 1024, nodes, listeners: jsEventListeners };
}

/**
 * How much it grows in a minute: the line through all points that is nearest to them.
 * @param {[number, number][]} points  minute and amount
 */
export function slope(points) {
  const mean = (index) => points.reduce((sum, point) => sum + point[index], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const sum = (value) => points.reduce((total, point) => total + value(point), 0);
  return sum(([minute, amount]) => (minute - x) * (amount - y)) / sum(([minute]) => (minute - x) ** 2);
}

/** @param {Person[]} people @param {number[]} before  frames by then */
async function watch(people, before) {
  const frames = [];
  const problems = [];
  for (const [index, person] of people.entries()) {
    const tiles = await person.tiles();
    const connected = tiles.filter(({ state, width }) => state === "connected" && width > 0).length;
    const all = await person.stats();
    frames.push(Math.min(...all.map((each) => each.frames)));
    if (connected < people.length - 1) problems.push(`page ${index + 1} sees ${connected}`);
    if (frames[index] <= (before[index] ?? -1)) problems.push(`page ${index + 1} has a still picture`);
    const trouble = await person.page.evaluate(() => globalThis.testTrouble.splice(0));
    if (trouble.length) problems.push(`page ${index + 1}: ${trouble.join(", ")}`);
    problems.push(...person.errors.splice(0));
  }
  return { frames, problems };
}

/** @param {{ minutes: number, pages: number }} options */
export async function measureRoom({ minutes, pages }) {
  const dir = mkdtempSync(path.join(tmpdir(), "callbox-room-"));
  const film = path.join(dir, "camera.y4m");
  writeFileSync(film, video(CAMERA));
  const server = await Server.start();
  const browser = await chromium({ args: [`--use-file-for-fake-video-capture=${film}`] });
  try {
    const people = [];
    while (people.length < pages) people.push(await Person.join(browser, `${server.url}/r/many`, { before: noMicrophone }));
    for (const person of people) {
      const seen = async () => (await person.tiles()).filter(({ state, width }) => state === "connected" && width > 0).length;
      await until("everybody's picture", async () => (await seen()) === pages - 1, 60_000);
      await person.page.evaluate(recordTrouble);
    }
    console.log(`${pages} pages in a room, ${CAMERA.width}x${CAMERA.height} at ${CAMERA.rate} frames/s, without sound`);
    await observe(people, minutes);
  } finally {
    await browser.close();
    await server.stop();
    rmSync(dir, { recursive: true });
  }
}

/** @param {Person[]} people @param {number} minutes */
async function observe(people, minutes) {
  const session = await people[0].page.createCDPSession();
  const begin = performance.now();
  const points = [];
  let frames = [];
  let troubled = 0;
  for (let minute = Math.min(FIRST_MINUTE, minutes / 3); ; minute = Math.min(minute + minutes / 10, minutes)) {
    await seconds(minute * 60 - (performance.now() - begin) / 1000);
    const found = await watch(people, frames);
    frames = found.frames;
    const { kilobytes, nodes, listeners } = await memory(session);
    points.push({ minute, kilobytes, nodes, listeners });
    troubled += found.problems.length;
    const state = found.problems.join("; ") || "all connected, all pictures move";
    console.log(`  minute ${minute.toFixed(1)}: ${state}; page 1: ${Math.round(kilobytes)} KiB, ${nodes} nodes, ${listeners} listeners`);
    if (minute >= minutes) break;
  }
  const late = points.filter(({ minute }) => minute >= minutes / 2);
  const grows = (key) => slope(late.map((point) => [point.minute, point[key]]));
  const [first, last] = [points[0], points.at(-1)];
  console.log(`  problems: ${troubled}, ${verdict(troubled === 0, "0")}`);
  for (const [key, most] of Object.entries(GROWTH)) {
    const from = `${Math.round(first[key])} at minute ${first.minute.toFixed(1)}, ${Math.round(last[key])} at the end`;
    const growth = grows(key);
    console.log(`  ${key}: ${from}, growing ${growth.toFixed(1)} a minute in the second half, ${verdict(growth <= most, `at most ${most}`)}`);
  }
}
