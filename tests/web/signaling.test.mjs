import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { Signaling } from "../../web/signaling.js";

/** A WebSocket whose other end is the test. */
class FakeSocket {
  static all = [];
  readyState = 0;
  sent = [];
  closedWith = null;
  constructor() {
    FakeSocket.all.push(this);
  }
  open() {
    this.readyState = 1;
    this.onopen();
  }
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  say(message) {
    this.onmessage({ data: JSON.stringify(message) });
  }
  close(code) {
    this.closedWith = code ?? "none";
    this.readyState = 3;
  }
  break(code = 1006) {
    this.readyState = 3;
    this.onclose({ code });
  }
}

const last = () => FakeSocket.all.at(-1);
const settled = () => new Promise((resolve) => setImmediate(resolve));
const welcome = { type: "welcome", id: "p1", resume: "r1", resumed: false, peers: [], pc_config: {} };
let seen;
let refreshes;
let pongs;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  FakeSocket.all = [];
  seen = [];
  refreshes = 0;
  pongs = [];
});

/** @param {object} [more]  options */
async function joined(more = {}) {
  const signaling = new Signaling({
    url: "wss://x/ws",
    room: "team",
    name: "Ana",
    ticket: async () => `t${refreshes}`,
    refreshTicket: () => (refreshes += 1),
    onmessage: (message) => seen.push(message.type),
    onstate: (online) => seen.push(online),
    onpong: (ms) => pongs.push(ms),
    onend: (code) => seen.push(`end:${code}`),
    WebSocket: FakeSocket,
    ...more,
  });
  last().open();
  await settled();
  last().say(welcome);
  return signaling;
}

/** The connection breaks, and another one is opened. */
async function comeBack() {
  last().break();
  mock.timers.tick(1000);
  last().open();
  await settled();
}

test("joins, and joins again with the resume ticket when the connection breaks", async () => {
  const signaling = await joined();
  assert.deepEqual(last().sent, [{ type: "join", room: "team", name: "Ana", ticket: "t0" }]);
  last().break();
  assert.equal(signaling.signal("p2", {}), false);
  mock.timers.tick(1000);
  assert.equal(FakeSocket.all.length, 2);
  last().open();
  await settled();
  assert.equal(last().sent[0].resume, "r1");
  last().say({ ...welcome, resumed: true });
  assert.deepEqual(seen, [true, "welcome", false, true, "welcome"]);
});

test("two missed answers to pings mean that the connection is dead", async () => {
  await joined();
  const socket = last();
  mock.timers.tick(10_000);
  socket.say({ type: "pong" });
  mock.timers.tick(20_000);
  assert.equal(socket.closedWith, null);
  mock.timers.tick(10_000);
  assert.equal(socket.closedWith, "none", "closed without a code, so that the seat is kept");
  mock.timers.tick(1000);
  assert.equal(FakeSocket.all.length, 2);
});

test("a server that does not answer is tried again and again, and sooner when the network is back", async () => {
  const signaling = await joined();
  last().break();
  for (let i = 0; i < 20; i += 1) {
    mock.timers.tick(4000);
    last().break();
  }
  assert.equal(FakeSocket.all.length, 21);
  signaling.wake();
  assert.equal(FakeSocket.all.length, 22);
  mock.timers.tick(8000);
  assert.equal(last().closedWith ?? FakeSocket.all.at(-2).closedWith, "none", "a try that hangs is given up");
});

test("where something is wrong, an answer is awaited for 3 seconds", async () => {
  const signaling = await joined();
  signaling.check();
  assert.deepEqual(last().sent.at(-1), { type: "ping" });
  last().say({ type: "pong" });
  mock.timers.tick(9_000);
  assert.equal(FakeSocket.all.length, 1, "it answered");
  signaling.check();
  mock.timers.tick(2_000);
  signaling.check();
  mock.timers.tick(1_000);
  assert.equal(last().closedWith, "none");
  mock.timers.tick(1_000);
  assert.equal(FakeSocket.all.length, 2);
  signaling.check();
  mock.timers.tick(1_000);
  assert.equal(FakeSocket.all.length, 2, "a try is left to go on");
});

test("the round trip is measured with each answer, and more often while something seems wrong", async () => {
  const signaling = await joined();
  const pings = () => last().sent.filter(({ type }) => type === "ping").length;
  mock.timers.tick(10_000);
  assert.equal(pings(), 1);
  last().say({ type: "pong" });
  assert.equal(pongs.length, 1);
  assert.ok(pongs[0] >= 0);
  signaling.hurry(true);
  signaling.hurry(true);
  mock.timers.tick(2_000);
  assert.equal(pings(), 5);
  for (let answer = 0; answer < 4; answer += 1) last().say({ type: "pong" });
  assert.equal(pongs.length, 5);
  signaling.hurry(false);
  mock.timers.tick(5_000);
  assert.equal(pings(), 5);
});

test("answers to the many pings may be late without the connection being given up", async () => {
  const signaling = await joined();
  signaling.hurry(true);
  mock.timers.tick(9_000);
  assert.equal(last().closedWith, null);
  const pings = last().sent.filter(({ type }) => type === "ping").length;
  assert.ok(pings <= 10, "and they do not heap up");
});

test("refusals that another try would meet again end it", async () => {
  new Signaling({
    url: "wss://x/ws",
    room: "team",
    name: "",
    ticket: async () => "t",
    refreshTicket: () => {},
    onmessage: () => {},
    onstate: () => {},
    onend: (code) => seen.push(code),
    WebSocket: FakeSocket,
  });
  last().open();
  await settled();
  last().say({ type: "error", code: "room-full", message: "" });
  mock.timers.tick(60_000);
  assert.deepEqual([seen, FakeSocket.all.length, last().closedWith], [["room-full"], 1, 1000]);
});

test("a room that is full is tried again for as long as the page insists", async () => {
  let insists = true;
  const signaling = await joined({ insists: (code) => insists && code === "room-full" });
  last().break();
  for (let time = 0; time < 3; time += 1) {
    mock.timers.tick(5_000);
    last().open();
    await settled();
    last().say({ type: "error", code: "room-full", message: "" });
  }
  assert.equal(FakeSocket.all.length, 4);
  assert.ok(!seen.includes("end:room-full"));
  insists = false;
  mock.timers.tick(5_000);
  last().open();
  await settled();
  last().say({ type: "error", code: "room-full", message: "" });
  assert.ok(seen.includes("end:room-full"));
  signaling.leave();
});

test("an expired ticket is replaced once", async () => {
  await joined();
  await comeBack();
  last().say({ type: "error", code: "ticket-expired", message: "" });
  await settled();
  assert.equal(last().sent.at(-1).ticket, "t1");
  last().say({ type: "error", code: "bad-ticket", message: "" });
  assert.equal(seen.at(-1), "end:bad-ticket");
});

test("another connection that resumed ends this one, and so does a revocation", async () => {
  for (const [code, end] of [[4001, "end:replaced"], [4007, "end:revoked"]]) {
    FakeSocket.all = [];
    await joined();
    last().break(code);
    mock.timers.tick(60_000);
    assert.deepEqual([seen.at(-1), FakeSocket.all.length], [end, 1]);
  }
});

test("leaving says so and stays away", async () => {
  const signaling = await joined();
  signaling.leave();
  assert.deepEqual([last().sent.at(-1), last().closedWith], [{ type: "leave" }, 1000]);
  last().break(1000);
  mock.timers.tick(60_000);
  assert.equal(FakeSocket.all.length, 1);
});

test("whoever waits before a locked room waits on over sleep, keeps alive, and is let in", async () => {
  const signaling = await joined();
  await comeBack();
  last().say({ type: "knocking" });
  const waiting = last();
  assert.equal(signaling.signal("p2", {}), false, "nobody is there to talk to yet");
  mock.timers.tick(10_000);
  assert.equal(waiting.sent.at(-1).type, "ping");
  waiting.say({ type: "pong" });
  signaling.wake();
  assert.equal(last(), waiting, "it need not knock again");
  waiting.say({ type: "pong" });
  mock.timers.tick(10_000);
  waiting.say({ type: "pong" });
  waiting.say(welcome);
  assert.equal(signaling.signal("p2", {}), true);
  const pings = () => waiting.sent.filter(({ type }) => type === "ping").length;
  const before = pings();
  mock.timers.tick(10_000);
  assert.equal(pings(), before + 1, "one timer, not two");
});

test("refused before a locked room is the end, and so is no answer", async () => {
  for (const end of [() => last().say({ type: "error", code: "refused" }), () => last().break(4008)]) {
    seen = [];
    await joined();
    await comeBack();
    last().say({ type: "knocking" });
    end();
    assert.match(seen.at(-1), /^end:(refused|unanswered)$/);
    const count = FakeSocket.all.length;
    mock.timers.tick(60_000);
    assert.equal(FakeSocket.all.length, count);
  }
});

test("those inside lock and answer, and bring the lock back", async () => {
  const refused = [];
  const signaling = await joined({ locked: () => true, onrefused: (code) => refused.push(code) });
  signaling.lock(true);
  signaling.answer("p2", true);
  signaling.answer("p3", false);
  assert.deepEqual(last().sent.slice(1), [{ type: "lock", locked: true }, { type: "admit", id: "p2" }, { type: "refuse", id: "p3" }]);
  last().say({ type: "error", code: "room-full" });
  assert.deepEqual(refused, ["room-full"]);
  await comeBack();
  assert.equal(last().sent[0].locked, true);
});

test("whoever waited comes back behind those who were inside", async () => {
  const signaling = await joined();
  await comeBack();
  last().say({ type: "knocking" });
  last().break();
  mock.timers.tick(1000);
  const socket = last();
  socket.open();
  await settled();
  assert.deepEqual(socket.sent, []);
  signaling.wake();
  mock.timers.tick(4000);
  await settled();
  assert.equal(socket.sent[0]?.type, "join", "over the same connection");
  mock.timers.tick(7000);
  assert.equal(last(), socket, "an answer may take as long as ever");
  socket.say(welcome);
  socket.break();
  mock.timers.tick(1000);
  last().open();
  await settled();
  assert.equal(last().sent[0].type, "join", "once in, at once");
});

test("whoever has been inside goes on trying where too many wait, or there are too many rooms", async () => {
  for (const code of ["too-many-knocks", "too-many-rooms"]) {
    await joined();
    // It had to make way for others.
    last().break(4009);
    mock.timers.tick(1000);
    last().open();
    await settled();
    last().say({ type: "error", code });
    const count = FakeSocket.all.length;
    mock.timers.tick(4000);
    assert.equal(FakeSocket.all.length, count + 1, code);
  }
});

test("whoever had to make way hears that there is no place, and not that the server is gone", async () => {
  const states = [];
  await joined({ onstate: (online, crowded) => states.push(online ? "in" : crowded ? "crowded" : "away") });
  last().break(4009);
  mock.timers.tick(1000);
  last().open();
  await settled();
  last().say({ type: "error", code: "too-many-rooms" });
  mock.timers.tick(4000);
  last().break(1006);
  mock.timers.tick(4000);
  last().open();
  await settled();
  last().say(welcome);
  last().break();
  assert.deepEqual(states, ["in", "crowded", "crowded", "away", "in", "away"]);
});
