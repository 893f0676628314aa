// Calls that may use the relay only, reached over UDP, TCP and TLS, in both browsers. The certificate is of an authority
// that they trust: for TURN over TLS they take no other.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { FIREFOX, Person, chromium, firefox } from "./lib/browser.mjs";
import { Authority } from "./lib/certificates.mjs";
import { seeAndHear } from "./lib/expect.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/until.mjs";

const NAME = "call.test";

/** @type {Authority} */
let authority;
/** @type {Server} */
let server;
/** @type {Record<string, import("puppeteer-core").Browser>} */
const browsers = {};

before(async () => {
  authority = new Authority(NAME);
  server = await Server.start({ name: NAME, env: authority.server });
  browsers.Chromium = await chromium({
    insecure: false,
    env: authority.chromium,
    // It looks up TURN servers with a dot at the end.
    args: [`--host-resolver-rules=MAP ${NAME} 127.0.0.1, MAP ${NAME}. 127.0.0.1`],
  });
  browsers.Firefox = await firefox({
    insecure: false,
    executablePath: authority.firefox(FIREFOX),
    preferences: { "network.dns.localDomains": NAME },
  });
});
after(async () => {
  await Promise.all(Object.values(browsers).map((browser) => browser.close()));
  await server?.stop();
  authority.remove();
});

/** As the panel behind a tile's sign has it. */
async function routeInWords(person) {
  await person.page.click(".signal button");
  const fact = () => person.text("#connection-facts .value");
  await until("the panel tells the route", async () => /[a-z]/i.test(await fact()));
  return fact();
}

for (const protocol of ["udp", "tcp", "tls"]) {
  for (const [first, second] of [["Chromium", "Chromium"], ["Firefox", "Firefox"], ["Chromium", "Firefox"]]) {
    test(`${first} and ${second} over a relay that they reach over ${protocol.toUpperCase()}`, async () => {
      const url = `${server.url}/r/${first}-${second}-${protocol}?relay=${protocol}`;
      const people = [await Person.join(browsers[first], url), await Person.join(browsers[second], url)];
      await seeAndHear(people);
      for (const person of people) {
        assert.deepEqual(await person.relayProtocols(), [protocol]);
        assert.equal(await routeInWords(person), `Through callbox: ${protocol.toUpperCase()}`);
      }
      await Promise.all(people.map((person) => person.close()));
    });
  }
}
