import assert from "node:assert/strict";
import { test } from "node:test";
import { tuned } from "../../web/sdp.js";
import { read } from "../../web/talk.js";

test("what a page says of itself is read, and nothing else", () => {
  assert.deepEqual(read('{"type":"state","mic":true,"camera":1,"more":"?"}'), {
    type: "state",
    mic: true,
    camera: true,
    hand: false,
    screen: false,
    trouble: false,
  });
  assert.deepEqual(read('{"type":"want","camera":360,"screen":-1}'), { type: "want", camera: 360, screen: 0 });
  const strange = ["", "null", "7", "[]", "{", '{"type":"x"}', new ArrayBuffer(2), `{"type":"state","x":"${"x".repeat(20_000)}"}`];
  for (const text of strange) assert.equal(read(text), null, String(text).slice(0, 20));
});

test("Opus mends losses and rests in silence", () => {
  const video = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\na=fmtp:96 x=1\r\n";
  const audio = "m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\na=rtpmap:111 opus/48000/2\r\n";
  const with_ = tuned(`v=0\r\n${audio}a=fmtp:111 minptime=10;useinbandfec=0\r\na=rtpmap:0 PCMU/8000\r\n${video}`);
  assert.equal(
    with_,
    `v=0\r\n${audio}a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1\r\na=rtpmap:0 PCMU/8000\r\n${video}`,
  );
  assert.equal(tuned(`v=0\r\n${audio}${video}`), `v=0\r\n${audio}a=fmtp:111 useinbandfec=1;usedtx=1\r\n${video}`);
  assert.equal(tuned(`v=0\r\n${video}`), `v=0\r\n${video}`);
});
