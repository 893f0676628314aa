// Processor time of a process and all that it has started.

import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";

const TICKS = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

/**
 * Seconds of processor time so far. What children have used that are gone is in their parents' figures (proc(5)).
 * @param {number} root  process id
 */
export function processorTime(root) {
  const processes = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(read).filter((found) => found !== null);
  const family = new Set([root]);
  // A child may be listed before its parent, so until nobody is added.
  for (let size = 0; size < family.size; ) {
    size = family.size;
    for (const { id, parent } of processes) if (family.has(parent)) family.add(id);
  }
  return processes.filter(({ id }) => family.has(id)).reduce((sum, { ticks }) => sum + ticks, 0) / TICKS;
}

/** @param {string} id */
function read(id) {
  try {
    const stat = readFileSync(`/proc/${id}/stat`, "utf8");
    // The name, in parentheses, may hold spaces.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ").map(Number);
    const [utime, stime, cutime, cstime] = fields.slice(11, 15);
    return { id: Number(id), parent: fields[1], ticks: utime + stime + cutime + cstime };
  } catch {
    // It has just ended.
    return null;
  }
}
