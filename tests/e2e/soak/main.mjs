// Holds the release binary for hours under everything at once: scripts/soak tells how to run it, docs/operating.md what it does.

import "../lib/shipped.mjs";
import { copyFileSync, existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { PROGRAM } from "../lib/server.mjs";
import { draw } from "./draw.mjs";
import { clock, judge } from "./judge.mjs";
import { plan } from "./plan.mjs";
import { Run } from "./run.mjs";

const USAGE = "usage: scripts/soak [--minutes N] [--seed N] [--out FILE.svg | FOLDER] [--program FILE]";

function options() {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "60" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      out: { type: "string", default: path.resolve(import.meta.dirname, "../../../target/soak") },
      program: { type: "string", default: PROGRAM },
    },
  });
  const [minutes, seed] = [Number(values.minutes), Number(values.seed)];
  if (!(minutes >= 1) || !Number.isInteger(seed)) throw new Error(USAGE);
  return { minutes, seed, out: outOf(values.out), program: path.resolve(values.program) };
}

/** @param {string} wanted  the picture, or a folder for it */
function outOf(wanted) {
  const file = wanted.endsWith(".svg") && !statSync(wanted, { throwIfNoEntry: false })?.isDirectory() ? wanted : path.join(wanted, "soak.svg");
  mkdirSync(path.dirname(path.resolve(file)), { recursive: true });
  return file;
}

async function soak() {
  const { minutes, seed, out, program } = options();
  const events = plan(seed, minutes);
  console.log(`${minutes} minutes, seed ${seed}, ${program}, ${events.length} events, to ${out}`);
  const run = new Run(program, seed);
  const stop = () => run.stop();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, stop);
  const write = () => {
    if (run.samples.length < 2) return;
    writeFileSync(out, draw(run.samples, run.done, `callbox for ${clock(run.samples[run.samples.length - 1].at)}, seed ${seed}`));
    writeFileSync(out.replace(/\.svg$/, ".json"), JSON.stringify({ seed, minutes, samples: run.samples, events: run.done }));
  };
  try {
    await run.begin();
    await run.through(events, minutes * 60, (sample) => {
      write();
      if (run.samples.length % 6 === 0) console.log(said(sample));
    });
  } catch (error) {
    // What it was waiting for has been stopped as well.
    if (!run.stopped) throw error;
  } finally {
    if (run.log && existsSync(run.log)) copyFileSync(run.log, out.replace(/\.svg$/, ".log"));
    await run.end();
  }
  if (run.stopped) console.error("Stopped before its time.");
  if (run.samples.length < 2) return false;
  write();
  const { problems, figures } = judge(run.samples, run.steady, run.done);
  if (run.died) problems.push(run.died);
  console.log(figures.concat(run.counted()).join("\n"));
  for (const problem of problems) console.error(problem);
  return problems.length === 0 && !run.stopped;
}

/** @param {import("./judge.mjs").Sample} sample */
function said({ at, generation, rest, rss, descriptors, threads, wakeups, websockets, allocations, call, joined }) {
  const pictures = call.map(({ name, fps, still }) => `${name} ${fps.toFixed(0)} fps, ${still.toFixed(1)} s still`).join("; ");
  return (
    `${clock(at)} process ${generation}${rest > 0 ? ", rest" : ""}: ${rss.toFixed(1)} MiB, ${descriptors} descriptors, ${threads} threads, ` +
    `${wakeups?.toFixed(0) ?? "?"} wake-ups/s, ${websockets} WebSockets, ${allocations} allocations, ${joined} visits; ${pictures}`
  );
}

process.exit((await soak()) ? 0 : 1);
