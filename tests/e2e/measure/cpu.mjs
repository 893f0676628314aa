// Processor time of a call of two.
//
// What is compared is the page, not the encoder: the bare page gets the codec, the encoding parameters and the sizes and
// places of both videos that the real page has chosen. What both send is printed, so that one sees that it is the same.

import { until } from "../lib/until.mjs";
import { kbit, ratio, seconds, spread } from "./figures.mjs";
import { KINDS, enterRoom, seesMotion, withBoth } from "./pages.mjs";
import { processorTime } from "./processes.mjs";

/** How long the bandwidth estimate may need until the picture has its full size. */
const RAMP_MS = 30_000;
/** For the encoder to settle. */
const SETTLE_SECONDS = 5;

/** @typedef {Awaited<ReturnType<typeof look>>} Look */

/** Runs in the page: how the real page shows and sends pictures. */
async function look() {
  const box = (selector) => {
    const { left, top, width, height } = document.querySelector(selector)?.getBoundingClientRect() ?? {};
    return width ? { left, top, width, height } : null;
  };
  const pc = globalThis.testConnections.at(-1);
  const sender = pc.getSenders().find(({ track }) => track?.kind === "video");
  const { maxBitrate, maxFramerate, scaleResolutionDownBy } = sender.getParameters().encodings[0];
  const report = await sender.getStats();
  const sent = [...report.values()].find(({ type }) => type === "outbound-rtp");
  return {
    boxes: { "video.remote": box("video.remote"), "#preview": box("#self-video") },
    encoding: { maxBitrate, maxFramerate, scaleResolutionDownBy },
    codec: report.get(sent.codecId).mimeType.split("/")[1],
  };
}

/** Runs in the bare page: takes over what the real one has. @param {Look} model */
async function imitate({ boxes, encoding }) {
  for (const [selector, box] of Object.entries(boxes)) {
    const video = document.querySelector(selector);
    if (!box) video?.remove();
    if (!video || !box) continue;
    const pixels = Object.entries(box).map(([side, length]) => [side, `${length}px`]);
    Object.assign(video.style, { position: "fixed", objectFit: "cover" }, Object.fromEntries(pixels));
  }
  const pc = globalThis.testConnections.at(-1);
  const sender = pc.getSenders().find(({ track }) => track?.kind === "video");
  const parameters = sender.getParameters();
  Object.assign(parameters.encodings[0], encoding);
  await sender.setParameters(parameters);
}

/** Runs in the page: what it sends so far; undefined while the encoder is changed, and has no picture's size to tell. */
async function sent() {
  const report = await globalThis.testConnections.at(-1).getStats();
  const video = [...report.values()].find(({ type, kind, frameWidth }) => type === "outbound-rtp" && kind === "video" && frameWidth);
  if (!video) return undefined;
  const { bytesSent, framesEncoded, frameWidth, frameHeight, codecId, qualityLimitationReason } = video;
  const codec = report.get(codecId).mimeType.split("/")[1];
  return { at: performance.now(), bytesSent, framesEncoded, size: `${frameWidth}x${frameHeight}`, codec, limit: qualityLimitationReason };
}

/** @typedef {NonNullable<Awaited<ReturnType<typeof sent>>>} Sent */

/** @param {Sent} before @param {Sent} after */
function described(before, after) {
  const time = (after.at - before.at) / 1000;
  const rate = ((after.framesEncoded - before.framesEncoded) / time).toFixed(1);
  const bits = kbit(((after.bytesSent - before.bytesSent) * 8) / time);
  return `${after.codec} ${after.size}, ${rate} frames/s, ${bits}${after.limit === "none" ? "" : `, limited by ${after.limit}`}`;
}

/**
 * @param {import("puppeteer-core").Browser} browser
 * @param {string} url
 * @param {number} time  seconds
 * @param {Look} [model]  what to imitate
 */
async function call(browser, url, time, model) {
  const people = [await enterRoom(browser, url), await enterRoom(browser, url)];
  for (const person of people) await seesMotion(person);
  if (model) for (const { page } of people) await page.evaluate(imitate, model);
  const found = model ?? (await people[0].page.evaluate(look));
  const watch = () => Promise.all(people.map(({ page }) => until("what it sends", () => page.evaluate(sent))));
  // A machine that is too slow for it is measured as it is; what is printed tells.
  await until("full size", async () => (await watch()).every(({ limit }) => limit === "none"), RAMP_MS).catch(() => {});
  await seconds(SETTLE_SECONDS);
  const before = await watch();
  const [start, used] = [performance.now(), processorTime(browser.process().pid)];
  await seconds(time);
  const spent = processorTime(browser.process().pid) - used;
  const percent = (spent / (performance.now() - start)) * 100_000;
  const after = await watch();
  for (const person of people) await person.close();
  const frames = after.reduce((sum, each, index) => sum + each.framesEncoded - before[index].framesEncoded, 0);
  return { percent, perFrame: (spent / frames) * 1000, found, sent: before.map((each, index) => described(each, after[index])) };
}

/** @param {{ seconds: number, rounds: number, bareSelf: boolean }} options */
export async function measureCpu({ seconds: time, rounds, bareSelf }) {
  await withBoth(async (servers, browser) => {
    const percents = { real: [], bare: [] };
    // Says more where a busy machine has let one of the two send fewer frames.
    const perFrames = { real: [], bare: [] };
    // Warms the browser up, and tells the bare page what to imitate.
    const { found } = await call(browser, `${servers.real.url}/r/cpu-first`, 1);
    introduce({ time, rounds, bareSelf, found });
    const query = { real: "", bare: `?codec=${found.codec}${bareSelf ? "" : "&self=0"}` };
    for (let round = 0; round < rounds; round += 1) {
      for (const kind of round % 2 ? KINDS.toReversed() : KINDS) {
        const url = `${servers[kind].url}/r/cpu-${round}${query[kind]}`;
        const { percent, perFrame, sent } = await call(browser, url, time, kind === "bare" ? found : undefined);
        percents[kind].push(percent);
        perFrames[kind].push(perFrame);
        console.log(`  ${kind} ${percent.toFixed(1)} %, ${perFrame.toFixed(2)} ms a frame; sent: ${sent.join(" | ")}`);
      }
    }
    console.log(`  % of one core: real ${spread(percents.real, 1)}, bare ${spread(percents.bare, 1)}, ${ratio(percents, 1.05)}`);
    console.log(`  ms per sent frame: real ${spread(perFrames.real, 2)}, bare ${spread(perFrames.bare, 2)}, ${ratio(perFrames, 1.05)}`);
  });
}

/** @param {{ time: number, rounds: number, bareSelf: boolean, found: Look }} given */
function introduce({ time, rounds, bareSelf, found }) {
  const [remote, self] = Object.values(found.boxes).map((box) => box && `${Math.round(box.width)}x${Math.round(box.height)}`);
  const own = !self ? "" : bareSelf ? ` and the own one at ${self}` : `; only the real page shows the own one, at ${self}`;
  console.log(`CPU of a call of two, both pages in one Chromium, in % of one core, ${rounds} rounds of ${time} s each.`);
  console.log(`  Both show the remote picture at ${remote}${own}.`);
}
