// The lobby, and devices before and during a call.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Person, chromium, firefox } from "./lib/browser.mjs";
import { hardware, nothing } from "./lib/hardware.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/until.mjs";

/** @type {Server} */
let server;
/** @type {Record<string, import("puppeteer-core").Browser>} */
const browsers = {};
/** Firefox runs Web Audio only where the machine has a sound output. @type {Record<string, boolean>} */
const hasSound = { Chromium: true };

before(async () => {
  server = await Server.start();
  browsers.Chromium = await chromium();
  browsers.Firefox = await firefox();
  hasSound.Firefox = await runsWebAudio(browsers.Firefox);
});
after(async () => {
  await Promise.all(Object.values(browsers).map((browser) => browser.close()));
  await server?.stop();
});

/** @param {import("puppeteer-core").Browser} browser */
async function runsWebAudio(browser) {
  const person = await Person.open(browser, server.url);
  const running = await person.page.evaluate(() => {
    const started = new AudioContext().resume().then(() => true);
    return Promise.race([started, new Promise((resolve) => setTimeout(() => resolve(false), 3_000))]);
  });
  await person.close();
  return running;
}

const MIC = "#microphone-choice";
const CAMERA = "#camera-choice";
const SPEAKER = "#speaker-choice";

/** @param {Person} person */
const value = (person, select) => person.page.$eval(select, (element) => element.value);
const labels = (person, select) => person.page.$$eval(`${select} option`, (options) => options.map((option) => option.text));
const pressed = (person, button) => person.page.$eval(button, (element) => element.getAttribute("aria-pressed"));
const level = (person) => person.page.$eval("#mic-level", (meter) => Number(meter.getAttribute("aria-valuenow")));
const plug = (person, ...device) => person.page.evaluate((device) => globalThis.testHardware.plug(...device), device);
const unplug = (person, id) => person.page.evaluate((id) => globalThis.testHardware.unplug(id), id);
const asked = (person) => person.page.evaluate(() => globalThis.testHardware.asked);
const shownBy = (person, video) => person.page.$eval(video, (element) => element.srcObject.getVideoTracks()[0]?.label ?? "");
const isUsed = (person, select, id) => until(`${id} is used`, async () => (await value(person, select)) === id);
const isListed = (person, select, text) => until(`${text} is listed`, async () => (await labels(person, select)).includes(text));

/** The lobby of a room, with its devices. */
async function lobby(browser, room, options = {}) {
  const person = await Person.open(browser, `${server.url}/r/${room}`, { before: hardware, ...options });
  await until("devices are listed", async () => (await labels(person, MIC)).length > 0);
  if (!options.before) await isListed(person, MIC, "Mic 2");
  return person;
}

/** Reloads, and waits for the devices. */
async function again(person) {
  await person.page.reload({ waitUntil: "domcontentloaded" });
  await isListed(person, MIC, "Mic 2");
}

async function openDialog(person) {
  await person.page.click("#more");
  await person.page.click("#show-devices");
  await person.page.waitForSelector("#devices-dialog[open]");
}

/** @param {() => void} more  runs after `hardware`, and as that not in Firefox's empty page before */
const withHardware = (more) => `if (navigator.mediaDevices) { (${hardware})(); (${more})(); }`;

for (const name of ["Chromium", "Firefox"]) {
  const in_ = (what, run) => test(`${what}, ${name}`, (t) => run(browsers[name], t));

  in_("devices, name, and what was off are remembered", async (browser) => {
    const person = await lobby(browser, "remembered");
    await person.page.type("#name", "Ana");
    await person.page.select(CAMERA, "cam-2");
    await until("the preview shows it", async () => (await shownBy(person, "#preview")) === "Cam 2");
    await person.page.select(MIC, "mic-2");
    await isUsed(person, MIC, "mic-2");
    await person.page.select(SPEAKER, "out-2");
    await person.enter();
    await again(person);
    for (const [select, id] of [[CAMERA, "cam-2"], [MIC, "mic-2"], [SPEAKER, "out-2"]]) await isUsed(person, select, id);
    assert.equal(await value(person, "#name"), "Ana");
    assert.deepEqual(await asked(person), ["audio+video"], "the person is asked once");

    await person.page.click("#lobby-mic");
    await person.page.click("#lobby-camera");
    await until("off", async () => (await pressed(person, "#lobby-camera")) === "false");
    await again(person);
    assert.equal(await pressed(person, "#lobby-mic"), "false");
    assert.equal(await pressed(person, "#lobby-camera"), "false");
    assert.deepEqual(await asked(person), ["audio"], "a camera that was off stays dark");
    await person.page.click("#lobby-camera");
    await until("the preview", async () => (await shownBy(person, "#preview")) === "Cam 2");
    assert.deepEqual(person.errors, []);
    await person.close();
  });

  in_("the server is reached before one joins, with the connection that is then used", async (browser) => {
    const record = () => {
      globalThis.testSockets = [];
      globalThis.WebSocket = class extends WebSocket {
        constructor(...args) {
          super(...args);
          globalThis.testSockets.push(this);
        }
      };
    };
    const states = () => person.page.evaluate(() => globalThis.testSockets.map(({ readyState }) => readyState));
    const person = await lobby(browser, "ahead", { before: withHardware(record) });
    await until("the server is reached", async () => (await states())[0] === 1);
    await person.enter();
    await until("the call has begun", async () => !(await person.text("#server-state")));
    assert.deepEqual(await states(), [1]);
    await person.close();
  });

  in_("a storage that is blocked or full of rubbish does not matter", async (browser) => {
    const blocked = () =>
      Object.defineProperty(globalThis, "localStorage", {
        get() {
          throw new DOMException("", "SecurityError");
        },
      });
    const rubbish = () => {
      for (const key of ["callbox.choices", "callbox.shortcuts"]) localStorage.setItem(key, '{"audio":[],"name":{');
    };
    for (const [room, more] of Object.entries({ blocked, rubbish })) {
      const person = await lobby(browser, room, { before: withHardware(more) });
      await isListed(person, MIC, "Mic 2");
      await person.page.select(MIC, "mic-2");
      await isUsed(person, MIC, "mic-2");
      await person.enter();
      assert.deepEqual(person.errors, []);
      await person.close();
    }
  });

  in_("the level moves with sound and rests when muted", async (browser, t) => {
    if (!hasSound[name]) t.diagnostic("no sound output on this machine: only its rest is seen");
    const person = await lobby(browser, "level");
    const loud = () => !hasSound[name] || until("it moves", async () => (await level(person)) > 40);
    const quiet = () => until("it rests", async () => (await level(person)) === 0);
    await loud();
    await person.page.evaluate(() => globalThis.testHardware.sound(false));
    await quiet();
    await person.page.evaluate(() => globalThis.testHardware.sound(true));
    await loud();
    await person.page.click("#lobby-mic");
    await quiet();
    await person.page.click("#lobby-mic");
    await loud();
    await person.enter();
    await quiet();
    await openDialog(person);
    await loud();
    assert.deepEqual(person.errors, []);
    await person.close();
  });

  in_("devices come and go in the lobby", async (browser) => {
    const person = await lobby(browser, "plugging");
    await plug(person, "cam-3", "videoinput", "Cam 3");
    await isListed(person, CAMERA, "Cam 3");
    assert.equal(await value(person, CAMERA), "cam-1", "what is used stays");
    await person.page.evaluate(() => globalThis.testHardware.busy.add("cam-2"));
    await person.page.select(CAMERA, "cam-2");
    await until("the sentence", async () => (await person.text("#device-status")) === "Cam 2 is in use by another program. Still in use: Cam 1.");
    assert.equal(await value(person, CAMERA), "cam-1");
    assert.equal(await person.text("#lobby-problem"), "");

    await unplug(person, "mic-1");
    await isUsed(person, MIC, "mic-2");
    await until("the sentence", async () => (await person.text("#lobby-notice")) === "The microphone was disconnected. Now in use: Mic 2.");
    if (hasSound[name]) await until("it is heard", async () => (await level(person)) > 40);
    await unplug(person, "mic-2");
    await until("the sentence", async () => (await person.text("#lobby-problem")).startsWith("The microphone was disconnected."));
    assert.equal(await pressed(person, "#lobby-mic"), "false");
    assert.deepEqual(await labels(person, MIC), ["None found"]);
    await plug(person, "mic-2", "audioinput", "Mic 2");
    await until("it is back", async () => (await pressed(person, "#lobby-mic")) === "true");
    assert.equal(await person.text("#lobby-problem"), "");

    await person.page.click("#lobby-camera");
    await until("off", async () => (await pressed(person, "#lobby-camera")) === "false");
    await unplug(person, "cam-1");
    await until("it is gone", async () => !(await labels(person, CAMERA)).includes("Cam 1"));
    assert.equal(await pressed(person, "#lobby-camera"), "false", "nobody switched it on");
    assert.deepEqual(person.errors, []);
    await person.close();
  });

  in_("a camera that looks away is not mirrored, and a touch flips it", async (browser) => {
    const person = await lobby(browser, "facing");
    const mirrored = (video) => person.page.$eval(video, (element) => getComputedStyle(element).transform !== "none");
    assert.ok(await mirrored("#preview"));
    await plug(person, "back", "videoinput", "Back", "environment");
    await isListed(person, CAMERA, "Back");
    await person.page.select(CAMERA, "back");
    await until("as it is", async () => !(await mirrored("#preview")));
    await plug(person, "front", "videoinput", "Front", "user");
    await person.page.click("#lobby-flip");
    await until("the other one", async () => (await shownBy(person, "#preview")) === "Front");
    assert.ok(await mirrored("#preview"));
    await person.enter();
    await person.page.click("#self-flip");
    await until("and back", async () => (await shownBy(person, "#self-video")) === "Back");
    assert.equal(await mirrored("#self-video"), false);
    await unplug(person, "front");
    await person.page.click("#self-flip");
    await until("the sentence", async () => (await person.text("#notice")) === "The other camera was not found.");
    assert.equal(await shownBy(person, "#self-video"), "Back");
    assert.deepEqual(person.errors, []);
    await person.close();
  });

  in_("devices come and go in a call, and sound goes to the chosen speaker", async (browser) => {
    const ana = await lobby(browser, "in-call");
    await ana.enter();
    const bo = await lobby(browser, "in-call");
    await bo.enter();
    await ana.page.bringToFront();
    const sinks = () => ana.page.$$eval("video.remote", (videos) => videos.map((video) => video.sinkId));
    const sent = (kind) =>
      ana.page.evaluate(
        (kind) => globalThis.testConnections.at(-1).getSenders().find(({ track }) => track?.kind === kind)?.track.label,
        kind,
      );
    await until("a tile", async () => (await ana.tiles())[0]?.state === "connected");
    await openDialog(ana);
    await plug(ana, "out-3", "audiooutput", "Out 3");
    await isListed(ana, SPEAKER, "Out 3");
    await ana.page.select(SPEAKER, "out-3");
    await until("it is heard there", async () => (await sinks()).join() === "out-3");
    const cy = await lobby(browser, "in-call");
    await cy.enter();
    await ana.page.bringToFront();
    await until("who comes later, too", async () => (await sinks()).join() === "out-3,out-3");
    await unplug(ana, "out-3");
    await until("the system's own", async () => (await sinks()).join() === ",");
    await until("the sentence", async () => (await ana.text("#notice")).startsWith("The speaker was disconnected."));
    assert.equal(await value(ana, SPEAKER), "");

    await ana.page.select(MIC, "mic-2");
    await until("it is sent", async () => (await sent("audio")) === "Mic 2");
    await unplug(ana, "mic-2");
    await until("another one is sent", async () => (await sent("audio")) === "Mic 1");
    await until("the sentence", async () => (await ana.text("#notice")) === "The microphone was disconnected. Now in use: Mic 1.");
    await plug(ana, "mic-2", "audioinput", "Mic 2");
    await until("it is sent again", async () => (await sent("audio")) === "Mic 2");
    await unplug(ana, "cam-1");
    await until("another one is sent", async () => (await sent("video")) === "Cam 2");
    await isUsed(ana, CAMERA, "cam-2");
    await unplug(ana, "cam-2");
    await until("the sentence", async () => (await ana.text("#notice")) === "The camera was disconnected.");
    assert.equal(await pressed(ana, "#camera"), "false");
    for (const person of [ana, bo, cy]) assert.deepEqual(person.errors, []);
    await Promise.all([ana, bo, cy].map((person) => person.close()));
  });

  in_("a phone call pauses the microphone or ends it, everybody is told, and it comes back", async (browser) => {
    const person = await lobby(browser, "paused");
    const tell = (type) => person.page.evaluate((type) => globalThis.testHardware.tracks.get("mic-1").dispatchEvent(new Event(type)), type);
    await tell("mute");
    await until("the sentence", async () => (await person.text("#lobby-problem")).includes("The microphone is paused by the system"));
    await tell("unmute");
    await until("it is over", async () => (await person.text("#lobby-problem")) === "");
    await person.enter();
    const other = await lobby(browser, "paused");
    await other.enter();
    const seesMuted = (muted) => until(`muted: ${muted}`, () => other.page.$(muted ? ".tile.muted" : ".tile:not(.muted)[data-state=connected]"));
    const seen = () => person.page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    await person.page.bringToFront();
    await seesMuted(false);
    await tell("mute");
    await until("the sentence", async () => (await person.text("#notice")).includes("comes back by itself"));
    await seesMuted(true);
    assert.equal(await person.page.$eval("#mic", (button) => button.ariaLabel), "Microphone, paused by the system");
    assert.equal(await person.text("#self .name"), "You, paused");
    await tell("unmute");
    await seesMuted(false);
    assert.equal(await person.text("#self .name"), "You");

    await tell("ended");
    await until("the sentence", async () => (await person.text("#notice")).includes("Switch it on again"));
    await seesMuted(true);
    await seen();
    await seesMuted(false);
    assert.equal(await pressed(person, "#mic"), "true");
    for (const each of [person, other]) assert.deepEqual(each.errors, []);
    await Promise.all([person, other].map((each) => each.close()));
  });

  in_("a test sound plays on the chosen speaker", async (browser, t) => {
    if (!hasSound[name]) t.diagnostic("no sound output on this machine: only where it goes is seen");
    const person = await lobby(browser, "tone");
    const last = () => person.page.evaluate(() => globalThis.testHardware.played.at(-1));
    await person.page.click("#test-speaker");
    const heard = (speaker) =>
      until(`a tone on "${speaker}"`, async () => {
        const tone = await last();
        return tone && tone.speaker === speaker && !tone.paused && (tone.loudest > 0.05 || !hasSound[name]);
      });
    await heard("");
    await until("it is over", () => person.page.$("#test-speaker:not(.playing)"));
    await person.page.select(SPEAKER, "out-2");
    await person.page.focus("#test-speaker");
    await person.page.keyboard.press("Enter");
    await heard("out-2");
    assert.deepEqual(person.errors, []);
    await person.close();
  });

  in_("a browser that cannot choose a speaker says who does", async (browser) => {
    const fixed = () => delete HTMLMediaElement.prototype.setSinkId;
    const person = await lobby(browser, "fixed", { before: withHardware(fixed) });
    await isListed(person, SPEAKER, "Chosen in the system's settings");
    assert.ok(await person.page.$(`${SPEAKER}:disabled`));
    await person.enter();
    assert.deepEqual(person.errors, []);
    await person.close();
  });

  in_("a speaker may be picked in the browser's own window", async (browser) => {
    const picking = () => {
      navigator.mediaDevices.selectAudioOutput = async () => {
        globalThis.testHardware.add("out-9", "audiooutput", "Out 9");
        return { deviceId: "out-9" };
      };
    };
    const person = await lobby(browser, "picked", { before: withHardware(picking) });
    await person.page.click("#pick-speaker");
    await isUsed(person, SPEAKER, "out-9");
    await person.close();
    const plain = await lobby(browser, "not-picked", { before: withHardware(() => (navigator.mediaDevices.selectAudioOutput = undefined)) });
    assert.ok(await plain.page.$("#pick-speaker[hidden]"));
    await plain.close();
  });

  in_("the link is copied, shared, or read by a camera", async (browser) => {
    const sharing = () => {
      const told = (globalThis.testTold = {});
      navigator.share = async (data) => void (told.shared = data);
      Object.defineProperty(navigator, "clipboard", { value: { writeText: async (text) => void (told.copied = text) } });
    };
    const person = await lobby(browser, "bücher", { before: withHardware(sharing) });
    const link = `${server.url}/r/b%C3%BCcher`;
    const button = (what) => `#lobby-form [data-invite=${what}]`;
    await person.page.click(button("copy"));
    await until("it says so", async () => (await person.text(`${button("copy")} .label`)) === "Copied");
    await person.page.click(button("share"));
    const { copied, shared } = await person.page.evaluate(() => globalThis.testTold);
    assert.equal(copied, link);
    assert.equal(shared.url, link);

    await person.page.focus(button("qr"));
    await person.page.keyboard.press("Enter");
    const size = await until("the code", () =>
      person.page.$eval("#qr-image", (image) => image.complete && image.checkVisibility() && [image.naturalWidth, image.naturalHeight]),
    );
    assert.ok(size[0] > 100 && size[0] === size[1], `a square: ${size}`);
    await person.page.keyboard.press("Escape");
    await until("it is closed", () => person.page.$("#qr:not([open])"));
    assert.equal(await person.page.evaluate(() => document.activeElement.dataset.invite), "qr", "the focus is where it was");
    assert.deepEqual(person.errors, []);
    await person.close();
  });

  in_("without a share sheet there is no button for it", async (browser) => {
    const person = await lobby(browser, "no-share", { before: withHardware(() => (navigator.share = undefined)) });
    assert.equal(await person.text("#lobby-form [data-invite=share]"), "");
    assert.notEqual(await person.text("#lobby-form [data-invite=copy]"), "");
    await person.close();
  });

  in_("one joins with neither camera nor microphone, and sees the others", async (browser) => {
    const bare = await lobby(browser, "neither", { before: withHardware(nothing) });
    await until("the sentence", async () => /No camera and no microphone were found\..*You can join without/.test(await bare.text("#lobby-problem")));
    assert.deepEqual(await labels(bare, CAMERA), ["None found"]);
    await bare.enter();
    const other = await lobby(browser, "neither");
    await other.enter();
    await bare.page.bringToFront();
    await until("a picture", async () => (await bare.tiles())[0]?.width > 0);
    assert.deepEqual(bare.errors, []);
    await Promise.all([bare, other].map((person) => person.close()));
  });

  in_("whoever says no is asked once", async (browser) => {
    const denying = () => {
      const { asked } = globalThis.testHardware;
      navigator.permissions.query = async () => ({ state: "prompt" });
      navigator.mediaDevices.enumerateDevices = async () => ["audioinput", "videoinput"].map((kind) => ({ kind, deviceId: "", label: "" }));
      navigator.mediaDevices.getUserMedia = async (wish) => {
        asked.push(Object.keys(wish).join("+"));
        throw new DOMException("", "NotAllowedError");
      };
    };
    const person = await lobby(browser, "no", { before: withHardware(denying) });
    await until("the sentence", async () => (await person.text("#lobby-problem")).startsWith("Camera and microphone are not allowed"));
    assert.deepEqual(await asked(person), ["audio+video"]);
    await until("the lists say so", async () => (await labels(person, MIC)).join() === "Not allowed");
    await person.close();
  });

  in_("the page can be installed", async (browser) => {
    const person = await Person.open(browser, server.url);
    const icons = await person.page.evaluate(async () => {
      const { href } = document.querySelector("link[rel=manifest]");
      const manifest = await (await fetch(href)).json();
      const touch = document.querySelector("link[rel=apple-touch-icon]").getAttribute("href");
      const sources = [...manifest.icons.filter(({ type }) => type === "image/png"), { src: touch, sizes: "180x180" }];
      return Promise.all(
        sources.map(async ({ src, sizes }) => {
          const image = new Image();
          image.src = src;
          await image.decode();
          return [sizes, `${image.naturalWidth}x${image.naturalHeight}`];
        }),
      );
    });
    assert.equal(icons.length, 4);
    for (const [said, real] of icons) assert.equal(said, real);
    assert.deepEqual(person.errors, []);
    await person.close();
  });
}
