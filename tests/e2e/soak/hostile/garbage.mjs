// Bytes that mean nothing, on every port and over every transport.

/** @type {import("../hostile.mjs").Kind} */
export async function run({ wires, target, random, sleep, over }) {
  while (!over()) {
    const wire = wires();
    for (const port of [target.https, target.turn, target.turnTls]) wire.tcp(port).end(random.bytes(random.whole(1, 300)));
    const datagrams = wire.udp();
    for (let count = 0; count < 10; count += 1) datagrams.send(random.bytes(random.whole(1, 300)));
    // The same within TLS.
    const inside = wire.tls(target.https);
    inside.once("secureConnect", () => inside.end(random.bytes(100)));
    await sleep(300);
    datagrams.close();
  }
}
