// Hostile clients: a process of its own, which is told what to do by messages `{ kind, seed, seconds }`. Harmless in volume.

import { Person } from "./person.mjs";
import { Random } from "./random.mjs";
import { Wires } from "./wires.mjs";

/**
 * @typedef {object} Attack
 * @property {import("./wires.mjs").Target} target
 * @property {Random} random
 * @property {() => Wires} wires  from an address of theirs
 * @property {(room: string, name: string) => Person} person
 * @property {(milliseconds: number) => Promise<void>} sleep  ends early when the time is over
 * @property {() => boolean} over
 *
 * @typedef {(attack: Attack) => Promise<void>} Kind
 */

/** @type {{ target: import("./wires.mjs").Target, addresses: string[] }} */
const { target, addresses } = JSON.parse(process.argv[2]);

/**
 * @param {string} kind
 * @param {number} seed
 * @param {number} seconds
 */
async function attack(kind, seed, seconds) {
  const { run } = await import(`./hostile/${kind}.mjs`);
  const random = new Random(seed);
  const end = Date.now() + seconds * 1000;
  /** @type {Set<Wires>} */
  const all = new Set();
  const kept = (wires) => {
    all.add(wires);
    return wires;
  };
  /** @type {Attack} */
  const attack = {
    target,
    random,
    wires: () => kept(new Wires(target, random.pick(addresses))),
    person: (room, name) => {
      const person = new Person(target, random.pick(addresses), room, name);
      kept(person.wires);
      return person;
    },
    sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, Math.max(0, Math.min(milliseconds, end - Date.now())))),
    over: () => Date.now() >= end,
  };
  const timeout = attack.sleep(seconds * 1000);
  // Where the program is restarted meanwhile, an attack may end early.
  await Promise.race([run(attack).catch(() => {}), timeout]);
  for (const wires of all) wires.close();
}

process.on("message", (/** @type {{ kind: string, seed: number, seconds: number }} */ { kind, seed, seconds }) => void attack(kind, seed, seconds));
process.on("disconnect", () => process.exit());
// What becomes of a hostile client is nobody's business.
process.on("uncaughtException", () => {});
process.on("unhandledRejection", () => {});
