// Makes docs/call.png: a real call of three, with drawn people in front of the cameras. node tests/e2e/picture.mjs

import "./lib/shipped.mjs";
import path from "node:path";
import { Person, chromium } from "./lib/browser.mjs";
import { seeAndHear } from "./lib/expect.mjs";
import { Server } from "./lib/server.mjs";
import { until } from "./lib/until.mjs";

/** Replaces the camera by a drawing: a person in a room, in the colours of the `name` in the address. */
function drawnCamera() {
  const looks = {
    Ana: { wall: ["#f6d7b0", "#d99a6c"], skin: "#c98a62", hair: "#2b1a12", shirt: "#7a3b69", long: true },
    Bo: { wall: ["#bcd6e6", "#6f97b5"], skin: "#f0c7a4", hair: "#7b4a21", shirt: "#27485f", long: false },
    Cy: { wall: ["#cfe3c8", "#7fa37a"], skin: "#8d5a3c", hair: "#14100e", shirt: "#d8a12f", long: true },
  };
  const look = looks[new URLSearchParams(location.search).get("name")] ?? looks.Ana;
  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wish) => {
    const stream = await real({ audio: wish.audio });
    const canvas = Object.assign(document.createElement("canvas"), { width: 1280, height: 720 });
    const g = canvas.getContext("2d");
    const shape = (color, draw) => {
      g.fillStyle = color;
      g.beginPath();
      draw();
      g.fill();
    };
    let t = 0;
    setInterval(() => {
      t += 0.06;
      const sway = Math.sin(t) * 6;
      const wall = g.createLinearGradient(0, 0, 1280, 720);
      look.wall.forEach((color, index) => wall.addColorStop(index, color));
      g.fillStyle = wall;
      g.fillRect(0, 0, 1280, 720);
      shape("rgb(255 255 255 / 45%)", () => g.roundRect(120, 80, 230, 300, 10));
      shape("rgb(60 40 30 / 22%)", () => g.roundRect(930, 330, 260, 16, 4));
      ["#8c4a4a", "#3f6f78", "#c7a24a", "#5b5b8c"].forEach((color, index) =>
        shape(color, () => g.roundRect(950 + index * 40, 236 + (index % 2) * 14, 30, 94 - (index % 2) * 14, 3)),
      );
      if (look.long) shape(look.hair, () => g.roundRect(520 + sway, 190, 240, 330, 110));
      shape(look.shirt, () => g.roundRect(400 + sway / 2, 510, 480, 300, 150));
      shape(look.skin, () => g.roundRect(598 + sway, 440, 84, 120, 36));
      shape(look.skin, () => g.ellipse(640 + sway, 340, 98, 126, 0, 0, 7));
      shape(look.hair, () => g.ellipse(640 + sway, 262, 112, 74, 0, Math.PI, 0));
      shape("#201612", () => g.ellipse(602 + sway, 338, 9, Math.sin(t * 2.3) > 0.97 ? 1 : 10, 0, 0, 7));
      shape("#201612", () => g.ellipse(678 + sway, 338, 9, Math.sin(t * 2.3) > 0.97 ? 1 : 10, 0, 0, 7));
      g.strokeStyle = "#7c3f33";
      g.lineWidth = 8;
      g.lineCap = "round";
      g.beginPath();
      g.arc(640 + sway, 378, 40, 0.5, Math.PI - 0.5);
      g.stroke();
    }, 50);
    if (wish.video) stream.addTrack(canvas.captureStream(20).getVideoTracks()[0]);
    return stream;
  };
}

const server = await Server.start();
const browser = await chromium();
const people = [];
for (const name of ["Ana", "Bo", "Cy"]) {
  people.push(await Person.join(browser, `${server.url}/r/blue-otter?name=${name}`, { before: drawnCamera }));
}
await seeAndHear(people);
// Browsers begin with small pictures.
const sharp = () => [...document.querySelectorAll("video.remote")].every((video) => video.videoHeight >= 540);
await until("sharp pictures", () => people.at(-1).page.evaluate(sharp), 90_000);
await new Promise((resolve) => setTimeout(resolve, 3000));
await people[2].page.screenshot({ path: path.resolve(import.meta.dirname, "../../docs/call.png") });
await browser.close();
await server.stop();
