import assert from "node:assert/strict";
import { test } from "node:test";
import { tuned } from "../../web/sdp.js";

const START = 800_000;
const AUDIO = "m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\na=rtpmap:111 opus/48000/2\r\n";

test("Opus mends losses and rests in silence", () => {
  const rest = "a=rtpmap:0 PCMU/8000\r\n";
  assert.equal(
    tuned(`v=0\r\n${AUDIO}a=fmtp:111 minptime=10;useinbandfec=0\r\n${rest}`, START),
    `v=0\r\n${AUDIO}a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1\r\n${rest}`,
  );
  assert.equal(tuned(`v=0\r\n${AUDIO}${rest}`, START), `v=0\r\n${AUDIO}a=fmtp:111 useinbandfec=1;usedtx=1\r\n${rest}`);
});

test("pictures begin fast, whichever codec is taken", () => {
  const video = [
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97 103 108",
    "a=rtpmap:96 VP8/90000",
    "a=rtcp-fb:96 nack pli",
    "a=rtpmap:97 rtx/90000",
    "a=fmtp:97 apt=96",
    "a=rtpmap:103 H264/90000",
    "a=fmtp:103 level-asymmetry-allowed=1;packetization-mode=1",
    "a=rtpmap:108 red/90000",
    "",
  ].join("\r\n");
  const begins = "x-google-start-bitrate=800";
  const wanted = video
    .replace("VP8/90000\r\n", `VP8/90000\r\na=fmtp:96 ${begins}\r\n`)
    .replace("packetization-mode=1", `packetization-mode=1;${begins}`);
  assert.equal(tuned(`v=0\r\n${AUDIO}${video}`, START), tuned(`v=0\r\n${AUDIO}`, START) + wanted);
  assert.equal(tuned(wanted, START), wanted, "once");
});

test("what is no description is left as it is", () => {
  for (const text of ["", "v=0\r\n", "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"]) assert.equal(tuned(text, START), text);
});
