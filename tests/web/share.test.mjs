import assert from "node:assert/strict";
import { test } from "node:test";
import { ScreenShare } from "../../web/share.js";

const track = (kind) => ({ kind, readyState: "live", stop() { this.readyState = "ended"; } });

/** Lets a test choose what to share, as a person does in the browser's own window. */
function picker(constraints = {}) {
  let choose;
  const asked = [];
  const mediaDevices = {
    getSupportedConstraints: () => constraints,
    getDisplayMedia: (wish) => {
      asked.push(wish);
      return new Promise((resolve) => (choose = resolve));
    },
  };
  Object.defineProperty(globalThis, "navigator", { value: { mediaDevices }, configurable: true });
  const tracks = [track("video"), track("audio")];
  const of = (kind) => tracks.filter((each) => each.kind === kind);
  const stream = { getTracks: () => tracks, getVideoTracks: () => of("video"), getAudioTracks: () => of("audio") };
  return { asked, choose: () => choose(stream), states: () => tracks.map(({ readyState }) => readyState) };
}

test("a screen that is chosen after the call ended is not captured", async () => {
  for (const ended of [false, true]) {
    const { choose, states } = picker();
    const changes = [];
    const share = new ScreenShare((shared) => changes.push(shared));
    const started = share.start();
    if (ended) share.close();
    choose();
    assert.equal(await started, null);
    assert.deepEqual(states(), ended ? ["ended", "ended"] : ["live", "live"]);
    assert.equal(changes.length, ended ? 0 : 1);
    share.close();
    assert.deepEqual(states(), ["ended", "ended"]);
  }
});

test("what the others say is not sent back to them with the system's sound", async () => {
  for (const constraints of [{}, { restrictOwnAudio: true }]) {
    const { asked, choose } = picker(constraints);
    const share = new ScreenShare(() => {});
    const started = share.start();
    choose();
    await started;
    const [{ audio, systemAudio }] = asked;
    assert.equal(audio.restrictOwnAudio, true);
    assert.equal(systemAudio, constraints.restrictOwnAudio ? "include" : "exclude", "not where it cannot be told apart");
    share.close();
  }
});
