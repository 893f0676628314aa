import assert from "node:assert/strict";
import { test } from "node:test";
import { cornerAfter, cornerBy, cornerNear } from "../../web/view/corners.js";
import { layOut, shapesFor } from "../../web/view/layout.js";
import { Spotlight } from "../../web/view/spotlight.js";

const GAP = 10;
const overlap = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

/** Windows from a small phone's to a large screen's, less what bar and controls take, upright and lying. */
function* windows() {
  for (let width = 300; width <= 2540; width += 112) {
    for (let height = 180; height <= 1300; height += 93) yield { width, height };
  }
  yield* [{ width: 300, height: 336 }, { width: 340, height: 596 }, { width: 720, height: 216 }, { width: 2540, height: 1296 }];
}

/** Cameras' pictures: none yet, lying, upright, and mixed. */
const CAMERAS = [[], [16 / 9], [4 / 3, 16 / 9], [9 / 16], [3 / 4, 9 / 16], [16 / 9, 9 / 16]];
const shapes = shapesFor([]);

/** @param {(given: Parameters<typeof layOut>[0], boxes: import("../../web/view/layout.js").Box[]) => void} check */
function everywhere(check) {
  for (const { width, height } of windows()) {
    for (let count = 1; count <= 10; count += 1) {
      for (const big of [null, "person", "screen"]) {
        for (const cameras of big ? CAMERAS.slice(0, 1) : CAMERAS) {
          const given = { count, width, height, gap: GAP, shapes: shapesFor(cameras), big };
          check(given, layOut(given).tiles);
        }
      }
    }
  }
}

test("each tile has a place of its own inside the window", () => {
  everywhere((given, boxes) => {
    const where = JSON.stringify({ given, boxes });
    assert.equal(boxes.length, given.count, where);
    for (const [index, box] of boxes.entries()) {
      assert.ok(box.width >= 40 && box.height >= 24, `too small: ${where}`);
      assert.ok(box.x >= 0 && box.y >= 0, `outside: ${where}`);
      assert.ok(box.x + box.width <= given.width && box.y + box.height <= given.height, `outside: ${where}`);
      assert.ok(!boxes.slice(0, index).some((other) => overlap(box, other)), `overlap: ${where}`);
    }
  });
});

test("tiles cut no more than a third off pictures of one shape", () => {
  for (const ratio of [16 / 9, 4 / 3, 1, 3 / 4]) {
    const { narrowest, widest, preferred } = shapesFor([ratio]);
    assert.ok(narrowest / ratio > 0.66 && ratio / widest > 0.66, String(ratio));
    assert.ok(narrowest <= preferred && preferred <= widest);
  }
  const mixed = shapesFor([16 / 9, 9 / 16]);
  assert.deepEqual([mixed.narrowest, mixed.widest], [3 / 4, 16 / 9]);
});

test("equal tiles are neither narrower than 3:4 nor wider than 16:9, and all of one size", () => {
  everywhere(({ big, ...given }, boxes) => {
    const [first, ...others] = big ? boxes.slice(1) : boxes;
    if (!first) return;
    // Whole pixels.
    const [narrow, wide] = [first.width / (first.height - 1), (first.width - 1) / first.height];
    assert.ok(narrow >= 3 / 4 && wide <= 16 / 9, JSON.stringify({ given, first }));
    assert.ok(others.every(({ width, height }) => width === first.width && height === first.height));
  });
});

test("rows are centred, also the last, and the whole is", () => {
  everywhere(({ big, width, height }, boxes) => {
    if (big) return;
    for (const y of new Set(boxes.map((box) => box.y))) {
      const row = boxes.filter((box) => box.y === y);
      const right = width - Math.max(...row.map((box) => box.x + box.width));
      assert.ok(Math.abs(row[0].x - right) <= 1);
    }
    assert.ok(Math.abs(boxes[0].y - (height - boxes[boxes.length - 1].y - boxes[0].height)) <= 1);
  });
});

test("the big one has most of the window", () => {
  everywhere(({ big, ...given }, [first, ...strip]) => {
    if (big !== "screen") return;
    const share = (first.width * first.height) / (given.width * given.height);
    assert.ok(share > 0.5, JSON.stringify({ given, first }));
    const side = given.width > given.height;
    for (const box of strip) assert.ok(side ? box.x >= first.width + GAP : box.y >= first.height + GAP);
  });
});

test("space is used: one column on a phone for two, no wasted windows", () => {
  const { tiles: two } = layOut({ count: 2, width: 340, height: 596, gap: GAP, shapes, big: null });
  assert.equal(two[0].x, two[1].x);
  assert.equal(two[0].width, 340);
  for (const [width, height] of [[340, 596], [748, 880], [1420, 758], [2540, 1296]]) {
    for (let count = 1; count <= 8; count += 1) {
      const { tiles } = layOut({ count, width, height, gap: GAP, shapes, big: null });
      const used = tiles.reduce((sum, box) => sum + box.width * box.height, 0) / (width * height);
      assert.ok(used > 0.45, `${count} in ${width}x${height}: ${used}`);
    }
  }
});

test("a window without room does not break anything", () => {
  for (const big of [null, "person", "screen"]) {
    for (const own of [null, { corner: "top-left", width: 112, height: 84 }]) {
      assert.equal(layOut({ count: 3, width: 0, height: -5, gap: GAP, shapes, big, own }).tiles.length, 3);
    }
  }
  assert.deepEqual(layOut({ count: 0, width: 800, height: 600, gap: GAP, shapes, big: null }), { tiles: [], own: null });
});

test("what is chosen is big, else the newest screen", () => {
  const spotlight = new Spotlight();
  assert.equal(spotlight.big, null);
  spotlight.toggle("bo");
  assert.equal(spotlight.big, "bo");
  spotlight.toggle("bo");
  assert.equal(spotlight.big, null);
  spotlight.toggle("bo");
  spotlight.addScreen("bo/screen");
  assert.equal(spotlight.big, "bo/screen", "a screen comes before what was chosen earlier");
  spotlight.addScreen("cy/screen");
  assert.equal(spotlight.big, "cy/screen");
  spotlight.toggle("bo/screen");
  assert.equal(spotlight.big, "bo/screen");
  spotlight.toggle("bo/screen");
  assert.equal(spotlight.big, "cy/screen");
  assert.ok(spotlight.back());
  assert.equal(spotlight.big, null, "both screens have been made small");
  assert.ok(!spotlight.back());
  spotlight.toggle("cy/screen");
  spotlight.remove("cy/screen");
  assert.equal(spotlight.big, null);
});

test("corners: the nearest, the next, and where arrow keys lead", () => {
  const area = { x: 100, y: 50, width: 800, height: 600 };
  assert.equal(cornerNear({ x: 120, y: 60 }, area), "top-left");
  assert.equal(cornerNear({ x: 899, y: 60 }, area), "top-right");
  assert.equal(cornerNear({ x: 490, y: 640 }, area), "bottom-left");
  assert.equal(cornerNear({ x: 510, y: 640 }, area), "bottom-right");
  assert.equal(cornerBy("bottom-right", "ArrowUp"), "top-right");
  assert.equal(cornerBy("bottom-right", "ArrowRight"), "bottom-right");
  assert.equal(cornerBy("top-right", "ArrowLeft"), "top-left");
  assert.equal(cornerBy("top-left", "ArrowDown"), "bottom-left");
  assert.equal(cornerBy("top-left", "Enter"), null);
  const round = ["bottom-right"];
  for (let turn = 0; turn < 4; turn += 1) round.push(cornerAfter(round[turn]));
  assert.equal(new Set(round).size, 4);
  assert.equal(round[4], round[0]);
});
