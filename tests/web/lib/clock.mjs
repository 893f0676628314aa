// Time that a test lets pass, for timers and `performance.now()` alike.

import { mock } from "node:test";

/** Lets promises that wait for each other have their turns. */
export const turns = () => new Promise((resolve) => setImmediate(resolve));

/** @param {import("node:test").TestContext} t */
export function clock(t) {
  let now = 5_000;
  mock.timers.reset();
  mock.restoreAll();
  mock.timers.enable({ apis: ["setTimeout"] });
  mock.method(performance, "now", () => now);
  t.after(() => {
    mock.timers.reset();
    mock.restoreAll();
  });
  /** @param {number} ms */
  return async (ms) => {
    now += ms;
    mock.timers.tick(ms);
    await turns();
  };
}

/**
 * Numbers from 0 to below 1, the same for the same seed.
 * @param {number} seed
 */
export function random(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
