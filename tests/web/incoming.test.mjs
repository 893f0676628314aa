import assert from "node:assert/strict";
import { test } from "node:test";
import { Incoming } from "../../web/incoming.js";

/** As much of a browser's class as is used. */
class FakeStream {
  tracks = [];
  getTracks() {
    return [...this.tracks];
  }
  getVideoTracks() {
    return this.tracks.filter(({ kind }) => kind === "video");
  }
  addTrack(track) {
    this.tracks.push(track);
  }
  removeTrack(track) {
    this.tracks = this.tracks.filter((each) => each !== track);
  }
}
globalThis.MediaStream = /** @type {any} */ (FakeStream);

const picture = () => /** @type {any} */ ({ kind: "video", readyState: "live", muted: true });
const unmute = (track, muted = false) => {
  track.muted = muted;
  (muted ? track.onmute : track.onunmute)();
};

test("a picture is shown from its first frame on, until the other side ends it", () => {
  let changes = 0;
  const incoming = new Incoming();
  incoming.onchange = () => (changes += 1);
  const track = picture();
  incoming.take("screen", track);
  assert.equal(incoming.shows("screen", true), false, "nothing has come yet");
  unmute(track);
  assert.ok(incoming.shows("screen", true));
  unmute(track, true);
  assert.ok(incoming.shows("screen", true), "muted for want of frames, as behind a hidden tab");
  assert.equal(incoming.shows("screen", undefined), false, "who says nothing is believed the track");
  assert.equal(incoming.shows("screen", false), false);
  incoming.end("screen");
  assert.equal(incoming.shows("screen", true), false, "the next one has to come first");
  assert.equal(changes, 3);
});

test("a track that ended shows nothing, and another one takes its place", () => {
  const incoming = new Incoming();
  const [first, second] = [picture(), picture()];
  incoming.take("video", first);
  unmute(first);
  first.readyState = "ended";
  assert.equal(incoming.shows("video", true), false);
  incoming.take("video", second);
  assert.deepEqual(incoming.person.getTracks(), [second]);
  assert.deepEqual(incoming.screen.getTracks(), []);
});

test("a screen whose picture was there before its track stays, too", () => {
  const incoming = new Incoming();
  incoming.take("screen", { ...picture(), muted: false });
  incoming.take("screen", picture());
  assert.ok(incoming.shows("screen", true));
});

test("a screen stays while another connection is made, until the other side says that it is over", () => {
  const incoming = new Incoming();
  const [first, second] = [picture(), picture()];
  incoming.take("screen", first);
  first.readyState = "ended";
  assert.equal(incoming.shows("screen", true), false, "there was none yet");
  first.readyState = "live";
  unmute(first);
  first.readyState = "ended";
  assert.ok(incoming.shows("screen", true));
  incoming.take("screen", second);
  assert.deepEqual(incoming.screen.getTracks(), [second]);
  assert.ok(incoming.shows("screen", true));
  incoming.end("screen");
  assert.equal(incoming.shows("screen", false), false);
  assert.equal(incoming.shows("screen", true), false, "the next one has to come first");
});
