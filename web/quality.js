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

/** In a mesh each picture is encoded and sent once for everybody: the most for one, two ... others. */
const MESH = [1080, 1080, 720, 540, 360, 360, 270, 270];
const AUTO = 720;

/** A screen's letters have to stay sharp: it is scaled less, and slowed down instead. */
const SCREEN = { detail: { maxBitrate: 2_500_000, maxFramerate: 10 }, motion: { maxBitrate: 3_500_000, maxFramerate: 30 } };

/** How much more than a step's least a path has to carry before one goes up to it. */
const CLIMB = 1.6;

/**
 * The tallest picture that a path carries, given the one before: it goes down at once and up with reserve, so that it
 * does not swing.
 * @param {number} before  height in pixels; Infinity for no limit so far
 * @param {number} available  bits per second that the browser expects to get through
 */
export function heightForPath(before, available) {
  const fits = LADDER.find((step) => step.least <= available) ?? SMALLEST;
  if (fits.height <= before) return fits === LADDER[0] ? Infinity : fits.height;
  const climbs = LADDER.find((step) => step.least * CLIMB <= available) ?? SMALLEST;
  const height = Math.max(before, climbs.height);
  return height >= LADDER[0].height ? Infinity : height;
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

/**
 * How the camera is sent to one of the others.
 * @param {object} given
 * @param {Limit} given.limit
 * @param {number} given.others  how many there are
 * @param {number} given.wanted  the height at which it is shown there; 0 where it is not
 * @param {number} given.captured  the height that the camera gives
 * @param {number} given.path  from {@link heightForPath}
 * @returns {import("./lines.js").Encoding}
 */
export function cameraEncoding({ limit, others, wanted, captured, path }) {
  const allowed = limit === "auto" ? AUTO : limit === "audio" ? 0 : Number(limit);
  const mesh = MESH[Math.min(others, MESH.length - 1)];
  const ceiling = Math.min(allowed, mesh, captured, path);
  const step = LADDER.findLast((each) => each.height >= Math.min(wanted, ceiling)) ?? LADDER[0];
  const height = Math.min(step.height, Math.max(ceiling, SMALLEST.height));
  const bitrate = (LADDER.find((each) => each.height <= height) ?? SMALLEST).good;
  return {
    active: allowed > 0 && wanted > 0,
    maxBitrate: bitrate,
    // Rounded, so that a window that is being resized does not change it with every pixel.
    scaleResolutionDownBy: Math.max(1, Math.round((captured / height) * 4) / 4),
  };
}

/**
 * How a shared screen is sent to one of the others.
 * @param {object} given
 * @param {"detail" | "motion"} given.hint
 * @param {number} given.others
 * @param {number} given.wanted
 * @returns {import("./lines.js").Encoding}
 */
export function screenEncoding({ hint, others, wanted }) {
  const { maxBitrate, maxFramerate } = SCREEN[hint];
  const share = Math.max(1, others / 2);
  return { active: wanted > 0, maxBitrate: Math.round(maxBitrate / share), maxFramerate };
}
