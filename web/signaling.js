// The WebSocket to the server: joins, keeps itself alive, and comes back by itself with the same seat.
// The protocol is described in docs/signaling.md. Knows no DOM.

const PING_MS = 10_000;
/** How often the round trip is measured while something seems wrong, and how many answers may be awaited at once. */
const HURRY_MS = 500;
const MEASURED_AT_ONCE = 8;
const MISSES = 2;
const FIRST_RETRY_MS = 300;
const MAX_RETRY_MS = 3_000;
const CONNECT_MS = 8_000;
const WAKE_MS = 3_000;
/** Whoever waited before a locked room comes back behind those who were in it, and know that it is locked. */
const BEHIND_MS = 4_000;

const NORMAL = 1000;
/** Why the server closes for good, by the close code. */
const ENDS = new Map([[4001, "replaced"], [4007, "revoked"], [4008, "unanswered"]]);
/** The server was full, and whoever was alone in a room made way. */
const MADE_WAY = 4009;

/** Errors that another try would meet again. */
const FINAL = new Set(["room-full", "bad-room", "too-many-rooms", "bad-ticket", "not-invited", "draining", "refused", "room-closed", "too-many-knocks"]);
/** Of these, for want of a place: whoever has been inside waits for one. */
const CROWDED = new Set(["too-many-knocks", "too-many-rooms"]);

/**
 * @typedef {{ type: string, [key: string]: any }} ServerMessage
 * @typedef {object} Options
 * @property {string} url  wss://host/ws
 * @property {string} room
 * @property {string} name
 * @property {() => Promise<string>} ticket  the visitor ticket; asked for again after `refreshTicket`
 * @property {() => void} refreshTicket  the ticket has expired
 * @property {(message: ServerMessage) => void} onmessage  all but errors, pings and pongs
 * @property {(online: boolean, crowded: boolean) => void} onstate  crowded: it is there, but has no place for us now
 * @property {(ms: number) => void} [onpong]  so long the server took to answer a ping
 * @property {() => boolean} [locked]  was the room locked when we were in it last?
 * @property {(code: string) => void} [onrefused]  the server refused something that was asked for in the room
 * @property {(code: string) => boolean} [insists]  shall it be tried again although the server refused with this error?
 * @property {(code: string) => void} onend  it is over and will not be tried again: an error code, "replaced", "revoked" or "unanswered"
 * @property {typeof WebSocket} [WebSocket]
 * @property {WebSocket | null} [socket]  one to the same URL that has been opened ahead, to join the sooner
 */

export class Signaling {
  /** @type {Options} */
  #options;
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {string | undefined} */
  #resume;
  #ended = false;
  #joined = false;
  /** The server had no place for us when it answered last. */
  #crowded = false;
  /** The room is locked, and those inside were asked. */
  #waiting = false;
  /** The same, over a connection that broke. */
  #waited = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #behindTimer;
  #attempts = 0;
  #missed = 0;
  #refreshed = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retryTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #connectTimer;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #pingTimer;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #hurryTimer;
  /** When the pings were sent that are not answered yet. @type {number[]} */
  #pinged = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #wakeTimer;

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    this.#connect();
  }

  /**
   * @param {string} to
   * @param {object} data
   * @returns {boolean} whether it was sent
   */
  signal(to, data) {
    if (!this.#joined) return false;
    this.#send({ type: "signal", to, data });
    return true;
  }

  /** @param {boolean} locked  has whoever comes to knock? */
  lock(locked) {
    this.#send({ type: "lock", locked });
  }

  /**
   * @param {string} id  of somebody who knocked
   * @param {boolean} admitted
   */
  answer(id, admitted) {
    this.#send({ type: admitted ? "admit" : "refuse", id });
  }

  /** Leaves for good. */
  leave() {
    if (this.#ended) return;
    this.#send({ type: "leave" });
    this.#socket?.close(NORMAL);
    this.#end();
  }

  /** The browser is about to freeze the page; the seat shall be kept although it closes the WebSocket then. */
  freeze() {
    this.#send({ type: "freeze" });
  }

  /** The network is back or another one, or the page was asleep. */
  wake() {
    if (this.#ended) return;
    this.#attempts = 0;
    if (this.#joined || this.#waiting) {
      this.check();
    } else if (this.#behindTimer === undefined) {
      this.#drop();
      this.#connect();
    }
  }

  /**
   * Something is wrong with the network: finds out at once whether the connection still lives. Of an address that the
   * machine has lost, browsers tell the connection nothing.
   */
  check() {
    const socket = this.#socket;
    if (!(this.#joined || this.#waiting) || !socket || this.#wakeTimer !== undefined) return;
    this.#sendPing();
    this.#wakeTimer = setTimeout(() => this.#lost(socket), WAKE_MS);
  }

  /**
   * Measures the round trip more often. Whether the connection lives is left to the usual pings: where packets get lost,
   * answers may be late without its being dead.
   * @param {boolean} hurry
   */
  hurry(hurry) {
    if (hurry === (this.#hurryTimer !== undefined)) return;
    clearInterval(this.#hurryTimer);
    this.#hurryTimer = hurry ? setInterval(() => this.#measure(), HURRY_MS) : undefined;
  }

  #connect() {
    clearTimeout(this.#retryTimer);
    const WebSocketClass = this.#options.WebSocket ?? WebSocket;
    const { socket: ahead } = this.#options;
    this.#options.socket = null;
    const socket = ahead && ahead.readyState < 2 ? ahead : new WebSocketClass(this.#options.url);
    this.#socket = socket;
    this.#connectTimer = setTimeout(() => this.#lost(socket), CONNECT_MS);
    if (socket.readyState === 1) this.#opened(socket);
    else socket.onopen = () => this.#opened(socket);
    socket.onmessage = (event) => {
      if (socket === this.#socket) this.#receive(event.data);
    };
    socket.onclose = (event) => {
      if (socket !== this.#socket) return;
      const end = ENDS.get(event.code);
      this.#crowded = event.code === MADE_WAY;
      if (end) this.#finish(end);
      else this.#lost(socket);
    };
  }

  /** @param {WebSocket} socket */
  #opened(socket) {
    if (socket !== this.#socket) return;
    if (!this.#waited) {
      void this.#join(socket);
      return;
    }
    clearTimeout(this.#connectTimer);
    this.#behindTimer = setTimeout(() => {
      this.#behindTimer = undefined;
      this.#connectTimer = setTimeout(() => this.#lost(socket), CONNECT_MS);
      void this.#join(socket);
    }, BEHIND_MS);
  }

  /** @param {WebSocket} socket */
  async #join(socket) {
    const { room, name } = this.#options;
    try {
      const ticket = await this.#options.ticket();
      if (socket === this.#socket) this.#send({ type: "join", room, name, ticket, resume: this.#resume, locked: this.#options.locked?.() || undefined });
    } catch {
      this.#lost(socket);
    }
  }

  /** @param {string} text */
  #receive(text) {
    /** @type {ServerMessage} */
    const message = JSON.parse(text);
    this.#missed = 0;
    this.#alive();
    switch (message.type) {
      case "pong":
        // It lasts: the next loss is a new one.
        this.#attempts = 0;
        this.#ponged();
        return;
      case "error":
        this.#refused(message.code);
        return;
      case "welcome":
        this.#resume = message.resume;
        this.#joined = true;
        this.#refreshed = false;
        this.#settle(false);
        break;
      case "knocking":
        this.#settle(true);
    }
    this.#options.onmessage(message);
  }

  /**
   * The server is there, and knows us.
   * @param {boolean} waiting  to be let in
   */
  #settle(waiting) {
    this.#waiting = waiting;
    this.#waited = waiting;
    this.#crowded = false;
    clearTimeout(this.#connectTimer);
    clearInterval(this.#pingTimer);
    this.#pingTimer = setInterval(() => this.#ping(), PING_MS);
    this.#options.onstate(true, false);
  }

  /** @param {string} code */
  #refused(code) {
    const stale = code === "ticket-expired" || code === "bad-ticket";
    if (stale && !this.#refreshed) {
      this.#refreshed = true;
      this.#options.refreshTicket();
      if (this.#socket) void this.#join(this.#socket);
    } else if (FINAL.has(code) && !this.#joined) {
      this.#crowded = CROWDED.has(code) && this.#resume !== undefined;
      const insists = this.#crowded || this.#options.insists?.(code);
      if (this.#socket && insists) this.#lost(this.#socket);
      else this.#finish(code);
    } else if (this.#joined) {
      this.#options.onrefused?.(code);
    }
  }

  #alive() {
    clearTimeout(this.#wakeTimer);
    this.#wakeTimer = undefined;
  }

  #ping() {
    if (this.#missed >= MISSES && this.#socket) {
      this.#lost(this.#socket);
      return;
    }
    this.#missed += 1;
    this.#sendPing();
  }

  #measure() {
    if (this.#joined && this.#pinged.length < MEASURED_AT_ONCE) this.#sendPing();
  }

  #sendPing() {
    this.#pinged.push(performance.now());
    this.#send({ type: "ping" });
  }

  /** Answers come in the order of the pings. */
  #ponged() {
    const sent = this.#pinged.shift();
    if (sent !== undefined) this.#options.onpong?.(performance.now() - sent);
  }

  /** @param {object} message */
  #send(message) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(message));
  }

  /**
   * The connection broke; try again soon.
   * @param {WebSocket} socket
   */
  #lost(socket) {
    if (this.#ended || socket !== this.#socket) return;
    this.#drop();
    this.#options.onstate(false, this.#crowded);
    const delay = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#attempts) * (0.75 + Math.random() / 2);
    this.#attempts += 1;
    this.#retryTimer = setTimeout(() => this.#connect(), delay);
  }

  /** @param {string} code */
  #finish(code) {
    this.#socket?.close(NORMAL);
    this.#end();
    this.#options.onend(code);
  }

  #end() {
    this.#ended = true;
    this.hurry(false);
    clearTimeout(this.#retryTimer);
    this.#drop();
  }

  #drop() {
    clearTimeout(this.#connectTimer);
    clearTimeout(this.#behindTimer);
    this.#behindTimer = undefined;
    clearInterval(this.#pingTimer);
    this.#alive();
    this.#joined = false;
    this.#waiting = false;
    this.#missed = 0;
    this.#pinged = [];
    const socket = this.#socket;
    this.#socket = null;
    // Without a code the server keeps the seat.
    if (socket && socket.readyState < 2 && !this.#ended) socket.close();
  }
}
