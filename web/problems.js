// What can be wrong with a camera or microphone, in words. Pure.

/**
 * @typedef {import("./lines.js").Kind} Kind
 * @typedef {"insecure" | "denied" | "missing" | "busy" | "ended" | "stopped" | "interrupted" | "failed"} Problem
 */

export const DEVICE = { audio: "microphone", video: "camera" };

/**
 * One sentence for a person: what is wrong and what to do.
 * @param {Kind} kind
 * @param {Problem} problem
 */
export function sentence(kind, problem) {
  const device = DEVICE[kind];
  switch (problem) {
    case "insecure":
      return "The browser gives no access to camera and microphone here, because the address is not secure. Open the page with https://.";
    case "denied":
      return `The ${device} is not allowed for this page. Allow it in the browser's address bar, then switch it on here.`;
    case "missing":
      return `No ${device} was found.`;
    case "busy":
      return `The ${device} is in use by another program. Close that one, then switch it on here.`;
    case "ended":
      return `The ${device} was disconnected.`;
    case "stopped":
      return `The ${device} was stopped by the system, as for a phone call. Switch it on again.`;
    case "interrupted":
      return `The ${device} is paused by the system, as during a phone call. It comes back by itself.`;
    default:
      return `The ${device} could not be started. Try another one.`;
  }
}

/**
 * Why a device that was chosen is not used.
 * @param {string} label
 * @param {Problem} problem
 */
export function refusal(label, problem) {
  switch (problem) {
    case "denied":
      return `${label} is not allowed for this page.`;
    case "missing":
      return `${label} was not found.`;
    case "busy":
      return `${label} is in use by another program.`;
    default:
      return `${label} could not be started.`;
  }
}

/**
 * @param {unknown} error  from getUserMedia
 * @returns {Problem}
 */
export function problemOf(error) {
  switch (error instanceof Error || error instanceof DOMException ? error.name : "") {
    case "NotAllowedError":
    case "SecurityError":
      return "denied";
    case "NotFoundError":
    case "OverconstrainedError":
      return "missing";
    case "NotReadableError":
    case "AbortError":
      return "busy";
    default:
      return "failed";
  }
}
