// What the page /check has found.

import { until } from "./until.mjs";

/**
 * Waits until it has looked at everything.
 * @param {import("./browser.mjs").Person} person
 * @returns {Promise<{ level: string, sentence: string, rows: Record<string, { status: string, found: string }> }>}
 */
export async function verdictOf({ page }) {
  const look = () =>
    page.evaluate(() => {
      const text = (element, selector) => element.querySelector(selector).textContent;
      const rows = [...document.querySelectorAll("#rows > *")].map((row) => [
        text(row, "dt"),
        { status: row.dataset.status, found: text(row, ".found") },
      ]);
      const { level } = document.querySelector("#verdict").dataset;
      return { level, sentence: text(document, "#sentence"), rows: Object.fromEntries(rows) };
    });
  let seen = await look();
  await until("the verdict", async () => {
    seen = await look();
    return seen.level !== "running";
  }, 30_000).catch((error) => {
    throw new Error(`${error.message}\n${JSON.stringify(seen)}`);
  });
  return seen;
}
