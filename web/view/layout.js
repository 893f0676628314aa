// Where tiles go: rectangles for a number of tiles in a window. Pure.

/**
 * In CSS pixels, from the upper left corner of the window.
 * @typedef {{ x: number, y: number, width: number, height: number }} Box
 */

/**
 * Ratios of width to height.
 * @typedef {object} Shapes
 * @property {number} narrowest  beyond these a tile would rather be smaller
 * @property {number} widest
 * @property {number} preferred
 */

const NARROWEST = 3 / 4;
const WIDEST = 16 / 9;
/** How much of a picture may be cut off. */
const CUT = 1 / 3;
/** What most cameras give; so tiles seldom change when a picture comes. */
const USUAL = 16 / 9;
/** Between a camera's two usual shapes: what most pictures lose least in. */
const PREFERRED = 4 / 3;

/** How much of the long side a strip may take, and from which size on its tiles need no more. */
const STRIPS = [0.16, 0.2, 0.25, 0.3, 0.36, 0.42];
const ENOUGH = { width: 132, height: 88 };
/** How much of a strip's length it leaves to the own picture at the most. */
const LEAVES = 0.35;

/**
 * The shapes of tiles that cut little off pictures of these ratios.
 * @param {number[]} ratios
 * @returns {Shapes}
 */
export function shapesFor(ratios) {
  const all = ratios.length > 0 ? ratios : [USUAL];
  const between = (/** @type {number} */ ratio) => Math.min(Math.max(ratio, NARROWEST), WIDEST);
  const narrowest = between(Math.min(...all) * (1 - CUT));
  const widest = between(Math.max(...all) / (1 - CUT));
  return { narrowest, widest, preferred: Math.min(Math.max(PREFERRED, narrowest), widest) };
}

/**
 * How many columns make the largest pictures.
 * @param {number} count
 * @param {number} width
 * @param {number} height
 * @param {number} [gap]
 * @param {number} [preferred]  ratio
 */
export function columnsFor(count, width, height, gap = 0, preferred = PREFERRED) {
  let best = { columns: 1, size: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const cell = cellOf(count, columns, width, height, gap);
    const size = Math.min(cell.width, cell.height * preferred);
    if (size > best.size) best = { columns, size };
  }
  return best.columns;
}

/**
 * One rectangle for each tile.
 * @param {object} given
 * @param {number} given.count
 * @param {number} given.width
 * @param {number} given.height
 * @param {number} given.gap
 * @param {Shapes} given.shapes
 * @param {{ top: number, bottom: number }} [given.kept]  what a strip at the side leaves free, for the own picture
 * @param {"person" | "screen" | null} given.big  what the first is if it is large, beside or above a strip of the others;
 *   a screen gets all the room there is
 * @returns {Box[]}
 */
export function layOut({ count, width, height, gap, shapes, big, kept = { top: 0, bottom: 0 } }) {
  const window = { x: 0, y: 0, width: Math.max(0, width), height: Math.max(0, height) };
  if (!big) return grid(count, window, gap, shapes);
  const wide = window.width > window.height;
  const [room, ...strip] = wide ? beside(count - 1, window, gap, kept) : above(count - 1, window, gap);
  return [...(big === "person" ? grid(1, room, gap, shapes) : [room]), ...strip];
}

/**
 * @param {number} others
 * @param {Box} window
 * @param {number} gap
 * @param {{ top: number, bottom: number }} kept
 */
function beside(others, window, gap, kept) {
  const { width, height } = window;
  // A window that is low has none to give away.
  const { top, bottom } = kept.top + kept.bottom <= height * LEAVES ? kept : { top: 0, bottom: 0 };
  if (others === 0) return [window];
  const shapes = { narrowest: PREFERRED, widest: WIDEST, preferred: PREFERRED };
  const stripOf = (/** @type {number} */ wide) => grid(others, { x: width - wide, y: top, width: wide, height: height - top - bottom }, gap, shapes);
  const wide = firstEnough(width, stripOf);
  // What the strip does not need the big one gets.
  const used = extent(stripOf(wide), "x", "width");
  return [{ x: 0, y: 0, width: Math.max(0, width - used - gap), height }, ...stripOf(used)];
}

/**
 * @param {number} others
 * @param {Box} window
 * @param {number} gap
 */
function above(others, window, gap) {
  const { width, height } = window;
  if (others === 0) return [window];
  const shapes = { narrowest: NARROWEST, widest: WIDEST, preferred: PREFERRED };
  const stripOf = (/** @type {number} */ high) => grid(others, { x: 0, y: height - high, width, height: high }, gap, shapes);
  const high = firstEnough(height, stripOf);
  const used = extent(stripOf(high), "y", "height");
  return [{ x: 0, y: 0, width, height: Math.max(0, height - used - gap) }, ...stripOf(used)];
}

/**
 * The thinnest strip whose tiles are large enough; else the thickest.
 * @param {number} side
 * @param {(thickness: number) => Box[]} stripOf
 */
function firstEnough(side, stripOf) {
  const all = STRIPS.map((share) => Math.floor(side * share));
  const enough = all.find((thickness) => {
    const [tile] = stripOf(thickness);
    return tile.width >= ENOUGH.width && tile.height >= ENOUGH.height;
  });
  return enough ?? all[all.length - 1];
}

/**
 * Equal tiles in rows; each row is centred, also one that is not full.
 * @param {number} count
 * @param {Box} area
 * @param {number} gap
 * @param {Shapes} shapes
 * @returns {Box[]}
 */
function grid(count, area, gap, { narrowest, widest, preferred }) {
  const columns = columnsFor(count, area.width, area.height, gap, preferred);
  const rows = Math.ceil(count / columns);
  const cell = cellOf(count, columns, area.width, area.height, gap);
  const width = Math.floor(Math.min(cell.width, Math.floor(cell.height) * widest));
  const height = Math.floor(Math.min(cell.height, width / narrowest));
  const top = area.y + Math.floor((area.height - rows * height - (rows - 1) * gap) / 2);
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / columns);
    const inRow = Math.min(columns, count - row * columns);
    const left = area.x + Math.floor((area.width - inRow * width - (inRow - 1) * gap) / 2);
    return { x: left + (index % columns) * (width + gap), y: top + row * (height + gap), width, height };
  });
}

/**
 * @param {number} count
 * @param {number} columns
 * @param {number} width
 * @param {number} height
 * @param {number} gap
 */
function cellOf(count, columns, width, height, gap) {
  const rows = Math.ceil(count / columns);
  return {
    width: Math.max(0, (width - gap * (columns - 1)) / columns),
    height: Math.max(0, (height - gap * (rows - 1)) / rows),
  };
}

/**
 * How far boxes reach, from the first to the last.
 * @param {Box[]} boxes
 * @param {"x" | "y"} from
 * @param {"width" | "height"} size
 */
function extent(boxes, from, size) {
  return Math.max(...boxes.map((box) => box[from] + box[size])) - Math.min(...boxes.map((box) => box[from]));
}
