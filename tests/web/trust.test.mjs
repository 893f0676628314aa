import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { systemOf } from "../../web/ca/system.js";
import { refusesSockets, trustsServer } from "../../web/trust.js";

const CHROMIUM = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36";
const FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1";
const CHROME_ON_IPHONE = IPHONE.replace("Version/18.6", "CriOS/150.0.0.0");
const MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15";

const real = { WebSocket: globalThis.WebSocket, fetch: globalThis.fetch, location: globalThis.location };
afterEach(() => Object.assign(globalThis, real));

/** A server that opens WebSockets or not, and answers requests with this status, or not at all. */
function serve(opens, status) {
  globalThis.location = /** @type {any} */ ({ host: "192.168.1.5:8443" });
  globalThis.WebSocket = /** @type {any} */ (class {
    constructor() {
      setTimeout(() => this[opens ? "onopen" : "onerror"]());
    }
    close() {}
  });
  globalThis.fetch = async () => {
    if (!status) throw new TypeError("failed");
    return new Response("", { status });
  };
}

test("Chromium is asked for a service worker, of which nothing is left", async () => {
  let left = 0;
  const serviceWorker = (error) => ({
    register: async () => {
      if (error) throw error;
      left += 1;
      return /** @type {any} */ ({ unregister: async () => (left -= 1) });
    },
  });
  const asked = (error) => trustsServer({ userAgent: CHROMIUM, serviceWorker: serviceWorker(error) });
  assert.equal(await asked(), true);
  assert.equal(left, 0);
  assert.equal(await asked(new DOMException("An SSL certificate error occurred", "SecurityError")), false);
  assert.equal(await asked(new TypeError("no network")), null);
  assert.equal(await trustsServer({ userAgent: CHROMIUM }), null);
});

test("others are asked for a WebSocket, which says nothing in Firefox", async () => {
  for (const userAgent of [IPHONE, CHROME_ON_IPHONE, MAC]) {
    serve(true, 200);
    assert.equal(await trustsServer({ userAgent }), true);
    serve(false, 200);
    assert.equal(await trustsServer({ userAgent }), false);
  }
  serve(true, 200);
  assert.equal(await trustsServer({ userAgent: FIREFOX }), null);
});

test("a server that does not answer at all does not refuse", async () => {
  for (const [opens, status, refuses] of [[false, 200, true], [false, 503, false], [false, 0, false], [true, 200, false]]) {
    serve(opens, status);
    assert.equal(await refusesSockets(), refuses, `${opens} ${status}`);
  }
});

test("each system has its instructions", () => {
  const of = (userAgent, maxTouchPoints) => systemOf({ userAgent, maxTouchPoints });
  assert.equal(of(IPHONE), "ios");
  assert.equal(of(CHROME_ON_IPHONE), "ios");
  assert.equal(of(MAC, 5), "ios");
  assert.equal(of(MAC, 0), "mac");
  assert.equal(of(MAC.replace("Version/18.6", "Firefox/140.0")), "firefox");
  assert.equal(of("Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 Chrome/150.0.0.0 Mobile Safari/537.36"), "android");
  assert.equal(of("Mozilla/5.0 (Android 16; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0"), "android");
  assert.equal(of("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/150.0.0.0"), "windows");
  assert.equal(of(CHROMIUM), "linux");
  assert.equal(of(FIREFOX), "firefox");
});
