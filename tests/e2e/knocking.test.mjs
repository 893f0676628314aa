// A locked room: knocking, admitting, refusing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Person, chromium, firefox } from "./lib/browser.mjs";
import { moving, seeAndHear } from "./lib/expect.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/until.mjs";

const lock = async ({ page }) => {
  await page.click("#more");
  await page.click("#lock");
  await page.keyboard.press("Escape");
};
const reads = (person, selector, wanted) => until(`${selector} says ${wanted}`, async () => wanted.test(await person.text(selector)));
const answer = ({ page }, name) => page.click(`.knock button[aria-label="${name}"]`);

for (const [name, launch] of Object.entries({ Chromium: chromium, Firefox: firefox })) {
  test(`whoever comes to a locked room knocks, and those inside answer, ${name}`, async (t) => {
    const server = await Server.start();
    t.after(() => server.stop());
    const browser = await launch();
    t.after(() => browser.close());
    const join = (who, query = "") => Person.join(browser, `${server.url}/r/locked?name=${who}${query}`);

    const ana = await join("Ana", "&relay=1");
    await until("it can be locked", () => ana.page.$eval("#lock", (button) => !button.disabled));
    await lock(ana);
    await reads(ana, "#notice", /^You locked the room/);
    assert.ok(await ana.page.$eval("#locked-sign", (sign) => sign.checkVisibility()));

    const bo = await join("Bo", "&relay=1");
    await reads(bo, "#waiting", /This room is locked/);
    assert.ok(!(await bo.page.content()).includes("Ana"), "who is inside is not told");
    assert.equal(await bo.text("#alone"), "");
    assert.ok(await bo.page.$eval("#lock", (button) => button.disabled));
    await ana.page.bringToFront();
    await reads(ana, ".knock", /^Bo wants to come in/);
    await until("it is announced", () => ana.page.$eval("#announcements", (region) => region.textContent.includes("Bo wants to come in.")));

    // Who is asked meanwhile, and who waits, lose nothing over a restart of the server.
    await server.kill("SIGKILL");
    await until("nobody can be answered", async () => (await ana.text("#knocks")) === "");
    await server.run();
    await reads(ana, ".knock", /^Bo wants to come in/);
    await answer(ana, "Let in Bo");
    await seeAndHear([ana, bo]);
    assert.equal(await ana.text("#knocks"), "");
    assert.equal(await bo.text("#waiting"), "");

    const cy = await join("Cy");
    await bo.page.bringToFront();
    await reads(bo, ".knock", /^Cy wants to come in/);
    await answer(bo, "Refuse Cy");
    await reads(cy, "#end-title", /^You were not let in$/);
    await until("nobody waits for Ana either", async () => (await ana.text("#knocks")) === "");
    await cy.close();

    const [di, ed] = [await join("Di"), await join("Ed")];
    await ana.page.bringToFront();
    await reads(ana, ".knock", /^Di wants to come in/);
    await until("both wait", () => ana.page.$$eval(".knock", (cards) => cards.length === 2));
    await ana.page.keyboard.press("k");
    await reads(ana, "#notice", /^Somebody waits/);
    await ana.page.focus('.knock button[aria-label="Let in Di"]');
    await ana.page.keyboard.press("Enter");
    const focus = () => ana.page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
    await until("the next one can be answered", async () => (await focus()) === "Let in Ed");
    await until("a press that comes too soon is none", async () => {
      await ana.page.keyboard.press("Enter");
      return (await ana.text("#knocks")) === "";
    });
    assert.match(await focus(), /people in the call$/, "the focus is not lost, and switches nothing");
    await ed.close();
    await ana.page.keyboard.press("k");
    // It stays for some seconds only.
    await reads(bo, "#notice", /^Ana unlocked the room/);
    await seeAndHear([ana, bo, di]);
    assert.equal(await bo.page.$eval("#locked-sign", (sign) => sign.checkVisibility()), false);
    await moving(bo);
  });
}
