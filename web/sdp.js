// What is read in descriptions, and what they ask of the other side beyond what browsers write by themselves. Pure.

/** Opus mends lost packets from the next one, and sends next to nothing while nobody speaks (RFC 7587, 6.1). */
const OPUS = { useinbandfec: "1", usedtx: "1" };

/** Of browsers that are built on libwebrtc, in kbit/s; others pass over it. */
const START_BITRATE = "x-google-start-bitrate";

/**
 * A description as it is sent: format parameters say what its sender likes to receive, so this changes nothing here.
 * @param {string} sdp
 * @param {number} startBitrate  at which pictures begin, in bits per second
 */
export function tuned(sdp, startBitrate) {
  const pictures = { [START_BITRATE]: String(Math.round(startBitrate / 1000)) };
  return sdp
    .split(/(?=^m=)/m)
    .map((section) => {
      if (section.startsWith("m=audio")) return withParameters(section, /^opus$/i, OPUS);
      if (section.startsWith("m=video")) return withParameters(section, /^(VP8|VP9|AV1|H264|H265)$/i, pictures);
      return section;
    })
    .join("");
}

/**
 * @param {string} section  of a media line
 * @param {RegExp} codec  which of its codecs
 * @param {Record<string, string>} added
 */
function withParameters(section, codec, added) {
  const maps = [...section.matchAll(/^a=rtpmap:(\d+) ([\w-]+)\/.*$/gm)].filter(([, , name]) => codec.test(name));
  return maps.reduce((text, [map, payload]) => {
    const line = new RegExp(`^a=fmtp:${payload} (.*)$`, "m");
    const list = line.exec(text)?.[1];
    const fmtp = `a=fmtp:${payload} ${written({ ...parameters(list ?? ""), ...added })}`;
    return list === undefined ? text.replace(map, `${map}\r\n${fmtp}`) : text.replace(line, fmtp);
  }, section);
}

/** @param {string} list  such as "minptime=10;useinbandfec=1" */
function parameters(list) {
  const pairs = list.trim().split(/\s*;\s*/).filter(Boolean);
  return Object.fromEntries(pairs.map((pair) => [pair.split("=")[0], pair.slice(pair.indexOf("=") + 1)]));
}

/** @param {Record<string, string>} parameters */
function written(parameters) {
  return Object.entries(parameters)
    .map(([key, value]) => `${key}=${value}`)
    .join(";");
}

/**
 * A description of another ICE generation has another user fragment (RFC 8445, 2.3).
 * @param {string | undefined} sdp
 */
export function iceGeneration(sdp) {
  return /^a=ice-ufrag:(.*)$/m.exec(sdp ?? "")?.[1];
}
