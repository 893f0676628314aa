// The screen of a call: bar, tiles, own picture, controls.

import { inSentence, personName } from "../names.js";
import { announce } from "./announce.js";
import { Controls } from "./controls.js";
import { wireFlip } from "./devices.js";
import { byId, keepFocus, showScreen } from "./dom.js";
import { DoorView } from "./door.js";
import { Notices } from "./notices.js";
import { Panel } from "./panel.js";
import { People } from "./people.js";
import { SelfView } from "./self.js";
import { Signals } from "./signal.js";
import { Tiles } from "./tiles.js";
import { playChime } from "./tone.js";

/** Making a tile takes time that a newcomer's first steps of a connection need more; its first picture comes later still. */
const ARRIVAL_MS = 110;

/**
 * @typedef {object} Options
 * @property {string} room
 * @property {string} name  the own one
 * @property {import("../media.js").LocalMedia} media
 * @property {import("../share.js").ScreenShare} share
 * @property {import("../remembered.js").Memory} chosen  the last time
 * @property {(choice: Partial<import("../remembered.js").Memory>) => void} onchoice
 * @property {(up: boolean) => void} onhand
 * @property {(locked: boolean) => void} onlock
 * @property {(id: string, admitted: boolean) => void} onanswer  to somebody who knocked
 * @property {(limit: import("../quality.js").Limit) => void} onlimit
 * @property {(id: string, wanted: import("../talk.js").Wanted) => void} onwant  somebody is shown at another size
 * @property {(id: string) => import("../watch.js").Watched | undefined} connection  what is known of the one to somebody
 * @property {() => string} speaker  that sounds go to
 * @property {(id: string) => void} onsilent  a speaker does not take the sound, which goes to the system's own
 * @property {() => void} onleave
 */

export class CallView {
  notices = new Notices();
  tiles;
  #options;
  /** Whoever comes from now on comes later than oneself. */
  #joined = false;
  #people;
  #door;
  #self;
  #controls;
  #panel = new Panel();
  #signals;
  /** Those who are to be shown in a moment. @type {Map<string, ReturnType<typeof setTimeout>>} */
  #arrivals = new Map();
  /** Who shares a screen; `own` is oneself. @type {Set<string>} */
  #sharing = new Set();
  /** To whom the connection is lost, as screen readers were told. @type {Set<string>} */
  #lost = new Set();

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    const { room, name, media, share, onhand, onlimit, onleave } = options;
    byId("call-room", HTMLElement).textContent = room;
    // Before all that measures: what is hidden has no size.
    showScreen("call");
    const self = new SelfView(media, {
      chosen: options.chosen,
      onhide: () => {
        this.notices.show("Your picture is hidden. The menu shows it again.");
        byId("more", HTMLButtonElement).focus();
      },
      onplace: () => this.tiles.makeWay(),
      onchoice: () => options.onchoice(self.choice),
    });
    this.#self = self;
    wireFlip("self-flip", media, (text) => this.notices.show(text));
    this.tiles = new Tiles({
      onspeaker: () => this.#controls.refresh(),
      onwant: options.onwant,
      onsilent: options.onsilent,
      own: self,
    });
    this.#signals = new Signals({
      announce,
      onopen: (id, opener) => this.#panel.toggle({ id, name: this.#nameOf(id), opener }, options.connection(id)),
    });
    this.#people = new People(personName({ name }));
    const { onlock, onanswer } = options;
    this.#door = new DoorView({ onlock, onanswer, notice: (text) => this.notices.show(text) });
    this.#controls = new Controls({
      media,
      share,
      onhand: (up) => {
        this.#people.setHand(null, up);
        onhand(up);
      },
      limit: options.chosen.limit,
      onlimit: (limit) => {
        options.onchoice({ limit });
        self.setSoundOnly(limit === "audio");
        onlimit(limit);
      },
      onself: () => self.toggle(),
      onleave,
      notice: (text) => this.notices.show(text),
      videos: () => this.tiles.videos(),
    });
    this.notices.setOnline(false);
    if (options.chosen.limit === "audio") this.notices.show("Only your sound is sent, as the last time. The menu changes that.");
    this.refreshOwn();
  }

  /** The own microphone, camera or share changed. */
  refreshOwn() {
    this.#self.refresh();
    this.#controls.refresh();
    this.#showShared();
  }

  /** All who were there are known. */
  joined() {
    this.#joined = true;
    this.#settle();
  }

  /** Is nobody there? That is not said before it is known. */
  #settle() {
    if (this.#joined && this.#arrivals.size === 0) this.tiles.settle();
  }

  /**
   * @param {import("../door.js").Door} door
   * @param {import("../door.js").News[]} news
   */
  showDoor(door, news) {
    this.#door.show(door);
    for (const item of news) {
      if (item.type === "locked") this.notices.show(lockText(door.locked, item.own ? "You" : this.#nameOf(item.by ?? "")));
      else announce(doorText(item));
    }
    const calls = news.some(({ type }) => type === "knock" || type === "admitted");
    if (calls && document.visibilityState !== "visible") void playChime(this.#options.speaker());
  }

  /**
   * @param {string} id
   * @param {string} name
   * @param {import("../peer.js").Peer} peer
   */
  add(id, name, peer) {
    const later = this.#joined;
    this.tiles.expect();
    this.#arrivals.set(id, setTimeout(() => this.#show(id, name, peer, later), ARRIVAL_MS));
  }

  /**
   * @param {string} id
   * @param {string} name
   * @param {import("../peer.js").Peer} peer
   * @param {boolean} later  than oneself
   */
  #show(id, name, peer, later) {
    this.#arrivals.delete(id);
    this.#people.add(id, name);
    this.#entitle();
    this.tiles.add(id, name, peer);
    this.#settle();
    if (later) this.notices.mention(`${inSentence(name)} joined.`);
    else announce(`${inSentence(name)} is here.`);
    if (later && document.visibilityState !== "visible") void playChime(this.#options.speaker());
    this.update(id, peer);
  }

  /**
   * Another connection to the same person, with the same streams.
   * @param {string} id
   * @param {string} name
   * @param {import("../peer.js").Peer} peer
   */
  replace(id, name, peer) {
    const arrival = this.#arrivals.get(id);
    if (arrival === undefined) {
      this.tiles.replace(id, peer);
      this.update(id, peer);
    } else {
      clearTimeout(arrival);
      this.add(id, name, peer);
    }
  }

  /** How many there are is seen from other tabs, too. */
  #entitle() {
    const { count } = this.#people;
    document.title = `${count > 1 ? `(${count}) ` : ""}${this.#options.room} · callbox`;
  }

  /** @param {string} id */
  #nameOf(id) {
    return inSentence(this.#people.nameOf(id) ?? "");
  }

  /**
   * @param {string} id
   * @param {import("../peer.js").Peer} peer
   */
  update(id, peer) {
    if (this.#arrivals.has(id)) return;
    keepFocus(() => this.tiles.update(id, peer), "mic");
    const name = this.#nameOf(id);
    if (!name) return;
    this.#tellState(id, name, peer.state);
    if (this.#people.setHand(id, peer.remote?.hand ?? false) && peer.remote?.hand) {
      this.notices.show(`${name} raised a hand.`);
    }
    if (peer.hasScreen !== this.#sharing.has(id)) {
      announce(peer.hasScreen ? `${name} shares a screen.` : `${name} stopped sharing.`);
      if (peer.hasScreen) this.#sharing.add(id);
      else this.#sharing.delete(id);
    }
    this.#controls.refresh();
  }

  /**
   * @param {string} id
   * @param {string} name
   * @param {import("../peer.js").PeerState} state
   */
  #tellState(id, name, state) {
    if (state === "ended") this.notices.show(`The connection to ${name} was ended: far too many messages came.`);
    if (state === "connecting" || state === "ended" || this.#lost.has(id) === (state === "reconnecting")) return;
    if (state === "reconnecting") {
      this.#lost.add(id);
      announce(`The connection to ${name} is lost. Reconnecting.`);
    } else {
      this.#lost.delete(id);
      announce(`${name} is back.`);
    }
  }

  /**
   * There is a new sample of the connection to somebody.
   * @param {string} id
   * @param {import("../watch.js").Watched} watched
   */
  setConnection(id, watched) {
    this.#signals.show(id, this.#nameOf(id), watched);
    this.#panel.show(id, watched);
  }

  /** @param {string} id */
  remove(id) {
    clearTimeout(this.#arrivals.get(id));
    this.#arrivals.delete(id);
    const name = this.#nameOf(id);
    this.#people.remove(id);
    this.#entitle();
    this.#sharing.delete(id);
    this.#lost.delete(id);
    keepFocus(() => this.tiles.remove(id), "mic");
    this.#settle();
    this.#signals.remove(id);
    this.#panel.left(id);
    if (name) this.notices.mention(`${name} left.`);
    this.#controls.refresh();
  }

  /** The page was asleep: browsers leave the pictures of a page that they froze standing still. */
  wake() {
    this.tiles.play();
    const own = byId("self-video", HTMLVideoElement);
    if (own.paused && own.srcObject) own.play().catch(() => {});
  }

  close() {
    for (const timer of this.#arrivals.values()) clearTimeout(timer);
    this.notices.close();
    this.tiles.close();
    this.#controls.close();
    this.#people.close();
    this.#door.close();
    this.#panel.close();
    this.#signals.close();
    this.#self.close();
  }

  /** The own screen is shown as a tile too, so that one sees what the others see. */
  #showShared() {
    const screen = this.#options.share.shared?.screen ?? null;
    // The browser's own bar may have ended it.
    if (this.#sharing.has("own") && !screen) announce("Your screen is no longer shared.");
    if (screen) this.#sharing.add("own");
    else this.#sharing.delete("own");
    keepFocus(() => this.tiles.setOwnScreen(screen), "share");
  }
}

/**
 * @param {boolean} locked
 * @param {string} name  of whoever did it; empty where that is not known
 */
function lockText(locked, name) {
  const what = locked ? "locked" : "unlocked";
  const text = name ? `${name} ${what} the room.` : `The room was ${what}.`;
  return locked ? `${text} Whoever comes has to be let in.` : text;
}

/** @param {Exclude<import("../door.js").News, { type: "locked" }>} news */
function doorText(news) {
  if (news.type === "waiting") return "The room is locked. Those inside were asked to let you in.";
  if (news.type === "admitted") return "You are in.";
  return `${inSentence(news.peer.name)} wants to come in.`;
}
