// Samples and what was done, as an SVG: one panel below the other, over the same time. Pure.

import { clock } from "./judge.mjs";

const WIDTH = 1200;
const PANEL = 110;
const GAP = 34;
const LEFT = 70;
const RIGHT = 150;
const TOP = 60;
const COLOURS = ["#0b57d0", "#c5221f", "#188038", "#b06000"];
/** Of what was done to the program. */
const MARKS = { kill: "#c5221f", certificate: "#188038", hangup: "#9334e6", address: "#b06000" };

/** @typedef {import("./judge.mjs").Sample} Sample */
/** @typedef {{ name: string, values: (number | null)[] }} Line */

/**
 * @param {Sample[]} samples  at least two
 * @param {{ at: number, kind: string }[]} events
 * @param {string} title
 */
export function draw(samples, events, title) {
  const end = samples[samples.length - 1].at;
  const x = (at) => LEFT + ((WIDTH - LEFT - RIGHT) * at) / end;
  const panels = panelsOf(samples);
  const height = TOP + panels.length * (PANEL + GAP) + 20;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="${LEFT}" y="24" font-size="16">${escaped(title)}</text>`,
    legend(),
  ];
  for (const [index, { name, lines }] of panels.entries()) {
    const top = TOP + index * (PANEL + GAP) + 16;
    parts.push(rests(samples, x, top), marks(events, x, top), panel(name, lines, samples, x, top));
  }
  parts.push(times(end, x, height - 8), "</svg>\n");
  return parts.join("\n");
}

/** @param {Sample[]} samples */
function panelsOf(samples) {
  const line = (name, key) => ({ name, values: samples.map((sample) => sample[key]) });
  const names = samples[0].call.map(({ name }) => name);
  const ofCall = (key) => names.map((name, index) => ({ name, values: samples.map(({ call }) => call[index]?.[key] ?? null) }));
  return [
    { name: "Memory, MiB", lines: [line("RSS", "rss"), line("PSS", "pss")] },
    { name: "Descriptors", lines: [line("open", "descriptors")] },
    { name: "Threads", lines: [line("threads", "threads")] },
    { name: "Wake-ups a second", lines: [line("context switches", "wakeups")] },
    { name: "Processor, % of a core", lines: [line("processor", "cpu")] },
    { name: "Load of the whole machine", lines: [line("load", "load")] },
    { name: "Rooms, WebSockets, allocations", lines: [line("rooms", "rooms"), line("WebSockets", "websockets"), line("allocations", "allocations")] },
    { name: "The call: frames a second that each page decodes", lines: ofCall("fps") },
    { name: "The call: longest still picture, seconds", lines: ofCall("still") },
  ];
}

/**
 * @param {string} name
 * @param {Line[]} lines
 * @param {Sample[]} samples
 * @param {(at: number) => number} x
 * @param {number} top
 */
function panel(name, lines, samples, x, top) {
  const values = lines.flatMap(({ values }) => values.filter((value) => value !== null));
  const most = ceiling(Math.max(...values, 1));
  const y = (value) => top + PANEL - (PANEL * value) / most;
  const parts = [`<text x="${LEFT}" y="${top - 5}" font-weight="bold">${escaped(name)}</text>`];
  for (const part of [0, 0.5, 1]) {
    const value = most * part;
    parts.push(
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(value)}" y2="${y(value)}" stroke="#ddd"/>`,
      `<text x="${LEFT - 6}" y="${y(value) + 4}" text-anchor="end" fill="#555">${value}</text>`,
    );
  }
  for (const [index, { name, values }] of lines.entries()) {
    const colour = COLOURS[index];
    parts.push(
      `<path fill="none" stroke="${colour}" stroke-width="1.5" d="${path(values, samples, x, y)}"/>`,
      `<text x="${WIDTH - RIGHT + 8}" y="${top + 12 + 16 * index}" fill="${colour}">${escaped(name)}</text>`,
    );
  }
  return parts.join("\n");
}

/** A line that breaks where a process ends. */
function path(values, samples, x, y) {
  let pen = false;
  const steps = values.map((value, index) => {
    if (samples[index].generation !== samples[index - 1]?.generation) pen = false;
    if (value === null) {
      pen = false;
      return "";
    }
    const step = `${pen ? "L" : "M"}${x(samples[index].at).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = true;
    return step;
  });
  return steps.join("");
}

/** Where nothing was done to the program. */
function rests(samples, x, top) {
  const numbers = [...new Set(samples.map(({ rest }) => rest))].filter((rest) => rest > 0);
  return numbers
    .map((number) => {
      const during = samples.filter(({ rest }) => rest === number).map(({ at }) => at);
      const [from, to] = [x(Math.min(...during)), x(Math.max(...during))];
      return `<rect x="${from.toFixed(1)}" y="${top}" width="${Math.max(1, to - from).toFixed(1)}" height="${PANEL}" fill="#e6f4ea"/>`;
    })
    .join("\n");
}

function marks(events, x, top) {
  return events
    .filter(({ kind }) => kind in MARKS)
    .map(({ at, kind }) => `<line x1="${x(at).toFixed(1)}" x2="${x(at).toFixed(1)}" y1="${top}" y2="${top + PANEL}" stroke="${MARKS[kind]}" stroke-opacity="0.45"/>`)
    .join("\n");
}

function legend() {
  const names = { kill: "killed and started again", certificate: "another certificate", hangup: "SIGHUP", address: "another address" };
  const parts = Object.entries(names).map(
    ([kind, name], index) => `<text x="${LEFT + 210 * index}" y="44" fill="${MARKS[kind]}">| ${name}</text>`,
  );
  parts.push(`<text x="${LEFT + 840}" y="44" fill="#188038">&#9632; rest, where equal loads are compared</text>`);
  return parts.join("\n");
}

/** @param {number} end */
function times(end, x, y) {
  const parts = [0, 1, 2, 3, 4, 5, 6].map((part) => {
    const at = (end * part) / 6;
    return `<text x="${x(at).toFixed(1)}" y="${y}" text-anchor="middle" fill="#555">${clock(at)}</text>`;
  });
  return parts.join("\n");
}

/**
 * The next 1, 2 or 5 times a power of ten.
 * @param {number} value
 */
function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 5, 7.5, 10].map((step) => step * power).find((step) => step >= value) ?? value;
}

/** @param {string} text */
const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
