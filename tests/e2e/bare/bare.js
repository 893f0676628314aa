// The least that makes a call of two: the W3C's perfect negotiation
// (https://www.w3.org/TR/webrtc/#perfect-negotiation-example) over the protocol of docs/signaling.md. What the real page is
// measured against, so nothing here repairs itself.
//
//   ?relay=1      only the relay
//   ?self=0       the own camera is not shown during the call
//   ?codec=VP9    prefer this codec, to compare with a page that does

import { SETTINGS } from "/config.js";

const query = new URLSearchParams(location.search);
const selfView = document.querySelector("#preview");
const remoteView = document.querySelector("video.remote");

/** As in web/media.js. */
const stream = await navigator.mediaDevices.getUserMedia({
  audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
  video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } },
});
selfView.srcObject = stream;

let socket;
let config;
let peer;
let pc;
let polite;
let makingOffer = false;
let ignoreOffer = false;
let isSettingRemoteAnswerPending = false;

document.querySelector("#join").onclick = ({ currentTarget }) => {
  currentTarget.hidden = true;
  if (query.get("self") === "0") selfView.remove();
  const room = location.pathname.split("/").pop();
  socket = new WebSocket(`wss://${location.host}/ws`);
  socket.onopen = () => socket.send(JSON.stringify({ type: "join", room, name: "bare", ticket: SETTINGS.ticket }));
  socket.onmessage = ({ data }) => receive(JSON.parse(data));
};

function receive(message) {
  switch (message.type) {
    case "welcome":
      config = message.pc_config;
      // The other one is there already and will offer.
      if (message.peers.length > 0) connect(message.peers[0].id, true);
      break;
    case "peer-joined":
      connect(message.peer.id, false);
      addTracks();
      break;
    case "signal":
      void signaled(message.data);
  }
}

const signal = (data) => socket.send(JSON.stringify({ type: "signal", to: peer, data }));

function connect(id, isPolite) {
  peer = id;
  polite = isPolite;
  pc = new RTCPeerConnection(query.has("relay") ? { ...config, iceTransportPolicy: "relay" } : config);
  pc.ontrack = ({ streams }) => (remoteView.srcObject = streams[0]);
  pc.onicecandidate = ({ candidate }) => signal({ candidate });
  pc.onnegotiationneeded = async () => {
    try {
      makingOffer = true;
      await pc.setLocalDescription();
      signal({ description: pc.localDescription });
    } finally {
      makingOffer = false;
    }
  };
}

function addTracks() {
  for (const track of stream.getTracks()) pc.addTrack(track, stream);
  const type = `video/${query.get("codec")}`.toLowerCase();
  const { codecs } = RTCRtpReceiver.getCapabilities("video");
  const isWanted = (codec) => codec.mimeType.toLowerCase() === type;
  if (!codecs.some(isWanted)) return;
  const line = pc.getTransceivers().find(({ receiver }) => receiver.track.kind === "video");
  line.setCodecPreferences([...codecs.filter(isWanted), ...codecs.filter((codec) => !isWanted(codec))]);
}

async function signaled({ description, candidate }) {
  if (description) {
    // Who answers adds its tracks with the offer at hand, and so has nothing to offer by itself.
    if (pc.getSenders().length === 0) addTracks();
    const readyForOffer = !makingOffer && (pc.signalingState === "stable" || isSettingRemoteAnswerPending);
    const offerCollision = description.type === "offer" && !readyForOffer;
    ignoreOffer = !polite && offerCollision;
    if (ignoreOffer) return;
    isSettingRemoteAnswerPending = description.type === "answer";
    await pc.setRemoteDescription(description);
    isSettingRemoteAnswerPending = false;
    if (description.type !== "offer") return;
    await pc.setLocalDescription();
    signal({ description: pc.localDescription });
  } else if (candidate) {
    try {
      await pc.addIceCandidate(candidate);
    } catch (error) {
      if (!ignoreOffer) throw error;
    }
  }
}
