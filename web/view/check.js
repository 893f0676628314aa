// What the page /check shows.

import { isInVain } from "../diagnosis.js";
import { seconds } from "../report.js";
import { byId, copyOf, copyWith, within } from "./dom.js";

/**
 * @typedef {import("../diagnosis.js").Diagnosis} Diagnosis
 * @typedef {import("../diagnosis.js").Row} Row
 * @typedef {import("../gather.js").Attempt} Attempt
 */

/** @type {Record<import("../diagnosis.js").Status, string>} */
const STATUS = { running: "looking", ok: "ok", warning: "warning", failed: "failed", skipped: "skipped" };

/** Spelt out for the server, which takes one alone for the beginning of a template literal. */
const BACKTICK = "\u0060";

export class CheckView {
  #verdict = byId("verdict", HTMLElement);
  #sentence = byId("sentence", HTMLElement);
  #remedies = byId("remedies", HTMLElement);
  #rows = byId("rows", HTMLElement);
  #attempts = byId("attempts", HTMLElement);
  #copy = byId("copy-report", HTMLButtonElement);
  #again = byId("again", HTMLButtonElement);

  /**
   * @param {object} options
   * @param {() => string} options.report  as text
   * @param {() => void} options.onagain
   * @param {() => Promise<void>} options.onask
   */
  constructor({ report, onagain, onask }) {
    this.#copy.onclick = async () => this.#byHand((await copyWith(this.#copy, report())) ? "" : report());
    this.#again.onclick = onagain;
    const ask = byId("ask", HTMLButtonElement);
    ask.onclick = async () => {
      ask.disabled = true;
      await onask();
      ask.disabled = false;
    };
  }

  /** @param {Diagnosis} diagnosis */
  show({ level, sentence, rows }) {
    this.#verdict.dataset.level = level;
    // Said anew by screen readers wherever it is set.
    if (this.#sentence.textContent !== sentence) this.#sentence.textContent = sentence;
    const remedies = level === "running" ? [] : rows.filter(({ status, remedy }) => status !== "skipped" && remedy);
    this.#remedies.replaceChildren(...remedies.map(({ name, remedy = "" }) => item(`${name}: ${remedy}`)));
    this.#remedies.hidden = remedies.length === 0;
    this.#rows.replaceChildren(...rows.map(rowOf));
    for (const button of [this.#copy, this.#again]) button.disabled = level === "running";
    if (level === "running") this.#byHand("");
  }

  /** @param {Attempt[]} attempts */
  showAttempts(attempts) {
    this.#attempts.replaceChildren(...attempts.map(attemptOf));
  }

  /**
   * @param {string[]} lines
   * @param {string} problem
   */
  showDevices(lines, problem) {
    byId("devices", HTMLElement).replaceChildren(...lines.map(item));
    byId("devices-problem", HTMLElement).textContent = problem;
  }

  /** @param {string} text */
  #byHand(text) {
    const area = byId("by-hand", HTMLTextAreaElement);
    area.value = text;
    area.hidden = byId("by-hand-label", HTMLElement).hidden = text === "";
    if (text) area.select();
  }
}

/** @param {Row} row */
function rowOf({ name, status, found }) {
  const row = copyOf("row");
  row.dataset.status = status;
  within(row, "dt", HTMLElement).textContent = name;
  within(row, ".status", HTMLElement).textContent = STATUS[status];
  within(row, ".found", HTMLElement).append(...marked(found));
  return row;
}

/** @param {Attempt} attempt */
function attemptOf(attempt) {
  const { url, candidates, errors, done, ms } = attempt;
  const section = copyOf("attempt");
  within(section, "h3", HTMLElement).textContent = url;
  const scroll = within(section, ".scroll", HTMLElement);
  scroll.hidden = candidates.length === 0;
  scroll.setAttribute("aria-label", `Candidates by ${url}`);
  within(section, "tbody", HTMLElement).append(
    ...candidates.map(({ type, protocol, address, port, priority, ms }) => {
      const line = document.createElement("tr");
      line.append(...[type, protocol, address, port, priority, `${ms} ms`].map(cell));
      return line;
    }),
  );
  const list = within(section, ".errors", HTMLElement);
  list.hidden = errors.length === 0;
  list.append(...errors.map((error) => item(`Error ${error.code} from ${error.url || url}: ${error.text || "without a text"}`)));
  within(section, ".none", HTMLElement).textContent = isInVain(attempt) ? `Without success after ${seconds(ms)} s.` : done ? "" : "Looking…";
  return section;
}

/** @param {string | number} text */
function cell(text) {
  const cell = document.createElement("td");
  cell.textContent = String(text);
  return cell;
}

/** @param {string} text */
function item(text) {
  const item = document.createElement("li");
  item.append(...marked(text));
  return item;
}

/**
 * Text in which backticks hold what is to be typed as it stands.
 * @param {string} text
 */
function marked(text) {
  return text.split(BACKTICK).map((part, index) => {
    if (index % 2 === 0) return part;
    const code = document.createElement("code");
    code.textContent = part;
    return code;
  });
}
