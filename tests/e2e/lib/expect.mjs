// What a call has to do, seen from outside.

import assert from "node:assert/strict";
import { until } from "./until.mjs";

/**
 * Everybody sees moving pictures of `others` people and hears them.
 * @param {import("./browser.mjs").Person[]} people
 * @param {number} [others]
 */
export async function seeAndHear(people, others = people.length - 1) {
  for (const person of people) {
    await until(`${others} pictures`, async () => {
      const tiles = await person.tiles();
      return tiles.length === others && tiles.every((tile) => tile.width > 0 && tile.state === "connected");
    });
    await moving(person);
    assert.deepEqual(person.errors, []);
  }
}

/**
 * More frames are decoded and more sound is heard than at the moment of the call.
 * @param {import("./browser.mjs").Person} person
 * @param {number} [timeout]
 */
export async function moving(person, timeout) {
  const before = await person.stats();
  let now = before;
  const going = async () => {
    now = await person.stats();
    return now.frames >= before.frames + 5 && now.energy > before.energy;
  };
  await until("frames and sound go on", going, timeout).catch((error) => {
    throw new Error(`${error.message}\n${JSON.stringify({ before, now })}`);
  });
}
