// Sends the camera's film from one connection of this page to another with a given codec, and compares what arrives with
// what was sent. tests/e2e/measure/codecs.mjs calls what is in `globalThis.bench`.

const FULL = { width: 1280, height: 720 };
/** Only so many frames are compared, or their originals would not fit into memory: those with multiples as numbers. */
const STEP = 5;

/** As large as what is sent at the most. */
const canvas = new OffscreenCanvas(FULL.width, FULL.height);
const pen = canvas.getContext("2d", { alpha: false, willReadFrequently: true });

/** @type {Map<number, Uint8Array>} */
const originals = new Map();
let camera;
let code;
let connections = [];

/** The luma of a frame, which is enlarged if it arrived smaller. */
function lumaOf(frame) {
  const { width, height } = canvas;
  pen.drawImage(frame, 0, 0, width, height);
  const { data } = pen.getImageData(0, 0, width, height);
  const luma = new Uint8Array(width * height);
  for (let at = 0; at < luma.length; at += 1) {
    luma[at] = 0.299 * data[4 * at] + 0.587 * data[4 * at + 1] + 0.114 * data[4 * at + 2] + 0.5;
  }
  return luma;
}

/** The number in the bar code of a frame; null if it cannot be read with certainty. */
function numberOf(frame) {
  const { block, bits } = code;
  const length = 2 * bits * block;
  const scale = frame.displayWidth / FULL.width;
  // Only the code, since most frames are not looked at any further.
  pen.drawImage(frame, 0, 0, length * scale, block * scale, 0, 0, length, block);
  const { data } = pen.getImageData(0, block / 2, length, 1);
  let number = 0;
  for (let place = 0; place < 2 * bits; place += 1) {
    const bit = data[4 * (place + 0.5) * block] > 128 ? 1 : 0;
    if (place < bits) number |= bit << place;
    else if (bit === ((number >> (place - bits)) & 1)) return null;
  }
  return number;
}

/** Shows each picture that can be had to `visit` until that returns true or the time is over. */
async function watch(track, seconds, visit) {
  const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
  const end = performance.now() + seconds * 1000;
  for (let done = false; !done && performance.now() < end; ) {
    const { value: frame } = await reader.read();
    if (!frame) break;
    const number = numberOf(frame);
    if (number !== null && number % STEP === 0) done = visit(number, lumaOf(frame));
    frame.close();
  }
  await reader.cancel();
}

/**
 * @param {{ block: number, bits: number }} barCode
 * @param {number} frames  of the film
 * @param {number} height  that is sent at the most
 */
async function open(barCode, frames, height) {
  code = barCode;
  Object.assign(canvas, { width: (FULL.width * height) / FULL.height, height });
  pen.imageSmoothingQuality = "high";
  const video = { width: { exact: FULL.width }, height: { exact: FULL.height }, frameRate: 30 };
  const stream = await navigator.mediaDevices.getUserMedia({ video });
  [camera] = stream.getVideoTracks();
  // Until there is a connection the camera itself is shown.
  document.querySelector("video").srcObject = stream;
  const wanted = frames / STEP;
  const copy = camera.clone();
  await watch(copy, 60, (number, luma) => originals.set(number, luma).size === wanted);
  copy.stop();
  if (originals.size < wanted) throw new Error(`only ${originals.size} of ${wanted} pictures seen`);
  return [...new Set(RTCRtpSender.getCapabilities("video").codecs.map(({ mimeType }) => mimeType.split("/")[1]))]
    .filter((name) => !/rtx|red|ulpfec|flexfec/i.test(name));
}

/** Connects with this codec first. @param {string} name @param {RTCRtpEncodingParameters} encoding */
async function connect(name, encoding) {
  close();
  document.querySelector("video").srcObject = null;
  const [from, to] = (connections = [new RTCPeerConnection(), new RTCPeerConnection()]);
  from.onicecandidate = ({ candidate }) => to.addIceCandidate(candidate);
  to.onicecandidate = ({ candidate }) => from.addIceCandidate(candidate);
  to.ontrack = ({ streams }) => (document.querySelector("video").srcObject = streams[0]);
  const line = from.addTransceiver(camera, { direction: "sendonly", streams: [new MediaStream()], sendEncodings: [encoding] });
  const { codecs } = RTCRtpReceiver.getCapabilities("video");
  const isWanted = ({ mimeType }) => mimeType.toLowerCase() === `video/${name}`.toLowerCase();
  line.setCodecPreferences([...codecs.filter(isWanted), ...codecs.filter((codec) => !isWanted(codec))]);
  await from.setLocalDescription();
  await to.setRemoteDescription(from.localDescription);
  await to.setLocalDescription();
  await from.setRemoteDescription(to.localDescription);
}

function close() {
  for (const pc of connections) pc.close();
  connections = [];
}

/** What was done so far. */
async function stats() {
  const [sent, received] = await Promise.all(connections.map((pc) => pc.getStats()));
  const find = (report, wanted) => [...report.values()].find(({ type }) => type === wanted);
  const out = find(sent, "outbound-rtp");
  const arrived = find(received, "inbound-rtp");
  return {
    at: performance.now() / 1000,
    codec: sent.get(out?.codecId)?.mimeType.split("/")[1],
    by: out?.encoderImplementation,
    bytes: out?.bytesSent ?? 0,
    encoded: out?.framesEncoded ?? 0,
    encodeTime: out?.totalEncodeTime ?? 0,
    size: `${out?.frameWidth}x${out?.frameHeight}`,
    limit: out?.qualityLimitationReason,
    decoded: arrived?.framesDecoded ?? 0,
    decodeTime: arrived?.totalDecodeTime ?? 0,
    available: [...sent.values()].find((stat) => stat.availableOutgoingBitrate)?.availableOutgoingBitrate ?? 0,
  };
}

/** Means over pictures that have arrived. @param {number} seconds */
async function compare(seconds) {
  const found = [];
  const track = connections[1].getReceivers()[0].track;
  await watch(track, seconds, (number, luma) => {
    const original = originals.get(number);
    found.push({ error: squaredError(original, luma), ssim: similarity(original, luma) });
    return false;
  });
  const mean = (key) => found.reduce((sum, each) => sum + each[key], 0) / found.length;
  return { pictures: found.length, psnr: 10 * Math.log10(255 ** 2 / mean("error")), ssim: mean("ssim") };
}

function squaredError(a, b) {
  let sum = 0;
  for (let at = 0; at < a.length; at += 1) sum += (a[at] - b[at]) ** 2;
  return sum / a.length;
}

/** Structural similarity (Wang and others, 2004) over squares of 8 x 8. */
function similarity(a, b) {
  const [c1, c2] = [(0.01 * 255) ** 2, (0.03 * 255) ** 2];
  const { width, height } = canvas;
  let total = 0;
  let squares = 0;
  for (let top = 0; top + 8 <= height; top += 8) {
    for (let left = 0; left + 8 <= width; left += 8) {
      let [sa, sb, saa, sbb, sab] = [0, 0, 0, 0, 0];
      for (let y = top; y < top + 8; y += 1) {
        for (let at = y * width + left, end = at + 8; at < end; at += 1) {
          sa += a[at];
          sb += b[at];
          saa += a[at] * a[at];
          sbb += b[at] * b[at];
          sab += a[at] * b[at];
        }
      }
      const [ma, mb] = [sa / 64, sb / 64];
      const [va, vb, cov] = [saa / 64 - ma * ma, sbb / 64 - mb * mb, sab / 64 - ma * mb];
      total += ((2 * ma * mb + c1) * (2 * cov + c2)) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
      squares += 1;
    }
  }
  return total / squares;
}

globalThis.bench = { open, connect, close, stats, compare };
