// What a page tells, however short it stands there.

/**
 * @param {import("./browser.mjs").Person} person
 * @param {string[]} regions  ids of the elements that tell it; by default those for screen readers
 * @returns {Promise<() => Promise<string[]>>} what was told since
 */
export async function listen(person, regions = ["announcements"]) {
  await person.page.evaluate((regions) => {
    globalThis.testSaid = [];
    for (const id of regions) {
      const region = document.getElementById(id);
      const hear = () => region.textContent && globalThis.testSaid.push(region.textContent);
      new MutationObserver(hear).observe(region, { childList: true, characterData: true, subtree: true });
    }
  }, regions);
  return () => person.page.evaluate(() => globalThis.testSaid);
}
