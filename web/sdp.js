// What is read in descriptions, what they ask of the other side beyond what browsers write by themselves, and what is let in
// of the other side's. Pure.

import { Bucket } from "./pace.js";

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

/** A page's own is 12 to 25 kB long, and 64 KiB pass through the server. */
const MAX_SDP = 48_000;
/** A call has five: two for sound, two for pictures, the channel; nine where two begin at once. A browser keeps each for good. */
const MAX_LINES = 10;
/** As JSON, characters. */
const MAX_CANDIDATE = 2_000;

/**
 * Would a page make such a description?
 * @param {string} sdp
 */
export function isBounded(sdp) {
  return sdp.length <= MAX_SDP && (sdp.match(/^m=/gm) ?? []).length <= MAX_LINES;
}

/**
 * The candidates that a description or another candidate brings. What comes again reads the same, but for what is told of it.
 * @param {string} text
 */
export function candidates(text) {
  return (text.match(/candidate:.*/gi) ?? []).map((line) => line.split(/ (?:generation|ufrag) /)[0]);
}

/** Signals that wait for the one before. */
const MAX_WAITING = 200;

/** What is let in of one person's signals, each of which costs something, descriptions even an answer. One is handled after the other. */
export class Intake {
  #handle;
  #onerror;
  /** The fastest fingers make two a second. */
  #descriptions = new Bucket(30, 1);
  #candidates = new Bucket(200, 10);
  #queue = { last: Promise.resolve(), waiting: 0 };

  /**
   * @param {(data: any) => Promise<void>} handle
   * @param {(error: Error) => void} onerror
   */
  constructor(handle, onerror) {
    this.#handle = handle;
    this.#onerror = onerror;
  }

  /**
   * @param {any} data  of a signal
   * @param {number} now  milliseconds
   * @returns {boolean} whether it is let in
   */
  take(data, now) {
    const queue = this.#queue;
    if (queue.waiting >= MAX_WAITING || !this.#fits(data ?? {}, now)) return false;
    queue.waiting += 1;
    queue.last = queue.last
      .then(() => this.#handle(data))
      .catch(this.#onerror)
      .then(() => void (queue.waiting -= 1));
    return true;
  }

  /** What waits for a connection that is closed waits for ever: that settles no promise. */
  reset() {
    this.#queue = { last: Promise.resolve(), waiting: 0 };
  }

  /**
   * @param {any} data
   * @param {number} now
   */
  #fits({ description, candidate }, now) {
    if (description === undefined) return this.#candidates.take(now) === 0 && isCandidate(candidate);
    return this.#descriptions.take(now) === 0 && isDescription(description);
  }
}

/** @param {any} candidate */
function isCandidate(candidate) {
  return candidate !== undefined && typeof (candidate?.candidate ?? "") === "string" && JSON.stringify(candidate).length <= MAX_CANDIDATE;
}

/** @param {any} description  null asks for an offer */
function isDescription(description) {
  const { type = "offer", sdp = "", offer = 0 } = description ?? {};
  // The number goes back with the answer.
  return ["offer", "answer"].includes(type) && typeof sdp === "string" && isBounded(sdp) && Number.isSafeInteger(offer);
}
