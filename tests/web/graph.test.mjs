import assert from "node:assert/strict";
import { test } from "node:test";
import { milliseconds, notesOf, percent, picture, rate } from "../../web/view/figures.js";
import { outline } from "../../web/view/graph.js";

test("figures have units", () => {
  assert.deepEqual([milliseconds(null), milliseconds(12.4)], ["–", "12 ms"]);
  assert.deepEqual([percent(null), percent(0), percent(0.0123), percent(0.204)], ["–", "0 %", "1.2 %", "20 %"]);
  assert.deepEqual([rate(null), rate(64_400), rate(1_260_000)], ["–", "64 kbit/s", "1.3 Mbit/s"]);
  assert.deepEqual([picture(null), picture({ width: 640, height: 360, fps: 30 })], ["Off", "640\u00a0×\u00a0360, 30\u00a0fps"]);
});

test("the newest value is at the right edge, the highest at the top, and a gap stays a gap", () => {
  const { line, area } = outline([10, 0, null, 5], 1);
  assert.equal(line, "M56 1L57 23M59 12");
  assert.match(area, /^M56 24L56 1L57 23L57 24ZM59 24/);
  assert.equal(outline([1], 10).line, "M59 20.8", "small values stay low");
  assert.deepEqual(outline([], 1), { line: "", area: "" });
});

test("notes are written where there is something to note", () => {
  const calm = { limited: "none", available: 3_000_000, freezes: 0 };
  assert.equal(notesOf([calm]), "");
  assert.equal(notesOf([{ ...calm, limited: "bandwidth" }]), "", "it keeps to its own limit");
  assert.match(notesOf([{ ...calm, limited: "bandwidth", available: 200_000 }]), /no more gets through/);
  assert.match(notesOf([{ ...calm, limited: "cpu" }]), /busy/);
  assert.equal(notesOf([{ ...calm, freezes: 2 }, calm]), "Received pictures froze 2 times in the last minute.");
});
