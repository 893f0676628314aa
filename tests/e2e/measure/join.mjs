// From the click on Join to the first frame of the other side.

import { ratio, spread } from "./figures.mjs";
import { KINDS, enterRoom, joinAndSee, openReady, withBoth } from "./pages.mjs";

/**
 * Milliseconds of the second of two who join.
 * @param {import("puppeteer-core").Browser} browser
 * @param {string} url  of the room
 */
export async function joinTime(browser, url) {
  const first = await enterRoom(browser, url);
  const second = await openReady(browser, url);
  const time = await second.page.evaluate(joinAndSee);
  await Promise.all([first.close(), second.close()]);
  return time;
}

/** @param {{ runs: number }} options */
export async function measureJoin({ runs }) {
  await withBoth(async (servers, browser) => {
    for (const [route, query] of [["direct", ""], ["relayed", "?relay=1"]]) {
      const times = { real: [], bare: [] };
      // The first run of each warms the browser up and does not count.
      for (let run = 0; run <= runs; run += 1) {
        for (const kind of run % 2 ? KINDS.toReversed() : KINDS) {
          const time = await joinTime(browser, `${servers[kind].url}/r/join-${route}-${run}${query}`);
          if (run > 0) times[kind].push(time);
        }
      }
      const figures = `real ${spread(times.real)}, bare ${spread(times.bare)}, ${ratio(times, 1.1)}`;
      console.log(`ms from Join to the first remote frame, ${route}: ${figures}`);
    }
  });
}
