// A member who floods another one with signals, and toggles the room's lock without end.

const SIGNALS = 298;
const DATA = "x".repeat(8000);

/** @type {import("../hostile.mjs").Kind} */
export async function run({ person, random, sleep, over }) {
  while (!over()) {
    const room = `flooded-${random.letters(6)}`;
    const [victim, member] = [person(room, "Victim"), person(room, "Member")];
    await victim.load();
    await member.load();
    await victim.join();
    await member.join();
    if (random.happens(0.5)) {
      for (let count = 0; count < SIGNALS; count += 1) member.say({ type: "signal", to: victim.id, data: { candidate: { candidate: DATA } } });
    } else {
      for (let count = 0; count < SIGNALS; count += 1) member.say({ type: "lock", locked: count % 2 === 0 });
    }
    await sleep(1500);
    await member.leave();
    await victim.leave();
  }
}
