import assert from "node:assert/strict";
import { test } from "node:test";
import { read } from "../../web/talk.js";

test("what a page says of itself is read, and nothing else", () => {
  assert.deepEqual(read('{"type":"state","mic":true,"camera":1,"more":"?"}'), {
    type: "state",
    mic: true,
    camera: true,
    hand: false,
    screen: false,
    trouble: false,
  });
  assert.deepEqual(read('{"type":"want","camera":360,"screen":-1}'), { type: "want", camera: 360, screen: 0 });
  assert.deepEqual(read('{"type":"bye","why":"?"}'), { type: "bye" });
  const strange = ["", "null", "7", "[]", "{", '{"type":"x"}', new ArrayBuffer(2), `{"type":"state","x":"${"x".repeat(20_000)}"}`];
  for (const text of strange) assert.equal(read(text), null, String(text).slice(0, 20));
});
