import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { KEPT, SAMPLE_MS, Watch } from "../../web/watch.js";

/** What a browser tells of a connection that sends a picture; `lost` of 100 packets are lost between two samples. */
class FakePeer {
  state = "connected";
  remote = null;
  asked = 0;
  lost = 0;
  available = 900_000;
  limit = "none";
  #totals = { packets: 0, lost: 0 };
  connection = {
    getStats: async () => {
      this.asked += 1;
      this.#totals.packets += 100 - this.lost;
      this.#totals.lost += this.lost;
      return report(this.asked * SAMPLE_MS, this.#totals, this);
    },
  };
}

function report(timestamp, { packets, lost }, { available: availableOutgoingBitrate, limit: qualityLimitationReason }) {
  const stats = [
    { id: "T", type: "transport", selectedCandidatePairId: "P" },
    { id: "P", type: "candidate-pair", availableOutgoingBitrate },
    { id: "I", type: "inbound-rtp", kind: "audio", packetsReceived: packets, packetsLost: lost },
    { id: "O", type: "outbound-rtp", kind: "video", packetsSent: packets, qualityLimitationReason, framesSent: packets, frameWidth: 640, frameHeight: 360 },
  ];
  return new Map(stats.map((stat) => [stat.id, { ...stat, timestamp }]));
}

let now = 0;
let seen;
let watch;
beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setInterval"] });
  mock.method(performance, "now", () => now);
  seen = { available: [], strained: 0, trouble: [], hurry: [] };
  watch = new Watch({
    onsample: () => {},
    onavailable: (id, bitrate) => seen.available.push([id, bitrate]),
    onstrained: () => (seen.strained += 1),
    ontrouble: (trouble) => seen.trouble.push(trouble),
    onhurry: (hurry) => seen.hurry.push(hurry),
  });
});

async function samples(count) {
  for (let sample = 0; sample < count; sample += 1) {
    now += SAMPLE_MS;
    mock.timers.tick(SAMPLE_MS);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("a report that never comes keeps the others from nothing for long", async (t) => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setInterval", "setTimeout"] });
  t.after(() => mock.timers.reset());
  watch = new Watch({ onsample: () => {}, onavailable: () => {}, onstrained: () => {}, ontrouble: () => {}, onhurry: () => {} });
  const [bo, cy] = [new FakePeer(), new FakePeer()];
  bo.connection.getStats = () => new Promise(() => {});
  watch.add("bo", bo);
  watch.add("cy", cy);
  await samples(1);
  assert.equal(cy.asked, 1);
  await samples(9);
  assert.ok(cy.asked >= 3, `asked ${cy.asked} times`);
  watch.close();
});

test("nobody is sampled while nobody is there, and the history is bounded", async () => {
  const bo = new FakePeer();
  watch.add("bo", bo);
  await samples(KEPT + 5);
  assert.equal(watch.get("bo").samples.length, KEPT);
  assert.equal(bo.asked, KEPT + 5, "once each time");
  watch.remove("bo");
  await samples(3);
  assert.equal(bo.asked, KEPT + 5);
  watch.add("bo", bo);
  await samples(1);
  assert.equal(bo.asked, KEPT + 6);
});

test("what the path carries is said once the browser knows, and only where it says so", async () => {
  const [bo, cy] = [new FakePeer(), new FakePeer()];
  cy.available = undefined;
  watch.add("bo", bo);
  watch.add("cy", cy);
  await samples(4);
  assert.deepEqual(seen.available, []);
  await samples(3);
  assert.ok(seen.available.length > 0);
  assert.ok(seen.available.every(([id, bitrate]) => id === "bo" && bitrate === 900_000));
  const before = seen.available.length;
  bo.state = "reconnecting";
  await samples(1);
  bo.state = "connected";
  await samples(4);
  assert.equal(seen.available.length, before, "it has to find out anew");
});

test("a machine that is too slow for long is said to be, and a moment is nothing", async () => {
  const bo = new FakePeer();
  watch.add("bo", bo);
  bo.limit = "cpu";
  await samples(4);
  bo.limit = "none";
  await samples(1);
  bo.limit = "cpu";
  await samples(4);
  assert.equal(seen.strained, 0);
  await samples(1);
  assert.equal(seen.strained, 1);
});

test("where packets get lost and the server's answers are late, the others are told, until it is good again", async () => {
  const bo = new FakePeer();
  watch.add("bo", bo);
  await samples(3);
  assert.equal(seen.hurry.at(-1), false);
  bo.lost = 20;
  await samples(1);
  assert.equal(seen.hurry.at(-1), true, "with the first bad sample");
  for (const ms of [3, 2, 230, 3, 440]) watch.pong(ms);
  await samples(1);
  assert.deepEqual([watch.get("bo").verdict.level, watch.get("bo").verdict.fault], ["bad", "mine"]);
  assert.equal(seen.trouble.at(-1), true);
  bo.lost = 0;
  await samples(3);
  assert.equal(watch.get("bo").verdict.level, "good");
  assert.deepEqual([seen.trouble.at(-1), seen.hurry.at(-1)], [false, false]);
});

test("a peer that cannot be asked does not hinder the others", async () => {
  const told = mock.method(console, "error", () => {});
  const [bo, cy, dee] = [new FakePeer(), new FakePeer(), new FakePeer()];
  bo.connection.getStats = () => Promise.reject(new Error("closed"));
  dee.connection.getStats = async () => new Map([["rubbish", null]]);
  watch.add("bo", bo);
  watch.add("cy", cy);
  watch.add("dee", dee);
  await samples(2);
  assert.deepEqual(["bo", "cy", "dee"].map((id) => watch.get(id).samples.length), [0, 2, 0]);
  assert.equal(told.mock.callCount(), 2, "what makes no sense is a fault to be seen");
  told.mock.restore();
});
