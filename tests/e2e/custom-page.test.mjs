// A developer's own page, served with [web] root, uses the generated configuration as it is.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { Person, chromium } from "./lib/browser.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/until.mjs";

const PAGE = `<!doctype html>
<title>one file</title>
<link rel="icon" href="data:,">
<script src="/config.global.js"></script>
<script>
  const pc = new RTCPeerConnection(PC_CONFIG);
  const candidates = [];
  pc.onicecandidate = ({ candidate }) => candidate && candidates.push(candidate.candidate);
  pc.createDataChannel("x");
  pc.setLocalDescription();
</script>`;

test("a classic one-file page gathers a relay candidate", async () => {
  const root = mkdtempSync(path.join(tmpdir(), "callbox-root-"));
  writeFileSync(path.join(root, "index.html"), PAGE);
  // The stand-in of a developer who also opens the folder without callbox; the generated one goes first.
  writeFileSync(path.join(root, "config.global.js"), "globalThis.PC_CONFIG = null;");
  const server = await Server.start({ env: { CALLBOX__WEB__ROOT: root } });
  const browser = await chromium();
  try {
    const person = await Person.open(browser, server.url);
    const relayed = await until("a relay candidate", () =>
      person.page.evaluate("candidates.find((candidate) => candidate.includes(' typ relay '))"),
    );
    assert.match(relayed, /^candidate:\S+ 1 udp \d+ 127\.0\.0\.1 \d+ typ relay /);
    assert.deepEqual(person.errors, []);
  } finally {
    await browser.close();
    await server.stop();
    rmSync(root, { recursive: true });
  }
});
