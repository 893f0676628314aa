// What a thousand hostile connections of one address cost the program that is shipped, and whom they keep waiting.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import http2 from "node:http2";
import net from "node:net";
import path from "node:path";
import { test } from "node:test";
import tls from "node:tls";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/until.mjs";

const CONNECTIONS = 1024;
/** What may be unanswered on each, as the server has it. */
const STREAMS = 100;
/** Above an idle server, bytes. */
const COST = 64 * 1024 * 1024;
const WEB = path.resolve(import.meta.dirname, "../../web");

const host = "127.0.0.1";

/** @param {import("node:events").EventEmitter} emitter @param {string} event */
const once = (emitter, event) =>
  new Promise((resolve) => {
    emitter.once(event, resolve);
    emitter.once("close", resolve);
  });

/** @param {Server} server */
async function shaken(server) {
  const socket = tls.connect({ host, port: server.port, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] });
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  return socket;
}

/** @param {Server} server @param {number} window  what each answer gets */
async function unread(server, window) {
  const session = http2.connect(server.url, { rejectUnauthorized: false, settings: { initialWindowSize: window } });
  session.on("error", () => {});
  await once(session, "connect");
  if (session.destroyed) return session;
  for (let n = 0; n < STREAMS; n++) {
    const request = session.request({ ":path": `/nothing-${n}`, "accept-encoding": n % 2 ? "br" : "gzip" });
    request.on("error", () => {});
  }
  return session;
}

/** One hostile client each; what is returned can be destroyed. @type {Record<string, (server: Server) => Promise<{ destroy(): void }>>} */
const kinds = {
  "say nothing after the handshake": shaken,
  "give their answers no window": (server) => unread(server, 0),
  "give their answers a window of one byte": (server) => unread(server, 1),
  "begin a request and do not end it": async (server) => {
    const socket = await shaken(server);
    socket.write(`GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ${"a".repeat(15_000)}`);
    return socket;
  },
  "begin a handshake and do not end it": async (server) => {
    const socket = net.connect(server.port, host);
    socket.on("error", () => {});
    await once(socket, "connect");
    const record = Buffer.alloc(5 + 15_000);
    record.set([22, 3, 1, 15_000 >> 8, 15_000 & 255, 1, 0, 0xf0, 0]);
    socket.write(record);
    return socket;
  },
};

/** @param {Server} server  bytes */
function resident(server) {
  const status = readFileSync(`/proc/${server.child.pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)[1]) * 1024;
}

/** Loads what the page consists of, from an address of its own; milliseconds. @param {Server} server */
async function load(server) {
  const files = readdirSync(WEB, { recursive: true }).map(String);
  const modules = files.filter((file) => /\.(js|css)$/.test(file) && !/^(example|ca)/.test(file));
  const start = performance.now();
  const socket = tls.connect({ host, port: server.port, localAddress: "127.0.0.2", rejectUnauthorized: false, ALPNProtocols: ["h2"] });
  const session = http2.connect(server.url, { createConnection: () => socket });
  const answers = ["", ...modules].map(
    (file) =>
      new Promise((resolve, reject) => {
        const request = session.request({ ":path": `/${file}`, "accept-encoding": "br" });
        request.on("response", (headers) => (headers[":status"] === 200 ? null : reject(new Error(`${file}: ${headers[":status"]}`))));
        request.on("error", reject).on("end", resolve).resume();
      }),
  );
  await Promise.all(answers);
  const took = performance.now() - start;
  session.destroy();
  return took;
}

/** @param {Server} server */
async function usual(server) {
  const times = [];
  for (let n = 0; n < 9; n++) times.push(await load(server));
  return times.toSorted((a, b) => a - b)[4];
}

for (const [kind, connect] of Object.entries(kinds)) {
  test(`a thousand connections of one address that ${kind}`, async (t) => {
    const server = await Server.start();
    t.after(() => server.stop());
    await usual(server);
    const idle = resident(server);
    const alone = await usual(server);
    /** @type {{ destroy(): void }[]} */
    const held = [];
    t.after(() => held.forEach((client) => client.destroy()));
    for (let n = 0; n < CONNECTIONS; n += 32) {
      held.push(...(await Promise.all(Array.from({ length: 32 }, () => connect(server)))));
    }
    // The last of what was asked has been looked at once a later one is answered, and nothing comes in any more.
    let before = -1;
    await until("the memory stands still", async () => {
      await load(server);
      const now = resident(server);
      const still = Math.abs(now - before) < 1 << 20;
      before = now;
      return still;
    });
    const cost = resident(server) - idle;
    t.diagnostic(`${(cost / 1024 / 1024).toFixed(1)} MiB`);
    assert.ok(cost <= COST, `${cost} bytes`);
    const beside = await usual(server);
    t.diagnostic(`a page in ${beside.toFixed(0)} ms, and in ${alone.toFixed(0)} ms without them`);
    assert.ok(beside <= 2 * alone + 20, `${beside} ms instead of ${alone}`);
  });
}
