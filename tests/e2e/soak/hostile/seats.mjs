// Seats that are taken and left behind without a word, over and over, in many rooms.

/** @type {import("../hostile.mjs").Kind} */
export async function run({ person, random, sleep, over }) {
  while (!over()) {
    const somebody = person(`left-${random.whole(0, 40)}`, "Gone");
    await somebody.load();
    if (await somebody.join()) somebody.relay();
    await sleep(50);
    somebody.vanish();
  }
}
