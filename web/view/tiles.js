// The stage: everybody's tile, where it is and how large, and who speaks.

import { Floor } from "../speaker.js";
import { byId, isTyping, setSink } from "./dom.js";
import { layOut, shapesFor } from "./layout.js";
import { PictureInPicture } from "./pip.js";
import { Playback } from "./playback.js";
import { addSignal } from "./signal.js";
import { Spotlight } from "./spotlight.js";
import { Tile } from "./tile.js";
import { Wants, inDevicePixels } from "./wants.js";

const GAP = 10;
const LISTEN_MS = 250;
/** A small window shows that many, and each about that high. */
const SMALL_WINDOW = { videos: 4, height: 270 };

/**
 * The own picture, for which tiles make way.
 * @typedef {object} OwnPicture
 * @property {() => import("./layout.js").Own | null} measure  null where it is hidden
 * @property {(box: import("./layout.js").Box, room: { width: number, height: number }) => void} place
 */

export class Tiles {
  #grid = byId("tiles", HTMLElement);
  #empty = byId("alone", HTMLElement);
  /** @type {Map<string, { peer: import("../peer.js").Peer, tile: Tile, connected: boolean }>} */
  #people = new Map();
  /** By who shares; the own one is `own`. @type {Map<string, Tile>} */
  #screens = new Map();
  #spotlight = new Spotlight();
  #floor = new Floor();
  #playback = new Playback(() => this.#all().map(([, { video }]) => video));
  /** How loud each is to be played, kept while a tile comes and goes. By key. @type {Map<string, number>} */
  #volumes = new Map();
  #wants;
  #observer = new ResizeObserver(() => this.#resized());
  /** For tiles. Asked for where it may have changed: asking makes the browser lay out the page. @type {{ width: number, height: number } | null} */
  #room = null;
  #stop = new AbortController();
  #timer = setInterval(() => this.#tick(), LISTEN_MS);
  #sink = "";
  /** Is it known who is there? */
  #settled = false;
  #options;

  /**
   * @param {object} options
   * @param {() => void} options.onspeaker  another one is to be looked at
   * @param {(id: string, wanted: import("../talk.js").Wanted) => void} options.onwant  somebody is shown at another size
   * @param {(id: string) => void} options.onsilent  a speaker does not take the sound, which goes to the system's own
   * @param {OwnPicture} options.own
   */
  constructor(options) {
    this.#options = options;
    this.#wants = new Wants(options.onwant);
    this.#observer.observe(this.#grid);
    const { signal } = this.#stop;
    document.addEventListener("keydown", (event) => this.#escape(event), { signal });
    document.addEventListener("pointerup", (event) => this.#touch(event), { signal });
    document.addEventListener("visibilitychange", () => this.#want(), { signal });
  }

  /**
   * @param {string} id
   * @param {string} shown  name
   * @param {import("../peer.js").Peer} peer
   */
  add(id, shown, peer) {
    const tile = this.#make(id, { id, label: shown, stream: peer.stream, screen: false, own: false });
    this.#people.set(id, { peer, tile, connected: peer.state === "connected" });
    this.#floor.add(id, peer);
    this.update(id, peer);
    this.#arrange(true);
  }

  /**
   * Another connection to the same person.
   * @param {string} id
   * @param {import("../peer.js").Peer} peer
   */
  replace(id, peer) {
    const person = this.#people.get(id);
    if (!person) return;
    Object.assign(person, { peer, connected: false });
    this.#floor.add(id, peer);
  }

  /** Somebody is about to come. */
  expect() {
    this.#settled = false;
    this.#empty.hidden = true;
  }

  /** It is known who is there; until then nobody is said to be alone. */
  settle() {
    this.#settled = true;
    this.#empty.hidden = this.#all().length > 0;
  }

  /**
   * @param {string} id
   * @param {import("../peer.js").Peer} peer
   */
  update(id, peer) {
    const person = this.#people.get(id);
    if (!person) return;
    person.tile.update(peer);
    this.#setScreen(id, `${person.tile.label}'s screen`, peer.hasScreen ? peer.screen : null);
    const connected = peer.state === "connected";
    if (connected && !person.connected) this.#wants.again(id);
    person.connected = connected;
    // Sound plays even where there is no picture.
    this.#playback.play();
  }

  /** Lets play what stands still. */
  play() {
    this.#playback.play();
  }

  /** @param {string} id */
  remove(id) {
    this.#setScreen(id, "", null);
    this.#people.get(id)?.tile.close();
    this.#people.delete(id);
    this.#floor.remove(id);
    this.#spotlight.remove(id);
    this.#wants.remove(id);
    this.#playback.play();
    this.#arrange(true);
  }

  /** @param {MediaStreamTrack | null} track  the own screen, while it is shared */
  setOwnScreen(track) {
    this.#setScreen("own", "Your screen", track ? new MediaStream([track]) : null);
  }

  /**
   * @param {string} id  of the speaker that all sound goes to; "" for the system's
   * @returns {Promise<boolean>} whether it does
   */
  async setSink(id) {
    const before = this.#sink;
    this.#sink = id;
    const videos = this.#all().map(([, { video }]) => video);
    const done = await Promise.all(videos.map((video) => setSink(video, id)));
    if (done.every(Boolean)) return true;
    // Another one may have been chosen meanwhile.
    if (this.#sink !== id) return true;
    // All sound stays together.
    this.#sink = before;
    for (const video of videos) void setSink(video, before);
    return false;
  }

  /**
   * @param {HTMLVideoElement} video  that is new
   * @param {string} id  of the speaker
   * @returns {Promise<void>}
   */
  async #lead(video, id) {
    if (await setSink(video, id)) return;
    // Another one was chosen meanwhile, or the one of before again.
    if (this.#sink !== id) return this.#lead(video, this.#sink);
    await this.setSink("");
    this.#options.onsilent(id);
  }

  /** What a small window shows: the most important picture first. */
  videos() {
    const { big } = this.#spotlight;
    const importance = (/** @type {[string, Tile]} */ [key, tile]) =>
      key === big ? 0 : tile.isScreen ? 1 : key === this.#floor.speaker ? 2 : 3;
    const shown = this.#all().filter(([, tile]) => tile.hasPicture && tile.id !== "own");
    const ordered = shown.sort((a, b) => importance(a) - importance(b));
    return ordered.slice(0, SMALL_WINDOW.videos).map(([, { video }]) => video);
  }

  close() {
    clearInterval(this.#timer);
    this.#stop.abort();
    this.#observer.disconnect();
    this.#wants.close();
    this.#playback.close();
    for (const [, tile] of this.#all()) tile.close();
    this.#people.clear();
    this.#screens.clear();
  }

  /**
   * All tiles with their keys: people by their id, screens by `<id>/screen`.
   * @returns {[string, Tile][]}
   */
  #all() {
    const screens = [...this.#screens].map(([id, tile]) => /** @type {[string, Tile]} */ ([`${id}/screen`, tile]));
    return [...screens, ...[...this.#people].map(([id, { tile }]) => /** @type {[string, Tile]} */ ([id, tile]))];
  }

  /**
   * @param {string} key
   * @param {Omit<import("./tile.js").Options, "volume" | "onenlarge" | "onvolume" | "onratio">} options
   */
  #make(key, options) {
    const tile = new Tile({
      ...options,
      volume: this.#volumes.get(key) ?? 1,
      onvolume: (volume) => this.#volumes.set(key, volume),
      onenlarge: () => {
        this.#spotlight.toggle(key);
        this.#arrange(true);
      },
      onratio: () => this.#arrange(true),
    });
    void this.#lead(tile.video, this.#sink);
    if (!options.screen) addSignal(tile.element, options.id, options.label);
    this.#grid.append(tile.element);
    return tile;
  }

  /**
   * @param {string} id
   * @param {string} label
   * @param {MediaStream | null} stream  null once nothing is shared
   */
  #setScreen(id, label, stream) {
    const key = `${id}/screen`;
    const there = this.#screens.get(id);
    if (!stream === !there) return;
    if (stream) {
      this.#screens.set(id, this.#make(key, { id, label, stream, screen: true, own: id === "own" }));
      this.#spotlight.addScreen(key);
    } else {
      there?.close();
      this.#screens.delete(id);
      this.#spotlight.remove(key);
    }
    this.#arrange(true);
  }

  /** The own picture has another place. */
  makeWay() {
    this.#arrange(true);
  }

  #measured() {
    this.#room ??= { width: this.#grid.clientWidth, height: this.#grid.clientHeight };
    return this.#room;
  }

  #resized() {
    this.#room = null;
    this.#arrange(false);
  }

  /** @param {boolean} gliding */
  #arrange(gliding) {
    const { big } = this.#spotlight;
    const all = this.#all();
    const ordered = big === null ? all : [...all.filter(([key]) => key === big), ...all.filter(([key]) => key !== big)];
    const room = this.#measured();
    const ratios = all.flatMap(([, { isScreen, ratio }]) => (isScreen || ratio === null ? [] : [ratio]));
    const what = big === null ? null : ordered[0][1].isScreen ? "screen" : "person";
    const own = this.#options.own.measure();
    const places = layOut({ count: ordered.length, ...room, gap: GAP, shapes: shapesFor(ratios), big: what, own });
    ordered.forEach(([key, tile], index) => {
      tile.setBig(key === big);
      tile.place(places.tiles[index], room, gliding);
    });
    if (places.own) this.#options.own.place(places.own, room);
    this.#empty.hidden = !this.#settled || ordered.length > 0;
    this.#want();
  }

  /** Says at what size everybody is shown. */
  #want() {
    const visible = document.visibilityState === "visible";
    const small = !visible && PictureInPicture.isShown ? this.videos() : [];
    // Before a screen is shown it is wanted as large as it will be: nobody sends what nobody wants.
    const heightOf = (/** @type {Tile | undefined} */ tile) => {
      if (visible) return inDevicePixels(tile?.pictureHeight ?? this.#measured().height);
      return tile && small.includes(tile.video) ? inDevicePixels(SMALL_WINDOW.height) : 0;
    };
    for (const [id, { tile }] of this.#people) {
      this.#wants.set(id, { camera: heightOf(tile), screen: heightOf(this.#screens.get(id)) });
    }
  }

  #tick() {
    const hidden = document.visibilityState !== "visible";
    // Then a small window may be all that is seen, and that comes and goes without a word.
    if (hidden) this.#want();
    if (hidden && !PictureInPicture.isShown) return;
    const before = this.#floor.speaker;
    const heard = this.#floor.listen(performance.now());
    for (const [id, { tile }] of this.#people) tile.setSpeaking(heard.has(id));
    if (this.#floor.speaker !== before) this.#options.onspeaker();
  }

  /** @param {KeyboardEvent} event */
  #escape(event) {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    // What lies above the tiles is closed first, and who types does not mean the tiles.
    if (document.querySelector("dialog[open], :popover-open")) return;
    if (isTyping(event.target)) return;
    if (this.#spotlight.back()) this.#arrange(true);
  }

  /** @param {PointerEvent} event  a finger shows a tile's buttons; elsewhere it hides them again */
  #touch({ pointerType, target }) {
    if (pointerType !== "touch" || !(target instanceof Node)) return;
    for (const [, tile] of this.#all()) tile.setTouched(tile.element.contains(target));
  }
}
