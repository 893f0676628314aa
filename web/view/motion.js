// Movement that helps the eye follow, for those who want it.

const GLIDE = { duration: 200, easing: "cubic-bezier(0.2, 0, 0, 1)" };
const still = matchMedia("(prefers-reduced-motion: reduce)");

/**
 * Lets an element glide from where it was to where it is. Only the compositor has work with that: the layout is done.
 * The element's transform-origin is its upper left corner.
 * @param {HTMLElement} element
 * @param {import("./layout.js").Box} before
 * @param {import("./layout.js").Box} now
 */
export function glide(element, before, now) {
  const [x, y] = [before.x - now.x, before.y - now.y];
  const [wider, higher] = [before.width / now.width, before.height / now.height];
  const moved = x !== 0 || y !== 0 || wider !== 1 || higher !== 1;
  if (still.matches || !moved || !Number.isFinite(wider) || !Number.isFinite(higher)) return;
  element.animate([{ transform: `translate(${x}px, ${y}px) scale(${wider}, ${higher})` }, { transform: "none" }], GLIDE);
}
