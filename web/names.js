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

/** Letters that run from right to left. */
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

const MAX_PERSON = 64;
/** Of what somebody calls themselves, so much is looked at. */
const MOST = 1024;
/** So far ahead of a joiner it is looked for what it joins. */
const AHEAD = 8;
/** Marks on one letter: Hebrew with points and Hindi have as many, higher are towers only. */
const MAX_MARKS = 4;
/** What prints nothing. */
const BLANK = /[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\u{16fe4}\u2800\ufffc\u{13441}\u{13442}\u{1d159}]/u;
/** Joins letters of some scripts, or keeps them apart, and makes one emoji of several. */
const JOINER = /[\u200c\u200d]/u;
const JOINS_AFTER = /[\p{M}\p{Script=Arabic}\p{Extended_Pictographic}\p{Emoji_Modifier}]/u;
const JOINS_BEFORE = /[\p{L}\p{Extended_Pictographic}]/u;
/** Says whether a sign is shown as text or as a picture. */
const SELECTOR = /[\ufe0e\ufe0f]/u;
/** By which people of the same look are told apart: nobody gives it to themselves. */
const NUMBER = /(?:\s*\(\p{Nd}+\))+$/u;

/**
 * A person's name without what cannot be seen; may be empty. The server has the same rule; `tests/names.json` has cases for both.
 * @param {string} text
 */
export function cleanName(text) {
  /** @type {string[]} */
  const kept = [];
  // On nothing there is no mark.
  let marks = MAX_MARKS;
  const all = [...[...text].slice(0, MOST).join("").normalize("NFC")];
  for (const [index, sign] of all.entries()) {
    if (kept.length === MAX_PERSON) break;
    const last = kept[kept.length - 1] ?? " ";
    if (/\p{White_Space}/u.test(sign)) {
      marks = MAX_MARKS;
      if (last !== " ") kept.push(" ");
    } else if (SELECTOR.test(sign)) {
      if (/\p{Emoji}/u.test(last)) kept.push(sign);
    } else if (JOINER.test(sign)) {
      const next = all.slice(index + 1, index + 1 + AHEAD).find((other) => !JOINER.test(other)) ?? "";
      if (JOINS_AFTER.test(last) && JOINS_BEFORE.test(next)) kept.push(sign);
    } else if (!BLANK.test(sign)) {
      const isMark = /\p{M}/u.test(sign);
      if (isMark && marks >= MAX_MARKS) continue;
      marks = isMark ? marks + 1 : 0;
      kept.push(sign);
    }
  }
  if (JOINER.test(kept[kept.length - 1] ?? "")) kept.pop();
  return kept.join("").normalize("NFC").trim().replace(NUMBER, "");
}

/**
 * A person as they are shown: by their name or what is usual where that is none, and by a number where others look the same.
 * @param {{ name: string, number?: number }} person
 */
export function personName({ name, number = 1 }) {
  const shown = cleanName(name) || "Guest";
  return number > 1 ? `${shown} (${number})` : shown;
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
  const words = name.replace(NUMBER, "").trim().split(/\s+/u).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  return letters.map((word) => [...word][0].toUpperCase()).join("") || "?";
}
