// Where tiles go: rectangles for a number of tiles in a window. Pure.

/**
 * In CSS pixels, from the upper left corner of the window.
 * @typedef {{ x: number, y: number, width: number, height: number }} Box
 */

/**
 * The own picture: its corner, and its size where nothing limits it.
 * @typedef {{ corner: import("./corners.js").Corner, width: number, height: number }} Own
 */

/** @typedef {{ tiles: Box[], own: Box | null }} Places */

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
/** Smaller the own picture is not made, nor a tile for its sake. */
const LEAST = { width: 48, height: 48 };
/** A single tile gives that much of itself to leave the own picture free; else that lies on it. */
const GIVES = 0.1;

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
 * One rectangle for each tile, and one for the own picture, which lies on none of them; but for a single tile that would
 * lose too much, and for windows that have no room at all.
 * @param {object} given
 * @param {number} given.count
 * @param {number} given.width
 * @param {number} given.height
 * @param {number} given.gap
 * @param {Shapes} given.shapes
 * @param {Own | null} [given.own]  null where it is hidden
 * @param {"person" | "screen" | null} given.big  what the first is if it is large, beside or above a strip of the others;
 *   a screen gets all the room there is
 * @returns {Places}
 */
export function layOut({ count, width, height, gap, shapes, big, own = null }) {
  const window = { x: 0, y: 0, width: Math.max(0, width), height: Math.max(0, height) };
  if (!big || (big === "person" && count === 1)) return around(own, count, window, gap, shapes, count === 1 ? GIVES : 1);
  if (count === 1 && !own) return { tiles: [window], own };
  const strip = stripOf(count - 1, window, gap, own);
  const room = without(window, strip.thickness + gap, strip.side);
  const [first] = big === "person" ? grid(1, room, gap, shapes) : [room];
  return { tiles: [first, ...strip.tiles], own: strip.own };
}

/** @typedef {"left" | "right" | "top" | "bottom"} Side */

/**
 * The others of a big one: at the side, or above or below in a window that is upright. Where the own picture is, so that it
 * has its place among them.
 * @param {number} others
 * @param {Box} window
 * @param {number} gap
 * @param {Own | null} own
 * @returns {Places & { side: Side, thickness: number }}
 */
function stripOf(others, window, gap, own) {
  const wide = window.width > window.height;
  const [vertical, horizontal] = sidesOf(own?.corner ?? "bottom-right");
  const side = wide ? horizontal : vertical;
  const long = wide ? window.width : window.height;
  const shapes = { narrowest: wide ? PREFERRED : NARROWEST, widest: WIDEST, preferred: PREFERRED };
  const placed = (/** @type {number} */ thickness) => around(own, others, without(window, long - thickness, opposite(side)), gap, shapes);
  let thickness = firstEnough(long, placed);
  let places = placed(thickness);
  // What the strip does not need the big one gets.
  for (;;) {
    const used = extent(places, wide);
    if (used >= thickness) return { ...places, side, thickness };
    thickness = used;
    places = placed(thickness);
  }
}

/**
 * The thinnest strip whose tiles are large enough; else the thickest.
 * @param {number} side
 * @param {(thickness: number) => Places} placed
 */
function firstEnough(side, placed) {
  const all = STRIPS.map((share) => Math.floor(side * share));
  const enough = all.find((thickness) => {
    const [tile] = placed(thickness).tiles;
    return !tile || (tile.width >= ENOUGH.width && tile.height >= ENOUGH.height);
  });
  return enough ?? all[all.length - 1];
}

/**
 * Equal tiles and the own picture in its corner: as if it was not there if it is on nobody, else beside it, above or below
 * it, or with it as one of them, whatever makes the largest tiles.
 * @param {Own | null} own
 * @param {number} count
 * @param {Box} area
 * @param {number} gap
 * @param {Shapes} shapes
 * @param {number} [gives]  how much of its size a tile gives for that at the most
 * @returns {Places}
 */
function around(own, count, area, gap, shapes, gives = 1) {
  const tiles = grid(count, area, gap, shapes);
  if (!own) return { tiles, own };
  const [vertical, horizontal] = sidesOf(own.corner);
  const inCorner = atCorner(own.corner, fitted(own, area), area);
  if (count === 0) return { tiles, own: inCorner };
  const free = [
    { tiles, own: inCorner },
    { tiles: grid(count, without(area, inCorner.width + gap, horizontal), gap, shapes), own: inCorner },
    { tiles: grid(count, without(area, inCorner.height + gap, vertical), gap, shapes), own: inCorner },
    among(own, count, area, gap, shapes),
  ].filter((places) => isFree(places, gap));
  const [best] = free.sort((a, b) => sizeOf(b) - sizeOf(a));
  if (best && sizeOf(best) >= (1 - gives) * sizeOf({ tiles })) return best;
  // Not at the very edge of the tile that it lies on.
  return { tiles, own: atCorner(own.corner, inCorner, inset(area, gap)) };
}

/**
 * As many tiles and one more, in the corner, for the own picture.
 * @param {Own} own
 * @param {number} count
 * @param {Box} area
 * @param {number} gap
 * @param {Shapes} shapes
 * @returns {Places}
 */
function among(own, count, area, gap, shapes) {
  const [vertical, horizontal] = sidesOf(own.corner);
  // The last row reaches into the corner, even if it is not full.
  const cells = grid(count + 1, area, gap, shapes, vertical === "bottom" ? horizontal : "middle");
  const row = cells.filter(({ y }) => y === (vertical === "top" ? cells[0] : cells[count]).y);
  const cell = horizontal === "left" ? row[0] : row[row.length - 1];
  const tiles = cells.filter((other) => other !== cell);
  const whole = { tiles, own: atCorner(own.corner, fitted(own, area), area) };
  return isFree(whole, gap) ? whole : { tiles, own: atCorner(own.corner, fitted(own, cell), cell) };
}

/**
 * Whether the own picture is at its distance from everybody, and nothing has become too small for that.
 * @param {Places} places
 * @param {number} gap
 */
function isFree({ tiles, own }, gap) {
  return own !== null && [own, ...tiles].every(isLarge) && !tiles.some((tile) => overlap(tile, inset(own, -gap)));
}

/** @param {Box} box */
function isLarge({ width, height }) {
  return width >= LEAST.width && height >= LEAST.height;
}

/** @param {{ tiles: Box[] }} places */
function sizeOf({ tiles }) {
  return tiles[0].width * tiles[0].height;
}

/**
 * @param {Box} a
 * @param {Box} b
 */
function overlap(a, b) {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

/**
 * The own picture where there may be less room than it would take.
 * @param {Own} own
 * @param {{ width: number, height: number }} room
 */
function fitted({ width, height }, room) {
  const ratio = width / height;
  const [wide, high] = [Math.min(width, room.width), Math.min(height, room.height)];
  return {
    width: Math.floor(Math.min(wide, (high * ratio) / (1 - CUT))),
    height: Math.floor(Math.min(high, wide / ratio / (1 - CUT))),
  };
}

/**
 * @param {import("./corners.js").Corner} corner
 * @returns {["top" | "bottom", "left" | "right"]}
 */
function sidesOf(corner) {
  return /** @type {["top" | "bottom", "left" | "right"]} */ (corner.split("-"));
}

/** @param {Side} side */
function opposite(side) {
  return /** @type {const} */ ({ left: "right", right: "left", top: "bottom", bottom: "top" })[side];
}

/**
 * @param {import("./corners.js").Corner} corner
 * @param {{ width: number, height: number }} size
 * @param {Box} area
 * @returns {Box}
 */
function atCorner(corner, { width, height }, area) {
  const [vertical, horizontal] = sidesOf(corner);
  const x = horizontal === "left" ? area.x : area.x + area.width - width;
  const y = vertical === "top" ? area.y : area.y + area.height - height;
  return { x, y, width, height };
}

/**
 * What is left of an area.
 * @param {Box} area
 * @param {number} taken
 * @param {Side} side  where that is taken
 * @returns {Box}
 */
function without({ x, y, width, height }, taken, side) {
  const wide = Math.max(0, width - taken);
  const high = Math.max(0, height - taken);
  if (side === "left") return { x: x + width - wide, y, width: wide, height };
  if (side === "right") return { x, y, width: wide, height };
  if (side === "top") return { x, y: y + height - high, width, height: high };
  return { x, y, width, height: high };
}

/**
 * @param {Box} area
 * @param {number} by
 * @returns {Box}
 */
function inset({ x, y, width, height }, by) {
  return { x: x + by, y: y + by, width: width - 2 * by, height: height - 2 * by };
}

/**
 * Equal tiles in rows; each row is centred, also one that is not full.
 * @param {number} count
 * @param {Box} area
 * @param {number} gap
 * @param {Shapes} shapes
 * @param {"left" | "right" | "middle"} [last]  where the last row is if it is not full
 * @returns {Box[]}
 */
function grid(count, area, gap, { narrowest, widest, preferred }, last = "middle") {
  const columns = columnsFor(count, area.width, area.height, gap, preferred);
  const rows = Math.ceil(count / columns);
  const cell = cellOf(count, columns, area.width, area.height, gap);
  const width = Math.floor(Math.min(cell.width, Math.floor(cell.height) * widest));
  const height = Math.floor(Math.min(cell.height, width / narrowest));
  const top = area.y + Math.floor((area.height - rows * height - (rows - 1) * gap) / 2);
  const rowOf = (/** @type {number} */ tiles) => tiles * width + (tiles - 1) * gap;
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / columns);
    const short = rowOf(columns) - rowOf(Math.min(columns, count - row * columns));
    const aside = { left: 0, middle: short / 2, right: short }[last];
    const left = area.x + Math.floor((area.width - rowOf(columns)) / 2 + aside);
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
 * How far all reaches, from the first to the last.
 * @param {Places} places
 * @param {boolean} across  else down
 */
function extent({ tiles, own }, across) {
  const spans = [...tiles, ...(own ? [own] : [])].map(({ x, y, width, height }) => (across ? [x, x + width] : [y, y + height]));
  return Math.max(...spans.map(([, end]) => end)) - Math.min(...spans.map(([start]) => start));
}
