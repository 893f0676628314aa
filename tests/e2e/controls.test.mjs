// Buttons and keys of a call.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Person, chromium, firefox } from "./lib/browser.mjs";
import { seeAndHear } from "./lib/expect.mjs";
import { fakeScreen } from "./lib/screen.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/until.mjs";

/** @type {Server} */
let server;
/** @type {Record<string, import("puppeteer-core").Browser>} */
const browsers = {};

before(async () => (server = await Server.start()));
after(async () => {
  await Promise.all(Object.values(browsers).map((browser) => browser.close()));
  await server?.stop();
});

const pressed = (person, id) => person.page.$eval(id, (button) => button.getAttribute("aria-pressed"));
const becomes = (person, id, state) => until(`${id} ${state}`, async () => (await pressed(person, id)) === state);

/** Counts the wake locks that the page holds; like a browser, it takes them back where the page is hidden. */
function countLocks() {
  const locks = [];
  globalThis.testLocks = () => locks.filter(({ released }) => !released).length;
  const release = (lock) => (lock.released = true);
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && locks.forEach(release));
  const request = async () => {
    const lock = { released: false, release: async () => release(lock) };
    locks.push(lock);
    return lock;
  };
  Object.defineProperty(navigator, "wakeLock", { value: { request } });
}

/** As a browser does whose tab goes to the back. */
function setHidden(hidden) {
  Object.defineProperty(document, "visibilityState", { value: hidden ? "hidden" : "visible", configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}

/** Counts the notes that the page plays, and lets them be played where there is no sound output. */
function countChimes() {
  globalThis.testChimes = 0;
  HTMLAudioElement.prototype.play = async () => {};
  OscillatorNode.prototype.start = () => (globalThis.testChimes += 1);
}

/** What the system is told of the call, and its buttons. */
function recordSession() {
  const system = (globalThis.testSystem = { handlers: {}, microphone: null, camera: null });
  const session = {
    setActionHandler: (action, handler) => {
      if (action === "togglecamera") throw new TypeError("not known here");
      system.handlers[action] = handler;
    },
    setMicrophoneActive: (on) => (system.microphone = on),
    setCameraActive: async (on) => (system.camera = on),
  };
  Object.defineProperty(navigator, "mediaSession", { value: session });
}

for (const [name, launch] of Object.entries({ Chromium: chromium, Firefox: firefox })) {
  /** Somebody in a call until the end of the test. */
  const enter = async (t, room, who, before) => {
    browsers[name] ??= await launch();
    const person = await Person.join(browsers[name], `${server.url}/r/${room}-${name}?name=${who}`, { before });
    t.after(() => person.close());
    return person;
  };
  /** Two people in a call. */
  const pair = async (t, room, before = countLocks) => {
    const join = (who) => enter(t, room, who, before);
    const people = [await join("Ana"), await join("Bo")];
    await seeAndHear(people);
    return people;
  };

  test(`keys do what buttons do, ${name}`, async (t) => {
    const [ana, bo] = await pair(t, "keys", fakeScreen);
    const { keyboard } = ana.page;
    await ana.page.bringToFront();
    await keyboard.press("m");
    await becomes(ana, "#mic", "false");
    await keyboard.press("c");
    await becomes(ana, "#camera", "false");
    await until("the initials show", () => bo.page.$(".tile.no-picture"));
    await keyboard.press("h");
    await until("Bo is told", async () => (await bo.text("#notice")) === "Ana raised a hand.");
    await bo.page.bringToFront();
    await bo.press("#people");
    assert.match(await bo.text("#people-list"), /Ana, hand raised/);
    await ana.page.bringToFront();
    await keyboard.press("h");
    await until("the hand is down", async () => !(await bo.text("#people-list")).includes("raised"));

    await keyboard.press("s");
    await becomes(ana, "#share", "true");
    await keyboard.press("s");
    await becomes(ana, "#share", "false");
    await keyboard.press("f");
    await becomes(ana, "#full-screen", "true");
    await keyboard.press("f");
    await becomes(ana, "#full-screen", "false");
    await keyboard.press("p");
    await becomes(ana, "#pip", "true");
    await ana.page.evaluate(() => globalThis.documentPictureInPicture.window.close());
    await becomes(ana, "#pip", "false");

    await keyboard.press("?");
    assert.equal(await ana.page.$eval("#shortcuts", (dialog) => dialog.open), true);
    assert.match(await ana.text("#shortcut-list"), /SpaceHold to talk.*ShiftLLeave/);
    await ana.page.click("#shortcuts-on");
    await keyboard.press("Escape");
    await until("it is closed", () => ana.page.$eval("#shortcuts", (dialog) => !dialog.open));
    await keyboard.press("m");
    await keyboard.press("?");
    assert.equal(await pressed(ana, "#mic"), "false", "keys are off");
    await ana.page.click("#shortcuts-on");
    await keyboard.press("Escape");
    await keyboard.press("m");
    await becomes(ana, "#mic", "true");
    await keyboard.press("l");
    assert.equal(await ana.text("#end-title"), "");
    await keyboard.down("Shift");
    await keyboard.press("L");
    await keyboard.up("Shift");
    await until("the call is left", async () => (await ana.text("#end-title")) === "You left the call");
    assert.equal(await ana.page.title(), "You left the call · callbox");
    assert.deepEqual(ana.errors, []);
  });

  test(`Space is held to talk, wherever a mouse has left the focus, ${name}`, async (t) => {
    const [ana] = await pair(t, "space");
    const { keyboard } = ana.page;
    await ana.page.bringToFront();
    /** Longer than a tap. */
    const hold = async (meanwhile = async () => {}) => {
      const since = Date.now();
      await keyboard.down(" ");
      await becomes(ana, "#mic", "true");
      await meanwhile();
      await until("it is held", () => Date.now() > since + 400);
      await keyboard.up(" ");
      await becomes(ana, "#mic", "false");
      assert.equal(await ana.page.$eval("#mic", (button) => button.matches(".talking")), false);
    };
    await ana.page.click("#mic");
    await becomes(ana, "#mic", "false");
    await hold();
    await hold(() => keyboard.press("h"));
    assert.equal(await pressed(ana, "#hand"), "true");
    await keyboard.press(" ");
    await becomes(ana, "#mic", "true");
    await ana.page.click("#hand");
    await keyboard.press(" ");
    await ana.page.click("#mic");
    await keyboard.press(" ");
    await becomes(ana, "#mic", "true");
    await keyboard.press(" ");
    await becomes(ana, "#mic", "false");
    await ana.page.click("#hand");
    await ana.page.click("#hand");
    await hold();
    assert.equal(await pressed(ana, "#hand"), "false", "Space has not pressed it");
    await ana.page.evaluate(() => document.activeElement.blur());
    await hold();
    // A button that the keyboard has chosen is pressed.
    await ana.page.focus("#mic");
    await keyboard.press("Tab");
    await keyboard.press(" ");
    await becomes(ana, "#camera", "false");
    assert.equal(await pressed(ana, "#mic"), "false");
    await ana.page.click("#more");
    await ana.page.focus("#limit");
    await keyboard.down(" ");
    await keyboard.up(" ");
    assert.equal(await pressed(ana, "#mic"), "false", "a list takes it for itself");
    assert.deepEqual(ana.errors, []);
  });

  test(`who comes and goes is told, in words, in the title and by a sound, ${name}`, async (t) => {
    const ana = await enter(t, "who", "Ana", countChimes);
    const { page } = ana;
    const title = () => page.title();
    const chimes = () => page.evaluate(() => globalThis.testChimes);
    const told = (text) => until(text, async () => (await ana.text("#announcements")).includes(text));
    assert.equal(await title(), `who-${name.toLowerCase()} · callbox`);
    await page.evaluate(setHidden, false);
    const bo = await enter(t, "who", "Bo");
    await until("Bo is shown", async () => (await ana.text("#notice")) === "Bo joined.");
    await told("Bo joined.");
    assert.equal(await title(), `(2) who-${name.toLowerCase()} · callbox`);
    await until("Ana was there", async () => (await bo.text("#announcements")).includes("Ana is here."));
    assert.equal(await bo.text("#notice"), "");
    assert.equal(await chimes(), 0);

    await page.evaluate(setHidden, true);
    const cy = await enter(t, "who", "Cy");
    await until("Cy is heard", async () => (await chimes()) === 1);
    await told("Cy joined.");
    assert.match(await ana.text("#notice"), /Cy joined\.$/);
    await page.evaluate(setHidden, false);
    await page.bringToFront();
    await page.focus('figure.tile:has([title="Cy"]) .options');
    await bo.press("#hand");
    await until("the hand", async () => (await ana.text("#notice")) === "Bo raised a hand.");
    await cy.press("#leave");
    await told("Cy left.");
    assert.equal(await page.evaluate(() => document.activeElement.id), "mic", "the focus did not go with the tile");
    assert.equal(await title(), `(2) who-${name.toLowerCase()} · callbox`);
    await until("it has waited", async () => (await ana.text("#notice")).endsWith("Cy left."));

    // Behind a dialog nothing is read aloud.
    await page.click("#more");
    await page.click("#show-devices");
    await bo.press("#leave");
    await until("it is said in the dialog", async () => (await ana.text("#devices-dialog #announcements")).includes("Bo left."));
    assert.equal(await title(), `who-${name.toLowerCase()} · callbox`);
    for (const person of [ana, bo, cy]) assert.deepEqual(person.errors, []);
  });

  test(`in a call the link is copied, shared, or read by a camera, ${name}`, async (t) => {
    const clipboard = () => {
      const told = (globalThis.testTold = {});
      navigator.share = async (data) => void (told.shared = data);
      const writeText = async (text) => (told.copied ? Promise.reject(new DOMException("", "NotAllowedError")) : void (told.copied = text));
      Object.defineProperty(navigator, "clipboard", { value: { writeText } });
    };
    const ana = await enter(t, "link", "Ana", clipboard);
    const link = `${server.url}/r/link-${name.toLowerCase()}`;
    const { page } = ana;
    await page.setViewport({ width: 360, height: 740 });
    await page.click("#copy-link");
    await until("it is said", async () => (await ana.text("#notice")) === "Link copied.");
    await page.click("#copy-link");
    await until("the link itself", async () => (await ana.text("#qr[open] #qr-link")) === link.slice("https://".length));
    await page.keyboard.press("Escape");
    await page.click("#more");
    await page.click("#menu [data-invite=share]");
    assert.equal((await page.evaluate(() => globalThis.testTold)).shared.url, link);
    await page.click("#more");
    await page.click("#menu [data-invite=qr]");
    await until("the code", () => page.$eval("#qr-image", (image) => image.checkVisibility() && image.naturalWidth > 0));
    await page.keyboard.press("Escape");
    assert.equal(await page.evaluate(() => document.activeElement.id), "more");
    assert.deepEqual(ana.errors, []);
  });

  test(`what is sent is limited by the one who sends, and chosen for the next time, ${name}`, async (t) => {
    const [ana, bo] = await pair(t, "limits");
    const sent = () =>
      ana.page.evaluate(() => {
        const sender = globalThis.testConnections.at(-1).getSenders().find(({ track }) => track?.kind === "video");
        const { active, scaleResolutionDownBy } = sender.getParameters().encodings[0] ?? {};
        return { active, height: Math.round(sender.track.getSettings().height / scaleResolutionDownBy) };
      });
    await ana.page.bringToFront();
    await ana.page.click("#more");
    await ana.page.select("#limit", "360");
    await until("360 lines", async () => (await sent()).height <= 360);
    await ana.page.select("#limit", "audio");
    await until("no picture", async () => (await sent()).active === false);
    await until("the initials show", () => bo.page.$(".tile.no-picture"));
    assert.equal(await ana.text("#self .name"), "Sound only");
    assert.ok(await ana.page.$("#self.no-picture"), "nobody sees one");
    await ana.press("#camera");
    await until("the camera is off", async () => (await ana.text("#self .name")) === "You");
    await ana.press("#camera");
    await until("it is told why nobody sees it", async () => /^Only your sound is sent/.test(await ana.text("#notice")));
    await ana.page.select("#limit", "auto");
    // Another picture is sent once it is looked at.
    await bo.page.bringToFront();
    await until("the picture is back", async () => !(await bo.page.$(".tile.no-picture")));
    await ana.page.bringToFront();
    await until("the own one too", () => ana.page.$("#self:not(.no-picture)"));
    await ana.page.select("#limit", "audio");
    await ana.page.keyboard.press("Escape");
    await ana.page.focus("#self");
    await ana.page.keyboard.press("ArrowUp");
    await ana.page.keyboard.press("v");

    await ana.page.reload({ waitUntil: "domcontentloaded" });
    await ana.enter();
    assert.equal(await ana.page.$eval("#limit", (select) => select.value), "audio");
    assert.match(await ana.text("#notice"), /^Only your sound is sent/);
    assert.deepEqual(await ana.page.$eval("#self", (self) => [self.hidden, self.dataset.corner]), [true, "top-right"]);
    await until("Bo is there", async () => (await ana.tiles())[0]?.state === "connected");
    assert.equal((await sent()).active, false);
  });

  test(`the screen stays on, the system has buttons, and closing by mistake asks, ${name}`, async (t) => {
    const [ana, bo] = await pair(t, "awake", `(${countLocks})(); (${recordSession})()`);
    await ana.page.bringToFront();
    await until("one is held", () => ana.page.evaluate(() => globalThis.testLocks() === 1));
    await ana.page.evaluate(setHidden, true);
    assert.equal(await ana.page.evaluate(() => globalThis.testLocks()), 0);
    await ana.page.evaluate(`(${setHidden})(false); (${setHidden})(false)`);
    await until("one is held again", () => ana.page.evaluate(() => globalThis.testLocks() > 0));
    assert.equal(await ana.page.evaluate(() => globalThis.testLocks()), 1);
    const asks = (person) =>
      person.page.evaluate(() => {
        const event = new Event("beforeunload", { cancelable: true });
        dispatchEvent(event);
        return event.defaultPrevented;
      });
    assert.equal(await asks(ana), true);
    const system = () => ana.page.evaluate(() => globalThis.testSystem);
    assert.deepEqual([(await system()).microphone, (await system()).camera], [true, true]);
    await ana.page.evaluate(() => globalThis.testSystem.handlers.togglemicrophone());
    await becomes(ana, "#mic", "false");
    await until("the system is told", async () => (await system()).microphone === false);
    await ana.page.evaluate(() => globalThis.testSystem.handlers.hangup());
    assert.deepEqual((await system()).handlers, { togglemicrophone: null, hangup: null });
    await until("nothing is on", async () => (await system()).camera === false);
    assert.equal(await ana.page.evaluate(() => globalThis.testLocks()), 0);
    assert.equal(await asks(ana), false);
    await until("Bo is alone", async () => (await bo.tiles()).length === 0);
    assert.equal(await asks(bo), false, "nobody is left alone by it");
  });

  test(`full screen and the small window, ${name}`, async (t) => {
    const [ana] = await pair(t, "windows");
    await ana.page.bringToFront();
    await ana.page.click("#more");
    await ana.page.click("#full-screen");
    await becomes(ana, "#full-screen", "true");
    assert.ok(await ana.page.evaluate(() => document.fullscreenElement !== null));
    await ana.page.evaluate(() => document.exitFullscreen());
    await becomes(ana, "#full-screen", "false");
    if (!(await ana.page.$eval("#menu", (menu) => menu.matches(":popover-open")))) await ana.page.click("#more");
    await ana.page.click("#pip");
    await becomes(ana, "#pip", "true");
    const inside = () =>
      ana.page.evaluate(() => {
        const { document } = globalThis.documentPictureInPicture.window;
        const video = document.querySelector("video");
        return { width: video?.videoWidth ?? 0, buttons: document.querySelectorAll("button").length };
      });
    await until("a picture in it", async () => (await inside()).width > 0);
    assert.equal((await inside()).buttons, 3);
    await ana.page.evaluate(() => {
      const button = (globalThis.testDouble = globalThis.documentPictureInPicture.window.document.querySelector("button"));
      button.focus();
      button.click();
    });
    await becomes(ana, "#mic", "false");
    const double = () => ana.page.evaluate(() => {
      const { testDouble } = globalThis;
      return [testDouble.ariaPressed, testDouble.isConnected && testDouble.ownerDocument.activeElement === testDouble];
    });
    await until("the button says so, and keeps the focus", async () => (await double()).join() === "false,true");
    await ana.page.evaluate(() => globalThis.documentPictureInPicture.window.close());
    await becomes(ana, "#pip", "false");
  });
}

test("where a browser has no window for several pictures, one stands over all others", async (t) => {
  const browser = await chromium();
  t.after(() => browser.close());
  const lack = () => Reflect.deleteProperty(globalThis, "documentPictureInPicture");
  const lackAll = () => {
    Reflect.deleteProperty(globalThis, "documentPictureInPicture");
    for (const what of ["pictureInPictureEnabled", "fullscreenEnabled"]) Object.defineProperty(document, what, { value: false });
  };
  const join = (before) => Person.join(browser, `${server.url}/r/one-picture`, { before });
  const [ana, bo] = [await join(lack), await join(lackAll)];
  await seeAndHear([ana, bo]);
  await ana.page.bringToFront();
  await ana.page.click("#more");
  await ana.page.click("#pip");
  await becomes(ana, "#pip", "true");
  assert.ok(await ana.page.evaluate(() => document.pictureInPictureElement?.matches("video.remote")));
  await ana.page.evaluate(() => document.exitPictureInPicture());
  await becomes(ana, "#pip", "false");

  // What hidden buttons do has no keys.
  await bo.page.bringToFront();
  for (const key of ["f", "p", "?"]) await bo.page.keyboard.press(key);
  assert.doesNotMatch(await bo.text("#shortcut-list"), /Full screen|Small window/);
  assert.match(await bo.text("#shortcut-list"), /Raise/);
  assert.deepEqual([await pressed(bo, "#pip"), await pressed(bo, "#full-screen"), bo.errors], ["false", "false", []]);
});
