// HTTP/2 streams whose receiver gives no window, on connections that PINGs keep alive.

const PATHS = ["/", "/nothing-is-here", "/style.css", "/config.js", "/check"];

/** @type {import("../hostile.mjs").Kind} */
export async function run({ wires, random, sleep, over }) {
  const sessions = [];
  for (let count = 0; count < 12 && !over(); count += 1) {
    const session = wires().http2({ initialWindowSize: 0 });
    sessions.push(session);
    for (let stream = 0; stream < 64; stream += 1) {
      const headers = { ":path": random.pick(PATHS), "accept-encoding": random.pick(["br", "gzip", "identity"]), accept: "text/html" };
      const request = session.request(headers);
      request.on("error", () => {}).end();
    }
    await sleep(200);
  }
  while (!over()) {
    for (const session of sessions) if (!session.destroyed && !session.closed) session.ping(() => {});
    await sleep(2000);
  }
}
