// The figures of a connection: each as text with its unit, and below it a small graph of the last two minutes.

import { SAMPLE_MS } from "../watch.js";
import { Graph } from "./graph.js";

/**
 * @typedef {import("../stats.js").Sample} Sample
 * @typedef {import("../stats.js").Picture} Picture
 * @typedef {import("../watch.js").Watched} Watched
 * @typedef {"received" | "sent"} Way
 * @typedef {object} Figure
 * @property {(sample: Sample, watched: Watched) => string} text
 * @property {(sample: Sample) => number | null} [value]  of the graph
 * @property {number} [least]  what the graph's full height stands for at the least
 */

/** What is not known, or not there. */
export const NONE = "–";
/** A browser also calls a picture held back that only keeps to its own limit. */
const NARROW = 800_000;

const ROUTES = { direct: "Direct", udp: "Through callbox: UDP", tcp: "Through callbox: TCP", tls: "Through callbox: TLS" };

/** @type {Record<string, Figure>} */
const FACTS = {
  Route: { text: ({ route }) => (route ? ROUTES[route] : NONE) },
  "Round trip": { text: ({ roundTrip }) => milliseconds(roundTrip), value: ({ roundTrip }) => roundTrip, least: 100 },
};

/** @type {Record<string, (way: Way) => Figure>} */
const FLOWS = {
  Loss: (way) => ({ text: (sample) => percent(sample[way].loss), value: (sample) => sample[way].loss, least: 0.1 }),
  Jitter: (way) => ({ text: (sample) => milliseconds(sample[way].jitter), value: (sample) => sample[way].jitter, least: 50 }),
  "Bit rate": (way) => ({ text: (sample) => rate(sample[way].bitrate), value: (sample) => sample[way].bitrate, least: 200_000 }),
  Camera: (way) => pictureOf(way, "camera"),
  Screen: (way) => pictureOf(way, "screen"),
  Codecs: (way) => ({ text: (sample) => sample[way].codecs.join(", ") || NONE }),
};

/**
 * @param {Way} way
 * @param {"camera" | "screen"} what
 * @returns {Figure}
 */
function pictureOf(way, what) {
  const least = what === "camera" ? 30 : 10;
  const value = (/** @type {Sample} */ sample) => sample[way][what]?.fps ?? null;
  return { text: (sample, { peer }) => picture(isShown(way, what, peer) ? sample[way][what] : null), value, least };
}

/**
 * Of a picture that is off, the size of the last one that came is still known.
 * @param {Way} way
 * @param {"camera" | "screen"} what
 * @param {import("../peer.js").Peer} peer
 */
function isShown(way, what, peer) {
  return way === "sent" || (what === "camera" ? peer.hasVideo : peer.hasScreen);
}

export class Figures {
  /** @type {((watched: Watched, sample: Sample) => void)[]} */
  #fills = [];
  #screen;

  /**
   * @param {HTMLElement} facts  a `dl`
   * @param {HTMLElement} flows  a `tbody`
   */
  constructor(facts, flows) {
    facts.replaceChildren(...Object.entries(FACTS).map(([name, figure]) => this.#fact(name, figure)));
    const rows = Object.entries(FLOWS).map(([name, figure]) => ({ name, row: this.#row(name, figure) }));
    flows.replaceChildren(...rows.map(({ row }) => row));
    this.#screen = rows.find(({ name }) => name === "Screen")?.row;
  }

  /** @param {Watched} watched */
  show(watched) {
    const sample = watched.samples[watched.samples.length - 1];
    for (const fill of this.#fills) fill(watched, sample);
    if (this.#screen) this.#screen.hidden = !watched.peer.hasScreen && sample.sent.screen === null;
  }

  /**
   * @param {string} name
   * @param {Figure} figure
   */
  #fact(name, figure) {
    const [group, term, text] = ["div", "dt", "dd"].map((tag) => document.createElement(tag));
    term.textContent = name;
    this.#fill(text, figure);
    group.append(term, text);
    return group;
  }

  /**
   * @param {string} name
   * @param {(way: Way) => Figure} figure
   */
  #row(name, figure) {
    const [row, head] = ["tr", "th"].map((tag) => document.createElement(tag));
    head.setAttribute("scope", "row");
    head.textContent = name;
    const cells = /** @type {Way[]} */ (["received", "sent"]).map((way) => {
      const cell = document.createElement("td");
      this.#fill(cell, figure(way));
      return cell;
    });
    row.append(head, ...cells);
    return row;
  }

  /**
   * @param {HTMLElement} place
   * @param {Figure} figure
   */
  #fill(place, { text, value, least = 1 }) {
    const shown = document.createElement("span");
    shown.className = "value";
    place.append(shown);
    const graph = value && new Graph(least);
    if (graph) place.append(graph.element);
    this.#fills.push((watched, sample) => {
      shown.textContent = text(sample, watched);
      if (graph && value) graph.draw(watched.samples.map(value));
    });
  }
}

/**
 * What else is worth knowing, in sentences. Pure.
 * @param {Sample[]} samples
 */
export function notesOf(samples) {
  const { limited, available } = samples[samples.length - 1];
  const freezes = samples.reduce((sum, sample) => sum + sample.freezes, 0);
  const minutes = Math.max(1, Math.round((samples.length * SAMPLE_MS) / 60_000));
  const notes = [];
  if (limited === "cpu") notes.push("Your pictures are smaller, since this computer is busy.");
  if (limited === "bandwidth" && available !== null && available < NARROW) {
    notes.push("Your pictures are smaller, since no more gets through.");
  }
  if (freezes > 0) {
    const times = freezes === 1 ? "once" : `${freezes} times`;
    notes.push(`Received pictures froze ${times} in the last ${minutes === 1 ? "minute" : `${minutes} minutes`}.`);
  }
  return notes.join(" ");
}

/** @param {number | null} value */
export function milliseconds(value) {
  return value === null ? NONE : `${Math.round(value)} ms`;
}

/** @param {number | null} share */
export function percent(share) {
  if (share === null) return NONE;
  return `${share > 0 && share < 0.1 ? (share * 100).toFixed(1) : Math.round(share * 100)} %`;
}

/** @param {number | null} bitrate */
export function rate(bitrate) {
  if (bitrate === null) return NONE;
  return bitrate < 1_000_000 ? `${Math.round(bitrate / 1_000)} kbit/s` : `${(bitrate / 1_000_000).toFixed(1)} Mbit/s`;
}

/** @param {Picture | null} picture */
export function picture(picture) {
  // Where there is no room, it breaks at the comma only.
  return picture ? `${picture.width}\u00a0×\u00a0${picture.height}, ${picture.fps}\u00a0fps` : "Off";
}
