import assert from "node:assert/strict";
import { test } from "node:test";
import { Door } from "../../web/door.js";

const bo = { id: "p2", name: "Bo" };
const cy = { id: "p3", name: "Cy" };
const welcome = { type: "welcome", id: "p1", locked: true, knocks: [] };
const knock = (peer) => ({ type: "knock", peer });

test("who is in knows whether it is locked and who waits", () => {
  const door = new Door();
  assert.deepEqual(door.receive({ ...welcome, knocks: [bo] }), [knock(bo)]);
  assert.deepEqual([door.inside, door.waiting, door.locked, door.knocks], [true, false, true, [bo]]);
  assert.deepEqual(door.receive(knock(cy)), [knock(cy)]);
  assert.deepEqual(door.knocks, [bo, cy]);
  assert.deepEqual(door.receive({ type: "knock-ended", id: "p2" }), []);
  assert.deepEqual(door.knocks, [cy]);
  assert.deepEqual(door.receive({ type: "locked", locked: false, by: "p1" }), [{ type: "locked", by: "p1", own: true }]);
  assert.equal(door.locked, false);
  assert.equal(door.receive({ type: "locked", locked: true, by: "p9" })[0].own, false);
  assert.equal(door.receive({ type: "signal" }), null);
});

test("whoever has to wait knows nothing of the room, and hears when that is over", () => {
  const door = new Door();
  assert.deepEqual(door.receive({ type: "knocking" }), [{ type: "waiting" }]);
  assert.deepEqual([door.inside, door.waiting, door.knocks], [false, true, []]);
  assert.deepEqual(door.receive(welcome), [{ type: "admitted" }]);
  assert.deepEqual([door.inside, door.waiting], [true, false]);
});

test("what happened while the server was away is told once one is back, and nothing twice", () => {
  const door = new Door();
  door.receive({ ...welcome, knocks: [bo] });
  door.lost();
  assert.deepEqual([door.online, door.locked, door.knocks], [false, true, []], "nobody can be answered");
  assert.deepEqual(door.receive({ ...welcome, knocks: [bo, cy] }), [knock(cy)]);
  door.lost();
  assert.deepEqual(door.receive({ ...welcome, locked: false }), [{ type: "locked", by: null, own: false }]);
});

test("a server that knows no locks has none", () => {
  const door = new Door();
  assert.deepEqual(door.receive({ type: "welcome", id: "p1" }), []);
  assert.deepEqual([door.locked, door.knocks], [false, []]);
});
