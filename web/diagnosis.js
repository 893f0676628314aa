// What was found, as rows and as a verdict in plain words. Pure.

/**
 * @typedef {import("./gather.js").Attempt} Attempt
 * @typedef {import("./gather.js").Way} Way
 *
 * @typedef {object} Certificate  as the server knows its own
 * @property {boolean} trusted  do browsers trust it without being asked to?
 * @property {number} ends  milliseconds since 1970
 * @property {boolean} [local]  from the server's own authority, which devices can install
 *
 * What was found so far; undefined where something is still looked at, null where it cannot be.
 * @typedef {object} Findings
 * @property {number} now  milliseconds since 1970
 * @property {string} host  under which the page was opened, without its port
 * @property {boolean} secure  is it a secure context?
 * @property {boolean} webrtc  does the browser have WebRTC?
 * @property {string} [failure]  why the server told nothing
 * @property {Certificate | null} [certificate]
 * @property {import("./reach.js").Reached} [socket]
 * @property {Attempt[]} [attempts]
 * @property {string} [own]  the address of this device, as the server sees it
 * @property {Way | null} [used]  how the relay was reached for the two below
 * @property {import("./loopback.js").Carried | null} [carried]
 * @property {import("./loopback.js").Inward | null} [inward]  null also where {@link isWithin} holds
 * @property {number} [limit]  bits per second that the server lets a check send
 *
 * @typedef {"running" | "ok" | "warning" | "failed" | "skipped"} Status
 * @typedef {object} Row
 * @property {string} name
 * @property {Status} status
 * @property {string} found
 * @property {string} [remedy]  what to do about it
 *
 * @typedef {"running" | "good" | "poor" | "bad"} Level
 * @typedef {object} Diagnosis
 * @property {Level} level
 * @property {string} sentence
 * @property {Row[]} rows
 */

const WAYS = /** @type {const} */ (["udp", "tcp", "tls"]);
/** @type {Record<Way, string>} */
const NAMES = { stun: "STUN", udp: "UDP", tcp: "TCP", tls: "TLS" };

/** With less than this share of what was sent, a picture would suffer. */
const ENOUGH = 0.9;
/** No browser takes a server for silent before. */
const SILENCE_MS = 3_000;

/**
 * @param {Findings} findings
 * @returns {Diagnosis}
 */
export function diagnose(findings) {
  const rows = [
    secure(findings),
    certificate(findings),
    socket(findings),
    ...ways(findings),
    inward(findings),
    carried(findings),
  ];
  if (rows.some(({ status }) => status === "running")) return { level: "running", sentence: "Looking…", rows };
  return { ...verdict(findings), rows };
}

/** @param {number[]} numbers */
export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? null;
}

/**
 * @param {Findings} findings
 * @returns {{ level: Level, sentence: string }}
 */
function verdict(findings) {
  const { secure, webrtc, failure, socket } = findings;
  if (!webrtc) return { level: "bad", sentence: "Calls will not work: this browser has no WebRTC, or it is switched off." };
  if (!secure) return { level: "bad", sentence: "Calls will not work: the address is not secure. Open the page with https://." };
  if (failure) return { level: "bad", sentence: "Calls will not work: the server did not tell this page how to reach it." };
  if (socket?.roundTrip === null) return { level: "bad", sentence: "Calls will not work: the WebSocket to the server fails." };
  return relayed(findings);
}

/**
 * @param {Findings} findings
 * @returns {{ level: Level, sentence: string }}
 */
function relayed(findings) {
  const way = bestWay(findings.attempts ?? []);
  if (!way) {
    const why = listed(findings) ? "nothing of the relay can be reached from here" : "this server has no relay";
    return { level: "poor", sentence: `Only direct calls will work: ${why}.` };
  }
  if (inward(findings).status === "failed") {
    if (isRightAddress(findings)) return { level: "poor", sentence: "Some calls will fail: UDP to the relay's own ports does not get through." };
    return { level: "bad", sentence: "Some calls will fail: packets do not come back from the relay. The server's public_ip is likely wrong." };
  }
  if (findings.carried === null) return { level: "bad", sentence: "Only direct calls will work: nothing comes through the relay." };
  const over = `${NAMES[way.way]} on port ${way.port}`;
  if (way.way === "udp") return { level: "good", sentence: `Calls will work. From here they go directly, or over ${over}.` };
  const closed = isUdpClosed(findings);
  const why = closed ? `, since UDP port ${portOf(findings, "udp")} of the server is closed` : "";
  return { level: closed ? "poor" : "good", sentence: `Calls will work. From here they go over ${over}${why}.` };
}

/** @param {Findings} findings @returns {Row} */
function secure({ secure, webrtc }) {
  const name = "Secure context";
  if (!webrtc) return { name, status: "failed", found: "The browser has no WebRTC.", remedy: "Use another browser, or allow WebRTC in its settings." };
  if (secure) return { name, status: "ok", found: "The browser allows camera, microphone and WebRTC here." };
  return { name, status: "failed", found: "The address is not secure.", remedy: "Open the page with https://." };
}

/** @param {Findings} findings @returns {Row} */
function certificate(findings) {
  const { certificate, now } = findings;
  const name = "Certificate";
  if (certificate === undefined) return { name, status: findings.failure ? "skipped" : "running", found: "" };
  if (certificate === null) return { name, status: "skipped", found: "The server does not tell." };
  const day = new Date(certificate.ends).toISOString().slice(0, 10);
  const renew = "Renew it on the server; `callbox check` there tells how.";
  if (certificate.ends < now) {
    return { name, status: "failed", found: `It has expired on ${day}. Browsers warn of it and reach the relay over TLS no more; iPhones open no WebSocket.`, remedy: renew };
  }
  if (isTlsRefused(findings)) {
    return { name, status: "failed", found: "The browser does not accept it for TLS to the relay, on the port of this page.", remedy: renew };
  }
  if (certificate.trusted) return { name, status: "ok", found: `Good until ${day}.` };
  if (certificate.local) {
    const found = "Only devices that have installed the server's own authority trust it; iPhones without it open no WebSocket.";
    return { name, status: "warning", found, remedy: "Install it once: the page `/ca` of this server tells how." };
  }
  return {
    name,
    status: "warning",
    found: "Browsers do not trust it by themselves. So the relay is not offered over TLS, and iPhones open no WebSocket.",
    remedy: "Let the server get one from an authority: `[tls] acme`.",
  };
}

/** @param {Findings} findings @returns {Row} */
function socket({ socket, certificate, failure }) {
  const name = "WebSocket";
  if (!socket) return { name, status: failure ? "skipped" : "running", found: "" };
  if (socket.roundTrip !== null) return { name, status: "ok", found: `It opens and answers, in ${milliseconds(socket.roundTrip)}.` };
  const trusted = certificate?.trusted ?? true;
  const remedy = trusted
    ? "A proxy in front of the server has to pass WebSockets on, with Host and Origin as they came."
    : `Browsers on iPhones want a certificate that they trust.${certificate?.local ? " The page `/ca` of this server tells how." : ""}`;
  return { name, status: "failed", found: `It does not work: ${socket.problem}.`, remedy };
}

/** @param {Findings} findings @returns {Row[]} */
function ways(findings) {
  const { attempts, failure } = findings;
  if (failure) {
    const remedy = "Wait a minute, then check again: the server limits how often one address may ask.";
    return [{ name: "Relay", status: "failed", found: "/config.js, which names it, did not come.", remedy }];
  }
  if (!attempts) return [{ name: "Relay", status: "running", found: "" }];
  const stun = attempts.find(({ way }) => way === "stun");
  if (attempts.length === 0) return [{ name: "Relay", status: "skipped", found: "This server has none." }];
  return [...(stun ? [stunRow(stun, findings)] : []), ...WAYS.map((way) => wayRow(way, findings))];
}

/** @param {Attempt} attempt @param {Findings} findings @returns {Row} */
function stunRow(attempt, { own }) {
  const { done, port, candidates, errors } = attempt;
  const name = `STUN, port ${port}`;
  const mapped = candidates.find(({ type }) => type === "srflx");
  if (mapped) return { name, status: "ok", found: `This device appears as ${mapped.address}.` };
  if (!done) return { name, status: "running", found: "" };
  const same = errors.length === 0 || candidates.some(({ address }) => address === own);
  if (same && !isInVain(attempt)) return { name, status: "ok", found: "This device has no other address than its own." };
  return { name, status: "warning", found: "No answer over UDP. Fewer calls go directly." };
}

/** @param {Way} way @param {Findings} findings @returns {Row} */
function wayRow(way, findings) {
  const attempt = (findings.attempts ?? []).find((each) => each.way === way);
  if (!attempt) {
    const why = way === "tls" ? "Not offered: it takes a name as the host and a certificate that browsers trust." : "Not offered.";
    return { name: `Relay over ${NAMES[way]}`, status: "skipped", found: why };
  }
  const name = `Relay over ${NAMES[way]}, port ${attempt.port}`;
  const relay = attempt.candidates.find(({ type }) => type === "relay");
  if (relay) return { name, status: "ok", found: `Gives out ${relay.address}, after ${milliseconds(relay.ms)}.` };
  if (!attempt.done) return { name, status: "running", found: "" };
  return { name, status: bestWay(findings.attempts ?? []) ? "warning" : "failed", ...unreached(attempt, findings) };
}

/** @param {Attempt} attempt @param {Findings} findings @returns {{ found: string, remedy?: string }} */
function unreached(attempt, findings) {
  const port = attempt.port;
  const refusal = attempt.errors.find(({ code }) => code >= 300 && code < 700);
  if (refusal) return { found: `The server refuses: ${refusal.code} ${refusal.text}.`, remedy: "Check again. If it stays, `callbox check` on the server tells more." };
  if (attempt.way === "tls" && isTlsRefused(findings)) return { found: "The browser does not accept the certificate.", remedy: "Renew it on the server." };
  if (attempt.way !== "udp") return { found: "No answer.", remedy: `Let TCP to port ${port} of the server pass, and no proxy that takes HTTPS only.` };
  if (isUdpClosed(findings)) return { found: "Closed: other UDP gets through.", remedy: `Open UDP port ${port} in the server's firewall.` };
  if (findings.inward) return { found: "UDP is blocked: none gets through between here and the server.", remedy: "Allow UDP in this network, or in the server's firewall, for better pictures." };
  return { found: "No answer.", remedy: `Let UDP to port ${port} of the server pass.` };
}

/** @param {Findings} findings @returns {Row} */
function inward(findings) {
  const { inward, attempts } = findings;
  const name = "From outside to the relay";
  if (inward === undefined) return { name, status: findings.failure ? "skipped" : "running", found: "" };
  if (findings.used === null || !attempts) return { name, status: "skipped", found: "No relayed address was given out." };
  if (inward === null) return { name, status: "skipped", found: "This device is the server itself, or in its own network." };
  const { relayed, connected, elsewhere, from } = inward;
  if (connected && !elsewhere) return { name, status: "ok", found: `Packets to ${relayed} arrive.` };
  const remedy = "Set `public_ip` on the server to the address under which the world reaches it; `callbox check` there compares.";
  const pass = "The server's firewall and this network have to let UDP to `[turn] relay_ports` pass.";
  if (elsewhere) return { name, status: "failed", found: `The relay says that it is ${relayed}, but its packets come from ${from || "another address"}.`, remedy };
  if (!isReached(findings, "udp")) return { name, status: "skipped", found: "No UDP gets through from here." };
  const what = isRightAddress(findings) ? pass : `${remedy} ${pass}`;
  return { name, status: "failed", found: `Packets to ${relayed} do not arrive.`, remedy: what };
}

/** @param {Findings} findings @returns {Row} */
function carried(findings) {
  const { carried, used, failure } = findings;
  const name = "Call through the relay";
  if (used === null) return { name, status: "skipped", found: "No relayed address was given out." };
  if (carried === undefined) return { name, status: failure ? "skipped" : "running", found: "" };
  if (carried === null) return { name, status: "failed", found: "Nothing comes through.", remedy: "Run `callbox check` on the server." };
  const over = used ? ` over ${NAMES[used]}` : "";
  const rate = megabits(carried.bitrate);
  const times = `round trip ${milliseconds(carried.roundTrip)}`;
  if (carried.bitrate >= carried.offered * ENOUGH) {
    return { name, status: "ok", found: `${rate}${over}, which is as much as a check may send; ${times}.` };
  }
  return { name, status: "warning", found: `${rate}${over} of ${megabits(carried.offered)} that were sent; ${times}.`, remedy: "The way to the server is slow or loses packets." };
}

/**
 * Nothing came of an attempt. Browsers leave out an address of STUN that they know already, soon: of a server that is silent
 * they take longer to be sure.
 * @param {Attempt} attempt
 */
export function isInVain({ way, ok, done, ms }) {
  return done && !ok && (way !== "stun" || ms >= SILENCE_MS);
}

/** @param {Attempt[]} attempts @returns {Attempt | undefined} */
export function bestWay(attempts) {
  return WAYS.map((way) => attempts.find((attempt) => attempt.way === way && attempt.ok)).find((attempt) => attempt !== undefined);
}

/** @param {Findings} findings @param {Way} way */
function isReached({ attempts }, way) {
  return attempts?.some((attempt) => attempt.way === way && attempt.ok) ?? false;
}

/** @param {Findings} findings @param {Way} way */
function portOf({ attempts }, way) {
  return attempts?.find((attempt) => attempt.way === way)?.port;
}

/** @param {Findings} findings */
function listed({ attempts }) {
  return attempts?.some(({ way }) => way !== "stun") ?? false;
}

/**
 * Plain TCP gets through on the same port, so it is TLS that is refused.
 * @param {Findings} findings
 */
function isTlsRefused(findings) {
  const { attempts = [] } = findings;
  const failed = attempts.some(({ way, ok, done }) => way === "tls" && done && !ok);
  return failed && isReached(findings, "tcp") && portOf(findings, "tcp") === portOf(findings, "tls");
}

/**
 * Packets to another UDP port of the server get through.
 * @param {Findings} findings
 */
function isUdpClosed(findings) {
  return findings.inward?.connected === true && !isReached(findings, "udp");
}

/**
 * The page was opened by the very address that the relay gives out.
 * @param {Findings} findings
 */
function isRightAddress({ host, inward }) {
  return inward?.elsewhere === false && inward.relayed === host;
}

/**
 * Does nothing of the internet lie between this device and a relayed address? Such a device is no peer to the relay.
 * @param {string} own
 * @param {string} relayed
 */
export function isWithin(own, relayed) {
  return own === "" || own === relayed || (isPrivate(own) && !isPrivate(relayed));
}

/** @param {string} address */
function isPrivate(address) {
  return /^(10\.|127\.|169\.254\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|f[cd]|fe[89ab]|::1$)/i.test(address);
}

/** @param {number} ms */
function milliseconds(ms) {
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}

/** @param {number} bits */
function megabits(bits) {
  return `${(bits / 1e6).toFixed(2)} Mbit/s`;
}
