import assert from "node:assert/strict";
import { test } from "node:test";
import { problemOf, sentence } from "../../web/problems.js";

test("each problem of a device has its own sentence", () => {
  const error = (name) => problemOf(new DOMException("", name));
  const problems = ["NotAllowedError", "NotFoundError", "NotReadableError", "OtherError"].map(error);
  assert.deepEqual(problems, ["denied", "missing", "busy", "failed"]);
  const all = [...problems, "insecure", "ended", "interrupted"].map((problem) => sentence("video", problem));
  assert.equal(new Set(all).size, all.length);
});
