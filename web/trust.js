// Does this browser trust the server's certificate, or has somebody gone past its warning? Pages are not told; what browsers
// refuse to do after a warning tells. Knows no DOM.

/** A service worker that does nothing. */
const IDLE = "/idle.js";

/**
 * Chromium registers no service worker over a certificate that it has warned of, and Safari opens no WebSocket. Firefox does
 * both, so of it nothing is known.
 * @param {Pick<Navigator, "userAgent"> & { serviceWorker?: Pick<ServiceWorkerContainer, "register"> }} browser
 * @returns {Promise<boolean | null>}
 */
export async function trustsServer(browser = navigator) {
  const { serviceWorker, userAgent } = browser;
  if (/Chrom(e|ium)\//.test(userAgent)) return serviceWorker ? registers(serviceWorker) : null;
  if (await refusesSockets()) return false;
  return userAgent.includes("Firefox/") ? null : true;
}

/** Does the server answer pages, but not WebSockets? To one that does not trust the certificate it looks like that. */
export async function refusesSockets() {
  return !(await opens()) && (await answers());
}

/** @param {Pick<ServiceWorkerContainer, "register">} serviceWorker */
async function registers(serviceWorker) {
  try {
    const registration = await serviceWorker.register(IDLE, { scope: IDLE });
    await registration.unregister();
    return true;
  } catch (error) {
    return error instanceof DOMException && error.name === "SecurityError" ? false : null;
  }
}

/** @returns {Promise<boolean>} */
function opens() {
  return new Promise((resolve) => {
    const socket = new WebSocket(`wss://${location.host}/ws`);
    socket.onopen = () => {
      resolve(true);
      socket.close();
    };
    socket.onerror = () => resolve(false);
  });
}

async function answers() {
  try {
    return (await fetch("/healthz", { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}
