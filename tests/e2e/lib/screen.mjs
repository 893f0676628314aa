// A screen to share that the test draws itself; `before` of a Person.

export function fakeScreen() {
  if (!navigator.mediaDevices) return;
  navigator.mediaDevices.getDisplayMedia = async () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [1280, 720];
    const pen = canvas.getContext("2d");
    let frame = 0;
    setInterval(() => {
      pen.fillStyle = `hsl(${(frame += 7) % 360} 60% 50%)`;
      pen.fillRect(0, 0, 1280, 720);
    }, 50);
    const stream = canvas.captureStream(20);
    // A microphone, since Firefox runs no AudioContext where there is nothing to play it on.
    const sound = await navigator.mediaDevices.getUserMedia({ audio: true });
    stream.addTrack(sound.getAudioTracks()[0]);
    globalThis.testScreen = stream;
    return stream;
  };
}

/** As the browser's own bar does it. */
export function stopFromBar() {
  const [track] = globalThis.testScreen.getVideoTracks();
  track.stop();
  track.dispatchEvent(new Event("ended"));
}
