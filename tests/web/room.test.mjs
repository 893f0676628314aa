import assert from "node:assert/strict";
import { test } from "node:test";
import { Room } from "../../web/room.js";

const KEEP_MS = 30_000;
const ana = { id: "p1", name: "Ana" };
const bo = { id: "p2", name: "Bo" };
const cy = { id: "p3", name: "Cy" };
const add = ({ id, name }, offer) => ({ type: "add", id, name, offer });

test("the newcomer waits for offers, those inside make them", () => {
  const room = new Room(() => KEEP_MS);
  assert.deepEqual(room.welcome({ resumed: false, peers: [ana] }, 0), [add(ana, false)]);
  assert.deepEqual(room.peerJoined(bo), [add(bo, true)]);
  assert.deepEqual(room.peerLeft("p1"), [{ type: "remove", id: "p1" }]);
  assert.deepEqual(room.peerLeft("p1"), []);
});

test("a resume keeps who is there and announces who came after us as newcomers", () => {
  const room = new Room(() => KEEP_MS);
  room.welcome({ resumed: false, peers: [ana] }, 0);
  assert.deepEqual(room.welcome({ resumed: true, peers: [ana, bo] }, 5), [
    { type: "meet", id: "p1", offer: false },
    add(bo, false),
  ]);
  assert.deepEqual(room.peerJoined(bo), [{ type: "meet", id: "p2", offer: true }]);
});

test("after a restart of the server, the others are kept for a while", () => {
  const room = new Room(() => KEEP_MS);
  room.welcome({ resumed: false, peers: [ana, bo] }, 0);
  assert.deepEqual(room.welcome({ resumed: true, peers: [] }, 1000), [
    { type: "absent", id: "p1" },
    { type: "absent", id: "p2" },
  ]);
  assert.equal(room.nextDeadline, 1000 + KEEP_MS);
  assert.deepEqual(room.peerJoined(ana), [{ type: "meet", id: "p1", offer: false }], "no newcomer");
  assert.deepEqual(room.expire(999 + KEEP_MS), []);
  assert.deepEqual(room.expire(1000 + KEEP_MS), [{ type: "remove", id: "p2" }]);
  assert.equal(room.nextDeadline, null);
});

test("without a resume everything begins anew, also with those who are known", () => {
  const room = new Room(() => KEEP_MS);
  room.welcome({ resumed: false, peers: [ana, bo] }, 0);
  assert.deepEqual(room.welcome({ resumed: false, peers: [bo, cy] }, 5), [
    { type: "remove", id: "p1" },
    { type: "anew", id: "p2", name: "Bo" },
    add(cy, false),
  ]);
  assert.deepEqual(room.peerJoined(bo), [{ type: "meet", id: "p2", offer: true }]);
});
