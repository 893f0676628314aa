// Two people with real browsers in a call over the relay all the time, and whether each sees the other move.

import { Person } from "../lib/browser.mjs";
import { until } from "../lib/until.mjs";

const CAMERA = { width: 320, height: 180, rate: 10 };
const LOOK_MS = 1000;
const PATIENCE_MS = 60_000;

export class Call {
  /** @type {Watched[]} */
  people = [];
  /** @type {import("puppeteer-core").Browser[]} */
  #browsers = [];

  /**
   * @param {import("./place.mjs").Place} place
   * @param {string} url  of the room
   * @param {string} password
   */
  async begin(place, url, password) {
    for (const [name, machine] of [["Ana", place.ana], ["Bo", place.bo]]) {
      const browser = await place.network.chromium(machine, { camera: CAMERA, signals: false });
      this.#browsers.push(browser);
      const person = await Person.open(browser, `${url}&name=${name}`);
      await person.page.type("#password", password);
      await Promise.all([person.page.waitForNavigation({ waitUntil: "domcontentloaded" }), person.page.click("button[type=submit]")]);
      await person.enter();
      this.people.push(new Watched(name, person));
    }
    await until("both see each other", async () => {
      await this.look();
      return this.people.every(({ frames }) => frames > 0);
    }, PATIENCE_MS);
    const routes = await Promise.all(this.people.map(({ person }) => person.routes()));
    if (routes.flat().some((route) => route !== "relay")) throw new Error(`the call is not relayed: ${routes.flat()}`);
    for (const person of this.people) person.begin();
    this.watching = setInterval(() => void this.look(), LOOK_MS);
  }

  async look() {
    await Promise.all(this.people.map((person) => person.look()));
  }

  async end() {
    clearInterval(this.watching);
    await Promise.all(this.#browsers.map((browser) => browser.close().catch(() => {})));
  }
}

/** One of the two, and what of the other's picture has arrived. */
class Watched {
  /** Decoded so far, over all connections. */
  frames = 0;
  /** Of the connections that are open. */
  #seen = 0;
  #movedAt = Date.now();
  #longest = 0;
  #looking = false;

  /**
   * @param {string} name
   * @param {Person} person
   */
  constructor(name, person) {
    this.name = name;
    this.person = person;
  }

  /** From now on it counts. */
  begin() {
    this.#movedAt = Date.now();
    this.#longest = 0;
  }

  async look() {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const stats = await this.person.stats();
      const seen = stats.reduce((sum, { frames }) => sum + frames, 0);
      // A connection that took another one's place counts from zero.
      const more = seen < this.#seen ? seen : seen - this.#seen;
      this.#seen = seen;
      this.frames += more;
      if (more > 0) {
        this.#longest = Math.max(this.#longest, Date.now() - this.#movedAt);
        this.#movedAt = Date.now();
      }
    } catch {
      // The page does not answer: it shows nothing.
    } finally {
      this.#looking = false;
    }
  }

  /** Seconds for which the picture stood still at the most, since this was asked the last time. */
  stood() {
    const longest = Math.max(this.#longest, Date.now() - this.#movedAt);
    this.#longest = 0;
    return longest / 1000;
  }
}
