// People without browsers: a process of its own, which is told by messages `{ people }` how many shall come and go beside those
// who always stay, and says once a second how many are there and were there.

import { Person } from "./person.mjs";
import { Random } from "./random.mjs";

/** @type {{ target: import("./wires.mjs").Target, addresses: string[], steady: number, seed: number }} */
const { target, addresses, steady, seed } = JSON.parse(process.argv[2]);
const random = new Random(seed);

/** Seats of a room; there may be fewer people. */
const SEATS = 6;
/** Milliseconds. */
const STAY = [500, 25_000];
const TALK = 3000;
const LOOK = 100;
const AGAIN = 1000;
/** Who loads at the same time. */
const LOADING = 8;

let wanted = 0;
let present = 0;
let loading = 0;
/** Since the beginning. */
const count = { joined: 0, resumed: 0, refused: 0, failed: 0, steady: 0 };

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const person = (room) => new Person(target, random.pick(addresses), room, `Person ${random.whole(1, 999)}`);

/** @param {Person} somebody */
async function enter(somebody) {
  loading += 1;
  try {
    await somebody.load();
    return await somebody.join();
  } finally {
    loading -= 1;
  }
}

/** Comes, talks, and goes in one of the ways in which people go. */
async function visit() {
  present += 1;
  const somebody = person(`room-${random.whole(1, Math.max(1, Math.ceil(wanted / SEATS)))}`);
  try {
    if (!(await enter(somebody))) {
      count.refused += 1;
      return;
    }
    count.joined += 1;
    somebody.talk();
    if (random.happens(0.3)) somebody.relay();
    const end = Date.now() + random.between(STAY[0], STAY[1]);
    while (Date.now() < end && somebody.joined && present <= wanted) {
      await sleep(TALK * random.next());
      if (random.happens(0.2)) somebody.talk();
    }
    if (random.happens(0.2)) {
      somebody.socket?.terminate();
      if (await somebody.join()) count.resumed += 1;
    }
    // Their seats stay for a while.
    if (random.happens(0.1)) return;
    await somebody.leave();
  } catch {
    // The program was being restarted.
    count.failed += 1;
  } finally {
    somebody.vanish();
    present -= 1;
  }
}

/** Stays, and comes back when thrown out. @param {number} number */
async function stay(number) {
  const somebody = person(`steady-${Math.floor(number / 4)}`);
  for (;;) {
    try {
      if (!somebody.ticket) await somebody.load();
      if (await somebody.join()) {
        count.steady += 1;
        somebody.talk();
        while (somebody.joined) await sleep(LOOK);
        count.steady -= 1;
      }
      if (somebody.refused) [somebody.ticket, somebody.resume] = ["", ""];
    } catch {
      // The program is being restarted.
    }
    await sleep(AGAIN * (0.5 + random.next()));
  }
}

async function bustle() {
  for (;;) {
    if (present < wanted && loading < LOADING) void visit();
    await sleep(LOOK);
  }
}

process.on("message", (/** @type {{ people: number }} */ { people }) => (wanted = people));
process.on("disconnect", () => process.exit());
process.on("uncaughtException", () => {});
process.on("unhandledRejection", () => {});
setInterval(() => process.send?.({ ...count, present }), 1000);
for (let number = 0; number < steady; number += 1) void stay(number);
void bustle();
