// Cameras and microphones as a browser shows them to a page, for LocalMedia without a browser.

class Stream {
  #tracks;
  constructor(tracks = []) {
    this.#tracks = [...tracks];
  }
  getTracks() {
    return [...this.#tracks];
  }
  getAudioTracks() {
    return this.#tracks.filter(({ kind }) => kind === "audio");
  }
  getVideoTracks() {
    return this.#tracks.filter(({ kind }) => kind === "video");
  }
  addTrack(track) {
    this.#tracks.push(track);
  }
  removeTrack(track) {
    this.#tracks = this.#tracks.filter((each) => each !== track);
  }
}

class Track {
  readyState = "live";
  muted = false;
  enabled = true;
  onended = null;
  onmute = null;
  onunmute = null;
  constructor(kind, settings, label, wish) {
    Object.assign(this, { kind, settings, label, wish });
  }
  async applyConstraints(wish) {
    if (this.settings.fixed) throw new DOMException("", "OverconstrainedError");
    this.wish = wish;
  }
  getSettings() {
    return { ...this.settings };
  }
  stop() {
    this.readyState = "ended";
  }
  /** As the system does it. */
  mute(muted) {
    this.muted = muted;
    if (muted) this.onmute?.();
    else this.onunmute?.();
  }
  async end() {
    this.readyState = "ended";
    this.onended?.();
    // The page looks at its devices then.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export class Hardware {
  /** By id: kind and what else a track of it says. */
  there = new Map();
  /** Those that cannot be opened, with the name of the error. */
  broken = new Map();
  /** What each call of getUserMedia asked for. */
  asked = [];
  /** A device that the person picks when asked. @type {string | undefined} */
  picks;
  /** Of permissions, where not granted; and whether a person who is asked refuses. */
  permissions = {};

  constructor() {
    for (const id of ["mic-1", "mic-2"]) this.plug(id, "audio");
    for (const id of ["cam-1", "cam-2"]) this.plug(id, "video");
    const mediaDevices = {
      getUserMedia: async (wish) => this.#open(wish),
      enumerateDevices: async () =>
        [...this.there].map(([deviceId, { kind }]) => ({ deviceId, kind: `${kind}input`, label: deviceId, groupId: "" })),
    };
    const permissions = { query: async ({ name }) => ({ state: this.permissions[name] ?? "granted" }) };
    Object.defineProperty(globalThis, "navigator", { value: { mediaDevices, permissions }, configurable: true });
    globalThis.MediaStream = Stream;
  }

  plug(id, kind, settings = {}) {
    this.there.set(id, { kind, settings });
  }

  unplug(id) {
    this.there.delete(id);
  }

  #open(wish) {
    this.asked.push(wish);
    const kinds = ["audio", "video"].filter((kind) => wish[kind]);
    const states = kinds.map((kind) => this.permissions[kind === "audio" ? "microphone" : "camera"] ?? "granted");
    // The person is asked for what is neither allowed nor blocked.
    if (states.includes("denied") || (states.includes("prompt") && this.permissions.refuses)) throw new DOMException("", "NotAllowedError");
    return new Stream(kinds.map((kind) => this.#track(kind, wish[kind])));
  }

  #track(kind, wish) {
    const { deviceId = {}, facingMode = {} } = wish;
    const fitting = [...this.there].filter(([, device]) => device.kind === kind);
    const exact = deviceId.exact ?? facingMode.exact;
    const wanted = deviceId.exact ?? this.picks ?? deviceId.ideal ?? facingMode.exact;
    const fits = ([id, { settings }]) => [id, settings.facingMode].includes(wanted);
    const found = fitting.find(fits) ?? (exact ? undefined : fitting[0]);
    if (!found) throw new DOMException("", exact ? "OverconstrainedError" : "NotFoundError");
    const [id, { settings }] = found;
    if (this.broken.has(id)) throw new DOMException("", this.broken.get(id));
    return new Track(kind, { deviceId: id, ...settings }, id, wish);
  }
}
