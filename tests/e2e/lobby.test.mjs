// The lobby: devices before a call, the invitation, and what is remembered.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Person } from "./lib/browser.mjs";
import { CAMERA, MIC, SPEAKER, asked, inLobbies, isListed, isUsed, labels, level, plug, pressed, shownBy, unplug, value, withHardware } from "./lib/lobby.mjs";
import { until } from "./lib/until.mjs";

const { address, browsers, hasSound, lobby } = inLobbies();

/** Reloads, and waits for the devices. */
async function again(person) {
  await person.page.reload({ waitUntil: "domcontentloaded" });
  await isListed(person, MIC, "Mic 2");
}

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
    const link = `${address()}/r/b%C3%BCcher`;
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
    const person = await Person.open(browser, address());
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
