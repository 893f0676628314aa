// The server's own authority: browsers that have installed it, and what is said to those that have not.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import path from "node:path";
import { FIREFOX, Person, chromium, firefox } from "./lib/browser.mjs";
import { Trusting } from "./lib/certificates.mjs";
import { PROGRAM, Server } from "./lib/server.mjs";
import { until } from "./lib/until.mjs";

/** @type {Server} */
let server;
/** @type {Trusting} */
let trusting;

before(async () => {
  server = await Server.start();
  execFileSync(PROGRAM, ["cert", "--config", "callbox.toml", "--export-ca", "ca.pem"], { cwd: server.dir, stdio: "pipe" });
  trusting = new Trusting(path.join(server.dir, "ca.pem"));
});
after(async () => {
  trusting?.remove();
  await server?.stop();
});

const BROWSERS = {
  Chromium: () => chromium({ insecure: false, env: trusting.chromium }),
  Firefox: () => firefox({ insecure: false, executablePath: trusting.firefox(FIREFOX) }),
};

for (const [name, launch] of Object.entries(BROWSERS)) {
  test(`who has installed the authority is not warned and joins, ${name}`, async (t) => {
    const browser = await launch();
    t.after(() => browser.close());
    const person = await Person.open(browser, server.url);
    await person.page.waitForSelector("#new-room", { visible: true });
    await person.page.waitForNetworkIdle();
    assert.equal(await person.text("#untrusted"), "");
    // Firefox does not let a page find out.
    const perhaps = await person.text("#perhaps-untrusted");
    assert.match(perhaps, name === "Chromium" ? /^$/ : /warn of this page/);
    const workers = () => person.page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length);
    await until("nothing is left of the trial", async () => (await workers()) === 0);
    await person.page.goto(`${server.url}/r/trusted`, { waitUntil: "domcontentloaded" });
    await person.enter();
    await until("in the room", async () => (await person.text("#server-state")) === "");
    assert.equal(await person.text("#lobby-refused"), "");
    assert.deepEqual(person.errors, []);
  });
}

/** Goes past the browser's warning, as people do. */
async function goPast(page, url) {
  await assert.rejects(page.goto(url), /ERR_CERT_AUTHORITY_INVALID/);
  await page.waitForSelector("#proceed-link");
  await page.evaluate(() => {
    for (const id of ["details-button", "proceed-link"]) document.getElementById(id).click();
  });
}

test("who went past the warning is shown the way to install it", async (t) => {
  const browser = await chromium({ insecure: false });
  t.after(() => browser.close());
  const page = await browser.newPage();
  await goPast(page, server.url);
  await page.waitForSelector("#untrusted a", { visible: true });
  await Promise.all([page.waitForNavigation(), page.click("#untrusted a")]);
  assert.equal(await page.$eval("h1", (heading) => heading.textContent), "Trust this server");
  await page.waitForSelector('[data-system="linux"][open]');
  const first = await page.$eval("#systems", (systems) => systems.firstElementChild.dataset.system);
  assert.equal(first, "linux");
});

/** As Safari treats a certificate whose warning somebody went past. */
function refuseSockets() {
  globalThis.WebSocket = class extends EventTarget {
    readyState = 3;
    constructor() {
      super();
      setTimeout(() => {
        for (const type of ["error", "close"]) {
          const event = new Event(type);
          this.dispatchEvent(event);
          this[`on${type}`]?.(event);
        }
      });
    }
    send() {}
    close() {}
  };
}

for (const [name, launch] of Object.entries({ Chromium: chromium, Firefox: firefox })) {
  test(`a browser that refuses the WebSocket is led to the authority, in the lobby and in the call, ${name}`, async (t) => {
    const browser = await launch();
    t.after(() => browser.close());
    const person = await Person.open(browser, `${server.url}/r/refused`, { before: refuseSockets });
    await until("the lobby says so", async () => /refuses.*Install/s.test(await person.text("#lobby-refused")));
    await person.enter();
    await until("the call says so", async () => /refuses.*Install/s.test(await person.text("#server-state")));
    assert.equal(await person.page.$eval("#server-state a", (link) => link.getAttribute("href")), "/ca");
  });
}

test("a server that is gone is not taken for one that is not trusted", async (t) => {
  const own = await Server.start();
  t.after(() => own.stop());
  const browser = await chromium();
  t.after(() => browser.close());
  const person = await Person.open(browser, `${own.url}/r/gone`);
  await person.page.waitForSelector("#join", { visible: true });
  await own.kill("SIGKILL");
  await person.enter();
  await until("the sentence", async () => (await person.text("#server-state")).includes("does not answer"));
  assert.equal(await person.text("#lobby-refused"), "");
});

test("without an authority nothing is offered", async (t) => {
  const own = await Server.start({ env: { CALLBOX__TLS__LOCAL_CA: "false" } });
  t.after(() => own.stop());
  const browser = await chromium();
  t.after(() => browser.close());
  const person = await Person.open(browser, own.url);
  await person.page.waitForNetworkIdle();
  assert.equal((await person.text("#untrusted")) + (await person.text("#perhaps-untrusted")), "");
  assert.deepEqual(person.errors, []);
});
