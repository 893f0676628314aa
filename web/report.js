// A check as plain text, to be sent to those who run the server. Pure.

import { isInVain } from "./diagnosis.js";

/**
 * @typedef {import("./diagnosis.js").Diagnosis} Diagnosis
 * @typedef {import("./gather.js").Attempt} Attempt
 * @typedef {object} About
 * @property {string} url  of the page
 * @property {string} time  ISO 8601
 * @property {string} browser
 * @property {string} version  of callbox
 */

/**
 * @param {Diagnosis} diagnosis
 * @param {Attempt[]} attempts
 * @param {About} about
 */
export function report({ sentence, rows }, attempts, { url, time, browser, version }) {
  const width = Math.max(...rows.map(({ name }) => name.length));
  const lines = rows.flatMap(({ name, status, found, remedy }) => [
    `${status.padEnd(8)} ${name.padEnd(width)}  ${found}`,
    ...(remedy ? [`${" ".repeat(9 + width)}  -> ${remedy}`] : []),
  ]);
  return [`callbox ${version}, ${url}, ${time}`, browser, "", sentence, "", ...lines, "", ...attempts.flatMap(tried)].join("\n");
}

/** @param {Attempt} attempt */
function tried(attempt) {
  const { url, candidates, errors, ms } = attempt;
  return [
    url,
    ...candidates.map(
      ({ type, protocol, address, port, priority, ms }) => `  ${type} ${protocol} ${address} port ${port}, priority ${priority}, after ${ms} ms`,
    ),
    ...errors.map((error) => `  error ${error.code} ${error.text} (${error.url})`),
    ...(isInVain(attempt) ? [`  without success after ${seconds(ms)} s`] : []),
  ];
}

/** @param {number} ms */
export function seconds(ms) {
  return (ms / 1_000).toFixed(1);
}
