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
    await person.page.bringToFront();
    await until(`${others} pictures`, async () => {
      const tiles = await person.tiles();
      return tiles.length === others && tiles.every((tile) => tile.width > 0 && tile.state === "connected");
    });
    await moving(person);
    assert.deepEqual(person.errors, []);
  }
}

/**
 * On every connection more frames are decoded and more sound is heard than at the moment of the call, and every tile with
 * a picture shows more frames.
 * @param {import("./browser.mjs").Person} person
 * @param {number} [timeout]
 * @param {boolean} [sound]  false where nobody has a microphone
 */
export async function moving(person, timeout, sound = true) {
  // Nobody is sent pictures behind another tab.
  await person.page.bringToFront();
  const look = async () => ({ connections: await person.stats(), shown: await person.shown() });
  const before = await look();
  let now = before;
  const going = async () => {
    now = await look();
    const received = now.connections.every(({ frames, energy }, index) => {
      const then = before.connections[index];
      return then && frames >= then.frames + 5 && (!sound || energy > then.energy);
    });
    const { shown } = now;
    const played = !shown || (shown.length > 0 && shown.every((frames, index) => frames > (before.shown[index] ?? 0)));
    return now.connections.length > 0 && received && played;
  };
  await until("frames and sound go on", going, timeout).catch((error) => {
    throw new Error(`${error.message}\n${JSON.stringify({ before, now })}`);
  });
}
