// How pictures are sent: as large as the other side shows them, the mesh allows, and the path carries. Pure.

/**
 * What a person allows at the most.
 * @typedef {"auto" | "1080" | "720" | "360" | "audio"} Limit
 */

/** Heights of pictures, the bit rate that looks good there, and the one below which a smaller picture looks better. */
const LADDER = [
  { height: 1080, good: 3_000_000, least: 1_600_000 },
  { height: 720, good: 1_700_000, least: 800_000 },
  { height: 540, good: 1_000_000, least: 500_000 },
  { height: 360, good: 600_000, least: 280_000 },
  { height: 270, good: 350_000, least: 170_000 },
  { height: 180, good: 180_000, least: 0 },
];
const SMALLEST = LADDER[LADDER.length - 1];

/** In a mesh each picture is encoded and sent once for everybody: so many bits per second for all pictures together. */
const BUDGET = 3_400_000;
const AUTO = 720;

/** What of it the camera gets beside a shared screen, which is what one looks at then. */
const BESIDE_SCREEN = 1 / 4;

const SCREEN = { detail: 2_500_000, motion: 3_500_000 };
/** Letters have to stay sharp: such a screen is slowed down where less gets through. */
const RATES = [
  { rate: 10, least: 600_000 },
  { rate: 5, least: 250_000 },
  { rate: 2, least: 0 },
];

/** How much more than what was believed so far a path has to promise before it is believed. */
const CLIMB = 1.6;

/** How much larger than its tile a picture may be: the page cuts off a third at the most. */
const OVERLAP = 1.5;

/**
 * What a path is believed to carry, in bits per second: less at once, and more with reserve, so that pictures do not swing.
 * @param {number} before  Infinity where nothing is known
 * @param {number} available  that the browser expects to get through
 */
export function believed(before, available) {
  return available < before ? available : Math.max(before, available / CLIMB);
}

/** With this a picture of 720 lines is there at once; by themselves browsers begin with 300 kbit/s, which is 180 lines. */
const START = 1_200_000;
/** What all pictures that one sends may begin with together. */
const START_TOTAL = 2 * START;

/**
 * How fast each picture begins, in bits per second, before the browser knows what the path carries.
 * @param {number} others  how many there are
 */
export function startBitrate(others) {
  return Math.min(START, Math.round(START_TOTAL / Math.max(1, others)));
}

const CORES = 4;

/**
 * What the camera is encoded with; null for what the browser takes by itself, which is VP8. VP9 makes a better picture of
 * the same bits for more work (docs/page.md): it pays where that is done once, on a machine that has cores to spare.
 * @param {object} given
 * @param {number} given.others
 * @param {number} given.cores
 * @param {boolean} given.strained  has the machine been too slow before?
 */
export function cameraCodec({ others, cores, strained }) {
  return others === 1 && cores >= CORES && !strained ? "video/VP9" : null;
}

/** @typedef {{ width: number, height: number }} Size  in pixels */

/**
 * How the camera is sent to one of the others. Lines are those of the shorter side: a phone may be held upright.
 * @param {object} given
 * @param {Limit} given.limit
 * @param {number} given.others  how many there are
 * @param {number} given.wanted  the height at which it is shown there; 0 where it is not
 * @param {Size} given.captured  what the camera gives
 * @param {number} given.path  bits per second that it carries
 * @param {boolean} given.sharing  is a screen sent there, too?
 * @returns {import("./lines.js").Encoding}
 */
export function cameraEncoding({ limit, others, wanted, captured, path, sharing }) {
  const allowed = limit === "auto" ? AUTO : limit === "audio" ? 0 : Number(limit);
  const part = sharing ? BESIDE_SCREEN : 1;
  const budget = BUDGET / Math.max(1, others);
  const lines = Math.min(captured.width, captured.height);
  const shown = wanted * Math.min(1, (OVERLAP * captured.width) / captured.height);
  const ceiling = Math.min(allowed, lines, tallest("good", budget * part), tallest("least", path * part));
  const step = LADDER.findLast((each) => each.height >= Math.min(shown, ceiling)) ?? LADDER[0];
  const height = Math.min(step.height, Math.max(ceiling, SMALLEST.height));
  return {
    active: allowed > 0 && wanted > 0,
    maxBitrate: (LADDER.find((each) => each.height <= height) ?? SMALLEST).good,
    // Rounded, so that a window that is being resized does not change it with every pixel.
    scaleResolutionDownBy: Math.max(1, Math.round((lines / height) * 4) / 4),
  };
}

/**
 * The lines of the tallest step for which these bits are enough.
 * @param {"good" | "least"} what
 * @param {number} bits  per second
 */
function tallest(what, bits) {
  return (LADDER.find((step) => step[what] <= bits) ?? SMALLEST).height;
}

/**
 * How a shared screen is sent to one of the others.
 * @param {object} given
 * @param {"detail" | "motion"} given.hint
 * @param {number} given.others
 * @param {number} given.wanted
 * @param {Size} given.captured
 * @param {number} given.path
 * @param {number} given.camera  bits per second that the camera takes beside it
 * @returns {import("./lines.js").Encoding}
 */
export function screenEncoding({ hint, others, wanted, captured, path, camera }) {
  const budget = BUDGET / Math.max(1, others) - camera;
  const carried = Math.min(budget, path * (1 - BESIDE_SCREEN));
  // Never smaller than it is shown.
  const shrunk = wanted > 0 ? Math.max(1, Math.floor((captured.height / wanted) * 2) / 2) : 1;
  const narrowed = Math.min(captured.width, captured.height) / tallest("least", carried);
  const { rate } = RATES.find(({ least }) => least <= carried) ?? RATES[RATES.length - 1];
  return {
    active: wanted > 0,
    maxBitrate: Math.round(Math.min(SCREEN[hint] / shrunk, budget)),
    maxFramerate: hint === "detail" ? rate : 30,
    scaleResolutionDownBy: hint === "detail" ? shrunk : Math.max(shrunk, Math.round(narrowed * 4) / 4),
  };
}
