// A ClientHello that breaks off, and nothing after it.

/** The beginning of a TLS 1.2 record that promises 512 bytes. */
const HELLO = Buffer.from("1603010200010001fc0303", "hex");

/** @type {import("../hostile.mjs").Kind} */
export async function run({ wires, target, random, sleep, over }) {
  for (let count = 0; count < 60 && !over(); count += 1) {
    wires().tcp(random.pick([target.https, target.turnTls])).write(Buffer.concat([HELLO, random.bytes(random.whole(0, 200))]));
    await sleep(50);
  }
  await sleep(60_000);
}
