// Small graphs of what was measured. They are drawn for the eye only: the text beside them says the last value.

import { KEPT } from "../watch.js";

const SVG = "http://www.w3.org/2000/svg";
export const HEIGHT = 24;

/**
 * Lines through the values, the newest at the right edge; a gap where one is not known. Pure.
 * @param {(number | null)[]} values
 * @param {number} least  what the full height stands for where no value is higher
 * @returns {{ line: string, area: string }}  for the `d` of a path
 */
export function outline(values, least) {
  const top = Math.max(least, ...values.map((value) => value ?? 0));
  const points = values.map((value, index) => ({
    x: KEPT - values.length + index,
    y: value === null ? null : Math.round((HEIGHT - 1 - (value / top) * (HEIGHT - 2)) * 10) / 10,
  }));
  const runs = runsOf(points);
  const line = runs.map((run) => `M${run.join("L")}`).join("");
  const area = runs.map((run) => `M${run[0].split(" ")[0]} ${HEIGHT}L${run.join("L")}L${run[run.length - 1].split(" ")[0]} ${HEIGHT}Z`);
  return { line, area: area.join("") };
}

/**
 * @param {{ x: number, y: number | null }[]} points
 * @returns {string[][]}
 */
function runsOf(points) {
  /** @type {string[][]} */
  const runs = [];
  points.forEach(({ x, y }, index) => {
    if (y === null) return;
    if (index === 0 || points[index - 1].y === null) runs.push([]);
    runs[runs.length - 1].push(`${x} ${y}`);
  });
  return runs;
}

export class Graph {
  element = document.createElementNS(SVG, "svg");
  #area = document.createElementNS(SVG, "path");
  #line = document.createElementNS(SVG, "path");
  #least;

  /** @param {number} least  see {@link outline} */
  constructor(least) {
    this.#least = least;
    this.element.setAttribute("class", "graph");
    this.element.setAttribute("viewBox", `0 0 ${KEPT - 1} ${HEIGHT}`);
    this.element.setAttribute("preserveAspectRatio", "none");
    this.element.setAttribute("aria-hidden", "true");
    this.#area.setAttribute("class", "area");
    this.#line.setAttribute("class", "line");
    this.element.append(this.#area, this.#line);
  }

  /** @param {(number | null)[]} values  the newest is the last */
  draw(values) {
    const { line, area } = outline(values, this.#least);
    this.#line.setAttribute("d", line);
    this.#area.setAttribute("d", area);
  }
}
