// Connections that say nothing, on every port.

/** @type {import("../hostile.mjs").Kind} */
export async function run({ wires, target, random, sleep, over }) {
  for (let count = 0; count < 200 && !over(); count += 1) {
    wires().tcp(random.pick([target.https, target.turn, target.turnTls]));
    await sleep(20);
  }
  await sleep(60_000);
}
