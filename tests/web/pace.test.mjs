import assert from "node:assert/strict";
import { test } from "node:test";
import { Bucket, Latest } from "../../web/pace.js";
import { clock, random } from "./lib/clock.mjs";

test("in no stretch of time more is taken than a bucket holds and what flowed in", () => {
  for (let seed = 1; seed <= 100; seed += 1) {
    const any = random(seed);
    const [size, perSecond] = [1 + Math.floor(any() * 50), 0.1 + any() * 20];
    const bucket = new Bucket(size, perSecond);
    const taken = [];
    let now = any() * 1e6;
    let latest = 0;
    for (let step = 0; step < 100; step += 1) {
      // Clocks do not run backwards; if one did, nothing would be gained by it.
      now += any() < 0.1 ? -any() * 1_000 : any() < 0.5 ? 0 : any() * 2_000;
      latest = Math.max(latest, now);
      const cost = any() < 0.5 ? 1 : any() * size;
      if (bucket.take(now, cost) === 0) taken.push({ at: latest, cost });
    }
    for (let from = 0; from < taken.length; from += 1) {
      let sum = 0;
      for (let to = from; to < taken.length; to += 1) {
        sum += taken[to].cost;
        const elapsed = taken[to].at - taken[from].at;
        if (sum > size + (elapsed * perSecond) / 1_000 + 1e-6) assert.fail(`seed ${seed}: ${sum} in ${elapsed} ms`);
      }
    }
  }
});

test("what is not to be had now is to be had when the bucket says", () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const any = random(seed);
    const bucket = new Bucket(10, 0.5 + any() * 5);
    let now = 0;
    for (let step = 0; step < 50; step += 1) {
      now += any() * 300;
      const cost = 1 + any() * 9;
      const wait = bucket.take(now, cost);
      if (wait === 0) continue;
      assert.ok(bucket.take(now + wait - 1.1, cost) > 0, `seed ${seed}: not before`);
      now += wait;
      assert.ok(bucket.take(now, cost) <= 1, `seed ${seed}: but then`);
    }
  }
});

test("of what comes too soon the last is passed on, at the bounded rate", async (t) => {
  const pass = clock(t);
  const passed = [];
  const latest = new Latest(new Bucket(3, 1), (value) => passed.push(value));
  for (let value = 1; value <= 100; value += 1) latest.take(value);
  assert.deepEqual(passed, [1, 2, 3]);
  await pass(999);
  assert.equal(passed.length, 3);
  await pass(1);
  assert.deepEqual(passed, [1, 2, 3, 100]);
  await pass(60_000);
  assert.equal(passed.length, 4, "nothing is passed on twice");
  for (let value = 101; value <= 110; value += 1) latest.take(value);
  latest.stop();
  await pass(60_000);
  assert.deepEqual(passed, [1, 2, 3, 100, 101, 102, 103]);
});

test("whatever comes when, the last value arrives", async (t) => {
  const pass = clock(t);
  for (let seed = 1; seed <= 30; seed += 1) {
    const any = random(seed);
    const passed = [];
    const latest = new Latest(new Bucket(8, 1), (value) => passed.push(value));
    let value = 0;
    let seconds = 0;
    while (seconds < 20) {
      for (let count = Math.floor(any() * 30); count > 0; count -= 1) latest.take((value += 1));
      const ms = Math.floor(any() * 700);
      seconds += ms / 1_000;
      await pass(ms);
    }
    assert.ok(passed.length <= 8 + seconds + 1, `seed ${seed}: ${passed.length} in ${seconds} s`);
    await pass(2_000);
    assert.equal(passed.at(-1), value, `seed ${seed}`);
    assert.deepEqual(passed, [...passed].sort((a, b) => a - b), "in their order");
  }
});
