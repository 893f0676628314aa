// A page of one's own on callbox's modules: everybody who opens it is in the room "example".

import { Call } from "../call.js";
import { Settings } from "../settings.js";

const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
document.querySelector("#own").srcObject = stream;
const settings = new Settings();

const call = new Call({
  url: `wss://${location.host}/ws`,
  room: "example",
  name: "Guest",
  relay: null,
  ticket: () => settings.ticket(),
  refreshTicket: () => settings.refresh(),
  keepMs: () => settings.resumeMs,
  stream,
  onpeer: (id, name, peer) => {
    const video = Object.assign(document.createElement("video"), { id, title: name, width: 320, autoplay: true, playsInline: true });
    video.srcObject = peer.stream;
    document.querySelector("#others").append(video);
  },
  onchange: () => {},
  ongone: (id) => document.getElementById(id).remove(),
  onstate: (online) => (document.querySelector("#line").textContent = online ? "In the room." : "Connecting…"),
  onjoined: () => {},
  onend: (code) => (document.querySelector("#line").textContent = `Over: ${code}`),
});
call.setState({ mic: true, camera: true });
addEventListener("pagehide", () => call.leave());
