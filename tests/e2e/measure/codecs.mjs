// What each video codec costs and gives: one 1280x720 picture at 30 frames/s from one connection to another of one page.
//
// How to read it. CPU is that of the whole browser for one encoder and one decoder, with the camera and a shown picture;
// the row "none" is what the latter take by themselves. In a room of n, each page encodes and decodes n - 1 times, so ms
// per frame matters most there: an encoder that takes more than 33 ms cannot keep up with 30 frames/s at all, and
// n - 1 times the sum of both has to fit into the cores' time. PSNR (dB) and SSIM (1 is the same) compare luma with the
// picture that was sent, enlarged again where the encoder went down in size: half a dB is hardly to be seen, one is, and
// above 40 dB it is only the camera's noise that is missing. Compare rows of the same bitrate, size and frame rate; where
// an encoder drops frames or shrinks the picture, it pays with that instead of PSNR. With --height 360 all get the size
// that web/quality.js chooses for 400 kbit/s, and are compared at that size.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { bareServer } from "../lib/bare.mjs";
import { Person, chromium } from "../lib/browser.mjs";
import { until } from "../lib/until.mjs";
import { kbit, seconds } from "./figures.mjs";
import { CODE, FILM, writeFilm } from "./film.mjs";
import { processorTime } from "./processes.mjs";

const CAPS = [1_500_000, 400_000];
/** How long the bandwidth estimate may need for the cap. */
const RAMP_MS = 15_000;
/** For the encoder to make use of it. */
const SETTLE_SECONDS = 2;
/** Not while CPU is measured: comparing takes some too. */
const COMPARE_SECONDS = 6;

/** @param {{ seconds: number, height: number, only?: string[] }} options  height: that the encoders are given at the most */
export async function measureCodecs({ seconds: time, height, only }) {
  const dir = mkdtempSync(path.join(tmpdir(), "callbox-film-"));
  const film = path.join(dir, "film.y4m");
  writeFilm(film);
  const server = await bareServer();
  const browser = await chromium({ args: [`--use-file-for-fake-video-capture=${film}`] });
  try {
    const { page } = await Person.open(browser, `${server.url}/codecs.html`);
    await until("the page's script", () => page.evaluate(() => "bench" in globalThis));
    const names = await page.evaluate((...given) => globalThis.bench.open(...given), CODE, FILM.frames, height);
    console.log(`Codecs of this browser: ${names.join(", ")}. Sent at up to ${height} lines, ${time} s each.`);
    const used = () => processorTime(browser.process().pid);
    console.log(`  none: ${(await percentOver(time, used)).toFixed(0)} % of one core`);
    for (const cap of CAPS) {
      const encoding = { maxBitrate: cap, scaleResolutionDownBy: FILM.height / height };
      for (const name of names.filter((name) => !only || only.includes(name))) await one({ page, used, name, encoding, time });
    }
  } finally {
    await browser.close();
    await server.stop();
    rmSync(dir, { recursive: true });
  }
}

/** @param {number} time @param {() => number} used */
async function percentOver(time, used) {
  const [begin, before] = [performance.now(), used()];
  await seconds(time);
  return ((used() - before) / (performance.now() - begin)) * 100_000;
}

/** @param {{ page: import("puppeteer-core").Page, used: () => number, name: string, encoding: { maxBitrate: number, scaleResolutionDownBy: number }, time: number }} options */
async function one({ page, used, name, encoding, time }) {
  const { maxBitrate } = encoding;
  await page.evaluate((name, encoding) => globalThis.bench.connect(name, encoding), name, encoding);
  const stats = () => page.evaluate(() => globalThis.bench.stats());
  // An encoder that is too slow never gets there; it is measured as it is.
  await until("the bandwidth", async () => (await stats()).available > 0.95 * maxBitrate, RAMP_MS).catch(() => {});
  await seconds(SETTLE_SECONDS);
  const before = await stats();
  const percent = await percentOver(time, used);
  const after = await stats();
  const { psnr, ssim, pictures } = await page.evaluate((time) => globalThis.bench.compare(time), COMPARE_SECONDS);
  const per = (key, count = after.at - before.at) => (after[key] - before[key]) / count;
  const encode = (per("encodeTime", after.encoded - before.encoded) * 1000).toFixed(1);
  const decode = (per("decodeTime", after.decoded - before.decoded) * 1000).toFixed(1);
  const perFrame = (percent * 10) / per("encoded");
  const limit = after.limit === "none" ? "" : `, limited by ${after.limit}`;
  console.log(
    [
      `  ${after.codec} (${after.by}) up to ${kbit(maxBitrate)}: ${percent.toFixed(0)} % of one core, ${perFrame.toFixed(1)} ms a frame`,
      `${encode} ms to encode a frame and ${decode} to decode it`,
      `${kbit(per("bytes") * 8)}, ${after.size}, ${per("decoded").toFixed(1)} frames/s${limit}`,
      `PSNR ${psnr.toFixed(1)} dB, SSIM ${ssim.toFixed(3)} (${pictures} pictures)`,
    ].join("; "),
  );
  await page.evaluate(() => globalThis.bench.close());
}
