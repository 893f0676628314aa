// The door of the room, as the server tells of it: is it locked, and who waits before it? Pure.

/** @typedef {import("./room.js").PeerInfo} PeerInfo */

/**
 * What somebody may be told.
 * - locked: somebody locked the room or unlocked it; `by` is null where that is not known
 * - knock: somebody wants to be let in
 * - waiting: the room is locked, and those inside were asked
 * - admitted: they have let us in
 * @typedef {{ type: "locked", by: string | null, own: boolean }
 *   | { type: "knock", peer: PeerInfo }
 *   | { type: "waiting" }
 *   | { type: "admitted" }} News
 */

export class Door {
  /** Is the server there? */
  online = false;
  locked = false;
  /** Are we in the room, or were a moment ago? */
  inside = false;
  /** Do we wait to be let in? */
  waiting = false;
  /** Those who wait to be let in, in the order of coming. @type {PeerInfo[]} */
  knocks = [];
  /** Who was told of already. @type {Set<string>} */
  #known = new Set();
  #own = "";

  /**
   * @param {{ type: string, [key: string]: any }} message
   * @returns {News[] | null} null if it is not about the door
   */
  receive(message) {
    switch (message.type) {
      case "welcome":
        return this.#welcome(message);
      case "knocking":
        this.online = true;
        this.inside = false;
        this.waiting = true;
        this.knocks = [];
        return [{ type: "waiting" }];
      case "locked":
        this.locked = message.locked;
        return [{ type: "locked", by: message.by, own: message.by === this.#own }];
      case "knock":
        this.knocks = [...this.knocks, message.peer];
        return this.#unheard();
      case "knock-ended":
        this.knocks = this.knocks.filter(({ id }) => id !== message.id);
        return [];
    }
    return null;
  }

  /** The server is away: nobody can be answered. */
  lost() {
    this.online = false;
    this.knocks = [];
  }

  /** @param {{ [key: string]: any }} message */
  #welcome({ id, locked = false, knocks = [] }) {
    /** @type {News[]} */
    const news = this.waiting ? [{ type: "admitted" }] : [];
    // What nobody is told of by a message of its own has changed while we were away.
    if (this.inside && this.locked !== locked) news.push({ type: "locked", by: null, own: false });
    Object.assign(this, { online: true, inside: true, waiting: false, locked, knocks });
    this.#own = id;
    return [...news, ...this.#unheard()];
  }

  /** @returns {News[]} */
  #unheard() {
    const unheard = this.knocks.filter(({ id }) => !this.#known.has(id));
    this.#known = new Set(this.knocks.map(({ id }) => id));
    return unheard.map((peer) => ({ type: "knock", peer }));
  }
}
