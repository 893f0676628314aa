// The own camera and microphone. Knows no DOM beyond navigator.mediaDevices.

import { choices, isStandIn, permissionOf, usual } from "./devices.js";
import { KINDS } from "./lines.js";
import { problemOf, sentence } from "./problems.js";

/**
 * @typedef {import("./lines.js").Kind} Kind
 * @typedef {import("./problems.js").Problem} Problem
 * @typedef {import("./remembered.js").Choice} Choice
 *
 * @typedef {object} Options
 * @property {(kind: Kind, track: MediaStreamTrack | null) => void} onchange  another track, or none, or what it gives
 * @property {Record<Kind, Choice>} [chosen]  earlier
 * @property {(kind: Kind, choice: Partial<Choice>) => void} [onchoice]  the person chose something
 * @property {(text: string) => void} [onnotice]
 */

/** @param {MediaStreamTrack} track */
function release(track) {
  track.onended = track.onmute = track.onunmute = null;
  track.stop();
}

export class LocalMedia {
  /** Holds the tracks that are on; stays the same object for the whole call. */
  stream = new MediaStream();
  /** @type {Record<Kind, Problem | null>} */
  problems = { audio: null, video: null };
  /** Of all kinds, as of the last look. @type {MediaDeviceInfo[]} */
  listed = [];

  /** Those that were chosen: used whenever they are there. @type {Record<Kind, string | undefined>} */
  #deviceIds = { audio: undefined, video: undefined };
  #muted;
  #closed = false;
  /** The camera was off the last time, and stays dark until somebody switches it on. */
  #dark;
  /** That a camera is asked for. */
  #lines = 720;
  /** The device that went away while in use; empty once any other may take its place. @type {Partial<Record<Kind, string>>} */
  #lost = {};
  /** One after the other: a device that goes is heard of by its track and by the list. */
  #refits = Promise.resolve();
  /** Counts what was asked for, so that an answer that comes late is not taken for the last wish. */
  #wish = { audio: 0, video: 0 };
  #options;

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    const { audio, video } = options.chosen ?? {};
    this.#muted = audio?.on === false;
    this.#dark = video?.on === false;
    this.#deviceIds = { audio: audio?.deviceId || undefined, video: video?.deviceId || undefined };
  }

  /** @param {Kind} kind */
  track(kind) {
    const tracks = kind === "audio" ? this.stream.getAudioTracks() : this.stream.getVideoTracks();
    return tracks[0] ?? null;
  }

  /** Is it switched on? */
  isOn(/** @type {Kind} */ kind) {
    return this.track(kind) !== null && !(kind === "audio" && this.#muted);
  }

  /** Do the others get something of it? Not while the system pauses it. */
  isSent(/** @type {Kind} */ kind) {
    return this.isOn(kind) && this.problems[kind] !== "interrupted";
  }

  /** Where the camera looks, in browsers that tell: "user" at the person, "environment" away. */
  get facing() {
    return this.track("video")?.getSettings().facingMode ?? "";
  }

  /** @param {Kind} kind */
  deviceId(kind) {
    return this.track(kind)?.getSettings().deviceId ?? this.#deviceIds[kind];
  }

  /** Asks for both at once, so that the browser asks the person once; then for each that is missing. */
  async open() {
    if (!navigator.mediaDevices) {
      this.problems = { audio: "insecure", video: "insecure" };
      return;
    }
    if (this.#dark) {
      await this.#start("audio");
      return;
    }
    const turn = { audio: ++this.#wish.audio, video: ++this.#wish.video };
    try {
      const wish = (/** @type {Kind} */ kind) => ({ ...usual(kind, this.#lines), ...this.#chosen(kind, "ideal") });
      await this.#get({ audio: wish("audio"), video: wish("video") }, turn);
      await this.#takeChoice();
    } catch (error) {
      const denied = problemOf(error) === "denied";
      const states = { audio: await permissionOf("audio"), video: await permissionOf("video") };
      // Whoever has just said no is not asked again; what was blocked before says nothing of the other one.
      const blocked = KINDS.some((kind) => states[kind] === "denied");
      for (const kind of KINDS) {
        const may = states[kind] === "granted" || (states[kind] === "prompt" && blocked);
        if (denied && !may) this.problems[kind] = "denied";
        else await this.#start(kind);
      }
    }
  }

  /** Some browsers let the person choose when they ask: perhaps another one than the last time, which is there too. */
  async #takeChoice() {
    for (const kind of KINDS) {
      const [chosen, used] = [this.#deviceIds[kind], this.track(kind)?.getSettings().deviceId];
      if (!chosen || !used || chosen === used) continue;
      await this.look();
      if (this.#isThere(kind, chosen)) this.#chose(kind, used);
    }
  }

  /**
   * Another device of this kind.
   * @param {Kind} kind
   * @param {string} deviceId
   * @returns {Promise<Problem | null>} why it is not used; what was used before goes on where it can
   */
  async choose(kind, deviceId) {
    // Somebody who picks another device after a failure wants to see whether that one works.
    const problem = this.track(kind) || this.problems[kind] ? await this.#switch(kind, { deviceId: { exact: deviceId } }) : null;
    if (!problem) this.#chose(kind, deviceId);
    return problem;
  }

  /**
   * A muted microphone stays open, so that unmuting is immediate; a camera that is off is released, light and all.
   * @param {Kind} kind
   * @param {boolean} on
   */
  async set(kind, on) {
    if (kind === "audio") this.#muted = !on;
    if (!on) this.#wish[kind] += 1;
    if (!on && kind === "video") delete this.#lost.video;
    this.#options.onchoice?.(kind, { on });
    const track = this.track(kind);
    // Some systems take a track away for good, and give another one.
    if (on && (!track || track.muted)) await this.#start(kind);
    else if (!on && kind === "video") this.#replace(kind, null);
    else if (track) {
      track.enabled = on;
      this.#options.onchange(kind, track);
    }
  }

  /** @param {number} lines  that the camera is asked for from now on; one that cannot goes on as it does */
  async setLines(lines) {
    this.#lines = lines;
    await this.track("video")?.applyConstraints(usual("video", lines)).catch(() => {});
  }

  /** What devices there are. */
  async look() {
    this.listed = (await navigator.mediaDevices?.enumerateDevices().catch(() => null)) ?? [];
  }

  /**
   * After devices came or went, or the page is seen again: what was used and is gone gives way to another, and what the
   * system took away is tried again.
   */
  refit() {
    this.#refits = this.#refits.then(async () => {
      await this.look();
      for (const kind of KINDS) await this.#refit(kind);
    });
    return this.#refits;
  }

  close() {
    this.#closed = true;
    for (const track of this.stream.getTracks()) {
      release(track);
      this.stream.removeTrack(track);
    }
  }

  /**
   * @param {Kind} kind
   * @param {string} deviceId
   */
  #chose(kind, deviceId) {
    this.#deviceIds[kind] = deviceId;
    this.#options.onchoice?.(kind, { deviceId });
  }

  /**
   * @param {Kind} kind
   * @param {MediaTrackConstraints} wish
   */
  async #switch(kind, wish) {
    const old = this.track(kind);
    const before = old?.getSettings().deviceId;
    // Many phones open one camera at a time.
    if (old && kind === "video") release(old);
    const problem = await this.#start(kind, wish);
    if (!problem || old?.readyState !== "ended") return problem;
    if (await this.#start(kind, { deviceId: { exact: before } })) this.#end(kind, problem);
    return problem;
  }

  /** Is there a camera that looks the other way? */
  get canFlip() {
    return this.facing !== "" && choices(this.listed, "video").length > 1;
  }

  /** From the camera that looks at the person to the one that looks away, or back. */
  async flip() {
    const facingMode = this.facing === "environment" ? "user" : "environment";
    const problem = await this.#switch("video", { facingMode: { exact: facingMode } });
    const used = this.deviceId("video");
    if (!problem && used) this.#chose("video", used);
    return problem;
  }

  /**
   * @param {Kind} kind
   * @param {string} deviceId
   */
  #isThere(kind, deviceId) {
    return choices(this.listed, kind).some(({ id }) => id === deviceId);
  }

  /** @param {Kind} kind */
  async #refit(kind) {
    const track = this.track(kind);
    const used = track ? track.getSettings().deviceId : this.#lost[kind];
    const none = choices(this.listed, kind).length === 0;
    if (this.#closed || used === undefined) return;
    if (this.#isThere(kind, used)) {
      const chosen = this.#deviceIds[kind];
      if (!track) await this.#restart(kind, used);
      else if (chosen && chosen !== used && this.#isThere(kind, chosen) && !(await this.#start(kind))) this.#tellUsed(kind);
      return;
    }
    // A track that runs while nothing is listed shows that the browser lists nothing.
    if (track?.readyState === "live" && none) return;
    this.#lost[kind] = "";
    if (this.track(kind)) this.#end(kind, "ended");
    if (!none && !(await this.#start(kind))) this.#tellUsed(kind, sentence(kind, "ended"));
  }

  /**
   * @param {Kind} kind
   * @param {string} lost  what the system had taken away
   */
  async #restart(kind, lost) {
    if (this.#lost[kind] === lost && (await this.#start(kind))) this.#end(kind, "stopped");
  }

  /**
   * @param {Kind} kind
   * @param {string} [why]
   */
  #tellUsed(kind, why = "") {
    this.#options.onnotice?.(`${why} Now in use: ${this.track(kind)?.label || "another one"}.`.trim());
  }

  /**
   * It gives nothing any more.
   * @param {Kind} kind
   * @param {Problem} problem
   */
  #end(kind, problem) {
    this.problems[kind] = problem;
    this.#replace(kind, null);
  }

  /**
   * @param {Kind} kind
   * @param {MediaTrackConstraints} [wish]  the device that was chosen, if there is nothing else to wish for
   * @returns {Promise<Problem | null>} why it does not run
   */
  async #start(kind, wish = this.#chosen(kind, "exact")) {
    if (!navigator.mediaDevices) return this.#fail(kind, "insecure");
    const turn = { [kind]: ++this.#wish[kind] };
    try {
      await this.#get({ [kind]: { ...usual(kind, this.#lines), ...wish } }, turn);
      return null;
    } catch (error) {
      const problem = problemOf(error);
      // The chosen one is gone; any other will do.
      if (problem === "missing" && wish.deviceId) return this.#start(kind, {});
      return this.#fail(kind, problem);
    }
  }

  /**
   * @param {Kind} kind
   * @param {"ideal" | "exact"} how
   * @returns {MediaTrackConstraints}
   */
  #chosen(kind, how) {
    const deviceId = this.#deviceIds[kind];
    return deviceId ? { deviceId: { [how]: deviceId } } : {};
  }

  /**
   * What went wrong is remembered as long as nothing runs.
   * @param {Kind} kind
   * @param {Problem} problem
   */
  #fail(kind, problem) {
    if (this.track(kind)?.readyState !== "live") this.problems[kind] = problem;
    return problem;
  }

  /**
   * @param {MediaStreamConstraints} constraints
   * @param {Partial<Record<Kind, number>>} turn
   */
  async #get(constraints, turn) {
    const lines = this.#lines;
    this.#take(await navigator.mediaDevices.getUserMedia(constraints), turn);
    if (lines !== this.#lines) await this.setLines(this.#lines);
  }

  /**
   * @param {MediaStream} stream
   * @param {Partial<Record<Kind, number>>} turn  the wish that it fulfils
   */
  #take(stream, turn) {
    for (const track of stream.getTracks()) {
      const kind = /** @type {Kind} */ (track.kind);
      if (this.#closed || turn[kind] !== this.#wish[kind]) {
        track.stop();
        continue;
      }
      this.problems[kind] = null;
      delete this.#lost[kind];
      this.#replace(kind, track);
    }
  }

  /**
   * @param {Kind} kind
   * @param {MediaStreamTrack | null} track
   */
  #replace(kind, track) {
    const old = this.track(kind);
    if (old) {
      release(old);
      this.stream.removeTrack(old);
      if (this.problems[kind] === "interrupted") this.problems[kind] = null;
    }
    if (track) {
      if (kind === "audio") track.enabled = !this.#muted;
      this.#watch(kind, track);
      this.stream.addTrack(track);
    }
    this.#options.onchange(kind, track);
  }

  /**
   * Phones take camera and microphone away for a call of their own: some mute the track for so long, some end it.
   * @param {Kind} kind
   * @param {MediaStreamTrack} track
   */
  #watch(kind, track) {
    track.onended = () => void this.#ended(kind, track);
    const muted = (/** @type {boolean} */ muted) => {
      this.problems[kind] = muted ? "interrupted" : null;
      this.#options.onchange(kind, track);
    };
    track.onmute = () => muted(true);
    track.onunmute = () => muted(false);
    if (track.muted) this.problems[kind] = "interrupted";
  }

  /**
   * @param {Kind} kind
   * @param {MediaStreamTrack} track
   */
  async #ended(kind, track) {
    const used = isStandIn(track) ? "" : track.getSettings().deviceId;
    await this.look();
    if (this.#closed || this.track(kind) !== track) return;
    this.#lost[kind] = used;
    const there = used !== undefined && this.#isThere(kind, used);
    this.#end(kind, there ? "stopped" : "ended");
    // What the system has just taken it does not give back at once.
    if (!there) await this.refit();
  }
}
