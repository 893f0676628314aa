import assert from "node:assert/strict";
import { test } from "node:test";
import { choices } from "../../web/devices.js";
import { levelOf } from "../../web/level.js";
import { Remembered, recall } from "../../web/remembered.js";

const device = (kind, deviceId, label = "") => ({ kind, deviceId, label });

test("devices are listed by kind, each with a name, and the system's speaker comes first", () => {
  const all = [
    device("videoinput", "c1", "Desk"),
    device("videoinput", "c2"),
    device("audioinput", ""),
    device("audiooutput", "s1", "Headset"),
    device("audiooutput", "default", "Default: Headset"),
  ];
  assert.deepEqual(choices(all, "video"), [{ id: "c1", label: "Desk" }, { id: "c2", label: "Camera 2" }]);
  assert.deepEqual(choices(all, "audio"), [], "what may not be read yet cannot be chosen");
  assert.deepEqual(choices(all, "speaker"), [{ id: "", label: "Default: Headset" }, { id: "s1", label: "Headset" }]);
  assert.deepEqual(choices([], "speaker"), [{ id: "", label: "System default" }]);
});

test("the level of a microphone goes from rest to full, never beyond", () => {
  const tone = (amplitude) => levelOf(Float32Array.from({ length: 1024 }, (_, index) => amplitude * Math.sin(index / 5)));
  assert.equal(tone(0), 0);
  assert.equal(levelOf(new Float32Array()), 0);
  assert.equal(tone(0.001), 0, "a quiet room");
  const voice = tone(0.05);
  assert.ok(voice > 0.4 && voice < 0.8, String(voice));
  assert.equal(tone(1), 1);
});

const USUAL = { name: "", audio: { on: true, deviceId: "" }, video: { on: true, deviceId: "" }, speaker: "", limit: "", corner: "", self: true };

test("rubbish in the storage is nothing that was chosen", () => {
  const strange = ["null", "7", "[]", "{", '"x"', '{"audio":7,"name":{}}', `{"name":"${"x".repeat(400)}"}`, '{"video":null,"speaker":[]}'];
  for (const text of [null, "", ...strange]) assert.deepEqual(recall(text), USUAL, String(text).slice(0, 30));
  assert.deepEqual(recall('{"name":"Ana","video":{"on":false,"deviceId":"c1"}}'), {
    ...USUAL,
    name: "Ana",
    video: { on: false, deviceId: "c1" },
  });
});

test("what is chosen is there the next time, and for this time even where nothing can be stored", () => {
  const stored = new Map();
  const storage = () => ({ getItem: (key) => stored.get(key) ?? null, setItem: (key, value) => void stored.set(key, value) });
  new Remembered(storage).set({ name: "Bo", speaker: "s1" });
  assert.deepEqual(new Remembered(storage).memory, { ...USUAL, name: "Bo", speaker: "s1" });

  const [one, other] = [new Remembered(storage), new Remembered(storage)];
  other.set({ audio: { on: true, deviceId: "m1" } });
  one.set({ corner: "top-left" });
  const { audio, corner } = new Remembered(storage).memory;
  assert.deepEqual([audio.deviceId, corner], ["m1", "top-left"], "what another tab has chosen stays");

  const refuse = () => {
    throw new DOMException("", "SecurityError");
  };
  const full = () => ({ getItem: () => null, setItem: refuse });
  for (const broken of [refuse, full]) {
    const remembered = new Remembered(broken);
    remembered.set({ name: "Cy" });
    assert.equal(remembered.memory.name, "Cy");
  }
});
