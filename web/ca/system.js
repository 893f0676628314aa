// Which system a browser runs on, as far as it says so. Pure.

/** @param {{ userAgent: string, maxTouchPoints?: number }} browser */
export function systemOf({ userAgent, maxTouchPoints = 0 }) {
  if (/iPhone|iPad|iPod/.test(userAgent)) return "ios";
  if (userAgent.includes("Android")) return "android";
  // An iPad says that it is a Mac.
  if (userAgent.includes("Macintosh") && maxTouchPoints > 1) return "ios";
  // Firefox has a list of its own, whatever the system trusts.
  if (userAgent.includes("Firefox/")) return "firefox";
  if (userAgent.includes("Windows")) return "windows";
  return userAgent.includes("Macintosh") ? "mac" : "linux";
}
