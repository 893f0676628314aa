// Who speaks. Knows no DOM.

/** Levels are linear, 1 being the loudest; speech is seldom below the first, a quiet room seldom above the second. */
const BEGINS = 0.02;
const GOES_ON = 0.008;
/** Between two words nobody stops speaking. */
const HOLD_MS = 1_000;

/**
 * @typedef {object} Voices
 * @property {Map<string, number>} heard  who speaks, and when each was heard last
 * @property {string | null} speaker  the one to look at: who speaks, or spoke last
 */

/** @type {Voices} */
export const SILENCE = { heard: new Map(), speaker: null };

/**
 * Who speaks now. Who does not is forgotten late, and the speaker keeps the floor until silent, so that nothing
 * flickers. Pure.
 * @param {Voices} before
 * @param {Map<string, number>} levels  of everybody who is there
 * @param {number} now  milliseconds
 * @returns {Voices}
 */
export function listen(before, levels, now) {
  /** @type {Map<string, number>} */
  const heard = new Map();
  for (const [id, level] of levels) {
    const last = before.heard.get(id);
    if (level >= (last === undefined ? BEGINS : GOES_ON)) heard.set(id, now);
    else if (last !== undefined && now - last < HOLD_MS) heard.set(id, last);
  }
  const level = (/** @type {string} */ id) => levels.get(id) ?? 0;
  const [loudest] = [...heard.keys()].sort((a, b) => level(b) - level(a));
  const { speaker } = before;
  if (speaker !== null && heard.has(speaker)) return { heard, speaker };
  return { heard, speaker: loudest ?? (speaker !== null && levels.has(speaker) ? speaker : null) };
}

/** Who of those in a call has the floor. */
export class Floor {
  /** @type {Map<string, { peer: import("./peer.js").Peer, read: number }>} */
  #people = new Map();
  #voices = SILENCE;

  /**
   * @param {string} id
   * @param {import("./peer.js").Peer} peer
   */
  add(id, peer) {
    this.#people.set(id, { peer, read: 0 });
  }

  /** @param {string} id */
  remove(id) {
    this.#people.delete(id);
  }

  /** The one to look at. */
  get speaker() {
    return this.#voices.speaker;
  }

  /**
   * Listens to everybody for a moment.
   * @param {number} now  milliseconds
   * @returns {Map<string, number>} who speaks
   */
  listen(now) {
    this.#voices = listen(this.#voices, new Map([...this.#people.keys()].map((id) => [id, this.#level(id)])), now);
    return this.#voices.heard;
  }

  /** @param {string} id */
  #level(id) {
    const person = this.#people.get(id);
    if (!person || person.peer.remote?.mic === false) return 0;
    const [track] = person.peer.stream.getAudioTracks();
    const receiver = person.peer.connection.getReceivers().find((each) => each.track === track);
    const [source] = receiver?.getSynchronizationSources() ?? [];
    // The last level stays on display when nothing comes any more.
    if (!source || source.timestamp === person.read) return 0;
    person.read = source.timestamp;
    return source.audioLevel ?? 0;
  }
}
