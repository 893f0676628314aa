// Tiles make way for the own picture.

import assert from "node:assert/strict";
import { test } from "node:test";
import { columnsFor, layOut, shapesFor } from "../../web/view/layout.js";

const GAP = 10;
/** Windows, less what bar and controls take, and the own picture there, lying and upright. */
const STAGES = {
  "740x360": { width: 720, height: 242, lying: [112, 84], upright: [80, 107] },
  "360x740": { width: 340, height: 606, lying: [112, 84], upright: [88, 117] },
  "1024x600": { width: 1004, height: 458, lying: [112, 84], upright: [80, 107] },
  "320x568": { width: 300, height: 436, lying: [112, 84], upright: [80, 107] },
  "1440x900": { width: 1420, height: 758, lying: [220, 165], upright: [150, 200] },
};
/** With a second camera it has one button more. */
const FLIPPED = { lying: [132, 99], upright: [100, 133] };
const CORNERS = /** @type {const} */ (["bottom-right", "bottom-left", "top-left", "top-right"]);

const overlap = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
const isInside = ({ x, y, width, height }, area) => x >= 0 && y >= 0 && x + width <= area.width && y + height <= area.height;
const areaOf = ({ width, height }) => width * height;

/** All of them: windows, corners, shapes of pictures, numbers of tiles. */
function* calls() {
  for (const [window, { width, height, ...shown }] of Object.entries(STAGES)) {
    for (const [wide, high] of [...Object.values(shown), ...Object.values(FLIPPED)]) {
      for (const corner of CORNERS) {
        for (const cameras of [[], [4 / 3], [9 / 16], [16 / 9, 9 / 16]]) {
          for (let count = 1; count <= 8; count += 1) {
            const own = { corner, width: wide, height: high };
            const given = { count, width, height, gap: GAP, shapes: shapesFor(cameras), own };
            for (const big of /** @type {const} */ ([null, "person", "screen"])) yield { window, given: { ...given, big } };
          }
        }
      }
    }
  }
}

test("tiles are as large as the window allows", () => {
  const wide = [1, 2, 3, 4, 5, 6, 7, 8].map((count) => columnsFor(count, 1280, 680));
  assert.deepEqual(wide, [1, 2, 2, 2, 3, 3, 4, 4]);
  const tall = [1, 2, 3, 4, 5, 6, 7, 8].map((count) => columnsFor(count, 360, 600));
  assert.deepEqual(tall, [1, 1, 1, 1, 2, 2, 2, 2]);
});

test("the own picture lies on nobody, but on a single one who would lose too much", () => {
  const alone = new Set();
  for (const { window, given } of calls()) {
    const { tiles, own } = layOut(given);
    const where = JSON.stringify({ window, given, tiles, own });
    assert.equal(tiles.length, given.count, where);
    assert.ok([...tiles, own].every((box) => isInside(box, given)), `outside: ${where}`);
    assert.ok([...tiles, own].every(({ width, height }) => width >= 48 && height >= 48), `too small: ${where}`);
    assert.ok(!tiles.some((tile, index) => tiles.slice(0, index).some((other) => overlap(tile, other))), where);
    if (!tiles.some((tile) => overlap(tile, own))) continue;
    assert.ok(given.count === 1 && given.big !== "screen", `on somebody: ${where}`);
    alone.add(window);
  }
  assert.ok(alone.has("1440x900"), "a whole window for one is not cut");
});

test("it is in its corner", () => {
  for (const { window, given } of calls()) {
    const { own } = layOut(given);
    const [vertical, horizontal] = given.own.corner.split("-");
    const [right, below] = [given.width - own.x - own.width, given.height - own.y - own.height];
    const where = JSON.stringify({ window, given, own });
    assert.ok(horizontal === "left" ? own.x < right : own.x > right, where);
    assert.ok(vertical === "top" ? own.y < below : own.y > below, where);
  }
});

test("the others of a big one are at its side, or above or below it where the window is upright", () => {
  for (const { window, given } of calls()) {
    if (!given.big || given.count === 1) continue;
    const { tiles: [first, ...strip] } = layOut(given);
    const where = JSON.stringify({ window, given, first, strip });
    for (const tile of strip) {
      if (given.width < given.height) {
        assert.ok(given.own.corner.startsWith("top") ? tile.y + tile.height < first.y : first.y + first.height < tile.y, where);
      } else {
        assert.ok(given.own.corner.endsWith("left") ? tile.x + tile.width < first.x : first.x + first.width < tile.x, where);
      }
    }
  }
});

test("that takes little from the others", () => {
  for (const { window, given } of calls()) {
    const [first, ...strip] = layOut(given).tiles;
    const [before, ...stripBefore] = layOut({ ...given, own: null }).tiles;
    const where = JSON.stringify({ window, given, first, before, strip, stripBefore });
    const least = 0.55;
    assert.ok(areaOf(first) >= least * areaOf(before), where);
  }
});

test("the own picture is made no smaller than it must, and keeps most of its shape", () => {
  for (const { window, given } of calls()) {
    const { own } = layOut(given);
    const where = JSON.stringify({ window, given, own });
    assert.ok(own.width <= given.own.width && own.height <= given.own.height, where);
    const cut = own.width / own.height / (given.own.width / given.own.height);
    assert.ok(cut > 0.62 && cut < 1.6, where);
    if (!given.big) assert.ok(areaOf(own) > 0.5 * areaOf(given.own), where);
  }
});
