// Devices in a call, and on the way into it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { nothing } from "./lib/hardware.mjs";
import { CAMERA, MIC, SPEAKER, inLobbies, isListed, isUsed, labels, level, plug, pressed, shownBy, unplug, value, withHardware } from "./lib/lobby.mjs";
import { until } from "./lib/until.mjs";

const { browsers, hasSound, lobby } = inLobbies();

async function openDialog(person) {
  await person.page.click("#more");
  await person.page.click("#show-devices");
  await person.page.waitForSelector("#devices-dialog[open]");
}

for (const name of ["Chromium", "Firefox"]) {
  const in_ = (what, run) => test(`${what}, ${name}`, (t) => run(browsers[name], t));

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
        (kind) => globalThis.testConnections.findLast((pc) => pc.signalingState !== "closed").getSenders().find(({ track }) => track?.kind === kind)?.track.label,
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
    const busy = (person, id) => person.page.evaluate((id) => void globalThis.testHardware.busy.add(id), id);
    await busy(ana, "out-2");
    await ana.page.select(SPEAKER, "out-2");
    await until("it refuses", async () => (await ana.text("#notice")) === "This speaker cannot be used now. Sound stays where it was.");
    assert.equal(await value(ana, SPEAKER), "out-3");
    assert.equal((await sinks()).join(), "out-3,out-3");
    const dee = await lobby(browser, "in-call");
    await busy(dee, "out-1");
    for (const id of ["out-2", "out-1"]) await dee.page.select(SPEAKER, id);
    await dee.enter();
    await until("it refuses", async () => (await dee.text("#notice")) === "This speaker cannot be used now. Sound goes to the system's own.");
    assert.equal(await value(dee, SPEAKER), "");
    await dee.close();
    await until("she is gone", async () => (await ana.tiles()).length === 2);
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
}
