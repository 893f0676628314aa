import assert from "node:assert/strict";
import { test } from "node:test";
import { columnsFor } from "../../web/view/layout.js";

test("tiles are as large as the window allows", () => {
  const wide = [1, 2, 3, 4, 5, 6, 7, 8].map((count) => columnsFor(count, 1280, 680));
  assert.deepEqual(wide, [1, 2, 2, 2, 3, 3, 4, 4]);
  const tall = [1, 2, 3, 4, 5, 6, 7, 8].map((count) => columnsFor(count, 360, 600));
  assert.deepEqual(tall, [1, 1, 1, 1, 2, 2, 2, 2]);
});
