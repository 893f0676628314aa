// How figures are written.

/** @param {number[]} numbers */
export const median = (numbers) => {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return Number.isInteger(middle) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[Math.floor(middle)];
};

/**
 * The median, and least to most.
 * @param {number[]} numbers
 * @param {number} [digits]  behind the point
 */
export const spread = (numbers, digits = 0) => {
  const [middle, least, most] = [median(numbers), Math.min(...numbers), Math.max(...numbers)].map((n) => n.toFixed(digits));
  return `${middle} (${least}..${most})`;
};

/**
 * What the real page takes of what the bare one does.
 * @param {{ real: number[], bare: number[] }} figures
 * @param {number} target  at the most
 */
export const ratio = ({ real, bare }, target) => {
  const value = median(real) / median(bare);
  return `ratio ${value.toFixed(2)}, ${verdict(value <= target, `at most ${target}`)}`;
};

/**
 * @param {boolean} met
 * @param {string} target
 */
export const verdict = (met, target) => `${met ? "meets" : "MISSES"} the target of ${target}`;

/** @param {number} seconds */
export const seconds = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** @param {number} bits  in a second */
export const kbit = (bits) => `${Math.round(bits / 1000)} kbit/s`;
