import assert from "node:assert/strict";
import { test } from "node:test";
import { cameraEncoding, heightForPath, screenEncoding, startBitrate } from "../../web/quality.js";

const given = { limit: "auto", others: 1, wanted: 2000, captured: 720, path: Infinity };
/** The height that is sent, of a camera of 720 lines. */
const height = (change) => {
  const { active, scaleResolutionDownBy } = cameraEncoding({ ...given, ...change });
  return active ? Math.round((change.captured ?? given.captured) / scaleResolutionDownBy) : 0;
};

test("a limit holds, and sound only sends no picture", () => {
  assert.equal(height({}), 720);
  assert.equal(height({ limit: "360" }), 360);
  assert.equal(height({ limit: "audio" }), 0);
  assert.equal(height({ captured: 1080 }), 720, "more than 720p only where it is asked for");
  assert.equal(height({ captured: 1080, limit: "1080" }), 1080);
});

test("each further person makes pictures smaller, and all together never much more", () => {
  const heights = [1, 2, 3, 4, 5, 6, 7].map((others) => height({ others }));
  assert.deepEqual(heights, heights.toSorted((a, b) => b - a));
  assert.equal(heights[0], 720);
  assert.ok(heights[6] <= 288);
  const sum = (others) => others * cameraEncoding({ ...given, others }).maxBitrate;
  for (let others = 1; others < 8; others += 1) assert.ok(sum(others) <= 3_400_000, `${others}`);
});

test("a small picture asks for less, a hidden one for none", () => {
  assert.equal(height({ wanted: 180 }), 180);
  assert.ok(height({ wanted: 200 }) < 300);
  assert.equal(height({ wanted: 0 }), 0);
  assert.ok(cameraEncoding({ ...given, wanted: 180 }).maxBitrate < 200_000);
});

test("a path that carries less makes it smaller, and swings do not", () => {
  assert.equal(heightForPath(Infinity, 10_000_000), Infinity);
  const down = heightForPath(Infinity, 600_000);
  assert.equal(down, 540);
  assert.equal(heightForPath(down, 850_000), 540, "a little more is not enough");
  assert.equal(heightForPath(down, 450_000), 360);
  assert.equal(heightForPath(360, 5_000_000), Infinity);
  assert.equal(heightForPath(Infinity, 0), 180);
  assert.equal(height({ path: 360 }), 360);
});

test("a screen with text is slowed down rather than blurred", () => {
  const detail = screenEncoding({ hint: "detail", others: 1, wanted: 900 });
  const motion = screenEncoding({ hint: "motion", others: 1, wanted: 900 });
  assert.equal(detail.scaleResolutionDownBy, undefined);
  assert.ok(detail.maxFramerate < motion.maxFramerate);
  assert.equal(screenEncoding({ hint: "detail", others: 1, wanted: 0 }).active, false);
});

test("pictures begin large, and all together at no more than twice one of them", () => {
  assert.equal(startBitrate(0), startBitrate(1));
  assert.ok(startBitrate(1) >= 1_200_000, "what 720 lines take to be there at once");
  for (let others = 1; others < 8; others += 1) assert.ok(others * startBitrate(others) <= 2 * startBitrate(1) + others);
  assert.ok(startBitrate(7) >= 300_000, "not slower than by itself");
});
