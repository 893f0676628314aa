// What happens when: a seed and a length in, a list of events out. Pure.
//
// The time is cut into rounds. Each begins with bustle, people who come and go, hostile clients and what an operator does, and
// ends with rest: the bustle is over, the same people are there as in every rest, and what the program holds is compared.

import { Random } from "./random.mjs";

/** Kinds of hostile clients, each in a file of this name in hostile/. */
export const HOSTILE = [
  "garbage",
  "half-handshakes",
  "half-requests",
  "knocking",
  "no-window",
  "passwords",
  "qr-codes",
  "resets",
  "seats",
  "signal-flood",
  "silence",
  "slow-readers",
  "turn-strangers",
  "websockets",
];

/** What is done to the program by those who run it. */
const OPERATION = /** @type {const} */ (["certificate", "hangup", "address"]);

/** Seconds. */
const ROUND = 120;
const REST = 60;
/** After the start before anything happens. */
const BEGIN = 5;
/** The part of the time in which the program is killed now and then; after it one process lives to the end. */
const KILLING = 0.25;
/** Seconds between two kills. */
const LIFE = [40, 240];
/** Seconds from one event to the next. */
const PAUSE = [1, 9];
const CROWD = [20, 160];

/**
 * @typedef {"certificate" | "hangup" | "address" | "kill" | "crowd" | "hostile" | "bustle" | "rest"} Kind
 * @typedef {{ at: number, kind: Kind, what?: string, people?: number, seconds?: number, seed: number }} Event
 *   at: seconds from the beginning; seconds: how long it takes
 */

/**
 * @param {number} seed
 * @param {number} minutes
 * @returns {Event[]} in order
 */
export function plan(seed, minutes) {
  const random = new Random(seed);
  const end = minutes * 60;
  /** @type {Event[]} */
  const events = [];
  /** @type {(at: number, kind: Kind, more?: Partial<Event>) => void} */
  const add = (at, kind, more = {}) => events.push({ at, kind, seed: random.whole(0, 2 ** 31), ...more });
  const crowd = (at) => add(at, "crowd", { people: random.whole(CROWD[0], CROWD[1]) });
  /** @type {string[]} */
  let hostile = [];
  for (let begin = BEGIN; begin < end; begin += ROUND) {
    const rest = Math.min(begin + ROUND, end) - REST;
    add(begin, "bustle");
    crowd(begin);
    for (let at = begin + 1; at < rest; at += random.between(PAUSE[0], PAUSE[1])) {
      const dice = random.next();
      if (dice < 0.15) {
        crowd(at);
      } else if (dice < 0.4) {
        add(at, random.pick(OPERATION));
      } else {
        // Each kind once before any comes twice.
        if (hostile.length === 0) hostile = random.shuffled(HOSTILE);
        const seconds = Math.min(random.between(5, 25), rest - at);
        add(at, "hostile", { what: hostile.pop(), seconds });
      }
    }
    if (rest > begin) add(rest, "rest", { seconds: REST });
  }
  // However short the whole, there is one.
  const life = () => random.between(LIFE[0], Math.max(LIFE[0], Math.min(LIFE[1], end * KILLING - BEGIN)));
  for (let at = BEGIN + life(); at < end * KILLING; at += life()) add(at, "kill");
  return events.filter(({ at }) => at < end).sort((one, other) => one.at - other.at);
}
