import assert from "node:assert/strict";
import { test } from "node:test";
import { Floor, SILENCE, listen } from "../../web/speaker.js";

/** Lets a story of levels happen, one moment every 250 ms; tells who is heard and who is the speaker at its end. */
function after(moments, ids = ["ana", "bo", "cy"]) {
  const voices = moments.reduce((before, moment, index) => {
    const levels = new Map(ids.map((id) => [id, moment[id] ?? 0]));
    return listen(before, levels, 1_000 + index * 250);
  }, SILENCE);
  return { heard: [...voices.heard.keys()].sort(), speaker: voices.speaker };
}
const times = (count, moment) => Array.from({ length: count }, () => moment);

test("nobody speaks in a quiet room", () => {
  assert.deepEqual(after(times(10, { ana: 0.006, bo: 0.001 })), { heard: [], speaker: null });
});

test("who is loud speaks at once, and goes on at a lower level", () => {
  assert.deepEqual(after([{ ana: 0.1 }]), { heard: ["ana"], speaker: "ana" });
  assert.deepEqual(after([{ ana: 0.1 }, ...times(20, { ana: 0.012 })]), { heard: ["ana"], speaker: "ana" });
  assert.deepEqual(after(times(20, { ana: 0.012 })), { heard: [], speaker: null });
});

test("a pause between two words is not the end; a longer one is, and who spoke last stays the one to look at", () => {
  assert.deepEqual(after([{ ana: 0.1 }, {}, {}, {}]).heard, ["ana"]);
  assert.deepEqual(after([{ ana: 0.1 }, {}, {}, {}, {}]), { heard: [], speaker: "ana" });
});

test("the speaker keeps the floor until silent; then the loudest has it", () => {
  const both = { ana: 0.05, bo: 0.4, cy: 0.2 };
  assert.deepEqual(after([{ ana: 0.05 }, ...times(8, both)]), { heard: ["ana", "bo", "cy"], speaker: "ana" });
  assert.equal(after([{ ana: 0.05 }, ...times(8, both), ...times(6, { bo: 0.4, cy: 0.2 })]).speaker, "bo");
});

test("who has left does not speak", () => {
  const before = listen(SILENCE, new Map([["ana", 0.2]]), 0);
  assert.deepEqual(listen(before, new Map([["bo", 0]]), 250), { heard: new Map(), speaker: null });
});

test("levels are read from the connection, and one that only stays on display is none", () => {
  const track = {};
  let source = { timestamp: 1, audioLevel: 0.3 };
  const peer = (/** @type {object} */ receiver) =>
    /** @type {any} */ ({
      remote: { mic: true },
      stream: { getAudioTracks: () => [track] },
      connection: { getReceivers: () => [receiver] },
    });
  const ana = peer({ track, getSynchronizationSources: () => [source] });
  const floor = new Floor();
  floor.add("ana", ana);
  floor.add("bo", peer({ track: {}, getSynchronizationSources: () => [{ timestamp: 1, audioLevel: 1 }] }));
  const heard = (/** @type {number} */ now) => [...floor.listen(now).keys()];
  assert.deepEqual(heard(0), ["ana"]);
  assert.deepEqual(heard(500), ["ana"], "a pause");
  assert.deepEqual(heard(1_500), [], "nothing comes");
  source = { timestamp: 2, audioLevel: 0.2 };
  assert.deepEqual(heard(2_000), ["ana"]);
  source = { timestamp: 3, audioLevel: 0.2 };
  ana.remote.mic = false;
  assert.deepEqual(heard(4_000), [], "muted");
  assert.equal(floor.speaker, "ana");
  floor.remove("ana");
  assert.deepEqual(heard(5_000), []);
  assert.equal(floor.speaker, null);
});
