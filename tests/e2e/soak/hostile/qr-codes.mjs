// QR codes of rooms that nobody is in.

/** @type {import("../hostile.mjs").Kind} */
export async function run({ wires, random, sleep, over }) {
  while (!over()) {
    const wire = wires();
    const agent = wire.agent();
    for (let count = 0; count < 20 && !over(); count += 1) await wire.get(`/qr.svg?room=${random.letters(40)}`, { agent }).catch(() => {});
    wire.close();
    await sleep(200);
  }
}
