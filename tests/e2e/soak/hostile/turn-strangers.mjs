// Allocations asked for without credentials and with wrong ones, from ports that change.

import { ALLOCATE, BINDING, answer, request } from "../stun.mjs";

const UNKNOWN = { username: "1795446609:v-0000000000000000", credential: "not the one" };

/** @type {import("../hostile.mjs").Kind} */
export async function run({ wires, random, sleep, over }) {
  while (!over()) {
    const wire = wires();
    for (let port = 0; port < 20; port += 1) {
      const socket = wire.udp((message) => {
        const heard = answer(message);
        if (heard?.code === 401) socket.send(request(ALLOCATE, { login: UNKNOWN, challenge: heard.challenge }));
      });
      socket.send(request(random.pick([ALLOCATE, ALLOCATE, BINDING])));
    }
    await sleep(250);
    wire.close();
  }
}
