// Names of rooms. Pure.

/** The server has the same rule. */
const VALID = /^[\p{Alphabetic}\p{N}_-]{1,64}$/u;

/** Letters and digits that are not taken for one another when read aloud or copied by hand. */
const ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789";
const GROUPS = 4;
const GROUP_LENGTH = 4;

/**
 * What a person typed as a room's name, as it stands in its address: spaces become hyphens.
 * @param {string} text
 */
export function tidy(text) {
  return text.normalize("NFC").trim().toLowerCase().replace(/\s+/gu, "-");
}

/**
 * @param {string} name
 */
export function isRoomName(name) {
  return VALID.test(name);
}

/**
 * A name that nobody guesses: 16 characters of 31, 79 bits.
 * @param {(bytes: Uint8Array<ArrayBuffer>) => Uint8Array} fill  fills an array with random bytes
 */
export function randomRoomName(fill = (bytes) => crypto.getRandomValues(bytes)) {
  const limit = 256 - (256 % ALPHABET.length);
  let name = "";
  while (name.length < GROUPS * GROUP_LENGTH) {
    for (const byte of fill(new Uint8Array(32))) {
      if (byte < limit && name.length < GROUPS * GROUP_LENGTH) name += ALPHABET[byte % ALPHABET.length];
    }
  }
  return (name.match(/.{4}/g) ?? []).join("-");
}

/**
 * The room that an address is for; undefined for any other address, null for a room with a bad name.
 * @param {string} pathname
 * @returns {string | null | undefined}
 */
export function roomOfPath(pathname) {
  const match = /^\/r\/([^/]*)\/?$/.exec(pathname);
  if (!match) return undefined;
  try {
    const name = tidy(decodeURIComponent(match[1]));
    return isRoomName(name) ? name : null;
  } catch {
    return null;
  }
}

/** What would turn the letters of a whole sentence around. */
const TURNING = /[\u202a-\u202e\u2066-\u2069]/gu;
/** Letters that run from right to left. */
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/**
 * The name of a person, or what is usual where that is none.
 * @param {string} name
 */
export function personName(name) {
  return name.replace(TURNING, "").trim() || "Guest";
}

/**
 * A name as it stands in a sentence, whose own letters keep their places beside it.
 * @param {string} name
 */
export function inSentence(name) {
  return RIGHT_TO_LEFT.test(name) ? `\u2068${name}\u2069` : name;
}

/**
 * One or two letters for whoever shows no picture.
 * @param {string} name
 */
export function initials(name) {
  const words = name.trim().split(/\s+/u).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  return letters.map((word) => [...word][0].toUpperCase()).join("") || "?";
}
