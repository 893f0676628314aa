// Measures the page beside a bare one that does only what a call needs (after cargo build --release):
//
//   node tests/e2e/measure-page.mjs                   time to the first picture, CPU, first visit
//   node tests/e2e/measure-page.mjs --only cpu --seconds 20 --rounds 2
//   node tests/e2e/measure-page.mjs --room            eight pages for ten minutes: connections and memory
//   node tests/e2e/measure-page.mjs --codecs          what each video codec costs and gives
//
// --only join,cpu,visit   --runs 7 (join, visit)   --seconds 60 --rounds 3 (CPU; --seconds 20 with --codecs)
// --no-bare-self (the bare page does not show its own camera)   --minutes 10 --pages 8 (room)   --codec VP8,AV1 --height 360 (codecs)
//
// Printed are medians (least..most). Each figure stands beside the bare page's of the same run; on another machine only
// the ratio means something.

import "./lib/shipped.mjs";
import os from "node:os";
import { parseArgs } from "node:util";
import { measureCodecs } from "./measure/codecs.mjs";
import { measureCpu } from "./measure/cpu.mjs";
import { measureJoin } from "./measure/join.mjs";
import { measureRoom } from "./measure/room.mjs";
import { measureVisit } from "./measure/visit.mjs";

const { values } = parseArgs({
  allowNegative: true,
  options: {
    "bare-self": { type: "boolean", default: true },
    codec: { type: "string" },
    codecs: { type: "boolean" },
    height: { type: "string", default: "720" },
    minutes: { type: "string", default: "10" },
    only: { type: "string", default: "join,cpu,visit" },
    pages: { type: "string", default: "8" },
    room: { type: "boolean" },
    rounds: { type: "string", default: "3" },
    runs: { type: "string", default: "7" },
    seconds: { type: "string" },
  },
});
const runs = Number(values.runs);

const { length: cores, 0: { model } } = os.cpus();
// What others run at the same time makes figures worthless.
console.log(`${cores} cores, ${model}, load ${os.loadavg()[0].toFixed(1)} before; medians (least..most)`);
if (values.room) {
  await measureRoom({ minutes: Number(values.minutes), pages: Number(values.pages) });
} else if (values.codecs) {
  await measureCodecs({ seconds: Number(values.seconds ?? 20), height: Number(values.height), only: values.codec?.split(",") });
} else {
  const parts = {
    join: () => measureJoin({ runs }),
    cpu: () => measureCpu({ seconds: Number(values.seconds ?? 60), rounds: Number(values.rounds), bareSelf: values["bare-self"] }),
    visit: () => measureVisit({ runs }),
  };
  for (const part of values.only.split(",")) {
    if (!(part in parts)) throw new Error(`--only knows ${Object.keys(parts).join(", ")}`);
    await parts[part]();
  }
}
process.exit();
