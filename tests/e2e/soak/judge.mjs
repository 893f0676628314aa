// Samples in, a sentence for each thing that is wrong out. Pure.

/** MiB an hour. */
const GROWTH = 2;
/** MiB: what an allocator's habits may come to, however short the time. */
const HABIT = 0.75;
/** Descriptors that may be open at one rest and not at another: a browser's idle connection, a file that is being read. */
const SPARE = 6;
/** Seconds. */
const STILL = 10;
/** The part of a process's time, at least, in which tables and pools are still being filled. */
const WARM_UP = 0.15;
/** Rests that a judgement needs. */
const ENOUGH = 3;

/**
 * @typedef {object} Sample
 * @property {number} at  seconds since the beginning
 * @property {number} generation  of the process
 * @property {number} rest  the number of the rest in whose quiet end it was taken; 0: in none
 * @property {number} load  of the whole machine: programs that run or would like to
 * @property {number} rss  MiB
 * @property {number} pss  MiB
 * @property {number} descriptors
 * @property {number} threads
 * @property {number | null} wakeups  a second; null: it is another process than before
 * @property {number | null} cpu  percent of a core
 * @property {number} rooms
 * @property {number} websockets
 * @property {number} allocations
 * @property {number} steady  of those who always stay, who is there
 * @property {number} joined  visits of others so far
 * @property {Watched[]} call
 *
 * @typedef {{ name: string, fps: number, still: number }} Watched  of one page: frames a second, and for how many seconds there was none
 *
 * @typedef {{ at: number, kind: string, what?: string }} Done  what was done, and when
 *
 * @typedef {{ at: number, pss: number, descriptors: number }} Rest  medians of its samples
 */

/**
 * @param {Sample[]} samples
 * @param {number} steady  how many always stay
 * @param {Done[]} events
 * @returns {{ problems: string[], figures: string[] }}
 */
export function judge(samples, steady, events) {
  const [problems, figures] = [[], []];
  const last = rests(samples, events);
  if (last.length < ENOUGH) {
    figures.push(`Too short to judge memory and descriptors: ${last.length} rests of one process, ${ENOUGH} are needed.`);
  } else {
    const { slope, grown } = growth(last);
    figures.push(`Memory at rest (PSS): ${last[0].pss.toFixed(1)} to ${last.at(-1)?.pss.toFixed(1)} MiB, ${slope.toFixed(2)} MiB an hour, over ${last.length} rests.`);
    if (slope > GROWTH && grown > HABIT) problems.push(`Memory grew by ${slope.toFixed(1)} MiB an hour at equal load.`);
    const [first, end] = thirds(last.map(({ descriptors }) => descriptors));
    figures.push(`Descriptors at rest: ${Math.max(...first)} at the most in the first third, ${Math.min(...end)} at least in the last.`);
    if (Math.min(...end) > Math.max(...first) + SPARE) problems.push(`Descriptors leaked: ${Math.max(...first)} at rest at first, ${Math.min(...end)} in the end.`);
  }
  for (const name of new Set(samples.flatMap(({ call }) => call.map(({ name }) => name)))) {
    const seen = samples.map(({ at, load, call }) => ({ at, load, still: call.find((one) => one.name === name)?.still ?? 0 }));
    const worst = seen.reduce((one, other) => (other.still > one.still ? other : one));
    figures.push(`${name}'s picture stood still for ${worst.still.toFixed(1)} s at the most.`);
    for (const { at, load, still } of runs(seen)) {
      problems.push(`${name}'s picture stood still for ${still.toFixed(1)} s, ${clock(at)} after the beginning; the machine's load was ${load.toFixed(1)}.`);
    }
  }
  const missing = samples.filter((sample) => sample.rest > 0 && sample.steady < steady);
  if (missing.length > 0) {
    problems.push(`${steady - Math.min(...missing.map((sample) => sample.steady))} of ${steady} people who stay were not there at rest, ${clock(missing[0].at)} after the beginning.`);
  }
  const loads = samples.map(({ load }) => load);
  if (loads.length > 0) figures.push(`The machine's load was ${median(loads).toFixed(1)} in the middle, ${Math.max(...loads).toFixed(1)} at the most.`);
  const joined = samples.at(-1)?.joined ?? 0;
  figures.push(`${joined} people without browsers came and went.`);
  if (joined === 0) problems.push("Nobody could join.");
  return { problems, figures };
}

/**
 * Of the last process, once it is warm: not before everything has been done to it that is done to it at all, since what is done for the
 * first time takes memory that is kept for the next.
 * @param {Sample[]} samples
 * @param {Done[]} events
 * @returns {Rest[]}
 */
export function rests(samples, events) {
  const own = samples.filter(({ generation }) => generation === samples[samples.length - 1].generation);
  if (own.length === 0) return [];
  const [begin, end] = [own[0].at, own[own.length - 1].at];
  const first = new Map();
  for (const { at, kind, what = kind } of events) if (at >= begin && !first.has(what)) first.set(what, at);
  const warmAt = Math.max(begin + WARM_UP * (end - begin), ...first.values());
  const warm = own.filter(({ at, rest }) => rest > 0 && at >= warmAt);
  return [...new Set(warm.map(({ rest }) => rest))].map((number) => {
    const during = warm.filter(({ rest }) => rest === number);
    return { at: median(during.map(({ at }) => at)), pss: median(during.map(({ pss }) => pss)), descriptors: median(during.map(({ descriptors }) => descriptors)) };
  });
}

/**
 * The median of the slopes between all pairs (Theil and Sen): a single disturbed rest does not bend it.
 * @param {Rest[]} points
 * @returns {{ slope: number, grown: number }} MiB an hour, and MiB in all
 */
function growth(points) {
  const slopes = points.flatMap((one, index) => points.slice(index + 1).map((other) => (other.pss - one.pss) / ((other.at - one.at) / 3600)));
  const slope = median(slopes);
  return { slope, grown: (slope * (points[points.length - 1].at - points[0].at)) / 3600 };
}

/**
 * Of times that stood still for too long, and are seen in sample after sample, the longest each.
 * @param {{ at: number, load: number, still: number }[]} seen
 */
function runs(seen) {
  const found = [];
  for (const [index, one] of seen.entries()) {
    if (one.still <= STILL) continue;
    if (index > 0 && seen[index - 1].still > STILL && one.still > seen[index - 1].still) found[found.length - 1] = one;
    else found.push(one);
  }
  return found;
}

/** @param {number[]} values */
function thirds(values) {
  const length = Math.max(1, Math.floor(values.length / 3));
  return [values.slice(0, length), values.slice(-length)];
}

/** @param {number[]} values  at least one */
export function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** @param {number} seconds */
export function clock(seconds) {
  const two = (number) => String(Math.floor(number)).padStart(2, "0");
  return `${two(seconds / 3600)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}`;
}
