import assert from "node:assert/strict";
import { test } from "node:test";
import { configure } from "../../web/call.js";

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
