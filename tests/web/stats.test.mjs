import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { sampleOf } from "../../web/stats.js";

/** Two reports of a real call, two seconds apart. */
function recorded(name) {
  const file = path.join(import.meta.dirname, "fixtures", `${name}.json`);
  return JSON.parse(readFileSync(file, "utf8")).map((report) => new Map(Object.entries(report)));
}

const report = (...stats) => new Map(stats.map((stat) => [stat.id, stat]));
const inbound = (at, packetsReceived, packetsLost, more) => ({
  id: "in", type: "inbound-rtp", kind: "audio", timestamp: at, packetsReceived, packetsLost, bytesReceived: packetsReceived * 100, ...more,
});
const outbound = (at, packetsSent, more) => ({
  id: "out", type: "outbound-rtp", kind: "audio", timestamp: at, packetsSent, bytesSent: packetsSent * 100, ...more,
});
const told = (at, packetsLost, more) => ({
  id: "told", type: "remote-inbound-rtp", kind: "audio", timestamp: at, packetsLost, localId: "out", ...more,
});
const close = (value, expected, by) => assert.ok(Math.abs(value - expected) <= by, `${value} is not ${expected}`);

const RECORDED = {
  "chromium-direct": { route: "direct", codecs: ["VP8", "Opus"], available: true },
  "chromium-relay": { route: "tcp", codecs: ["VP8", "Opus"], available: true },
  "firefox-direct": { route: "direct", codecs: ["VP8", "Opus"], available: false },
  "firefox-relay": { route: "udp", codecs: ["VP8", "Opus"], available: false },
};
for (const [name, expected] of Object.entries(RECORDED)) {
  test(`a call that was recorded is told in full: ${name}`, () => {
    const [first, second] = recorded(name);
    const { route, roundTrip, available, received, sent } = sampleOf(second, sampleOf(first));
    assert.equal(route, expected.route);
    assert.ok(roundTrip >= 0 && roundTrip < 100, `${roundTrip}`);
    assert.equal(available !== null, expected.available);
    for (const flow of [received, sent]) {
      assert.ok(flow.bitrate > 100_000 && flow.bitrate < 3_000_000, `${flow.bitrate}`);
      assert.equal(flow.loss, 0);
      assert.ok(flow.jitter >= 0 && flow.jitter < 100, `${flow.jitter}`);
      assert.ok(flow.camera.width >= 320 && flow.camera.fps > 5, JSON.stringify(flow.camera));
      assert.equal(flow.screen, null);
      assert.deepEqual(flow.codecs, expected.codecs);
    }
  });
}

test("a line that carries a screen is told apart by its mid", () => {
  const [first, second] = recorded("chromium-direct");
  const { received } = sampleOf(second, sampleOf(first), new Set(["1"]));
  assert.equal(received.camera, null);
  assert.ok(received.screen.width > 0);
});

test("nothing at all makes a sample of what is not known", () => {
  const sample = sampleOf(new Map());
  assert.deepEqual([sample.route, sample.roundTrip, sample.available, sample.limited], [null, null, null, null]);
  assert.deepEqual(sample.received, { bitrate: null, camera: null, screen: null, codecs: [], loss: null, jitter: null });
  assert.deepEqual(sample.sent, sample.received);
  const bare = sampleOf(report({ id: "a", type: "inbound-rtp", timestamp: 1 }, { id: "b", type: "candidate-pair", timestamp: 1 }));
  assert.equal(bare.received.loss, null);
});

test("loss is the share since the sample before, not since the beginning", () => {
  const first = sampleOf(report(inbound(1_000, 1_000, 500)));
  assert.equal(first.received.loss, null, "there is nothing to compare with");
  const second = sampleOf(report(inbound(3_000, 1_080, 520)), first);
  assert.equal(second.received.loss, 0.2);
  const third = sampleOf(report(inbound(5_000, 1_180, 510)), second);
  assert.equal(third.received.loss, 0, "late packets take losses back");
  assert.equal(sampleOf(report(inbound(7_000, 1_180, 510)), third).received.loss, null, "nothing came that could be lost");
  close(third.received.bitrate, 40_000, 1);
});

test("counters that begin anew begin anew", () => {
  const before = sampleOf(report(inbound(1_000, 1_000, 500)));
  const restarted = sampleOf(report(inbound(3_000, 10, 0)), before);
  assert.deepEqual([restarted.received.loss, restarted.received.bitrate], [null, null]);
  assert.equal(sampleOf(report(inbound(5_000, 110, 0)), restarted).received.loss, 0);
});

test("what the other side lost holds until it tells anew, but not for ever", () => {
  const first = sampleOf(report(outbound(1_000, 100), told(900, 0)));
  const second = sampleOf(report(outbound(3_000, 200), told(2_900, 10)), first);
  assert.equal(second.sent.loss, 0.1);
  const third = sampleOf(report(outbound(5_000, 300), told(2_900, 10)), second);
  assert.equal(third.sent.loss, 0.1);
  const fourth = sampleOf(report(outbound(6_000, 350), told(5_900, 10)), third);
  assert.equal(fourth.sent.loss, 0, "over all that was sent since the report before");
  let last = second;
  for (let at = 5_000; at < 12_000; at += 2_000) last = sampleOf(report(outbound(at, 300), told(2_900, 10)), last);
  assert.equal(last.sent.loss, null);
});

test("where there is no round trip of the pair, that of the packets does", () => {
  assert.equal(sampleOf(report(outbound(1, 1), told(1, 0, { roundTripTime: 0.12 }))).roundTrip, 120);
});

const route = (local, remote, pair = { nominated: true }) =>
  sampleOf(
    report(
      { id: "pair", type: "candidate-pair", state: "succeeded", timestamp: 1, localCandidateId: "l", remoteCandidateId: "r", ...pair },
      { id: "l", type: "local-candidate", timestamp: 1, protocol: "udp", ...local },
      { id: "r", type: "remote-candidate", timestamp: 1, protocol: "udp", ...remote },
    ),
  ).route;

test("the route is that of the pair which was chosen", () => {
  const [host, relay] = [{ candidateType: "host" }, { candidateType: "relay" }];
  assert.equal(route(host, { candidateType: "prflx" }), "direct");
  assert.equal(route({ ...relay, relayProtocol: "tls" }, host), "tls");
  assert.equal(route({ ...relay, url: "turns:call.test:443?transport=tcp" }, host), "tls");
  assert.equal(route({ ...relay, url: "turn:call.test:3478?transport=tcp" }, host), "tcp");
  assert.equal(route(relay, host), "udp");
  assert.equal(route(host, relay), "udp", "the other side's relay is callbox too");
  assert.equal(route(host, host, { nominated: false }), null);
  assert.equal(route(host, host, { selected: true }), "direct");
});

test("a picture that is not sent any more is left out, one that stands still when received is not", () => {
  const size = { kind: "video", frameWidth: 640, frameHeight: 360, mid: "1" };
  const both = (at, frames) => report(
    inbound(at, frames, 0, { ...size, framesDecoded: frames, freezeCount: 1 }),
    outbound(at, frames, { ...size, framesSent: frames, qualityLimitationReason: "cpu" }),
  );
  const first = sampleOf(both(1_000, 30));
  const second = sampleOf(both(3_000, 90), first);
  assert.deepEqual(second.received.camera, { width: 640, height: 360, fps: 30 });
  assert.deepEqual(second.sent.camera, { width: 640, height: 360, fps: 30 });
  assert.deepEqual([second.freezes, second.limited], [0, "cpu"]);
  const third = sampleOf(both(5_000, 90), second);
  assert.equal(third.received.camera.fps, 0);
  assert.equal(third.sent.camera, null);
});
