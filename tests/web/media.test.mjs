import assert from "node:assert/strict";
import { test } from "node:test";
import { LocalMedia } from "../../web/media.js";
import { problemOf, refusal, sentence } from "../../web/problems.js";
import { Hardware } from "./lib/hardware.mjs";

/** Camera and microphone that are open, and what the page has heard of them. */
async function opened(options = {}) {
  const hardware = options.hardware ?? new Hardware();
  const [changes, notices, choices] = [[], [], []];
  const media = new LocalMedia({
    onchange: (kind, track) => changes.push([kind, track?.label ?? null]),
    onnotice: (text) => notices.push(text),
    onchoice: (kind, choice) => choices.push([kind, choice]),
    chosen: options.chosen,
  });
  await media.open();
  const inUse = (kind) => media.track(kind)?.label;
  return { hardware, media, changes, notices, choices, inUse };
}

test("each problem of a device has its own sentence", () => {
  const error = (name) => problemOf(new DOMException("", name));
  const problems = ["NotAllowedError", "NotFoundError", "NotReadableError", "OtherError"].map(error);
  assert.deepEqual(problems, ["denied", "missing", "busy", "failed"]);
  const all = [...problems, "insecure", "ended", "stopped", "interrupted"].map((problem) => sentence("video", problem));
  assert.equal(new Set(all).size, all.length);
  assert.equal(new Set(problems.map((problem) => refusal("Cam 1", problem))).size, problems.length);
});

test("what the system pauses is not sent, and comes back by itself", async () => {
  const { media, changes } = await opened();
  const track = media.track("audio");
  track.mute(true);
  assert.ok(media.isOn("audio") && !media.isSent("audio"));
  assert.equal(media.problems.audio, "interrupted");
  track.mute(false);
  assert.ok(media.isSent("audio"));
  assert.equal(media.problems.audio, null);
  assert.deepEqual(changes.slice(2), [["audio", "mic-1"], ["audio", "mic-1"]], "each is told");

  track.mute(true);
  await media.set("audio", false);
  await media.set("audio", true);
  assert.ok(media.isSent("audio"), "switched on anew, it is another track");
  assert.equal(track.readyState, "ended");
});

test("what the system ends is tried again once when the page is seen, and else is to be switched on", async () => {
  const { hardware, media, changes, inUse } = await opened();
  for (const kind of ["audio", "video"]) await media.track(kind).end();
  assert.deepEqual(media.problems, { audio: "stopped", video: "stopped" });
  assert.equal(hardware.asked.length, 1, "not while the system needs it");

  hardware.broken.set("mic-1", "NotReadableError");
  await media.refit();
  assert.equal(hardware.asked.length, 3, "once each");
  assert.equal(inUse("video"), "cam-1");
  assert.equal(media.problems.video, null);
  assert.deepEqual([media.problems.audio, ...changes.filter(([kind]) => kind === "audio").at(-1)], ["stopped", "audio", null]);
  assert.match(sentence("audio", "stopped"), /Switch it on again/);

  hardware.broken.clear();
  await media.refit();
  assert.ok(media.isSent("audio"));
  const { length } = hardware.asked;
  await media.refit();
  assert.equal(hardware.asked.length, length);
});

test("a camera that is switched off after the system ended it stays off", async () => {
  const { hardware, media } = await opened();
  await media.track("video").end();
  await media.set("video", false);
  await media.refit();
  assert.equal(hardware.asked.length, 1);
  assert.equal(media.track("video"), null);
});

test("a device that is gone gives way to another", async () => {
  const { hardware, media, notices, inUse } = await opened();
  hardware.unplug("mic-1");
  await media.track("audio").end();
  assert.equal(inUse("audio"), "mic-2");
  assert.deepEqual(notices, ["The microphone was disconnected. Now in use: mic-2."]);
});

test("a choice that fails says why, and leaves what was used", async () => {
  const { hardware, media, choices, inUse } = await opened();
  hardware.broken.set("mic-2", "NotReadableError").set("cam-2", "NotReadableError");
  assert.equal(await media.choose("audio", "mic-2"), "busy");
  assert.equal(await media.choose("video", "cam-2"), "busy");
  assert.deepEqual([inUse("audio"), inUse("video")], ["mic-1", "cam-1"]);
  assert.deepEqual(media.problems, { audio: null, video: null }, "nothing to say of what runs");
  assert.deepEqual(choices, []);

  hardware.broken.set("cam-1", "NotReadableError");
  assert.equal(await media.choose("video", "cam-2"), "busy");
  assert.equal(inUse("video"), undefined);
  assert.equal(media.problems.video, "busy");
  hardware.broken.clear();
  assert.equal(await media.choose("video", "cam-2"), null);
  assert.deepEqual([inUse("video"), choices], ["cam-2", [["video", { deviceId: "cam-2" }]]]);
});

test("a camera is asked for more lines where more may be sent, and goes on where it cannot", async () => {
  const { hardware, media, inUse } = await opened();
  const asked = () => [media.track("video").wish.width.ideal, media.track("video").wish.height.ideal];
  assert.deepEqual(asked(), [1280, 720]);
  await media.setLines(1080);
  assert.deepEqual(asked(), [1920, 1080]);
  await media.set("video", false);
  await media.set("video", true);
  assert.deepEqual(asked(), [1920, 1080], "another one, too");
  await media.setLines(720);
  assert.deepEqual(asked(), [1280, 720]);
  await media.set("video", false);
  const opening = media.set("video", true);
  await media.setLines(1080);
  await opening;
  assert.deepEqual(asked(), [1920, 1080], "one that was being opened, too");
  hardware.plug("cam-2", "video", { fixed: true });
  await media.choose("video", "cam-2");
  await media.setLines(1080);
  assert.deepEqual([inUse("video"), media.track("video").readyState], ["cam-2", "live"]);
});

test("what was chosen comes back when it is plugged in again", async () => {
  const { hardware, media, notices, choices, inUse } = await opened();
  await media.choose("audio", "mic-2");
  for (let times = 0; times < 2; times += 1) {
    hardware.unplug("mic-2");
    await media.track("audio").end();
    assert.equal(inUse("audio"), "mic-1");
    hardware.plug("mic-2", "audio");
    await media.refit();
    assert.equal(inUse("audio"), "mic-2");
    assert.equal(notices.at(-1), "Now in use: mic-2.");
  }
  hardware.plug("mic-3", "audio");
  await media.refit();
  assert.equal(inUse("audio"), "mic-2", "what was not chosen does not matter");
  assert.equal(choices.length, 1);

  hardware.unplug("mic-2");
  const chosen = { audio: { on: true, deviceId: "mic-2" }, video: { on: true, deviceId: "cam-2" } };
  const later = await opened({ hardware, chosen });
  assert.deepEqual([later.inUse("audio"), later.inUse("video")], ["mic-1", "cam-2"]);
  hardware.plug("mic-2", "audio");
  await later.media.refit();
  assert.equal(later.inUse("audio"), "mic-2", "also what was chosen the last time");
});

test("a phone's camera is flipped and back, and stays where the other one cannot be opened", async () => {
  const hardware = new Hardware();
  const { media, choices, inUse } = await opened({ hardware });
  await media.look();
  assert.equal(media.canFlip, false, "where cameras do not tell where they look");
  hardware.there.clear();
  for (const [id, facingMode] of [["front", "user"], ["wide", "environment"], ["tele", "environment"]]) hardware.plug(id, "video", { facingMode });
  hardware.plug("mic-1", "audio");
  await media.choose("video", "front");
  await media.look();
  assert.ok(media.canFlip);
  for (const id of ["wide", "front", "wide"]) {
    assert.equal(await media.flip(), null);
    assert.equal(inUse("video"), id);
    assert.deepEqual(choices.at(-1), ["video", { deviceId: id }]);
  }
  hardware.broken.set("front", "NotReadableError");
  assert.equal(await media.flip(), "busy");
  assert.equal(inUse("video"), "wide");
});

test("what is picked in the browser's own question is the choice", async () => {
  const hardware = new Hardware();
  hardware.picks = "mic-1";
  const chosen = { audio: { on: true, deviceId: "mic-2" }, video: { on: true, deviceId: "" } };
  const { media, choices, inUse } = await opened({ hardware, chosen });
  hardware.picks = undefined;
  await media.refit();
  assert.equal(inUse("audio"), "mic-1");
  assert.deepEqual(choices, [["audio", { deviceId: "mic-1" }]]);
});

test("a camera that is blocked does not keep the page from asking for the microphone", async () => {
  const open = async (permissions) => {
    const hardware = Object.assign(new Hardware(), { permissions });
    const { media } = await opened({ hardware });
    return [hardware.asked.map((wish) => Object.keys(wish).join("+")), media.problems];
  };
  const both = ["audio+video"];
  assert.deepEqual(await open({ camera: "denied", microphone: "prompt" }), [[...both, "audio"], { audio: null, video: "denied" }]);
  assert.deepEqual(await open({ camera: "denied" }), [[...both, "audio"], { audio: null, video: "denied" }]);
  for (const no of ["denied", "prompt"]) {
    const refused = { audio: "denied", video: "denied" };
    assert.deepEqual(await open({ camera: no, microphone: no, refuses: true }), [both, refused], "who has just said no is not asked again");
  }
});
