// The four corners in which the own picture can be. Pure.

/** @typedef {"top-left" | "top-right" | "bottom-left" | "bottom-right"} Corner */

/** The order in which one button goes through them. @type {Corner[]} */
const ROUND = ["bottom-right", "bottom-left", "top-left", "top-right"];

/**
 * @param {string} text  such as was stored once
 * @returns {Corner}
 */
export function cornerOf(text) {
  return ROUND.find((corner) => corner === text) ?? ROUND[0];
}

/**
 * @param {Corner} corner
 * @returns {Corner} the next one, clockwise
 */
export function cornerAfter(corner) {
  return ROUND[(ROUND.indexOf(corner) + 1) % ROUND.length];
}

/**
 * @param {{ x: number, y: number }} point
 * @param {{ x: number, y: number, width: number, height: number }} area
 * @returns {Corner} the one that is nearest to the point
 */
export function cornerNear(point, area) {
  const lower = point.y > area.y + area.height / 2;
  const right = point.x > area.x + area.width / 2;
  return `${lower ? "bottom" : "top"}-${right ? "right" : "left"}`;
}

/**
 * @param {Corner} corner
 * @param {string} key  as KeyboardEvent has it
 * @returns {Corner | null} where an arrow key leads; null for any other key
 */
export function cornerBy(corner, key) {
  const [vertical, horizontal] = /** @type {["top" | "bottom", "left" | "right"]} */ (corner.split("-"));
  switch (key) {
    case "ArrowUp":
      return `top-${horizontal}`;
    case "ArrowDown":
      return `bottom-${horizontal}`;
    case "ArrowLeft":
      return `${vertical}-left`;
    case "ArrowRight":
      return `${vertical}-right`;
  }
  return null;
}
