// HTTP/2 streams that are cancelled as soon as they are opened, and connections that are cut off in the middle.

import { constants } from "node:http2";

/** @type {import("../hostile.mjs").Kind} */
export async function run({ wires, target, random, sleep, over }) {
  while (!over()) {
    const session = wires().http2();
    for (let count = 0; count < 50; count += 1) {
      const request = session.request({ ":path": "/", "accept-encoding": "br" });
      request.on("error", () => {});
      request.close(constants.NGHTTP2_CANCEL);
    }
    const socket = wires().tls(target.https);
    socket.once("secureConnect", () => socket.write(`GET / HTTP/1.1\r\nHost: ${target.host}\r\n\r\n`, () => socket.destroy()));
    await sleep(random.whole(100, 500));
    session.destroy();
  }
}
