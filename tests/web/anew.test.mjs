import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Peer } from "../../web/peer.js";
import { Connection } from "./lib/connection.mjs";

/** A peer, and what it sends. */
function begin(t, { offer }) {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  Connection.all = [];
  const sent = [];
  const peer = new Peer({
    offer,
    config: {},
    streams: { person: new MediaStream(), screen: new MediaStream() },
    tracks: () => [],
    state: () => ({}),
    send: (data) => sent.push(data) > 0,
    onchange: () => {},
    onwant: () => {},
    onbye: () => {},
    startBitrate: () => 1,
  });
  t.after(() => {
    peer.close();
    mock.timers.reset();
  });
  return { peer, sent };
}

/** Lets promises that wait for each other have their turns. */
const turns = () => new Promise((resolve) => setImmediate(resolve));
const last = () => Connection.all.at(-1);
const DEAD = { iceConnectionState: "connected", connectionState: "failed" };

test("a connection that is dead though ICE is up is begun anew, and what comes for the old one is passed over", async (t) => {
  const { peer, sent } = begin(t, { offer: true });
  await turns();
  assert.deepEqual(sent.map(({ description }) => [description.type, description.era]), [["offer", undefined]]);
  last().becomes(DEAD);
  mock.timers.tick(999);
  assert.equal(Connection.all.length, 1);
  mock.timers.tick(1);
  await turns();
  assert.equal(Connection.all.length, 2);
  assert.equal(Connection.all[0].connectionState, "closed");
  assert.equal(peer.state, "reconnecting");
  assert.deepEqual([sent.at(-1).description.type, sent.at(-1).description.era], ["offer", 1]);

  peer.receive({ description: { type: "answer", sdp: "v=0", offer: 1 } });
  await turns();
  assert.equal(last().remoteDescription, null, "an answer to the old offer");
  peer.receive({ description: { type: "answer", sdp: "v=0", offer: 1, era: 1 } });
  peer.receive({ candidate: { candidate: "old" } });
  peer.receive({ candidate: { candidate: "new", era: 1 } });
  await turns();
  assert.equal(last().remoteDescription.type, "answer");
  assert.deepEqual(last().candidates.map(({ candidate }) => candidate), ["new"]);
});

test("encryption that fails while ICE stays up is seen, and what hung in the old connection holds up nothing", async (t) => {
  const { peer, sent } = begin(t, { offer: true });
  await turns();
  last().iceConnectionState = "connected";
  last().setRemoteDescription = () => new Promise(() => {});
  peer.receive({ description: { type: "answer", sdp: "v=0", offer: 1 } });
  await turns();
  last().connectionState = "failed";
  last().onconnectionstatechange();
  mock.timers.tick(1_000);
  await turns();
  assert.equal(sent.at(-1).description.era, 1);
  peer.receive({ description: { type: "answer", sdp: "v=0", offer: 1, era: 1 } });
  await turns();
  assert.equal(last().remoteDescription.type, "answer");
});

test("who asks while the first offer is under way gets that again, and no restart", async (t) => {
  const { peer, sent } = begin(t, { offer: true });
  last().restartIce = () => assert.fail("nothing to restart");
  await turns();
  peer.receive({ description: null });
  await turns();
  mock.timers.tick(100);
  assert.deepEqual(sent.map(({ description }) => description.offer), [1, 1]);
});

test("states that differ for a moment are no death", async (t) => {
  begin(t, { offer: true });
  last().becomes(DEAD);
  mock.timers.tick(500);
  last().becomes({ connectionState: "connected" });
  mock.timers.tick(60_000);
  assert.equal(Connection.all.length, 1);
});

test("the polite one asks for it, and the other one begins anew and offers", async (t) => {
  const { sent } = begin(t, { offer: false });
  last().becomes(DEAD);
  mock.timers.tick(1_000);
  assert.equal(Connection.all.length, 2);
  assert.deepEqual(sent, [{ description: { era: 1 } }]);

  const other = begin(t, { offer: true });
  await turns();
  other.peer.receive(sent[0]);
  await turns();
  assert.equal(Connection.all.length, 2);
  assert.deepEqual([other.sent.at(-1).description.type, other.sent.at(-1).description.era], ["offer", 1]);
});

test("an offer of a new connection is answered with one", async (t) => {
  const { peer, sent } = begin(t, { offer: false });
  peer.receive({ description: { type: "offer", sdp: "v=0", offer: 1, era: 2 } });
  await turns();
  assert.equal(Connection.all.length, 2);
  assert.deepEqual([sent.at(-1).description.type, sent.at(-1).description.era, sent.at(-1).description.offer], ["answer", 2, 1]);
});

test("however many eras the other side names, connections are made no faster than one a second", async (t) => {
  let now = 5_000;
  t.mock.method(performance, "now", () => now);
  const { peer } = begin(t, { offer: false });
  for (let era = 1; era <= 50; era += 1) peer.receive({ description: { era } });
  for (const era of ["2", 1.5, -1, 1e300, null]) peer.receive({ description: { era } });
  await turns();
  assert.equal(Connection.all.length, 2);
  now += 1_000;
  peer.receive({ description: { era: 51 } });
  await turns();
  assert.equal(Connection.all.length, 3);
});
