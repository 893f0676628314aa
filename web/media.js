// The own camera and microphone. Knows no DOM beyond navigator.mediaDevices.

/**
 * @typedef {"audio" | "video"} Kind
 * @typedef {"insecure" | "denied" | "missing" | "busy" | "ended" | "failed"} Problem
 */

const DEVICE = { audio: "microphone", video: "camera" };

/**
 * One sentence for a person: what is wrong and what to do.
 * @param {Kind} kind
 * @param {Problem} problem
 */
export function sentence(kind, problem) {
  const device = DEVICE[kind];
  switch (problem) {
    case "insecure":
      return "The browser gives no access to camera and microphone here, because the address is not secure. Open the page with https://.";
    case "denied":
      return `The ${device} is not allowed for this page. Allow it in the browser's address bar, then switch it on here.`;
    case "missing":
      return `No ${device} was found.`;
    case "busy":
      return `The ${device} is in use by another program. Close that one, then switch it on here.`;
    case "ended":
      return `The ${device} was disconnected.`;
    default:
      return `The ${device} could not be started. Try another one.`;
  }
}

/**
 * @param {unknown} error  from getUserMedia
 * @returns {Problem}
 */
export function problemOf(error) {
  switch (error instanceof Error || error instanceof DOMException ? error.name : "") {
    case "NotAllowedError":
    case "SecurityError":
      return "denied";
    case "NotFoundError":
    case "OverconstrainedError":
      return "missing";
    case "NotReadableError":
    case "AbortError":
      return "busy";
    default:
      return "failed";
  }
}

/** @type {Record<Kind, MediaTrackConstraints>} */
const WISHES = {
  audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
  video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } },
};

export class LocalMedia {
  /** Holds the tracks that are on; stays the same object for the whole call. */
  stream = new MediaStream();
  /** @type {Record<Kind, Problem | null>} */
  problems = { audio: null, video: null };

  /** @type {Record<Kind, string | undefined>} */
  #deviceIds = { audio: undefined, video: undefined };
  #muted = false;
  #closed = false;
  /** Counts what was asked for, so that an answer that comes late is not taken for the last wish. */
  #wish = { audio: 0, video: 0 };
  #onchange;

  /** @param {(kind: Kind, track: MediaStreamTrack | null) => void} onchange  another track, or none */
  constructor(onchange) {
    this.#onchange = onchange;
  }

  /** @param {Kind} kind */
  track(kind) {
    const tracks = kind === "audio" ? this.stream.getAudioTracks() : this.stream.getVideoTracks();
    return tracks[0] ?? null;
  }

  /** Is something of this kind being sent? */
  isOn(/** @type {Kind} */ kind) {
    return this.track(kind) !== null && !(kind === "audio" && this.#muted);
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
    const turn = { audio: ++this.#wish.audio, video: ++this.#wish.video };
    try {
      const { audio, video } = WISHES;
      this.#take(await navigator.mediaDevices.getUserMedia({ audio, video }), turn);
    } catch {
      await this.#start("audio");
      await this.#start("video");
    }
  }

  /**
   * Another device of this kind.
   * @param {Kind} kind
   * @param {string} deviceId
   */
  async choose(kind, deviceId) {
    const before = this.deviceId(kind);
    this.#deviceIds[kind] = deviceId;
    const old = this.track(kind);
    if (!old) return;
    // Many phones open one camera at a time.
    if (kind === "video") {
      old.onended = null;
      old.stop();
    }
    if (await this.#start(kind)) return;
    const problem = this.problems[kind];
    this.#deviceIds[kind] = before;
    if (kind === "video" && !(await this.#start(kind))) this.#replace(kind, null);
    this.problems[kind] = problem;
  }

  /**
   * A muted microphone stays open, so that unmuting is immediate; a camera that is off is released, light and all.
   * @param {Kind} kind
   * @param {boolean} on
   */
  async set(kind, on) {
    if (kind === "audio") this.#muted = !on;
    if (!on) this.#wish[kind] += 1;
    const track = this.track(kind);
    if (on && !track) await this.#start(kind);
    else if (!on && kind === "video") this.#replace(kind, null);
    else if (track) track.enabled = on;
  }

  /** Devices of this kind that can be chosen. */
  async devices(/** @type {Kind} */ kind) {
    if (!navigator.mediaDevices) return [];
    const all = await navigator.mediaDevices.enumerateDevices();
    return all.filter((device) => device.kind === `${kind}input` && device.deviceId);
  }

  close() {
    this.#closed = true;
    for (const track of this.stream.getTracks()) {
      track.onended = null;
      track.stop();
      this.stream.removeTrack(track);
    }
  }

  /**
   * @param {Kind} kind
   * @returns {Promise<boolean>} whether it runs
   */
  async #start(kind) {
    if (!navigator.mediaDevices) {
      this.problems[kind] = "insecure";
      return false;
    }
    const turn = { [kind]: ++this.#wish[kind] };
    const deviceId = this.#deviceIds[kind];
    const wish = { ...WISHES[kind], ...(deviceId ? { deviceId: { exact: deviceId } } : {}) };
    try {
      this.#take(await navigator.mediaDevices.getUserMedia({ [kind]: wish }), turn);
      return true;
    } catch (error) {
      const problem = problemOf(error);
      if (problem === "missing" && deviceId) {
        // The chosen one is gone; any other will do.
        this.#deviceIds[kind] = undefined;
        return this.#start(kind);
      }
      this.problems[kind] = problem;
      return false;
    }
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
      old.onended = null;
      old.stop();
      this.stream.removeTrack(old);
    }
    if (track) {
      if (kind === "audio") track.enabled = !this.#muted;
      track.onended = () => {
        this.problems[kind] = "ended";
        this.#replace(kind, null);
      };
      this.stream.addTrack(track);
    }
    this.#onchange(kind, track);
  }
}
