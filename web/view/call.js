// The screen of a call: bar, tiles, own picture, controls.

import { Controls } from "./controls.js";
import { byId, showScreen } from "./dom.js";
import { Notices } from "./notices.js";
import { Panel } from "./panel.js";
import { People } from "./people.js";
import { SelfView } from "./self.js";
import { Signals } from "./signal.js";
import { Tiles } from "./tiles.js";

/** Making a tile takes time that a newcomer's first offer and answer need more. */
const ARRIVAL_MS = 60;

/**
 * @typedef {object} Options
 * @property {string} room
 * @property {string} name  the own one
 * @property {import("../media.js").LocalMedia} media
 * @property {import("../share.js").ScreenShare} share
 * @property {(up: boolean) => void} onhand
 * @property {(limit: import("../quality.js").Limit) => void} onlimit
 * @property {(id: string, wanted: import("../talk.js").Wanted) => void} onwant  somebody is shown at another size
 * @property {(id: string) => import("../watch.js").Watched | undefined} connection  what is known of the one to somebody
 * @property {() => void} onleave
 */

export class CallView {
  notices = new Notices();
  tiles;
  #options;
  #people;
  #self;
  #controls;
  #panel = new Panel();
  #signals;
  /** Those who are to be shown in a moment. @type {Map<string, ReturnType<typeof setTimeout>>} */
  #arrivals = new Map();
  /** Who shares a screen. @type {Set<string>} */
  #sharing = new Set();

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    const { room, name, media, share, onhand, onlimit, onleave } = options;
    byId("call-room", HTMLElement).textContent = room;
    // Before all that measures: what is hidden has no size.
    showScreen("call");
    const self = new SelfView(media, {
      onhide: () => {
        this.notices.show("Your picture is hidden. The menu shows it again.");
        byId("more", HTMLButtonElement).focus();
      },
      onplace: () => this.tiles.makeWay(),
    });
    this.#self = self;
    this.tiles = new Tiles({
      onspeaker: () => this.#controls.refresh(),
      onwant: options.onwant,
      own: () => self.place,
    });
    this.#signals = new Signals({
      announce: (text) => this.notices.announce(text),
      onopen: (id, opener) => this.#panel.toggle({ id, name: this.#people.nameOf(id) ?? "", opener }, options.connection(id)),
    });
    this.#people = new People(name);
    this.#controls = new Controls({
      media,
      share,
      onhand: (up) => {
        this.#people.setHand(null, up);
        onhand(up);
      },
      onlimit,
      onself: () => self.toggle(),
      onleave,
      notice: (text) => this.notices.show(text),
      videos: () => this.tiles.videos(),
    });
    this.notices.setOnline(false);
    this.refreshOwn();
  }

  /** The own microphone, camera or share changed. */
  refreshOwn() {
    this.#self.refresh();
    this.#controls.refresh();
    this.#showShared();
  }

  /**
   * @param {string} id
   * @param {string} name
   * @param {import("../peer.js").Peer} peer
   */
  add(id, name, peer) {
    this.#arrivals.set(id, setTimeout(() => this.#show(id, name || "Guest", peer), ARRIVAL_MS));
  }

  /**
   * @param {string} id
   * @param {string} shown  name
   * @param {import("../peer.js").Peer} peer
   */
  #show(id, shown, peer) {
    this.#arrivals.delete(id);
    this.#people.add(id, shown);
    this.tiles.add(id, shown, peer);
    this.notices.announce(`${shown} joined.`);
    this.update(id, peer);
  }

  /**
   * @param {string} id
   * @param {import("../peer.js").Peer} peer
   */
  update(id, peer) {
    if (this.#arrivals.has(id)) return;
    this.tiles.update(id, peer);
    const name = this.#people.nameOf(id);
    if (!name) return;
    if (this.#people.setHand(id, peer.remote?.hand ?? false) && peer.remote?.hand) {
      this.notices.show(`${name} raised a hand.`);
    }
    if (peer.hasScreen !== this.#sharing.has(id)) {
      this.notices.announce(peer.hasScreen ? `${name} shares a screen.` : `${name} stopped sharing.`);
      if (peer.hasScreen) this.#sharing.add(id);
      else this.#sharing.delete(id);
    }
    this.#controls.refresh();
  }

  /**
   * There is a new sample of the connection to somebody.
   * @param {string} id
   * @param {import("../watch.js").Watched} watched
   */
  setConnection(id, watched) {
    this.#signals.show(id, this.#people.nameOf(id) ?? "", watched);
    this.#panel.show(id, watched);
  }

  /** @param {string} id */
  remove(id) {
    clearTimeout(this.#arrivals.get(id));
    this.#arrivals.delete(id);
    const name = this.#people.nameOf(id);
    this.#people.remove(id);
    this.#sharing.delete(id);
    this.tiles.remove(id);
    this.#signals.remove(id);
    this.#panel.left(id);
    if (name) this.notices.announce(`${name} left.`);
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
    this.#panel.close();
    this.#signals.close();
    this.#self.close();
  }

  /** The own screen is shown as a tile too, so that one sees what the others see. */
  #showShared() {
    this.tiles.setOwnScreen(this.#options.share.shared?.screen ?? null);
  }
}
