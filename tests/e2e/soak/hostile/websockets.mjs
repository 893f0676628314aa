// More WebSockets than an address may have, and upgrades that break off.

/** @type {import("../hostile.mjs").Kind} */
export async function run({ wires, target, sleep, over }) {
  const wire = wires();
  for (let count = 0; count < 80 && !over(); count += 1) {
    wire.websocket(count % 5 === 0 ? { origin: "https://elsewhere.example" } : {});
    const half = wire.tls(target.https);
    half.once("secureConnect", () => half.end(`GET /ws HTTP/1.1\r\nHost: ${target.host}\r\nUpgrade: websocket\r\n\r\n`));
    await sleep(50);
  }
  await sleep(60_000);
}
