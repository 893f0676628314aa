import assert from "node:assert/strict";
import { test } from "node:test";
import { configure } from "../../web/call.js";
import { columnsFor } from "../../web/view/layout.js";

globalThis.MediaStream ??= class {};

test("tiles are as large as the window allows", () => {
  const wide = [1, 2, 3, 4, 5, 6, 7, 8].map((count) => columnsFor(count, 1280, 680));
  assert.deepEqual(wide, [1, 2, 2, 2, 3, 3, 4, 4]);
  const tall = [1, 2, 3, 4, 5, 6, 7, 8].map((count) => columnsFor(count, 360, 600));
  assert.deepEqual(tall, [1, 1, 1, 1, 2, 2, 2, 2]);
});

test("?relay= leaves the relay's addresses of that transport", () => {
  const config = {
    iceServers: [
      { urls: ["stun:h:3478"] },
      { urls: ["turn:h:3478?transport=udp", "turn:h:443?transport=tcp", "turns:h:443?transport=tcp"], username: "u" },
    ],
  };
  const urls = (relay) => configure(config, relay).iceServers.flatMap((server) => server.urls);
  assert.deepEqual(configure(config, null), { ...config, bundlePolicy: "max-bundle" });
  assert.deepEqual(urls("udp"), ["turn:h:3478?transport=udp"]);
  assert.deepEqual(urls("tcp"), ["turn:h:443?transport=tcp"]);
  assert.deepEqual(urls("tls"), ["turns:h:443?transport=tcp"]);
  assert.equal(configure(config, "any").iceTransportPolicy, "relay");
});
