// What a person chose the last time, kept by the browser. Knows no DOM beyond the storage.

const KEY = "callbox.choices";
const MAX_LENGTH = 300;

/**
 * @typedef {{ on: boolean, deviceId: string }} Choice  the device is empty as long as none was chosen
 * @typedef {object} Memory
 * @property {string} name
 * @property {Choice} audio  microphone
 * @property {Choice} video  camera
 * @property {string} speaker  empty for the system's own
 * @property {string} limit  of what is sent; empty as long as none was chosen
 * @property {string} corner  of the own picture; empty likewise
 * @property {boolean} self  is the own picture shown?
 */

/**
 * What is stored, or what is usual wherever that makes no sense. Pure.
 * @param {string | null} text
 * @returns {Memory}
 */
export function recall(text) {
  /** @type {any} */
  let stored;
  try {
    stored = JSON.parse(text ?? "null");
  } catch {
    stored = null;
  }
  const choice = (/** @type {any} */ value) => ({ on: value?.on !== false, deviceId: short(value?.deviceId) });
  return {
    name: short(stored?.name),
    audio: choice(stored?.audio),
    video: choice(stored?.video),
    speaker: short(stored?.speaker),
    limit: short(stored?.limit),
    corner: short(stored?.corner),
    self: stored?.self !== false,
  };
}

/** @param {unknown} value */
function short(value) {
  return typeof value === "string" && value.length <= MAX_LENGTH ? value : "";
}

/** @typedef {() => Pick<Storage, "getItem" | "setItem">} Store  throws where storage is blocked */

/**
 * @param {string} key
 * @param {Store} store
 */
export function readStored(key, store = () => localStorage) {
  try {
    return store().getItem(key);
  } catch {
    return null;
  }
}

/**
 * Where storage is blocked or full, what was chosen is chosen anew the next time.
 * @param {string} key
 * @param {string} text
 * @param {Store} store
 */
export function keep(key, text, store = () => localStorage) {
  try {
    store().setItem(key, text);
  } catch {
    // See above.
  }
}

export class Remembered {
  /** @type {Memory} */
  memory;
  #store;

  /** @param {Store} [store] */
  constructor(store) {
    this.#store = store;
    this.memory = recall(readStored(KEY, store));
  }

  /**
   * What another tab has chosen meanwhile stays.
   * @param {Partial<Memory>} part
   */
  set(part) {
    this.memory = { ...this.memory, ...part };
    keep(KEY, JSON.stringify({ ...recall(readStored(KEY, this.#store)), ...part }), this.#store);
  }
}
