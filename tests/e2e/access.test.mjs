// Who may call: a password, or an invitation, as people meet them.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { Person, chromium, firefox } from "./lib/browser.mjs";
import { seeAndHear } from "./lib/expect.mjs";
import { PROGRAM, Server } from "./lib/server.mjs";
import { until } from "./lib/until.mjs";

/** What `callbox access …` prints. */
const access = (arguments_, { env, dir, input = "" }) =>
  execFileSync(PROGRAM, ["access", ...arguments_], { cwd: dir, env: { ...process.env, ...env }, input, encoding: "utf8" }).trim();

/** Does what leads to another page, and waits for that. */
const leads = (person, act) => Promise.all([person.page.waitForNavigation({ waitUntil: "domcontentloaded" }), act()]);
const reads = (person, selector, wanted) => until(`${selector} says ${wanted}`, async () => wanted.test(await person.text(selector)));

for (const [name, launch] of Object.entries({ Chromium: chromium, Firefox: firefox })) {
  test(`the password is asked for once, and leads to the room, ${name}`, async (t) => {
    const hash = access(["hash"], { env: {}, dir: "/", input: "correct horse\n" });
    const server = await Server.start({ env: { CALLBOX__ACCESS__MODE: "password", CALLBOX__ACCESS__PASSWORD_HASH: hash } });
    t.after(() => server.stop());
    const browser = await launch();
    t.after(() => browser.close());
    const person = await Person.open(browser, `${server.url}/r/team?name=Ana`);
    await person.page.type("#password", "wrong");
    await leads(person, () => person.page.keyboard.press("Enter"));
    await reads(person, "[role=alert]", /^This is not the password\.$/);
    await person.page.type("#password", "correct horse");
    await leads(person, () => person.page.click("button[type=submit]"));
    await person.enter();
    await person.page.reload({ waitUntil: "domcontentloaded" });
    await person.page.waitForSelector("#join", { visible: true });
    assert.equal(await person.page.$eval("#name", (input) => input.value), "Ana");
  });

  test(`who is in a room invites others to it, until everything is revoked, ${name}`, async (t) => {
    const env = { CALLBOX__ACCESS__MODE: "invite" };
    const server = await Server.start({ env });
    t.after(() => server.stop());
    const browser = await launch();
    t.after(() => browser.close());
    const stranger = await Person.open(browser, `${server.url}/r/team`);
    await reads(stranger, "h1", /invited/);

    const first = access(["invite", "--room", "team", "--uses", "1"], { env, dir: server.dir }).replace(/^https:\/\/[^/]+/, server.url);
    const accept = async (link) => {
      const person = await Person.open(browser, link);
      await leads(person, () => person.page.click("#enter"));
      await person.enter();
      return person;
    };
    const ana = await accept(first);
    await until("the link of the room lets others in", async () => (await ana.text("#link")).includes("/access/i/"));
    const bo = await accept(`https://${await ana.text("#link")}`);
    await seeAndHear([ana, bo]);
    const late = await Person.open(browser, first);
    await reads(late, "[role=alert]", /used already/);

    access(["revoke-all"], { env, dir: server.dir });
    for (const person of [ana, bo]) await reads(person, "#end-title", /^Access was withdrawn$/);
    await leads(ana, () => ana.page.click("#again"));
    await reads(ana, "h1", /invited/);
  });
}
