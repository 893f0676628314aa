// Everyone can use it: nothing that axe-core finds on any screen, a whole call by keyboard alone, small windows, installing.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { Person, chromium, firefox } from "./lib/browser.mjs";
import { seeAndHear } from "./lib/expect.mjs";
import { fakeScreen } from "./lib/screen.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/until.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** @type {Server} */
let server;

before(async () => (server = await Server.start({ env: { CALLBOX__SIGNALING__MAX_PEERS: "2" } })));
after(() => server?.stop());

/** Tiles have glided to their places, and what comes in has come. */
const standsStill = ({ page }) =>
  until("it stands still", () => page.evaluate(() => document.getAnimations().every(({ playState }) => playState !== "running")));

/** What axe-core has against the screen as it is, of any severity. */
async function check(person, what) {
  await standsStill(person);
  await person.page.evaluate(AXE);
  const found = await person.page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" | ")}`);
  });
  assert.deepEqual(found, [], what);
}

/** How far colours stand apart that axe-core does not look at, each with what it needs (WCAG 1.4.3 and 1.4.11). */
function contrasts() {
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const light = (colour) => {
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data].map((part) => (part > 10 ? ((part / 255 + 0.055) / 1.055) ** 2.4 : part / 3294));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => {
    const [low, high] = [light(a), light(b)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const style = (selector, pseudo) => getComputedStyle(document.querySelector(selector), pseudo);
  const [input, button] = [style("#room"), style("#new-room")];
  return [
    { what: "placeholder", needs: 4.5, has: ratio(style("#room", "::placeholder").color, input.backgroundColor) * style("#room", "::placeholder").opacity },
    { what: "border inside", needs: 3, has: ratio(input.borderTopColor, input.backgroundColor) },
    { what: "border outside", needs: 3, has: ratio(input.borderTopColor, style("[data-screen=start] .card").backgroundColor) },
    { what: "button below a pointer", needs: 4.5, has: button.filter === "none" ? ratio(button.color, button.backgroundColor) : 0 },
  ];
}

const deny = () => {
  if (!navigator.mediaDevices) return;
  navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("denied", "NotAllowedError"));
};

for (const [name, launch] of Object.entries({ Chromium: chromium, Firefox: firefox })) {
  // The colours of a scheme are the same in both browsers.
  for (const scheme of name === "Firefox" ? ["light"] : ["dark", "light"]) {
    // Tiles move in one scheme of Chromium's.
    const still = scheme === "dark" || name === "Firefox";
    test(`axe-core finds nothing, ${name}, ${scheme}${still ? ", and nothing moves" : ""}`, async (t) => {
      const preferences = { "layout.css.prefers-color-scheme.content-override": 1, "ui.prefersReducedMotion": still ? 1 : 0 };
      const features = [{ name: "prefers-color-scheme", value: scheme }, { name: "prefers-reduced-motion", value: still ? "reduce" : "no-preference" }];
      const browser = await launch({ preferences });
      t.after(() => browser.close());
      const open = async (path, options) => {
        const person = await Person.open(browser, server.url + path, options);
        if (name === "Chromium") await person.page.emulateMediaFeatures(features);
        return person;
      };
      const start = await open("/");
      await check(start, "start page");
      await start.page.hover("#new-room");
      assert.deepEqual((await start.page.evaluate(contrasts)).filter(({ needs, has }) => has < needs), []);
      await start.page.click("#room-form button");
      await check(start, "start page with an error");
      await start.page.goto(`${server.url}/404.html`);
      await check(start, "no such page");
      await start.page.goto(`${server.url}/ca`);
      await start.page.waitForSelector("details[open]");
      await check(start, "how to trust the server");
      await start.close();
      const inside = await open(`/r/locked-${scheme}?name=Ana`);
      await inside.enter();
      await until("it can be locked", () => inside.page.$eval("#lock", (button) => !button.disabled));
      await inside.page.keyboard.press("k");
      await until("it is locked", () => inside.page.$eval("#locked-sign", (sign) => sign.checkVisibility()));
      const outside = await open(`/r/locked-${scheme}?name=Bo`);
      await outside.enter();
      await until("has to wait", () => outside.text("#waiting"));
      await check(outside, "before a locked room");
      await inside.page.bringToFront();
      await until("somebody knocks", () => inside.text(".knock"));
      await check(inside, "somebody knocks");
      for (const person of [inside, outside]) await person.close();
      const denied = await open("/r/axe-denied", { before: deny });
      await until("the sentence", () => denied.text("#lobby-problem"));
      await check(denied, "lobby without devices");
      await denied.page.click("#lobby-form [data-invite=qr]");
      await check(denied, "code of the link");
      await denied.close();

      const [ana, bo] = [await open(`/r/axe-${scheme}?name=Ana`, { before: fakeScreen }), await open(`/r/axe-${scheme}?name=Bo`)];
      await until("the preview", () => ana.page.$eval("#preview", (video) => video.videoWidth > 0));
      await check(ana, "lobby");
      await ana.page.bringToFront();
      await ana.enter();
      await until("alone", () => ana.text("#alone"));
      await check(ana, "alone");
      await bo.page.bringToFront();
      await bo.enter();
      await seeAndHear([ana, bo]);
      assert.ok(await ana.page.$$eval("video", (videos) => videos.every((video) => video.hasAttribute("playsinline"))), "iPhones would show one over all");
      const ask = (person, asked) => person.page.$eval("#hear", (button, asked) => (button.hidden = !asked), asked);
      await ana.page.bringToFront();
      await until("all pictures move", () => ana.page.$$eval("video.remote", (videos) => videos.every((video) => !video.paused)));
      await ask(ana, true);
      await check(ana, "call that asks for a gesture");
      assert.ok(await ana.text("#hear"), "it was there until the end");
      await ask(ana, false);
      await check(ana, "call");
      await ana.page.click(".signal button");
      await until("there are figures", () => ana.text("#connection-facts .value"));
      await check(ana, "panel of a connection");
      await ana.page.click("#connection-close");
      await bo.page.click("#camera");
      await bo.page.click("#mic");
      await bo.page.click("#hand");
      await ana.page.bringToFront();
      await until("the hand shows", () => ana.text("#notice"));
      await ana.page.click("#share");
      await until("it is shared", () => ana.page.$("video.shared"));
      await check(ana, "call with a screen, a hand and a camera that is off");
      const moving = await ana.page.evaluate(() => {
        document.querySelector(".tile.screen .enlarge").click();
        return document.getAnimations().length;
      });
      assert.equal(moving === 0, still, "only who wants it sees tiles move");
      await ana.page.click("#people");
      await check(ana, "list of people");
      await ana.page.click("#more");
      await check(ana, "menu");
      await ana.page.click("#show-shortcuts");
      await check(ana, "keyboard shortcuts");
      await ana.page.keyboard.press("Escape");
      await ana.page.click("#more");
      await ana.page.click("#show-devices");
      await check(ana, "devices");
      await ana.page.keyboard.press("Escape");
      await ana.page.focus(".tile:not(.screen) .options");
      await ana.page.keyboard.press("Enter");
      await until("the menu", () => ana.page.$eval(".tile:not(.screen) .tile-menu", (menu) => menu.checkVisibility()));
      await check(ana, "menu of a tile");
      await ana.page.keyboard.press("Escape");
      const full = await open(`/r/axe-${scheme}?name=Cy`);
      await full.clickJoin();
      await until("the room is full", () => full.text("#end-title"));
      await check(full, "end without a call");
      // How a lost connection looks; to lose one takes long.
      await ana.page.$eval(".tile:not(.screen)", (tile) => {
        tile.dataset.state = "reconnecting";
        tile.querySelector(".state").textContent = "Connection lost. Reconnecting…";
      });
      await server.kill("SIGKILL");
      await until("the server is gone", async () => (await ana.text("#server-state")).includes("not reachable"));
      await check(ana, "lost connection, and no server");
      await ana.page.click("#leave");
      await check(ana, "end");
      await server.run();
    });
  }

  test(`a whole call by keyboard alone, ${name}`, async (t) => {
    const browser = await launch();
    t.after(() => browser.close());
    const { page } = await Person.open(browser, server.url);
    const focused = () => page.evaluate(() => document.activeElement?.id ?? "");
    /** Goes on with Tab, or back, until this element has the focus, which has to be seen. */
    const tabTo = async (id, back = false) => {
      if (back) await page.keyboard.down("Shift");
      for (let presses = 0; (await focused()) !== id; presses += 1) {
        assert.ok(presses < 40, `#${id} is reached`);
        await page.keyboard.press("Tab");
      }
      if (back) await page.keyboard.up("Shift");
      const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
      assert.notEqual(outline, "none", `the focus on #${id} is seen`);
    };
    await tabTo("new-room");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#join", { visible: true });
    // Behind the last one Firefox goes on in its own window.
    await tabTo("name", true);
    await page.keyboard.type("Ana");
    await tabTo("join");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#leave", { visible: true });
    const url = await page.url();
    const bo = await Person.join(browser, `${url}?name=Bo`);
    await page.bringToFront();
    await until("Bo is there", () => page.$('.tile[data-state="connected"]'));
    for (const id of ["mic", "camera", "hand"]) {
      await tabTo(id);
      const before = await page.$eval(`#${id}`, (button) => button.getAttribute("aria-pressed"));
      await page.keyboard.press("Enter");
      await until(`${id} is switched`, async () => before !== (await page.$eval(`#${id}`, (button) => button.getAttribute("aria-pressed"))));
    }
    await tabTo("more");
    await page.keyboard.press("Enter");
    await tabTo("show-shortcuts");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Escape");
    await tabTo("leave");
    await page.keyboard.press("Enter");
    await until("the end", async () => (await page.$eval("#end-title", (title) => title.textContent)) === "You left the call");
    await until("it is announced", async () => (await bo.text("#announcements")).includes("Ana left"));
    assert.deepEqual(bo.errors, []);
  });

  test(`touch targets of 44 px, nothing outside the window or below something else, ${name}`, async (t) => {
    const browser = await launch();
    t.after(() => browser.close());
    const sizes = [[320, 568], [360, 740], [568, 320], [740, 360], [1440, 900]].map(([width, height]) => ({ width, height }));
    const ana = await Person.open(browser, `${server.url}/r/${"small-windows-".repeat(4)}x?name=${"Maximiliane ".repeat(5)}`, { before: fakeScreen });
    /** What is wrong between the sides, as they are left by a notch. */
    const wrongs = (notch) => {
      const shown = [...document.querySelectorAll("main:not([hidden]) *, dialog[open] *")].filter((element) => element.checkVisibility({ visibilityProperty: true }));
      const outside = shown.filter((element) => {
        const { right, left, width } = element.getBoundingClientRect();
        const sides = notch && !element.matches(".call > *, .tiles") ? notch : -1;
        return width > 1 && (right > innerWidth - sides || left < sides) && !element.closest("svg");
      });
      const small = shown.filter((element) => {
        const { width, height } = element.getBoundingClientRect();
        return element.matches("button, select, a, input:not([type=checkbox], [type=range])") && (width < 43.5 || height < 43.5);
      });
      const covered = shown.filter((element) => {
        if (document.querySelector(":popover-open, :modal") || !element.matches(".controls button, .bar button, .alone button, #join")) return false;
        const { x, y, width, height } = element.getBoundingClientRect();
        return !element.contains(document.elementFromPoint(x + width / 2, y + height - 3));
      });
      const spilt = shown.filter((element) => element.matches(".pill") && element.scrollWidth > element.clientWidth + 1);
      return [...outside, ...small, ...covered, ...spilt].map((element) => element.outerHTML.slice(0, 100));
    };
    const look = async (what) => {
      for (const size of sizes) {
        await ana.page.setViewport(size);
        await standsStill(ana);
        assert.deepEqual(await ana.page.evaluate(wrongs, 0), [], `${what} at ${size.width} x ${size.height}`);
      }
      if (name === "Firefox") return;
      await ana.page.setViewport({ width: 740, height: 360 });
      const session = await ana.page.createCDPSession();
      await session.send("Emulation.setSafeAreaInsetsOverride", { insets: { left: 47, right: 47 } });
      await standsStill(ana);
      assert.deepEqual(await ana.page.evaluate(wrongs, 46), [], `${what} beside a notch`);
      await session.send("Emulation.setSafeAreaInsetsOverride", { insets: { left: 0, right: 0 } });
    };
    // On its side a phone shows the own picture and what joins at once.
    await ana.page.setViewport({ width: 740, height: 360 });
    await ana.page.waitForSelector("#join", { visible: true });
    const seen = (selector) => ana.page.$eval(selector, (element) => {
      const { top, bottom } = element.getBoundingClientRect();
      return top >= 0 && bottom <= innerHeight;
    });
    await until("picture and button are seen", async () => (await seen(".stage")) && (await seen("#join")) && (await seen("#name")));
    await look("lobby");
    await ana.enter();
    await look("alone");
    const bo = await Person.join(browser, `${ana.page.url().split("?")[0]}?name=${"W".repeat(60)}`);
    await ana.page.bringToFront();
    await until("Bo is there", () => ana.page.$('.tile[data-state="connected"]'));
    await until("it is told", async () => (await ana.text("#notice")).endsWith("W joined."));
    await look("call");
    await ana.page.click(".signal button");
    await until("there are figures", () => ana.text("#connection-facts .value"));
    await look("panel of a connection");
    await ana.page.click("#connection-close");
    await ana.page.click("#people");
    await look("list of people");
    await ana.page.keyboard.press("Escape");
    await ana.page.$eval(".tile .options", (button) => button.click());
    await look("menu of a tile");
    await ana.page.keyboard.press("Escape");
    await ana.page.keyboard.press("?");
    await look("shortcuts");
    await ana.page.keyboard.press("Escape");
    await ana.page.click("#more");
    await look("menu");
    await ana.page.click("#show-devices");
    await look("devices");
    await ana.page.keyboard.press("Escape");
    await ana.page.click("#more");
    await ana.page.click("#menu [data-invite=qr]");
    await look("code of the link");
    await ana.page.keyboard.press("Escape");
    await bo.press("#leave");
    await until("Bo has left", async () => (await ana.tiles()).length === 0);
    await ana.press("#lock");
    await until("it is locked", () => ana.page.$eval("#locked-sign", (sign) => sign.checkVisibility()));
    await bo.page.reload();
    await bo.enter();
    await ana.page.bringToFront();
    await until("somebody knocks", () => ana.text(".knock"));
    await look("somebody knocks");
    await ana.press("#leave");
    await until("the end", () => ana.text("#end-title"));
    await look("end");
    await ana.page.goto(server.url);
    await look("start page");
    await bo.close();
  });
}
