// What is sent: as much as helps, and no more.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Person, chromium, firefox } from "./lib/browser.mjs";
import { seeAndHear } from "./lib/expect.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/until.mjs";

/** @type {Server} */
let server;

before(async () => (server = await Server.start()));
after(() => server?.stop());

/** A camera that is turned with `testTurn`; `before` of a Person. */
function turning() {
  const media = navigator.mediaDevices;
  if (!media) return;
  const own = media.getUserMedia.bind(media);
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d");
  globalThis.testTurn = (width, height) => Object.assign(canvas, { width, height });
  globalThis.testTurn(1280, 720);
  let turn = 0;
  setInterval(() => {
    pen.fillStyle = `hsl(${(turn += 9)} 60% 40%)`;
    pen.fillRect(0, 0, canvas.width, canvas.height);
  }, 50);
  media.getUserMedia = async (wish) => {
    const stream = await own({ audio: wish.audio });
    const [track] = canvas.captureStream(20).getVideoTracks();
    track.getSettings = () => ({ width: canvas.width, height: canvas.height });
    stream.addTrack(track);
    return stream;
  };
}

/** Packets of sound that somebody has received. */
const packets = (person) =>
  person.page.evaluate(async () => {
    const report = await globalThis.testConnections.at(-1).getStats();
    const [stat] = [...report.values()].filter(({ type, kind }) => type === "inbound-rtp" && kind === "audio");
    return stat.packetsReceived;
  });

/** Of sound, in a second. */
async function rate(person) {
  const [before, start] = [await packets(person), performance.now()];
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  return ((await packets(person)) - before) / ((performance.now() - start) / 1000);
}

/** A machine that can do more than this one; `before` of a Person. */
function manyCores() {
  Object.defineProperty(Navigator.prototype, "hardwareConcurrency", { get: () => 8 });
}

/** With which its camera is encoded, for each of the others. */
const codecs = (person) =>
  person.page.evaluate(() =>
    Promise.all(
      globalThis.testConnections
        .filter((pc) => pc.signalingState !== "closed")
        .map(async (pc) => {
          const report = await pc.getStats();
          const sent = [...report.values()].find(({ type, kind }) => type === "outbound-rtp" && kind === "video");
          return report.get(sent?.codecId)?.mimeType.split("/")[1];
        }),
    ),
  );

for (const [name, launch] of Object.entries({ Chromium: chromium, Firefox: firefox })) {
  const join = (browser, room, before) => Person.join(browser, `${server.url}/r/${room}-${name}`, { before });

  test(`sound mends losses and rests in silence, ${name}`, async (t) => {
    const browser = await launch();
    t.after(() => browser.close());
    const people = [await join(browser, "opus"), await join(browser, "opus")];
    await seeAndHear(people);
    for (const person of people) {
      const sdp = await person.page.evaluate(() => globalThis.testConnections.at(-1).remoteDescription.sdp);
      assert.match(sdp, /^a=fmtp:\d+ .*useinbandfec=1/m);
      assert.match(sdp, /^a=fmtp:\d+ .*usedtx=1/m);
    }
    await people[1].press("#mic");
    await until("hardly a packet", async () => (await rate(people[0])) < 20);
    await people[1].press("#mic");
    await until("packets again", async () => (await rate(people[0])) > 20);
  });

  test(`more people get smaller pictures each, ${name}`, async (t) => {
    const browser = await launch();
    t.after(() => browser.close());
    const people = [await join(browser, "mesh", manyCores), await join(browser, "mesh", turning)];
    await seeAndHear(people);
    const codec = (wanted) => until(`${wanted} is sent`, async () => (await codecs(people[0])).every((codec) => codec === wanted));
    await codec("VP9");
    /** Lines and bits that somebody sends to each, at the most. */
    const sent = (person = people[0]) =>
      person.page.evaluate(() =>
        globalThis.testConnections
          .filter((pc) => pc.signalingState !== "closed")
          .map((pc) => {
            const sender = pc.getSenders().find(({ track }) => track?.kind === "video");
            const [{ scaleResolutionDownBy = 1, maxBitrate }] = sender.getParameters().encodings;
            const { width, height } = sender.track.getSettings();
            return { lines: Math.min(width, height) / scaleResolutionDownBy, bits: maxBitrate };
          }),
      );
    await until("it is shaped", async () => (await sent())[0].bits > 0);
    const [two] = await sent();
    // Nobody is sent pictures behind another tab.
    await people[0].page.bringToFront();
    await people[1].page.select("#limit", "360");
    await until("half of it", async () => (await sent(people[1]))[0].lines === 360);
    await people[1].page.evaluate(() => globalThis.testTurn(360, 640));
    // Firefox sees it once the tab is in front.
    for (const person of [people[1], people[0]]) await person.page.bringToFront();
    await until("all of it", async () => (await sent(people[1]))[0].lines === 360);

    // Firefox's camera has but 720 lines.
    if (name === "Chromium") {
      await people[1].page.setViewport({ width: 1920, height: 1300 });
      for (const lines of [1080, 720]) {
        await people[0].page.select("#limit", String(lines));
        await until(`${lines} lines`, async () => (await sent())[0].lines === lines);
      }
    }
    for (let more = 0; more < 3; more += 1) people.push(await join(browser, "mesh"));
    await until("five are there", async () => (await people[0].tiles()).filter(({ state }) => state === "connected").length === 4);
    await until("each gets less", async () => {
      const all = await sent();
      return all.length === 4 && all.every(({ lines, bits }) => lines <= 400 && bits < two.bits);
    });
    await codec("VP8");
  });
}
