// Cameras, microphones and speakers that tests plug in and out: runs in a page before its own scripts.

/** Gives the page `testHardware`, and devices that are there after each load: two of each kind. */
export function hardware() {
  /** By id: kind and label. */
  const there = new Map();
  const media = navigator.mediaDevices;
  // Firefox runs this in the empty page before it, too.
  if (!media) return;
  const test = {
    /** What each call of getUserMedia asked for. */
    asked: [],
    /** Devices that another program uses. */
    busy: new Set(),
    /** Live tracks, by device. */
    tracks: new Map(),
    /** Elements that play outside of the page: where, and how loud they were. */
    played: [],
    volume: null,
    sound(on) {
      test.volume ??= tone();
      test.volume.gain.value = on ? 0.5 : 0;
    },
    add: (id, kind, label, facingMode) => there.set(id, { kind, label, facingMode }),
    plug(id, kind, label, facingMode) {
      test.add(id, kind, label, facingMode);
      media.dispatchEvent(new Event("devicechange"));
    },
    unplug(id) {
      there.delete(id);
      const track = test.tracks.get(id);
      track?.stop();
      track?.dispatchEvent(new Event("ended"));
      media.dispatchEvent(new Event("devicechange"));
    },
  };
  globalThis.testHardware = test;
  for (const n of [1, 2]) {
    test.add(`mic-${n}`, "audioinput", `Mic ${n}`);
    test.add(`cam-${n}`, "videoinput", `Cam ${n}`);
    test.add(`out-${n}`, "audiooutput", `Out ${n}`);
  }

  const tone = () => {
    const context = new AudioContext();
    const [oscillator, gain, output] = [context.createOscillator(), context.createGain(), context.createMediaStreamDestination()];
    oscillator.connect(gain).connect(output);
    oscillator.start();
    test.output = output;
    return gain;
  };
  const microphone = () => {
    test.volume ??= tone();
    return test.output.stream.getAudioTracks()[0].clone();
  };
  const camera = () => {
    const canvas = document.createElement("canvas");
    const pen = canvas.getContext("2d");
    let turn = 0;
    setInterval(() => {
      pen.fillStyle = `hsl(${(turn += 9)} 60% 40%)`;
      pen.fillRect(0, 0, canvas.width, canvas.height);
    }, 50);
    return canvas.captureStream(20).getVideoTracks()[0];
  };
  const open = (kind, wish) => {
    const fitting = [...there].filter(([, device]) => device.kind === `${kind}input`);
    const { exact = wish.facingMode?.exact, ideal } = wish.deviceId ?? {};
    const found = fitting.find(([id, { facingMode }]) => [id, facingMode].includes(exact ?? ideal)) ?? (exact ? undefined : fitting[0]);
    if (!found) throw new DOMException("", exact ? "OverconstrainedError" : "NotFoundError");
    const [deviceId, { label, facingMode }] = found;
    if (test.busy.has(deviceId)) throw new DOMException("", "NotReadableError");
    const track = kind === "audio" ? microphone() : camera();
    track.getSettings = () => ({ deviceId, facingMode });
    Object.defineProperty(track, "label", { value: label });
    test.tracks.set(deviceId, track);
    return track;
  };
  media.getUserMedia = async (wish) => {
    test.asked.push(Object.keys(wish).join("+"));
    return new MediaStream(["audio", "video"].filter((kind) => wish[kind]).map((kind) => open(kind, wish[kind])));
  };
  media.enumerateDevices = async () => [...there].map(([deviceId, device]) => ({ deviceId, groupId: "", ...device }));

  if (!HTMLMediaElement.prototype.setSinkId) return;
  HTMLMediaElement.prototype.setSinkId = function (id) {
    if (id && !there.has(id)) return Promise.reject(new DOMException("", "NotFoundError"));
    if (test.busy.has(id)) return Promise.reject(new DOMException("", "AbortError"));
    Object.defineProperty(this, "sinkId", { value: id, configurable: true });
    return Promise.resolve();
  };
  const play = HTMLMediaElement.prototype.play;
  HTMLMediaElement.prototype.play = function () {
    if (!this.isConnected) listen(this);
    return play.call(this);
  };
  const listen = (element) => {
    const heard = { speaker: element.sinkId, paused: true, loudest: 0 };
    test.played.push(heard);
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    context.createMediaStreamSource(element.srcObject).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const timer = setInterval(() => {
      if (!element.srcObject) clearInterval(timer);
      if (!element.paused) heard.paused = false;
      analyser.getFloatTimeDomainData(samples);
      heard.loudest = Math.max(heard.loudest, ...samples);
    }, 20);
  };
}

/** After `hardware`: nothing is plugged in. */
export function nothing() {
  navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("", "NotFoundError"));
  navigator.mediaDevices.enumerateDevices = () => Promise.resolve([]);
}
