import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Repair } from "../../web/repair.js";

/** A connection that has failed, and how often it was restarted. */
function failed({ polite = false } = {}) {
  mock.timers.enable({ apis: ["setTimeout"] });
  const connection = { connectionState: "failed", iceGatheringState: "complete" };
  const story = { connection, present: true, restarts: 0 };
  story.repair = new Repair({
    connection,
    isPolite: () => polite,
    isPresent: () => story.present,
    restart: () => (story.restarts += 1),
  });
  return story;
}

test("a failed connection restarts at once, then less and less often", (t) => {
  t.after(() => mock.timers.reset());
  const story = failed();
  story.repair.connectionChanged();
  mock.timers.tick(0);
  assert.equal(story.restarts, 1);
  mock.timers.tick(8_000);
  assert.equal(story.restarts, 2);
  mock.timers.tick(8_000);
  assert.equal(story.restarts, 2, "the second is given longer");
  mock.timers.tick(4_000);
  assert.equal(story.restarts, 3);
  story.connection.connectionState = "connected";
  story.repair.connectionChanged();
  mock.timers.tick(100_000);
  assert.equal(story.restarts, 3);
});

test("a restart that no state tells of is no failed one", (t) => {
  t.after(() => mock.timers.reset());
  const story = failed();
  story.connection.connectionState = "connected";
  for (let time = 0; time < 3; time += 1) {
    story.repair.began();
    mock.timers.tick(40_000);
  }
  assert.equal(story.restarts, 0);
  story.connection.connectionState = "failed";
  story.repair.connectionChanged();
  mock.timers.tick(3_000);
  mock.timers.tick(8_000);
  assert.equal(story.restarts, 2, "the next one is given no longer than the first");
});

test("a restart that still gathers candidates is left alone once", (t) => {
  t.after(() => mock.timers.reset());
  const story = failed();
  story.connection.iceGatheringState = "gathering";
  story.repair.connectionChanged();
  mock.timers.tick(0);
  mock.timers.tick(8_000);
  assert.equal(story.restarts, 1);
  mock.timers.tick(8_000);
  assert.equal(story.restarts, 2);
  mock.timers.tick(12_000);
  assert.equal(story.restarts, 2, "so is the next one");
  mock.timers.tick(8_000);
  assert.equal(story.restarts, 3);
});

test("the polite side waits, and nobody restarts towards one who is not there", (t) => {
  t.after(() => mock.timers.reset());
  const story = failed({ polite: true });
  story.repair.connectionChanged();
  mock.timers.tick(1_999);
  assert.equal(story.restarts, 0);
  story.present = false;
  mock.timers.tick(1);
  assert.equal(story.restarts, 0);
  story.present = true;
  void story.repair.resume(true);
  mock.timers.tick(2_000);
  assert.equal(story.restarts, 1);
});
