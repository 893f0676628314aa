// Which tile is the big one: what a person has chosen, else the newest shared screen. Pure.

export class Spotlight {
  /** Oldest first. @type {string[]} */
  #screens = [];
  /** Screens that have been made small by hand. @type {Set<string>} */
  #small = new Set();
  /** @type {string | null} */
  #chosen = null;

  /** The key of the big tile, or null where all are equal. */
  get big() {
    return this.#chosen ?? this.#screens.findLast((key) => !this.#small.has(key)) ?? null;
  }

  /** @param {string} key  of a screen that is shared from now on; it comes before what was chosen earlier */
  addScreen(key) {
    this.#screens.push(key);
    this.#chosen = null;
  }

  /** @param {string} key  of a tile that is gone */
  remove(key) {
    this.#screens = this.#screens.filter((screen) => screen !== key);
    this.#small.delete(key);
    if (this.#chosen === key) this.#chosen = null;
  }

  /** @param {string} key  is made big, or small again */
  toggle(key) {
    if (this.big === key) {
      this.back();
    } else {
      this.#chosen = key;
      this.#small.delete(key);
    }
  }

  /**
   * Makes the big one small again.
   * @returns {boolean} whether there was one
   */
  back() {
    const { big } = this;
    if (big === null) return false;
    this.#chosen = null;
    if (this.#screens.includes(big)) this.#small.add(big);
    return true;
  }
}
