// One ICE server, tried alone: which candidates come by it, after how long, and which errors.

/**
 * @typedef {object} Found  a candidate
 * @property {string} type  host, srflx, prflx or relay
 * @property {string} protocol  udp or tcp
 * @property {string} address  an IP address, or a name that ends in .local where the browser hides it
 * @property {number} port
 * @property {number} priority
 * @property {number} ms  since gathering began
 *
 * @typedef {object} Refused  what the browser says of a server
 * @property {string} url
 * @property {number} code  of STUN, or 701 where no answer came
 * @property {string} text
 *
 * @typedef {"stun" | "udp" | "tcp" | "tls"} Way  STUN, or how a relay is reached
 *
 * @typedef {object} Attempt
 * @property {string} url
 * @property {Way} way
 * @property {string} port
 * @property {Found[]} candidates
 * @property {Refused[]} errors
 * @property {boolean} done  nothing comes any more
 * @property {number} ms  how long that took
 * @property {boolean} ok  what the server is for has come
 */

const PATIENCE_MS = 10_000;
/** Once the wanted candidate is there, others of it follow soon or are not missed. */
const SETTLE_MS = 1_000;

/**
 * Every URL by itself, with the credentials of its server.
 * @param {RTCIceServer[]} servers
 * @returns {RTCIceServer[]}
 */
export function single(servers) {
  return servers.flatMap(({ urls, ...login }) => [urls].flat().map((url) => ({ urls: url, ...login })));
}

/**
 * @param {string} url  such as `turn:call.example.com:443?transport=tcp`
 * @returns {Attempt}
 */
export function attemptOf(url) {
  const stream = /\?transport=tcp$/.test(url) ? "tcp" : "udp";
  const way = /^stuns?:/.test(url) ? "stun" : url.startsWith("turns:") ? "tls" : stream;
  const [, port] = /:(\d+)(?:\?|$)/.exec(url) ?? [];
  return { url, way, port: port ?? (/^(?:stun|turn)s:/.test(url) ? "5349" : "3478"), candidates: [], errors: [], done: false, ms: 0, ok: false };
}

/**
 * Fills an attempt until it is done.
 * @param {Attempt} attempt
 * @param {RTCIceServer} server  with one URL
 * @param {() => void} onchange
 */
export async function gather(attempt, server, onchange) {
  const wanted = attempt.way === "stun" ? "srflx" : "relay";
  const start = performance.now();
  const connection = connect(attempt, server);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  await new Promise((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS);
    if (!connection) return resolve(null);
    connection.onicecandidate = ({ candidate }) => {
      // One with an empty string is the end of candidates too.
      if (!candidate?.candidate) return;
      attempt.candidates.push(found(candidate, performance.now() - start));
      if (candidate.type === wanted && !attempt.ok) {
        attempt.ok = true;
        clearTimeout(timer);
        timer = setTimeout(resolve, SETTLE_MS);
      }
      onchange();
    };
    connection.onicecandidateerror = ({ url, errorCode, errorText }) => {
      attempt.errors.push({ url, code: errorCode, text: errorText });
      onchange();
    };
    connection.onicegatheringstatechange = () => connection.iceGatheringState === "complete" && resolve(null);
    connection.createDataChannel("check");
    connection.setLocalDescription().catch(resolve);
  });
  clearTimeout(timer);
  connection?.close();
  attempt.done = true;
  attempt.ms = Math.round(performance.now() - start);
  onchange();
}

/**
 * @param {Attempt} attempt
 * @param {RTCIceServer} server
 */
function connect({ url, way, errors }, server) {
  try {
    return new RTCPeerConnection({ iceServers: [server], iceTransportPolicy: way === "stun" ? "all" : "relay" });
  } catch (error) {
    // Not every browser takes every URL.
    errors.push({ url, code: 0, text: String(error) });
    return null;
  }
}

/**
 * @param {RTCIceCandidate} candidate
 * @param {number} ms
 * @returns {Found}
 */
function found({ type, protocol, address, port, priority }, ms) {
  return { type: type ?? "", protocol: protocol ?? "", address: plain(address), port: port ?? 0, priority: priority ?? 0, ms: Math.round(ms) };
}

/**
 * Not every browser leaves the brackets of an IPv6 address away.
 * @param {string | null} address
 */
export function plain(address) {
  return (address ?? "").replace(/^\[(.*)\]$/, "$1");
}
