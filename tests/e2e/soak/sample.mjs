// What the kernel and the program itself say of it.

import { readFileSync, readdirSync } from "node:fs";

/**
 * @typedef {object} Held  what the kernel says
 * @property {number} rss  MiB
 * @property {number} pss  MiB
 * @property {number} descriptors
 * @property {number} threads
 * @property {number} wakeups  context switches since the process began, of all threads
 * @property {number} cpu  seconds since the process began
 */

/**
 * @param {number} pid
 * @returns {Held}
 */
export function held(pid) {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const mebibytes = (key) => Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(rollup)?.[1]) / 1024;
  const threads = readdirSync(`/proc/${pid}/task`);
  let [wakeups, cpu] = [0, 0];
  for (const thread of threads) {
    try {
      const status = readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8");
      for (const [, count] of status.matchAll(/ctxt_switches:\s+(\d+)/g)) wakeups += Number(count);
      cpu += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]) / 1e9;
    } catch {
      // It has just ended.
    }
  }
  const descriptors = readdirSync(`/proc/${pid}/fd`).length;
  return { rss: mebibytes("Rss"), pss: mebibytes("Pss"), descriptors, threads: threads.length, wakeups, cpu };
}

/**
 * @typedef {object} Told  what the program says
 * @property {number} rooms
 * @property {number} people
 * @property {number} websockets
 * @property {number} allocations
 * @property {number} refused  TCP connections beyond the bounds, since the process began
 */

/**
 * @param {string} text  in Prometheus' format
 * @returns {Told}
 */
export function told(text) {
  const sum = (name) => {
    const lines = text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? ([-+.\\deE]+)$`, "gm"));
    return [...lines].reduce((total, [, value]) => total + Number(value), 0);
  };
  return {
    rooms: sum("callbox_rooms"),
    people: sum("callbox_people"),
    websockets: sum("callbox_websockets"),
    allocations: sum("callbox_turn_allocations"),
    refused: sum("callbox_connections_refused_total"),
  };
}
