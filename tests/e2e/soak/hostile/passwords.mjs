// Guesses at the password, the relay's users and invitations.

import { ALLOCATE, answer, request } from "../stun.mjs";

/** @type {import("../hostile.mjs").Kind} */
export async function run({ wires, random, sleep, over }) {
  while (!over()) {
    const wire = wires();
    const headers = { cookie: "", "content-type": "application/x-www-form-urlencoded" };
    await wire.get("/access/login", { method: "POST", headers, body: `password=${random.letters(8)}` }).catch(() => {});
    await wire.get(`/access/i/${random.letters(40)}`, { headers: { cookie: "" } }).catch(() => {});
    const login = { username: random.pick(["alice", "c-3po", "v-anna"]), credential: random.letters(8) };
    const socket = wire.udp((message) => {
      const heard = answer(message);
      if (heard?.code === 401) socket.send(request(ALLOCATE, { login, challenge: heard.challenge }));
    });
    socket.send(request(ALLOCATE));
    await sleep(250);
    wire.close();
  }
}
