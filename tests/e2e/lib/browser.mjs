// Real browsers, driven by puppeteer-core: Debian's Chromium and Firefox ESR.

import puppeteer from "puppeteer-core";

export const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
export const FIREFOX = process.env.FIREFOX ?? "/usr/bin/firefox-esr";

/** Without these Chromium looks up its maker's hosts at every start. */
const QUIET = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-features=MediaRouter,OptimizationHints",
];

/**
 * @param {object} [options]
 * @param {boolean} [options.devices]  with a fake camera and microphone
 * @param {boolean} [options.allow]  whoever asks for them gets them
 * @param {string} [options.executablePath]
 * @param {boolean} [options.insecure]  any certificate will do
 * @param {string[]} [options.args]
 * @param {Record<string, string>} [options.env]
 * @param {boolean} [options.signals]  what interrupts this program closes the browser, and ends this program at once
 */
export function chromium({ devices = true, allow = true, executablePath = CHROMIUM, insecure = true, args = [], env = {}, signals = true } = {}) {
  return puppeteer.launch({
    executablePath,
    headless: true,
    acceptInsecureCerts: insecure,
    env: { ...process.env, ...env },
    pipe: true,
    handleSIGINT: signals,
    handleSIGTERM: signals,
    handleSIGHUP: signals,
    protocolTimeout: 60_000,
    args: [
      ...QUIET,
      "--allow-loopback-in-peer-connection",
      "--autoplay-policy=no-user-gesture-required",
      ...(devices ? ["--use-fake-device-for-media-stream"] : []),
      ...(allow ? ["--use-fake-ui-for-media-stream"] : []),
      ...args,
    ],
  });
}

/**
 * @param {object} [options]
 * @param {string} [options.executablePath]
 * @param {boolean} [options.insecure]  any certificate will do
 * @param {Record<string, unknown>} [options.preferences]
 * @param {number} [options.port]  at which it is steered; 0: any
 */
export function firefox({ executablePath = FIREFOX, insecure = true, preferences = {}, port = 0 } = {}) {
  return puppeteer.launch({
    browser: "firefox",
    executablePath,
    debuggingPort: port,
    headless: true,
    acceptInsecureCerts: insecure,
    protocolTimeout: 60_000,
    extraPrefsFirefox: {
      "media.navigator.streams.fake": true,
      "media.navigator.permission.disabled": true,
      "media.peerconnection.ice.loopback": true,
      "media.peerconnection.ice.obfuscate_host_addresses": false,
      "media.autoplay.default": 0,
      "network.captive-portal-service.enabled": false,
      "network.connectivity-service.enabled": false,
      "app.update.enabled": false,
      "datareporting.policy.dataSubmissionEnabled": false,
      "toolkit.telemetry.enabled": false,
      ...preferences,
    },
  });
}

/** Lets tests see the page's peer connections; the page itself has no globals. */
function recordConnections() {
  const connections = [];
  globalThis.testConnections = connections;
  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...args) {
      super(...args);
      connections.push(this);
    }
  };
}

/** One person's page. */
export class Person {
  /**
   * @param {import("puppeteer-core").Browser} browser
   * @param {string} url
   * @param {object} [options]
   * @param {() => void} [options.before]  runs in the page before its own scripts
   * @param {boolean} [options.deny]  the page gets no permission for anything
   * @param {{ width: number, height: number }} [options.viewport]
   */
  static async open(browser, url, { before, deny = false, viewport = { width: 1280, height: 800 } } = {}) {
    const context = await browser.createBrowserContext();
    if (deny) await context.overridePermissions(new URL(url).origin, []);
    const page = await context.newPage();
    const person = new Person();
    person.page = page;
    person.errors = [];
    page.on("pageerror", (error) => person.errors.push(String(error)));
    page.on("console", (message) => message.type() === "error" && person.errors.push(message.text()));
    // A call asks before its page goes away.
    page.on("dialog", (dialog) => void dialog.accept());
    await page.setViewport(viewport);
    await page.evaluateOnNewDocument(recordConnections);
    if (before) await page.evaluateOnNewDocument(before);
    await page.goto(url, { waitUntil: "domcontentloaded" });
    return person;
  }

  /** Opens a room's page and joins. */
  static async join(browser, url, options) {
    const person = await Person.open(browser, url, options);
    await person.enter();
    return person;
  }

  async enter() {
    await this.clickJoin();
    await this.page.waitForSelector("#leave", { visible: true });
  }

  async clickJoin() {
    await this.page.waitForSelector("#join", { visible: true });
    const pressed = () => this.page.waitForSelector("#join", { hidden: true, timeout: 3_000 }).then(() => true, () => false);
    await this.page.click("#join");
    // What the lobby says of devices may have moved it from below the pointer; or the page is slow, and it is gone by now.
    if (!(await pressed())) await this.page.$eval("#join", (button) => button.checkVisibility() && button.click());
  }

  /**
   * Presses a button, also of a page that is not in front: there Firefox lets a click of the driver's take five seconds.
   * @param {string} selector
   */
  async press(selector) {
    await this.page.$eval(selector, (button) => button.click());
  }

  async close() {
    await this.page.browserContext().close();
  }

  /** The text of what is shown there; empty if it is not shown. */
  text(selector) {
    return this.page.evaluate((selector) => {
      const element = document.querySelector(selector);
      return element?.checkVisibility() ? element.textContent.trim() : "";
    }, selector);
  }

  /** What is shown of the others: id, size and state of each tile. */
  tiles() {
    return this.page.evaluate(() =>
      [...document.querySelectorAll("video.remote")].map((video) => ({
        id: video.dataset.peer,
        width: video.videoWidth,
        state: video.closest("figure").dataset.state,
        name: video.closest("figure").querySelector(".name").textContent,
        mark: video.testMark ?? null,
      })),
    );
  }

  /** Marks the tiles that are there, so that one made anew can be told. */
  markTiles() {
    return this.page.evaluate(() => {
      for (const video of document.querySelectorAll("video.remote")) video.testMark = "same";
    });
  }

  /**
   * What each connection that is not closed has received, and of its selected pair the types of both candidates and, if
   * the local one is relayed, how the relay is reached.
   */
  stats() {
    return this.page.evaluate(async () => {
      const open = globalThis.testConnections.filter((pc) => pc.signalingState !== "closed");
      return Promise.all(
        open.map(async (pc) => {
          const report = await pc.getStats();
          const all = [...report.values()];
          const sum = (key) => all.reduce((total, stat) => total + (stat.type === "inbound-rtp" ? (stat[key] ?? 0) : 0), 0);
          const transport = all.find((stat) => stat.type === "transport" && stat.selectedCandidatePairId);
          const pair = transport
            ? report.get(transport.selectedCandidatePairId)
            : all.find((stat) => stat.type === "candidate-pair" && stat.nominated && stat.state === "succeeded");
          const local = report.get(pair?.localCandidateId);
          return {
            frames: sum("framesDecoded"),
            energy: sum("totalAudioEnergy"),
            local: local?.candidateType,
            remote: report.get(pair?.remoteCandidateId)?.candidateType,
            relayProtocol: local?.relayProtocol,
          };
        }),
      );
    });
  }

  /** Frames that each tile has shown; null in Firefox, which paints only the tab in front. */
  shown() {
    return this.page.evaluate(() => {
      if (navigator.userAgent.includes("Firefox")) return null;
      const videos = [...document.querySelectorAll(".tile:not(.no-picture) video.remote")];
      return videos.map((video) => video.getVideoPlaybackQuality().totalVideoFrames);
    });
  }

  /** The type of the local candidate of each connection. */
  async routes() {
    return (await this.stats()).map(({ local }) => local);
  }

  /** How the relay is reached by each connection whose local candidate is relayed. */
  async relayProtocols() {
    return (await this.stats()).map(({ local, relayProtocol }) => (local === "relay" ? relayProtocol : undefined));
  }
}
