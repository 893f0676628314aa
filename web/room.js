// Who is in the room, as the server tells it. Pure: messages and time in, what is to be done out.

/**
 * @typedef {{ id: string, name: string }} PeerInfo
 * @typedef {{ id: string, name: string, absentUntil: number | null }} Member
 *
 * What is to be done:
 * - add: a new peer; `offer` says whether this page offers (and is the impolite one) or waits for an offer
 * - meet: a known peer is (again) there; make sure that the connection lives. With `offer`, this page offers if nothing
 *   has been begun yet
 * - anew: a known peer that knows nothing of this page any more, which has lost its seat: begin anew with it
 * - absent: a known peer is not there; nothing can be sent to it
 * - remove: a peer is gone for good
 * @typedef {{ type: "add", id: string, name: string, offer: boolean }
 *   | { type: "anew", id: string, name: string }
 *   | { type: "meet", id: string, offer: boolean }
 *   | { type: "absent", id: string }
 *   | { type: "remove", id: string }} Action
 */

export class Room {
  /** @type {Map<string, Member>} */
  members = new Map();
  #keepMs;

  /**
   * @param {() => number} keepMs  a peer that the server does not list after its own restart may still be on its way
   *   back for so long, in milliseconds
   */
  constructor(keepMs) {
    this.#keepMs = keepMs;
  }

  /**
   * The server let us in, for the first time or again.
   * @param {{ resumed: boolean, peers: PeerInfo[] }} welcome
   * @param {number} now  milliseconds
   * @returns {Action[]}
   */
  welcome({ resumed, peers }, now) {
    const listed = new Set(peers.map((peer) => peer.id));
    if (!resumed) return this.#enterAgain(peers, listed);
    /** @type {Action[]} */
    const actions = [];
    for (const member of this.members.values()) {
      if (listed.has(member.id)) continue;
      member.absentUntil = now + this.#keepMs();
      actions.push({ type: "absent", id: member.id });
    }
    for (const peer of peers) actions.push(this.#see(peer, false));
    return actions;
  }

  /**
   * As somebody new; some may be there whom the page knows from before.
   * @param {PeerInfo[]} peers
   * @param {Set<string>} listed  their ids
   * @returns {Action[]}
   */
  #enterAgain(peers, listed) {
    const gone = [...this.members.keys()].filter((id) => !listed.has(id)).map((id) => this.#remove(id));
    const there = peers.map(({ id, name }) => {
      const known = this.members.has(id);
      this.members.set(id, { id, name, absentUntil: null });
      return known ? /** @type {Action} */ ({ type: "anew", id, name }) : /** @type {Action} */ ({ type: "add", id, name, offer: false });
    });
    return [...gone, ...there];
  }

  /**
   * @param {PeerInfo} peer
   * @returns {Action[]}
   */
  peerJoined(peer) {
    return [this.#see(peer, true)];
  }

  /**
   * @param {string} id
   * @returns {Action[]}
   */
  peerLeft(id) {
    return this.members.has(id) ? [this.#remove(id)] : [];
  }

  /**
   * Gives up on those who did not come back.
   * @param {number} now  milliseconds
   * @returns {Action[]}
   */
  expire(now) {
    const late = [...this.members.values()].filter((m) => m.absentUntil !== null && m.absentUntil <= now);
    return late.map((member) => this.#remove(member.id));
  }

  /** When `expire` has something to do, in milliseconds; null if it has nothing. */
  get nextDeadline() {
    const deadlines = [...this.members.values()].flatMap((m) => m.absentUntil ?? []);
    return deadlines.length ? Math.min(...deadlines) : null;
  }

  /**
   * @param {PeerInfo} peer
   * @param {boolean} offer
   * @returns {Action}
   */
  #see({ id, name }, offer) {
    const member = this.members.get(id);
    if (member) {
      // Whoever comes back is no newcomer, to whom one would offer anew.
      const newcomer = offer && member.absentUntil === null;
      member.absentUntil = null;
      return { type: "meet", id, offer: newcomer };
    }
    this.members.set(id, { id, name, absentUntil: null });
    return { type: "add", id, name, offer };
  }

  /**
   * @param {string} id
   * @returns {Action}
   */
  #remove(id) {
    this.members.delete(id);
    return { type: "remove", id };
  }
}
