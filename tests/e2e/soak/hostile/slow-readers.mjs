// Answers and messages that nobody reads.

/** @type {import("../hostile.mjs").Kind} */
export async function run({ wires, person, target, random, sleep, over }) {
  const request = `GET / HTTP/1.1\r\nHost: ${target.host}\r\nCookie: ${target.cookie}\r\n\r\n`;
  for (let count = 0; count < 20 && !over(); count += 1) {
    const socket = wires().tls(target.https);
    socket.pause();
    socket.once("secureConnect", () => socket.write(request.repeat(40)));
    await sleep(50);
  }
  const room = `slow-${random.letters(6)}`;
  const [deaf, friend] = [person(room, "Deaf"), person(room, "Friend")];
  await deaf.load();
  await friend.load();
  await deaf.join();
  await friend.join();
  deaf.socket?.pause();
  while (!over()) {
    friend.talk();
    await sleep(200);
  }
}
