// What a report of `getStats()` tells of a connection, as numbers that can be shown and judged. Pure: two reports in, a
// sample out. Browsers leave out what they do not know, so everything may be missing.

/**
 * How packets go: straight to the other side, or through callbox, reached over UDP, TCP or TLS.
 * @typedef {"direct" | "udp" | "tcp" | "tls"} Route
 * @typedef {{ width: number, height: number, fps: number }} Picture
 *
 * @typedef {object} Flow  one way
 * @property {number | null} bitrate  bits per second
 * @property {number | null} loss  share of the packets, 0 to 1
 * @property {number | null} jitter  milliseconds
 * @property {Picture | null} camera
 * @property {Picture | null} screen
 * @property {string[]} codecs
 *
 * @typedef {object} Sample
 * @property {Route | null} route
 * @property {number | null} roundTrip  milliseconds
 * @property {number | null} available  bits per second that the browser expects to get through
 * @property {Flow} received
 * @property {Flow} sent
 * @property {number} freezes  of received pictures since the sample before
 * @property {string | null} limited  what keeps sent pictures small or slow: "bandwidth", "cpu", "other" or "none"
 * @property {number | null} reportedAt  when the other side last told what it has lost
 * @property {Map<string, Counters>} counters  where the next sample begins, by the id of the statistics
 *
 * @typedef {{ at: number, bytes: number, packets: number, lost: number, frames: number, freezes: number }} Counters
 * @typedef {Record<string, any>} Stat
 * @typedef {{ get: (id: string) => Stat | undefined, values: () => Iterable<Stat> }} Report
 */

/** The other side reports every 1 to 5 seconds: what it said last holds so long. */
const HOLD_MS = 6_000;

/**
 * @param {Report} report
 * @param {Sample | null} [before]  the sample of the same connection before; without it there are no rates
 * @param {ReadonlySet<string>} [screens]  the `mid`s of lines that carry a shared screen
 * @returns {Sample}
 */
export function sampleOf(report, before = null, screens = new Set()) {
  const stats = [...report.values()];
  const of = (/** @type {string} */ type) => stats.filter((stat) => stat.type === type);
  const pair = selectedPair(report, stats);
  const told = of("remote-inbound-rtp");
  const inbound = of("inbound-rtp").map((stat) => progress(stat, before));
  const outbound = of("outbound-rtp").map((stat) => progress(stat, before));
  const reports = told.map((stat) => reported(stat, report, before));
  const fresh = lossOf(reports);
  const reportedAt = fresh === null ? (before?.reportedAt ?? null) : Math.max(...told.map((stat) => stat.timestamp));
  const at = Math.max(...stats.map((stat) => stat.timestamp));
  const held = reportedAt !== null && at - reportedAt < HOLD_MS ? (before?.sent.loss ?? null) : null;
  return {
    route: routeOf(report, pair),
    roundTrip: milliseconds(pair?.currentRoundTripTime ?? told.find((stat) => stat.roundTripTime > 0)?.roundTripTime),
    available: pair?.availableOutgoingBitrate ?? null,
    received: { ...flow(inbound, report, screens), loss: lossOf(inbound), jitter: jitterOf(moving(inbound)) },
    sent: { ...shown(flow(outbound, report, screens)), loss: fresh ?? held, jitter: jitterOf(told) },
    freezes: inbound.reduce((sum, { since }) => sum + (since?.freezes ?? 0), 0),
    limited: limitOf(outbound.map(({ stat }) => stat)),
    reportedAt,
    counters: new Map([...inbound, ...outbound, ...reports].map(({ stat, now }) => [stat.id, now])),
  };
}

/**
 * One stream: its counters, and by how much they have grown.
 * @typedef {{ stat: Stat, now: Counters, since: Counters | null }} Progress
 */

/**
 * @param {Stat} stat
 * @param {Sample | null} before
 * @returns {Progress}
 */
function progress(stat, before) {
  const now = {
    at: stat.timestamp,
    bytes: (stat.bytesReceived ?? stat.bytesSent ?? 0) + (stat.headerBytesReceived ?? stat.headerBytesSent ?? 0),
    packets: stat.packetsReceived ?? stat.packetsSent ?? 0,
    lost: stat.packetsLost ?? 0,
    frames: stat.framesDecoded ?? stat.framesSent ?? 0,
    freezes: stat.freezeCount ?? 0,
  };
  return { stat, now, since: growth(now, before?.counters.get(stat.id)) };
}

/**
 * What the other side says of a stream that is sent to it. How many packets that is about, only the sender's own counter
 * tells in every browser.
 * @param {Stat} stat
 * @param {Report} report
 * @param {Sample | null} before
 * @returns {Progress}
 */
function reported(stat, report, before) {
  const then = before?.counters.get(stat.id);
  // No report came since.
  if (then && then.at === stat.timestamp) return { stat, now: then, since: null };
  const sent = report.get(stat.localId)?.packetsSent ?? 0;
  const now = { at: stat.timestamp, bytes: 0, packets: sent, lost: stat.packetsLost ?? 0, frames: 0, freezes: 0 };
  const since = growth(now, then);
  // Lost packets are among those that were sent.
  if (since) since.packets = Math.max(0, since.packets - since.lost);
  return { stat, now, since };
}

/**
 * @param {Counters} now
 * @param {Counters | undefined} then
 * @returns {Counters | null}  null where there is nothing to compare with, as after counters have begun anew
 */
function growth(now, then) {
  if (!then || now.at <= then.at || now.packets < then.packets || now.bytes < then.bytes) return null;
  return {
    at: now.at - then.at,
    bytes: now.bytes - then.bytes,
    packets: now.packets - then.packets,
    // Packets that come twice or late take back a loss.
    lost: Math.max(0, now.lost - then.lost),
    frames: Math.max(0, now.frames - then.frames),
    freezes: Math.max(0, now.freezes - then.freezes),
  };
}

/** @param {Progress[]} streams */
function lossOf(streams) {
  const sum = (/** @type {"lost" | "packets"} */ key) => streams.reduce((total, { since }) => total + (since?.[key] ?? 0), 0);
  const lost = sum("lost");
  const all = lost + sum("packets");
  return all > 0 ? lost / all : null;
}

/** @param {Progress[]} streams */
function moving(streams) {
  return streams.filter(({ since }) => since === null || since.packets > 0).map(({ stat }) => stat);
}

/**
 * Of sound, where there is any: the packets of a picture come in bursts.
 * @param {Stat[]} stats
 */
function jitterOf(stats) {
  const known = stats.filter((stat) => stat.jitter !== undefined);
  const best = known.find((stat) => stat.kind === "audio") ?? known[0];
  return milliseconds(best?.jitter);
}

/**
 * @param {Progress[]} streams
 * @param {Report} report
 * @param {ReadonlySet<string>} screens
 */
function flow(streams, report, screens) {
  const known = streams.filter(({ since }) => since !== null);
  const rates = known.map(({ since }) => (since ? (since.bytes * 8_000) / since.at : 0));
  const pictures = streams.filter(({ stat }) => stat.kind === "video");
  return {
    bitrate: known.length > 0 ? rates.reduce((sum, rate) => sum + rate, 0) : null,
    camera: picture(pictures.find(({ stat }) => !screens.has(stat.mid))),
    screen: picture(pictures.find(({ stat }) => screens.has(stat.mid))),
    codecs: codecs(streams, report),
  };
}

/**
 * What is not sent at the moment is left out: nothing else tells that a camera is off or not wanted.
 * @template {{ camera: Picture | null, screen: Picture | null }} T
 * @param {T} flow
 * @returns {T}
 */
function shown(flow) {
  const going = (/** @type {Picture | null} */ each) => (each && each.fps > 0 ? each : null);
  return { ...flow, camera: going(flow.camera), screen: going(flow.screen) };
}

/**
 * @param {Progress | undefined} stream
 * @returns {Picture | null}
 */
function picture(stream) {
  const { frameWidth: width, frameHeight: height, framesPerSecond } = stream?.stat ?? {};
  if (!stream || !width || !height) return null;
  const { since } = stream;
  const fps = since ? (since.frames * 1_000) / since.at : (framesPerSecond ?? 0);
  return { width, height, fps: Math.round(fps) };
}

/**
 * @param {Progress[]} streams
 * @param {Report} report
 */
function codecs(streams, report) {
  const byKind = streams.map(({ stat }) => stat).sort((a, b) => (a.kind === b.kind ? 0 : a.kind === "video" ? -1 : 1));
  const names = byKind.map((stat) => report.get(stat.codecId)?.mimeType?.split("/")[1]).filter((name) => name !== undefined);
  return [...new Set(names)].map((name) => (name === "opus" ? "Opus" : name));
}

/** @param {Stat[]} outbound */
function limitOf(outbound) {
  const reasons = outbound.map((stat) => stat.qualityLimitationReason).filter((reason) => reason !== undefined);
  return reasons.find((reason) => reason !== "none") ?? reasons[0] ?? null;
}

/**
 * The pair of candidates that carries everything. Not every browser has statistics of the transport, which name it.
 * @param {Report} report
 * @param {Stat[]} stats
 */
function selectedPair(report, stats) {
  const transport = stats.find((stat) => stat.type === "transport" && stat.selectedCandidatePairId);
  if (transport) return report.get(transport.selectedCandidatePairId);
  const pairs = stats.filter((stat) => stat.type === "candidate-pair" && stat.state === "succeeded");
  return pairs.find((pair) => pair.selected) ?? pairs.find((pair) => pair.nominated);
}

/**
 * @param {Report} report
 * @param {Stat | undefined} pair
 * @returns {Route | null}
 */
function routeOf(report, pair) {
  const local = report.get(pair?.localCandidateId);
  const remote = report.get(pair?.remoteCandidateId);
  if (!local || !remote) return null;
  if (local.candidateType === "relay") return relayProtocol(local);
  // The other side's relay is reached as the candidate says.
  if (remote.candidateType === "relay") return remote.protocol === "tcp" ? "tcp" : "udp";
  return "direct";
}

/**
 * @param {Stat} local
 * @returns {Route}
 */
function relayProtocol({ relayProtocol, url = "", protocol }) {
  if (relayProtocol === "udp" || relayProtocol === "tcp" || relayProtocol === "tls") return relayProtocol;
  if (url.startsWith("turns:")) return "tls";
  return url.endsWith("transport=tcp") || (!url && protocol === "tcp") ? "tcp" : "udp";
}

/** @param {number | undefined} seconds */
function milliseconds(seconds) {
  return seconds === undefined ? null : seconds * 1_000;
}
