// How good the connections are, and whose fault it is where they are not. Pure: samples in, verdicts out.

/**
 * @typedef {"good" | "poor" | "bad"} Level
 * Whose it is: the own network's, the other side's, or that of what lies between.
 * @typedef {"mine" | "theirs" | "path"} Fault
 * @typedef {object} Verdict
 * @property {Level} level
 * @property {Fault | null} fault  null while it is good, and while it is not known yet
 * @property {number} samples  for how many it has not been good, without a word of the other side that explains it
 *
 * @typedef {object} Judgement
 * @property {Map<string, Verdict>} verdicts  of each peer
 * @property {boolean} own  the link to the server was found shaky since not all is good
 *
 * @typedef {object} Judged  one peer
 * @property {import("./stats.js").Sample[]} samples  the newest is the last
 * @property {boolean} connected
 * @property {boolean} trouble  the other side says that it is its own network
 */

const LEVELS = /** @type {const} */ (["good", "poor", "bad"]);

/** From where on something is poor, and bad. A voice survives a few lost packets, but not one in ten. */
const LIMITS = { loss: [0.03, 0.1], roundTrip: [400, 1_000], jitter: [80, 200] };
/** With less there is hardly a picture. */
const LEAST_AVAILABLE = 100_000;

/** It is worse once two of three samples are, and better once all three are, clearly. */
const LOOK_BACK = 3;
const CLEARLY = 0.6;

/** So many samples the other side gets to say that it is its fault, and its word holds after it was taken back. */
const PATIENCE = 4;

/** A packet of a TCP connection that is lost is sent again after 200 ms or more; a busy machine is late by less, mostly. */
const SPIKE_MS = 190;
const SPIKES = 2;
const SPIKES_OF = 8;
/** So many answers in time clear a link: one that loses a tenth of its packets gives them once in five hundred times. */
const STEADY = 30;

/** @type {Judgement} */
export const NOTHING = { verdicts: new Map(), own: false };

/**
 * @param {Judgement} before
 * @param {object} given
 * @param {Map<string, Judged>} given.peers
 * @param {boolean} given.shaky  is the link to the server? From {@link isShaky}
 * @param {boolean} given.steady  has it been cleared of that? From {@link isSteady}
 * @returns {Judgement}
 */
export function judge(before, { peers, shaky, steady }) {
  const levels = new Map([...peers].map(([id, peer]) => [id, levelNow(before.verdicts.get(id)?.level ?? "good", peer)]));
  const off = [...peers].filter(([id]) => levels.get(id) !== "good");
  // What the others have explained already is not sought here, so that a verdict does not swing.
  const open = off.some(([id, { trouble }]) => !trouble && before.verdicts.get(id)?.fault !== "theirs");
  const own = off.length > 0 && ((before.own && !steady) || (shaky && open));
  const unexplained = off.filter(([, { trouble }]) => !trouble).length;
  const common = unexplained >= 2 && unexplained > peers.size - off.length;
  const verdicts = new Map();
  for (const [id, level] of levels) {
    const { samples = 0, fault: last = null } = before.verdicts.get(id) ?? {};
    const trouble = peers.get(id)?.trouble ?? false;
    const fault = faultOf({ own, trouble, last, samples, common });
    const unheard = trouble ? 0 : samples + 1;
    verdicts.set(id, level === "good" ? { level, fault: null, samples: 0 } : { level, fault, samples: unheard });
  }
  return { verdicts, own };
}

/** @param {Judgement} judgement  shall the others be told that it is us? */
export function isTrouble({ verdicts }) {
  return [...verdicts.values()].some(({ fault }) => fault === "mine");
}

/**
 * Two or more bad connections at once, and more than there are good ones, are likely to have the own end in common, unless
 * the others know better.
 * @param {{ own: boolean, trouble: boolean, last: Fault | null, samples: number, common: boolean }} given
 * @returns {Fault | null}
 */
function faultOf({ own, trouble, last, samples, common }) {
  if (last === "theirs" && (trouble || samples < PATIENCE)) return last;
  if (own) return "mine";
  if (trouble) return "theirs";
  if (samples < PATIENCE) return last;
  return common ? "mine" : "path";
}

/**
 * @param {Level} before
 * @param {Judged} peer
 * @returns {Level}
 */
function levelNow(before, { samples, connected }) {
  if (!connected) return "bad";
  const recent = samples.slice(-LOOK_BACK);
  const [, second = 0] = recent.map((sample) => rank(sample)).sort((a, b) => b - a);
  const last = LEVELS.indexOf(before);
  if (second > last || recent.length < LOOK_BACK) return LEVELS[Math.max(second, last)];
  return LEVELS[Math.min(last, Math.max(...recent.map((sample) => rank(sample, CLEARLY))))];
}

/**
 * Is a single sample good, poor or bad?
 * @param {import("./stats.js").Sample} sample
 * @returns {Level}
 */
export function levelOf(sample) {
  return LEVELS[rank(sample)];
}

/**
 * The level of a single sample, as its place in LEVELS.
 * @param {import("./stats.js").Sample} sample
 * @param {number} [strict]  a share of the limits that is to be kept instead
 */
function rank({ received, sent, roundTrip, available, limited }, strict = 1) {
  const above = (/** @type {number | null} */ value, /** @type {number[]} */ limits) =>
    limits.filter((limit) => (value ?? 0) >= limit * strict).length;
  const starved = limited === "bandwidth" && available !== null && available < LEAST_AVAILABLE / strict;
  return Math.max(
    above(received.loss, LIMITS.loss),
    above(sent.loss, LIMITS.loss),
    above(roundTrip, LIMITS.roundTrip),
    above(received.jitter, LIMITS.jitter),
    starved ? 1 : 0,
  );
}

/**
 * Does the link to the server lose packets? A long way is none the worse for it: what counts is answers that take much
 * longer than others.
 * @param {number[]} roundTrips  milliseconds; the newest is the last
 */
export function isShaky(roundTrips) {
  return spikes(roundTrips, SPIKES_OF) >= SPIKES;
}

/**
 * Has it lost none for so long that it was something else that made answers late, such as a busy machine?
 * @param {number[]} roundTrips  milliseconds; the newest is the last
 */
export function isSteady(roundTrips) {
  return roundTrips.length >= STEADY && spikes(roundTrips, STEADY) === 0;
}

/**
 * @param {number[]} roundTrips
 * @param {number} last  so many are looked at
 */
function spikes(roundTrips, last) {
  const least = Math.min(...roundTrips);
  return roundTrips.slice(-last).filter((each) => each > least + SPIKE_MS).length;
}

/**
 * @param {Verdict} verdict
 * @param {string} name  of the other person
 */
export function sentence({ level, fault }, name) {
  if (level === "good") return "The connection is good.";
  const how = level === "poor" ? "weak" : "bad";
  switch (fault) {
    case "mine":
      return `Your connection is ${how}.`;
    case "theirs":
      return `${name}'s connection is ${how}.`;
    case "path":
      return `The connection between you and ${name} is ${how}.`;
    default:
      return `The connection to ${name} is ${how}.`;
  }
}
