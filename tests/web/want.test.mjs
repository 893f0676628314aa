import assert from "node:assert/strict";
import { test } from "node:test";
import { Peer } from "../../web/peer.js";
import { Connection } from "./lib/connection.mjs";

test("what was wanted before the channel opened is said when it opens, and only the last of it", (t) => {
  const state = { mic: true, camera: true, hand: false, screen: false, trouble: false };
  const peer = new Peer({
    offer: false,
    config: {},
    streams: { person: new MediaStream(), screen: new MediaStream() },
    tracks: () => [],
    state: () => state,
    send: () => true,
    onchange: () => {},
    onwant: () => {},
  });
  t.after(() => peer.close());
  const { channel, sent } = Connection.all.at(-1);
  peer.want({ camera: 360, screen: 720 });
  peer.want({ camera: 0, screen: 0 });
  assert.deepEqual(sent, []);
  channel.readyState = "open";
  channel.onopen();
  assert.deepEqual(sent, [{ type: "state", ...state }, { type: "want", camera: 0, screen: 0 }]);
  peer.want({ camera: 180, screen: 720 });
  assert.deepEqual(sent.at(-1), { type: "want", camera: 180, screen: 720 });
});
