// What descriptions ask of the other side beyond what browsers write by themselves. Pure.

/** Opus mends lost packets from the next one, and sends next to nothing while nobody speaks (RFC 7587, 6.1). */
const OPUS = { useinbandfec: "1", usedtx: "1" };

/**
 * A description as it is sent: format parameters say what its sender likes to receive, so this changes nothing here.
 * @param {string} sdp
 */
export function tuned(sdp) {
  return sdp
    .split(/(?=^m=)/m)
    .map((section) => (section.startsWith("m=audio") ? withOpus(section) : section))
    .join("");
}

/** @param {string} section  of a media line */
function withOpus(section) {
  const payload = /^a=rtpmap:(\d+) opus\/48000/im.exec(section)?.[1];
  if (!payload) return section;
  const line = new RegExp(`^(a=fmtp:${payload} )(.*)$`, "m");
  if (!line.test(section)) {
    const map = new RegExp(`^(a=rtpmap:${payload} .*)$`, "m");
    return section.replace(map, `$1\r\na=fmtp:${payload} ${written(OPUS)}`);
  }
  return section.replace(line, (_, start, list) => `${start}${written({ ...parameters(list), ...OPUS })}`);
}

/** @param {string} list  such as "minptime=10;useinbandfec=1" */
function parameters(list) {
  const pairs = list.trim().split(/\s*;\s*/);
  return Object.fromEntries(pairs.map((pair) => [pair.split("=")[0], pair.slice(pair.indexOf("=") + 1)]));
}

/** @param {Record<string, string>} parameters */
function written(parameters) {
  return Object.entries(parameters)
    .map(([key, value]) => `${key}=${value}`)
    .join(";");
}
