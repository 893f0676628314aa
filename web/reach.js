// The WebSocket to the server, as a call would use it.

import { median } from "./diagnosis.js";

/**
 * @typedef {object} Reached
 * @property {number | null} roundTrip  milliseconds, the median; null if it did not work
 * @property {string} problem  what came instead
 */

const PATIENCE_MS = 10_000;
const PINGS = 5;

/**
 * @param {string} url
 * @returns {Promise<Reached>}
 */
export async function reach(url) {
  const socket = new WebSocket(url);
  /** @type {number[]} */
  const times = [];
  let start = 0;
  const ping = () => {
    start = performance.now();
    socket.send(JSON.stringify({ type: "ping" }));
  };
  const problem = await new Promise((resolve) => {
    setTimeout(() => resolve("no answer within 10 seconds"), PATIENCE_MS);
    socket.onopen = ping;
    socket.onclose = ({ code, reason }) => resolve(`closed with code ${code}${reason && `: ${reason}`}`);
    socket.onmessage = () => {
      times.push(performance.now() - start);
      if (times.length < PINGS) ping();
      else resolve("");
    };
  });
  socket.onclose = null;
  socket.close(1000);
  return { roundTrip: problem ? null : median(times), problem };
}
