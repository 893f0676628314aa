// Waits for a condition, never for time alone.

const POLL_MS = 50;

/**
 * @template T
 * @param {string} what  for the error message
 * @param {() => T | Promise<T>} condition  truthy once it holds
 * @param {number} [timeout]  milliseconds
 * @returns {Promise<T>} what the condition gave
 */
export async function until(what, condition, timeout = 20_000) {
  const end = Date.now() + timeout;
  let last;
  for (;;) {
    last = await condition();
    if (last) return last;
    if (Date.now() > end) throw new Error(`not within ${timeout} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
