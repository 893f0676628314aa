// Joins that are refused, messages that mean nothing, names that cannot be seen, and people who never join.

const NAMES = ["\u200b\u200b", "\u2800", `e${"\u0301".repeat(60)}`, "\u202eana", "x".repeat(5000)];
const MESSAGES = ["{}", "[", '{"type":"unknown"}', '{"type":"signal","to":5}', `{"type":"join","room":"${"r".repeat(500)}"}`, "x".repeat(60_000)];

/** @type {import("../hostile.mjs").Kind} */
export async function run({ wires, person, random, sleep, over }) {
  while (!over()) {
    const somebody = person(`strange-${random.whole(0, 20)}`, random.pick(NAMES));
    if (random.happens(0.7)) await somebody.load();
    else somebody.ticket = "v1v.v-0000.1.x";
    await somebody.join();
    for (let count = 0; count < 6; count += 1) somebody.socket?.send(random.pick(MESSAGES), () => {});
    wires().websocket();
    await sleep(300);
    somebody.vanish();
  }
}
