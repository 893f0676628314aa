// What another member may send costs a page a bounded amount of work, whatever it is.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Peer } from "../../web/peer.js";
import { Intake, candidates, isBounded } from "../../web/sdp.js";
import { clock, random, turns } from "./lib/clock.mjs";
import { Connection } from "./lib/connection.mjs";

const BORNE = 300;
const STATE = '{"type":"state","mic":true,"camera":true}';

/** A connection that counts what it is asked to do. */
class Counted extends Connection {
  static work = { remote: 0, candidates: 0 };
  async setRemoteDescription(description) {
    Counted.work.remote += 1;
    await super.setRemoteDescription(description);
  }
  async addIceCandidate(candidate) {
    Counted.work.candidates += 1;
    await super.addIceCandidate(candidate);
  }
}

Reflect.set(globalThis, "RTCPeerConnection", Counted);

/** A page's view of one other person, and all that it does for that person. */
function begin(t, { offer = false } = {}) {
  const pass = clock(t);
  Connection.all = [];
  Counted.work = { remote: 0, candidates: 0 };
  t.mock.method(console, "warn", () => {});
  const story = { sent: [], changes: 0, wants: 0, byes: 0, pass };
  story.peer = new Peer({
    offer,
    config: {},
    streams: { person: new MediaStream(), screen: new MediaStream() },
    tracks: () => [],
    state: () => ({}),
    send: (data) => story.sent.push(data) > 0,
    onchange: () => (story.changes += 1),
    onwant: () => (story.wants += 1),
    onbye: () => (story.byes += 1),
    startBitrate: () => 1,
  });
  t.after(() => story.peer.close());
  return story;
}

const last = () => Connection.all.at(-1);
const say = (message) => last().channel.onmessage({ data: typeof message === "object" ? JSON.stringify(message) : message });
const lines = (count) => "v=0\r\n" + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n".repeat(count);
const generation = (name) => `v=0\r\na=ice-ufrag:${name}\r\n`;
const candidate = (port) => ({ candidate: `candidate:1 1 udp 1 127.0.0.1 ${port} typ host`, sdpMid: "0" });

test("states and wants are heeded eight times at once and once a second, and the last of them counts", async (t) => {
  const story = begin(t);
  for (let each = 1; each <= 100; each += 1) {
    say({ type: "state", mic: true, hand: each % 2 === 0 });
    say({ type: "want", camera: each, screen: 0 });
  }
  assert.deepEqual([story.changes, story.wants, story.peer.wanted.camera], [8, 8, 8]);
  await story.pass(1_000);
  assert.deepEqual([story.changes, story.wants, story.peer.wanted.camera], [9, 9, 100]);
  assert.equal(story.peer.remote.hand, true);
  await story.pass(60_000);
  assert.deepEqual([story.changes, story.wants], [9, 9], "each once");
  assert.equal(story.peer.state, "connecting", "that much is borne");
});

test("a farewell does not wait", (t) => {
  const story = begin(t);
  for (let each = 0; each < 50; each += 1) say(STATE);
  say({ type: "bye" });
  assert.equal(story.byes, 1);
});

test("who sends far more than any page has its connection ended, once, and is heard no more", async (t) => {
  const story = begin(t, { offer: true });
  await turns();
  const before = Connection.all.length;
  let sent = 0;
  while (story.peer.state !== "ended") {
    say(STATE);
    sent += 1;
    assert.ok(sent <= BORNE);
  }
  assert.ok(sent > BORNE - 20, String(sent));
  assert.equal(last().connectionState, "closed");
  assert.equal(story.peer.remote, null);
  assert.deepEqual([story.peer.hasVideo, story.peer.hasScreen], [false, false]);
  const { changes, wants } = story;
  for (let each = 0; each < 1_000; each += 1) say({ type: "want", camera: each, screen: 0 });
  for (const era of [undefined, 1, 2]) story.peer.receive({ description: { type: "offer", sdp: "v=0", era } });
  story.peer.receive({ description: null });
  story.peer.setPresent(true, true);
  story.peer.setTrack("audio", /** @type {any} */ ({}));
  story.peer.setConfig({});
  await story.pass(60_000);
  assert.deepEqual([story.changes, story.wants, story.peer.state], [changes, wants, "ended"]);
  assert.equal(Connection.all.length, before);
});

test("what is long counts as much as many, of whatever kind it is", async (t) => {
  for (const data of ["x".repeat(100_000), `"${"y".repeat(16_000)}"`, new ArrayBuffer(200_000)]) {
    const story = begin(t);
    let count = 0;
    while (story.peer.state !== "ended" && count < BORNE) {
      say(data instanceof ArrayBuffer ? "" : data);
      last().channel.onmessage({ data });
      count += 1;
    }
    assert.equal(story.peer.state, "ended");
    assert.ok(count < 20, String(count));
    story.peer.close();
  }
});

test("eighteen small messages a second are borne for ever", async (t) => {
  const story = begin(t);
  for (let tick = 0; tick < 1_400; tick += 1) {
    say(tick % 4 ? '{"type":"of a later version"}' : STATE);
    await story.pass(1_000 / 18);
  }
  assert.equal(story.peer.state, "connecting");
  assert.ok(story.changes <= 8 + 80, String(story.changes));
});

test("other channels are closed, and who opens many is ended", (t) => {
  const { peer } = begin(t);
  let closed = 0;
  const open = () => last().ondatachannel({ channel: { close: () => (closed += 1) } });
  open();
  assert.equal(peer.state, "connecting");
  for (let each = 1; each < 20; each += 1) open();
  assert.deepEqual([peer.state, closed], ["ended", 20]);
});

test("descriptions that no page makes are not given to the browser, and their numbers not sent back", async (t) => {
  const story = begin(t);
  const strange = [
    { type: "offer", sdp: lines(11) },
    { type: "offer", sdp: lines(500) },
    { type: "offer", sdp: `v=0\r\n${"a=x\r\n".repeat(9_700)}` },
    { type: "offer", sdp: "v=0", offer: "9".repeat(60_000) },
    { type: "offer", sdp: "v=0", offer: 0.5 },
    { type: "offer", sdp: 7 },
    { type: "offer", sdp: null },
    { type: "pranswer", sdp: "v=0" },
    { type: "rollback" },
    { type: "x".repeat(60_000), sdp: "v=0" },
    { type: { toString: "offer" } },
    { type: "answer", sdp: lines(11) },
  ];
  for (const description of strange) story.peer.receive({ description });
  story.peer.receive({ candidate: { candidate: "x".repeat(3_000) } });
  story.peer.receive({ candidate: { candidate: 7 } });
  story.peer.receive({ candidate: "candidate:1" });
  for (const data of [null, 7, "x", [], {}]) story.peer.receive(/** @type {any} */ (data));
  await turns();
  assert.deepEqual([Counted.work, story.sent], [{ remote: 0, candidates: 0 }, []]);
  story.peer.receive({ description: { type: "offer", sdp: lines(10), offer: 3 } });
  await turns();
  assert.equal(Counted.work.remote, 1);
  assert.equal(story.sent.at(-1).description.offer, 3);
});

test("an own description that the server would not pass on is not sent", async (t) => {
  const story = begin(t);
  last().setLocalDescription = async () => Object.assign(last(), { signalingState: "stable", localDescription: { type: "answer", sdp: "x".repeat(50_000) } });
  story.peer.receive({ description: { type: "offer", sdp: "v=0" } });
  await turns();
  assert.equal(Counted.work.remote, 1);
  assert.deepEqual(story.sent, []);
});

test("of one generation two hundred candidates are tried, wherever they stand; another one has its own", async (t) => {
  const story = begin(t);
  const offer = (name, ports) => ({
    description: { type: "offer", sdp: generation(name) + ports.map((port) => `a=${candidate(port).candidate} generation 0\r\n`).join("") },
  });
  const range = (from, count) => Array.from({ length: count }, (_, index) => from + index);
  story.peer.receive(offer("one", range(0, 60)));
  await turns();
  for (const port of range(50, 100)) story.peer.receive({ candidate: candidate(port) });
  await turns();
  assert.equal(Counted.work.candidates, 100, "150 are known");
  // The same again, as in each later offer.
  for (let again = 0; again < 5; again += 1) {
    story.peer.receive(offer("one", range(0, 150)));
    await turns();
  }
  assert.equal(Counted.work.remote, 6);
  story.peer.receive(offer("one", range(0, 201)));
  await turns();
  assert.equal(Counted.work.remote, 6, "more in an offer");
  await story.pass(60_000);
  for (const port of range(150, 150)) story.peer.receive({ candidate: candidate(port) });
  await turns();
  assert.equal(Counted.work.candidates, 150, "more by themselves");
  await story.pass(60_000);
  story.peer.receive(offer("two", range(0, 10)));
  await turns();
  story.peer.receive({ candidate: candidate(500) });
  await turns();
  assert.deepEqual(Counted.work, { remote: 7, candidates: 151 });
});

test("restarts of the other side's are answered five times at once and then every five seconds", async (t) => {
  const story = begin(t);
  for (let each = 0; each < 20; each += 1) {
    story.peer.receive({ description: { type: "offer", sdp: generation(each) } });
    await turns();
  }
  assert.equal(Counted.work.remote, 1 + 5);
  await story.pass(5_000);
  story.peer.receive({ description: { type: "offer", sdp: generation("later") } });
  await turns();
  assert.equal(Counted.work.remote, 1 + 5 + 1);
});

test("who asks for offers without end gets thirty at once and one a second", async (t) => {
  const story = begin(t, { offer: true });
  await turns();
  story.sent.length = 0;
  for (let each = 0; each < 250; each += 1) story.peer.receive({ description: null });
  await turns();
  assert.equal(story.sent.length, 30);
  await story.pass(3_000);
  for (let each = 0; each < 20; each += 1) story.peer.receive({ description: null });
  await turns();
  assert.equal(story.sent.length, 30 + 3);
});

test("to one person no more is sent than the server takes from a page for a whole room", async (t) => {
  const story = begin(t);
  const sdp = "x".repeat(27_000);
  last().setLocalDescription = async () => Object.assign(last(), { signalingState: "stable", localDescription: { type: "answer", sdp } });
  let length = 0;
  for (let second = 0; second <= 60; second += 1) {
    for (let each = 0; each < 30; each += 1) story.peer.receive({ description: { type: "offer", sdp: "v=0" } });
    await story.pass(1_000);
    length = story.sent.reduce((sum, { description }) => sum + description.sdp.length, 0);
    assert.ok(length <= 250_000 + 25_000 * second, `${length} in ${second} s`);
  }
  assert.ok(length > 700_000, `it does go on: ${length}`);
});

test("signals wait behind one that does not end, but not without bound", () => {
  const intake = new Intake(() => new Promise(() => {}), () => {});
  let taken = 0;
  for (let second = 0; second < 1_000; second += 1) {
    if (intake.take({ description: null }, second * 1_000)) taken += 1;
  }
  assert.equal(taken, 200);
  intake.reset();
  assert.ok(intake.take({ description: null }, 2_000_000), "another connection is not held up");
});

test("connections take each other's place five times at once and then every ten seconds, whoever begins", async (t) => {
  const story = begin(t, { offer: true });
  await turns();
  // The own side finds each of them dead at once.
  const dead = { iceConnectionState: "connected", connectionState: "failed" };
  for (let second = 0; second < 120; second += 1) {
    if (last().connectionState !== "closed") last().becomes(dead);
    if (second % 2 === 0) story.peer.receive({ description: { era: Connection.all.length } });
    await story.pass(1_001);
  }
  assert.ok(Connection.all.length <= 1 + 5 + 13, String(Connection.all.length));
  assert.ok(Connection.all.length >= 1 + 5 + 10, `it does go on: ${Connection.all.length}`);
});

test("of a signal that comes for a page's own sizes nothing is dropped", () => {
  assert.ok(isBounded(lines(9)));
  assert.ok(isBounded(lines(5) + "a=fmtp:96 x\r\n".repeat(2_500)));
  assert.deepEqual(candidates("candidate:1 1 udp 1 ::1 9 typ host ufrag x"), candidates("v=0\r\na=candidate:1 1 udp 1 ::1 9 typ host generation 0\r\n"));
  assert.deepEqual(candidates(""), []);
});

test("whatever a member sends, for however long, a page does a bounded amount of work", async (t) => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const any = random(seed);
    const story = begin(t, { offer: seed % 2 === 0 });
    const some = (list) => list[Math.floor(any() * list.length)];
    const signals = [
      () => ({ description: null }),
      () => ({ description: { era: Math.floor(any() * 100) } }),
      () => ({ description: { type: "offer", sdp: generation(Math.floor(any() * 1e6)), era: some([undefined, 0, 1, 7]) } }),
      () => ({ description: { type: "answer", sdp: generation(any()), offer: some([undefined, 1, 2, 3]) } }),
      () => ({ description: { type: "offer", sdp: lines(Math.floor(any() * 30)) } }),
      () => ({ candidate: candidate(Math.floor(any() * 60_000)) }),
      () => ({ candidate: null }),
    ];
    const messages = [
      () => ({ type: "state", hand: any() < 0.5, screen: any() < 0.5, camera: any() < 0.5 }),
      () => ({ type: "want", camera: Math.floor(any() * 1_000), screen: 0 }),
      () => "garbage",
    ];
    // As much as the server passes on, and as the channel bears.
    const [signalRate, messageRate] = [any() * 100, any() * 18];
    const seconds = 60;
    for (let second = 0; second < seconds; second += 1) {
      for (let each = 0; each < signalRate; each += 1) story.peer.receive(some(signals)());
      for (let each = 0; each < messageRate; each += 1) say(some(messages)());
      await story.pass(1_000);
    }
    const connections = Connection.all.length;
    const descriptions = 30 + seconds;
    assert.ok(connections <= 1 + 5 + seconds / 10, `seed ${seed}: ${connections} connections`);
    assert.ok(Counted.work.remote <= descriptions, `seed ${seed}: ${Counted.work.remote} descriptions`);
    assert.ok(Counted.work.candidates <= 200 + 10 * seconds, `seed ${seed}: ${Counted.work.candidates} candidates`);
    // One for each that came, and what repeats and restarts by itself.
    assert.ok(story.sent.length <= descriptions + 2 * connections + seconds, `seed ${seed}: ${story.sent.length} sent`);
    // Each connection has a channel of its own; besides these a connection's own states change.
    const heeded = connections * 8 + seconds;
    assert.ok(story.changes <= heeded + 2 * connections, `seed ${seed}: ${story.changes} changes`);
    assert.ok(story.wants <= heeded + connections, `seed ${seed}: ${story.wants} wants`);
    story.peer.close();
  }
});
