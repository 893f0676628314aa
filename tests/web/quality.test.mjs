import assert from "node:assert/strict";
import { test } from "node:test";
import { believed, cameraCodec, cameraEncoding, screenEncoding, startBitrate } from "../../web/quality.js";

const HD = { width: 1280, height: 720 };
const FULL_HD = { width: 1920, height: 1080 };
const given = { limit: "auto", others: 1, wanted: 2000, captured: HD, path: Infinity, sharing: false };
/** The lines that are sent, of a camera of 720 lines. */
const height = (change) => {
  const all = { ...given, ...change };
  const { active, scaleResolutionDownBy } = cameraEncoding(all);
  return active ? Math.round(Math.min(all.captured.width, all.captured.height) / scaleResolutionDownBy) : 0;
};

test("a limit holds, and sound only sends no picture", () => {
  assert.equal(height({}), 720);
  assert.equal(height({ limit: "360" }), 360);
  assert.equal(height({ limit: "audio" }), 0);
  assert.equal(height({ captured: FULL_HD }), 720, "more than 720p only where it is asked for");
  assert.equal(height({ captured: FULL_HD, limit: "1080" }), 1080);
});

test("each further person makes pictures smaller", () => {
  const heights = [1, 2, 3, 4, 5, 6, 7].map((others) => height({ others }));
  assert.deepEqual(heights, heights.toSorted((a, b) => b - a));
  assert.equal(heights[0], 720);
  assert.ok(heights[6] <= 288);
});

test("a small picture asks for less, a hidden one for none", () => {
  assert.equal(height({ wanted: 180 }), 180);
  assert.ok(height({ wanted: 200 }) < 300);
  assert.equal(height({ wanted: 0 }), 0);
  assert.ok(cameraEncoding({ ...given, wanted: 180 }).maxBitrate < 200_000);
});

test("a phone that is held upright sends as many pixels as one on its side", () => {
  const upright = { width: 720, height: 1280 };
  assert.deepEqual(cameraEncoding({ ...given, captured: upright }), cameraEncoding(given));
  assert.equal(height({ captured: upright, limit: "360" }), 360);
  assert.ok(height({ captured: upright, wanted: 300 }) < 300, "shown so high it is not as wide");
});

test("a path that carries less makes it smaller, and swings do not", () => {
  assert.equal(height({ path: believed(Infinity, 10_000_000) }), 720);
  const down = believed(Infinity, 600_000);
  assert.equal(height({ path: down }), 576);
  assert.equal(height({ path: believed(down, 850_000) }), 576, "a little more is not enough");
  assert.equal(height({ path: believed(down, 450_000) }), 360);
  assert.equal(height({ path: believed(300_000, 5_000_000) }), 720);
  assert.equal(height({ path: believed(Infinity, 0) }), 180);
});

const shown = { hint: "detail", others: 1, wanted: 1080, captured: FULL_HD, path: Infinity, camera: 600_000 };

test("all pictures together stay below the bound, whatever is shown and to how many", () => {
  for (let others = 1; others < 8; others += 1) {
    for (const limit of ["auto", "1080", "360", "audio"]) {
      for (const captured of [HD, FULL_HD, { width: 1080, height: 1920 }]) {
        for (const wanted of [180, 720, 2000]) {
          const alone = cameraEncoding({ ...given, others, limit, captured, wanted });
          assert.ok(others * alone.maxBitrate <= 3_400_000, `${others}, ${limit}, ${wanted}`);
          const beside = cameraEncoding({ ...given, others, limit, captured, wanted, sharing: true });
          for (const hint of ["detail", "motion"]) {
            const screen = screenEncoding({ ...shown, hint, others, wanted, camera: beside.maxBitrate });
            assert.ok(others * (beside.maxBitrate + screen.maxBitrate) <= 3_400_000 + others, `${others}, ${limit}, ${wanted}, ${hint}`);
            assert.ok(screen.maxBitrate > 100_000, "and the screen gets enough to be seen");
          }
        }
      }
    }
  }
});

test("a screen with text is slowed down rather than blurred, films the other way round", () => {
  const [detail, motion] = ["detail", "motion"].map((hint) => (change) => screenEncoding({ ...shown, hint, ...change }));
  assert.ok(detail({}).maxFramerate < motion({}).maxFramerate);
  for (const change of [{ path: 300_000 }, { others: 7, camera: 180_000 }]) {
    assert.equal(detail(change).scaleResolutionDownBy, 1);
    assert.ok(detail(change).maxFramerate < detail({}).maxFramerate);
    assert.ok(motion(change).scaleResolutionDownBy >= 2);
    assert.equal(motion(change).maxFramerate, 30);
  }
});

test("a screen is not sent much larger than it is shown, and never smaller", () => {
  assert.equal(screenEncoding({ ...shown, wanted: 0 }).active, false);
  for (let wanted = 100; wanted < 2000; wanted += 10) {
    const { scaleResolutionDownBy: scale } = screenEncoding({ ...shown, wanted });
    assert.ok(scale === 1 || 1080 / scale >= wanted, `${wanted}`);
    assert.ok(1080 / scale <= Math.max(1.5 * wanted, wanted + 540), `${wanted}`);
  }
  const { maxBitrate } = screenEncoding({ ...shown, wanted: 270 });
  assert.ok(maxBitrate < screenEncoding(shown).maxBitrate / 3);
});

test("pictures begin large, and all together at no more than twice one of them", () => {
  assert.equal(startBitrate(0), startBitrate(1));
  assert.ok(startBitrate(1) >= 1_200_000, "what 720 lines take to be there at once");
  for (let others = 1; others < 8; others += 1) assert.ok(others * startBitrate(others) <= 2 * startBitrate(1) + others);
  assert.ok(startBitrate(7) >= 300_000, "not slower than by itself");
});

test("the better codec is for two, on a machine that keeps up with it", () => {
  const given = { others: 1, cores: 8, strained: false };
  assert.equal(cameraCodec(given), "video/VP9");
  for (const change of [{ others: 2 }, { cores: 2 }, { strained: true }]) assert.equal(cameraCodec({ ...given, ...change }), null);
});
