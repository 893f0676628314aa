// Measures what a user waits for and what a server pays: node tests/e2e/measure.mjs (after cargo build --release).
// What the page costs is in measure-page.mjs.

import "./lib/shipped.mjs";
import { readFileSync, statSync } from "node:fs";
import os from "node:os";
import WebSocket from "ws";
import { chromium } from "./lib/browser.mjs";
import { PROGRAM, Server } from "./lib/server.mjs";
import { spread } from "./measure/figures.mjs";
import { joinTime } from "./measure/join.mjs";

const RUNS = 7;

const resident = (server) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.child.pid}/status`, "utf8"))[1]);

/** Milliseconds from start to the first accepted connection; the first start also makes secrets and certificate. */
async function startTimes() {
  const first = [];
  const later = [];
  for (let run = 0; run < RUNS; run += 1) {
    const begin = performance.now();
    const server = await Server.start();
    first.push(server.readyAt - begin);
    await server.kill("SIGTERM");
    const again = performance.now();
    await server.run();
    later.push(server.readyAt - again);
    await server.stop();
  }
  return { first, later };
}

/** Kilobytes resident, idle and with WebSockets that are in rooms of two. */
async function memory() {
  const env = {
    CALLBOX__SIGNALING__MAX_CONNECTIONS_PER_IP: "2000",
    CALLBOX__SIGNALING__MAX_ROOMS_PER_IP: "2000",
    CALLBOX__SERVER__MAX_CONNECTIONS_PER_IP: "2000",
    CALLBOX__SIGNALING__VISITORS_PER_MINUTE: "1000000",
  };
  const server = await Server.start({ env });
  const figures = { 0: resident(server) };
  const script = await server.get("/config.js");
  const { ticket } = JSON.parse(/SETTINGS = ([^;]+);/.exec(script)[1]);
  const sockets = [];
  for (const count of [100, 1000]) {
    while (sockets.length < count) {
      const socket = new WebSocket(`wss://${server.host}:${server.port}/ws`, { rejectUnauthorized: false, perMessageDeflate: false });
      const room = `room-${Math.floor(sockets.length / 2)}`;
      await new Promise((resolve, reject) => {
        socket.once("error", reject);
        socket.once("open", () => socket.send(JSON.stringify({ type: "join", room, name: "x", ticket })));
        socket.once("message", resolve);
      });
      sockets.push(socket);
    }
    figures[count] = resident(server);
  }
  for (const socket of sockets) socket.terminate();
  await server.stop();
  return figures;
}

/** Milliseconds from the second page's click on Join to its first remote frame; measure-page.mjs says what that is worth. */
async function joinTimes(query) {
  const server = await Server.start();
  const browser = await chromium();
  const times = [];
  for (let run = 0; run < RUNS; run += 1) times.push(await joinTime(browser, `${server.url}/r/measure-${run}${query}`));
  await browser.close();
  await server.stop();
  return times;
}

console.log(`${os.cpus().length} cores, ${os.cpus()[0].model}; medians of ${RUNS} (least..most)`);
console.log(`binary: ${(statSync(PROGRAM).size / 2 ** 20).toFixed(1)} MiB`);
const { first, later } = await startTimes();
console.log(`ms from start to listening: first start ${spread(first)}, later ${spread(later)}`);
const figures = await memory();
console.log(`KiB resident: idle ${figures[0]}, with 100 WebSockets ${figures[100]}, with 1000 ${figures[1000]}`);
console.log(`ms from Join to the first remote frame, direct: ${spread(await joinTimes(""))}`);
console.log(`ms from Join to the first remote frame, relayed: ${spread(await joinTimes("?relay=1"))}`);
process.exit();
