// The door of the room, as the server tells of it: is it locked, and who waits before it? Pure.

/** @typedef {import("./room.js").PeerInfo} PeerInfo */

/**
 * What somebody may be told.
 * - locked: somebody, perhaps oneself, locked the room or unlocked it
 * - knock: somebody wants to be let in
 * - waiting: the room is locked, and those inside were asked
 * - changed: none of these
 * @typedef {{ type: "locked", by: string, own: boolean }
 *   | { type: "knock", peer: PeerInfo }
 *   | { type: "waiting" }
 *   | { type: "changed" }} News
 */

export class Door {
  locked = false;
  /** Are we in the room, or were a moment ago? */
  inside = false;
  /** Do we wait to be let in? */
  waiting = false;
  /** Those who wait to be let in, in the order of coming. @type {PeerInfo[]} */
  knocks = [];
  #own = "";

  /**
   * @param {{ type: string, [key: string]: any }} message
   * @returns {News | null} null if it is not about the door
   */
  receive(message) {
    switch (message.type) {
      case "welcome":
        this.#own = message.id;
        this.#enter(true);
        this.locked = message.locked === true;
        this.knocks = message.knocks ?? [];
        return { type: "changed" };
      case "knocking":
        this.#enter(false);
        this.knocks = [];
        return { type: "waiting" };
      case "locked":
        this.locked = message.locked;
        return { type: "locked", by: message.by, own: message.by === this.#own };
      case "knock":
        this.knocks = [...this.knocks, message.peer];
        return { type: "knock", peer: message.peer };
      case "knock-ended":
        this.knocks = this.knocks.filter(({ id }) => id !== message.id);
        return { type: "changed" };
    }
    return null;
  }

  /** The server is away: nobody can be answered. */
  lost() {
    this.knocks = [];
  }

  /** @param {boolean} inside */
  #enter(inside) {
    this.inside = inside;
    this.waiting = !inside;
  }
}
