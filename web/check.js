// The page /check: tries everything that a call needs, and says in words whether calls will work.

import { bestWay, diagnose, isWithin } from "./diagnosis.js";
import { attemptOf, gather, plain, single } from "./gather.js";
import { fromOutside, throughRelay } from "./loopback.js";
import { problemOf, sentence } from "./problems.js";
import { reach } from "./reach.js";
import { report } from "./report.js";
import { CheckView } from "./view/check.js";

/**
 * @typedef {import("./diagnosis.js").Findings} Findings
 * @typedef {{ PC_CONFIG: RTCConfiguration, SETTINGS: { version: string, localCa: boolean, check?: Told } }} Config
 * @typedef {{ address: string, bitrate: number, trusted: boolean, certificateEnds: number }} Told
 */

/** UDP is waited for so long before the relay is measured over what answered first. */
const HEAD_START_MS = 2_000;

/** @type {Findings} */
let findings;
let version = "";
let round = 0;

const view = new CheckView({ report: text, onagain: () => void run(), onask: ask });
void run();
void showDevices("");
navigator.mediaDevices?.addEventListener("devicechange", () => void showDevices(""));

async function run() {
  round += 1;
  const webrtc = typeof RTCPeerConnection === "function";
  findings = { now: Date.now(), host: plain(location.hostname), secure: isSecureContext, webrtc };
  show();
  const reached = reach(`wss://${location.host}/ws`).then((socket) => found({ socket }));
  try {
    const { PC_CONFIG, SETTINGS } = await load();
    version = SETTINGS.version;
    const { check } = SETTINGS;
    found({
      certificate: check ? { trusted: check.trusted, local: SETTINGS.localCa, ends: check.certificateEnds * 1_000 } : null,
      own: check?.address ?? "",
      limit: check?.bitrate ?? 0,
    });
    await tryServers(webrtc ? (PC_CONFIG.iceServers ?? []) : []);
  } catch (error) {
    found({ failure: String(error) });
  }
  await reached;
}

/**
 * Credentials that are good for a check: a new address each time, since a module that has been loaded stays.
 * @returns {Promise<Config>}
 */
function load() {
  return import(`./config.js?check&${round}`);
}

/** @param {RTCIceServer[]} servers */
async function tryServers(servers) {
  const urls = single(servers);
  const attempts = urls.map(({ urls }) => attemptOf(String(urls)));
  found({ attempts });
  const tried = attempts.map((attempt, index) => gather(attempt, urls[index], () => found({})));
  const all = Promise.all(tried);
  const udp = attempts.findIndex(({ way }) => way === "udp");
  await Promise.race([all, tried[udp] ?? all, new Promise((resolve) => setTimeout(resolve, HEAD_START_MS))]);
  if (!bestWay(attempts)) await all;
  const way = bestWay(attempts);
  if (way) await measure(way, urls[attempts.indexOf(way)], urls.filter((_, index) => attempts[index]?.way === "stun"));
  else found({ used: null, carried: null, inward: null });
  await all;
}

/**
 * @param {import("./gather.js").Attempt} attempt  that led to a relay
 * @param {RTCIceServer} relay
 * @param {RTCIceServer[]} stun
 */
async function measure({ way: used, candidates }, relay, stun) {
  const { limit = 0, own = "" } = findings;
  const relayed = candidates.find(({ type }) => type === "relay")?.address ?? "";
  const outside = isWithin(own, relayed) ? Promise.resolve(null) : fromOutside(relay, stun, own);
  await Promise.all([
    throughRelay(relay, limit).then((carried) => found({ used, carried })),
    outside.then((inward) => found({ inward })),
  ]);
}

/** @param {Partial<Findings>} more */
function found(more) {
  Object.assign(findings, more);
  show();
}

function show() {
  view.show(diagnose(findings));
  view.showAttempts(findings.attempts ?? []);
}

function text() {
  const about = { url: location.href, time: new Date().toISOString(), browser: navigator.userAgent, version };
  return report(diagnose(findings), findings.attempts ?? [], about);
}

/** @param {string} problem */
async function showDevices(problem) {
  const kinds = { videoinput: "camera", audioinput: "microphone", audiooutput: "speaker" };
  const devices = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
  const lines = Object.entries(kinds).map(([kind, name]) => {
    const of = devices.filter((device) => device.kind === kind);
    const labels = of.map(({ label }) => label).filter((label) => label !== "");
    const many = of.length === 1 ? `1 ${name}` : `${of.length || "No"} ${name}s`;
    return labels.length > 0 ? `${many}: ${labels.join(", ")}` : many;
  });
  view.showDevices(navigator.mediaDevices ? lines : [], navigator.mediaDevices ? problem : sentence("video", "insecure"));
}

/** Opens camera and microphone one after the other, so that each is told of. */
async function ask() {
  const problems = [];
  for (const kind of /** @type {const} */ (["audio", "video"])) {
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ [kind]: true });
      for (const track of stream.getTracks()) track.stop();
    } catch (error) {
      problems.push(sentence(kind, problemOf(error)));
    }
  }
  await showDevices(problems.join(" "));
}
