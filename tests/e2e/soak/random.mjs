// Chance that a seed repeats. Pure.

/** mulberry32: 32 bits of state are plenty to choose what happens next. */
export class Random {
  /** @param {number} seed */
  constructor(seed) {
    this.state = seed >>> 0;
  }

  /** From 0 up to, not including, 1. */
  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = this.state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /**
   * @param {number} least
   * @param {number} most
   */
  between(least, most) {
    return least + (most - least) * this.next();
  }

  /**
   * A whole number, both ends included.
   * @param {number} least
   * @param {number} most
   */
  whole(least, most) {
    return least + Math.floor((most - least + 1) * this.next());
  }

  /** @param {number} probability */
  happens(probability) {
    return this.next() < probability;
  }

  /**
   * @template T
   * @param {readonly T[]} list  not empty
   * @returns {T}
   */
  pick(list) {
    return list[this.whole(0, list.length - 1)];
  }

  /**
   * @template T
   * @param {readonly T[]} list
   */
  shuffled(list) {
    const rest = [...list];
    const mixed = [];
    while (rest.length > 0) mixed.push(...rest.splice(this.whole(0, rest.length - 1), 1));
    return mixed;
  }

  /** @param {number} length */
  bytes(length) {
    return Buffer.from(Array.from({ length }, () => this.whole(0, 255)));
  }

  /** @param {number} length */
  letters(length) {
    return Array.from({ length }, () => this.pick([..."abcdefghijklmnopqrstuvwxyz"])).join("");
  }
}
