import assert from "node:assert/strict";
import { test } from "node:test";
import { Door } from "../../web/door.js";

const bo = { id: "p2", name: "Bo" };
const cy = { id: "p3", name: "Cy" };
const welcome = { type: "welcome", id: "p1", locked: true, knocks: [bo] };

test("who is in knows whether it is locked and who waits", () => {
  const door = new Door();
  assert.deepEqual(door.receive(welcome), { type: "changed" });
  assert.deepEqual([door.inside, door.waiting, door.locked, door.knocks], [true, false, true, [bo]]);
  assert.deepEqual(door.receive({ type: "knock", peer: cy }), { type: "knock", peer: cy });
  assert.deepEqual(door.knocks, [bo, cy]);
  door.receive({ type: "knock-ended", id: "p2" });
  assert.deepEqual(door.knocks, [cy]);
  assert.deepEqual(door.receive({ type: "locked", locked: false, by: "p1" }), { type: "locked", by: "p1", own: true });
  assert.equal(door.locked, false);
  assert.equal(door.receive({ type: "locked", locked: true, by: "p9" }).own, false);
  assert.equal(door.receive({ type: "signal" }), null);
  door.lost();
  assert.deepEqual([door.locked, door.knocks], [true, []], "nobody can be answered while the server is away");
});

test("whoever has to wait knows nothing of the room", () => {
  const door = new Door();
  door.receive(welcome);
  assert.deepEqual(door.receive({ type: "knocking" }), { type: "waiting" });
  assert.deepEqual([door.inside, door.waiting, door.knocks], [false, true, []]);
  door.receive({ ...welcome, knocks: [] });
  assert.deepEqual([door.inside, door.waiting], [true, false]);
});

test("a server that knows no locks has none", () => {
  const door = new Door();
  door.receive({ type: "welcome", id: "p1" });
  assert.deepEqual([door.locked, door.knocks], [false, []]);
});
