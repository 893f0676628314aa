// What the soak takes for wrong, and what not, in samples made up here.

import assert from "node:assert/strict";
import { test } from "node:test";
import { draw } from "./draw.mjs";
import { judge } from "./judge.mjs";
import { HOSTILE, plan } from "./plan.mjs";
import { Random } from "./random.mjs";

const STEADY = 20;

/**
 * An hour of samples: two minutes of bustle and rest by turns.
 * @param {(hours: number, sample: import("./judge.mjs").Sample) => object} [change]
 */
function hour(change = () => ({})) {
  const random = new Random(1);
  return Array.from({ length: 360 }, (_, index) => {
    const at = 10 * (index + 1);
    const settled = at % 120 > 95;
    const memory = 30 + 3 * (1 - Math.exp(-at / 200)) + random.between(-0.3, 0.3) + (settled ? 0 : 20 * random.next());
    const sample = {
      at,
      generation: 1,
      rest: settled ? 1 + Math.floor(at / 120) : 0,
      load: 0.8,
      rss: memory + 3,
      pss: memory,
      descriptors: settled ? 60 + random.whole(0, 4) : 200 + random.whole(0, 200),
      threads: 6,
      wakeups: 500,
      cpu: 5,
      rooms: 6,
      websockets: 22,
      allocations: 4,
      steady: STEADY,
      joined: at,
      call: [{ name: "Ana", fps: 10, still: 1.2 }, { name: "Bo", fps: 10, still: 1.3 }],
    };
    return { ...sample, ...change(at / 3600, sample) };
  });
}

const problems = (samples, events = []) => judge(samples, STEADY, events).problems;

test("an hour in which nothing grows is well", () => assert.deepEqual(problems(hour()), []));

test("three MiB an hour at equal load are seen, one is not", () => {
  const growing = (rate) => problems(hour((hours, { pss }) => ({ pss: pss + rate * hours })));
  assert.deepEqual(growing(1), []);
  assert.equal(growing(3).length, 1);
  assert.match(growing(3)[0], /^Memory grew by [23]\.\d MiB an hour/);
});

test("memory that bustle takes and gives back is not growth, and one disturbed rest is none", () => {
  assert.deepEqual(problems(hour((hours, { rest, pss }) => (rest === 28 ? { pss: pss + 40 } : rest === 0 ? { pss: pss + 60 * hours } : {}))), []);
});

test("what is done for the first time may take memory, what is done again may not", () => {
  const step = (when) => hour((_, { at, pss }) => ({ pss: pss + (at > when ? 10 * Math.ceil((at - when) / 1200) : 0) }));
  assert.deepEqual(problems(hour((_, { at, pss }) => ({ pss: pss + (at > 1500 ? 20 : 0) })), [{ at: 1500, kind: "hostile", what: "seats" }]), []);
  assert.equal(problems(step(0), [0, 1200, 2400].map((at) => ({ at, kind: "hostile", what: "seats" }))).length, 1);
});

test("only processes that live long enough are judged", () => {
  const restarted = hour((hours, { pss }) => ({ generation: 1 + Math.floor(hours * 40), pss: pss + 50 * hours }));
  const { problems, figures } = judge(restarted, STEADY, []);
  assert.deepEqual(problems, []);
  assert.match(figures[0], /^Too short/);
});

test("a descriptor that is lost with every round is seen", () => {
  const found = problems(hour((hours, { descriptors }) => ({ descriptors: descriptors + Math.floor(30 * hours) })));
  assert.equal(found.length, 1);
  assert.match(found[0], /^Descriptors leaked/);
});

test("a still picture is told once, with its longest time", () => {
  const call = (still) => [{ name: "Ana", fps: 0, still }, { name: "Bo", fps: 10, still: 1 }];
  const found = problems(hour((hours, { at }) => (at === 600 ? { call: call(9) } : at === 610 ? { call: call(12) } : at === 620 ? { call: call(22) } : {})));
  assert.deepEqual(found, ["Ana's picture stood still for 22.0 s, 00:10:20 after the beginning; the machine's load was 0.8."]);
});

test("those who stay have to be there at rest, and others have to get in", () => {
  assert.match(problems(hour((_, { rest }) => (rest === 5 ? { steady: 17 } : {})))[0], /^3 of 20 people/);
  assert.deepEqual(problems(hour((_, { rest }) => (rest === 0 ? { steady: 3 } : {}))), []);
  assert.deepEqual(problems(hour(() => ({ joined: 0 }))), ["Nobody could join."]);
});

test("a seed makes the same plan, and an hour has every kind of hostile client", () => {
  assert.deepEqual(plan(7, 60), plan(7, 60));
  assert.notDeepEqual(plan(7, 60), plan(8, 60));
  for (const seed of [1, 2, 3]) {
    const events = plan(seed, 60);
    const kinds = new Set(events.map(({ what, kind }) => what ?? kind));
    for (const kind of [...HOSTILE, "certificate", "hangup", "address", "kill", "crowd", "rest"]) assert.ok(kinds.has(kind), kind);
    let resting = false;
    for (const { kind, at } of events) {
      if (kind === "rest" || kind === "bustle") resting = kind === "rest";
      else if (kind !== "kill") assert.ok(!resting, `${kind} at ${at}`);
      if (kind === "kill") assert.ok(at < 900);
    }
  }
});

test("the picture is XML with a line for each figure", () => {
  const picture = draw(hour(), [{ at: 100, kind: "kill" }], "a < b");
  assert.ok(picture.includes("a &lt; b") && !/NaN|undefined/.test(picture));
  assert.ok(picture.match(/<path/g).length >= 10);
});
