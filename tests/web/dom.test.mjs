import assert from "node:assert/strict";
import { test } from "node:test";
import { oneAtATime } from "../../web/view/dom.js";
import { playTone } from "../../web/view/tone.js";

test("a button does one thing at a time, and goes on after a failure", async () => {
  const button = /** @type {any} */ ({});
  /** @type {((error?: Error) => void)[]} */
  const ends = [];
  oneAtATime(button, () => new Promise((resolve, reject) => ends.push((error) => (error ? reject(error) : resolve()))));
  const first = button.onclick();
  await button.onclick();
  assert.equal(ends.length, 1);
  ends[0](new Error("no"));
  await assert.rejects(first, /no/);
  const second = button.onclick();
  assert.equal(ends.length, 2);
  ends[1]();
  await second;
});

test("a browser that makes no sound says so", async () => {
  globalThis.Audio = /** @type {any} */ (class { pause() {} });
  globalThis.AudioContext = /** @type {any} */ (class { constructor() { throw new DOMException("too many", "NotSupportedError"); } });
  assert.equal(await playTone(""), false);
});
