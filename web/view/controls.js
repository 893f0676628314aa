// The buttons below a call, the menu behind the last of them, and the keys that do the same.

import { sentence } from "../problems.js";
import { ScreenShare } from "../share.js";
import { byId, focusUnlessElsewhere, oneAtATime, setDevice, setToggle } from "./dom.js";
import { PictureInPicture } from "./pip.js";
import { Session } from "./session.js";
import { Shortcuts } from "./shortcuts.js";

/**
 * @typedef {object} Options
 * @property {import("../media.js").LocalMedia} media
 * @property {ScreenShare} share
 * @property {(up: boolean) => void} onhand
 * @property {string} limit  chosen the last time
 * @property {(limit: import("../quality.js").Limit) => void} onlimit
 * @property {() => void} onself  shows or hides the own picture
 * @property {() => void} onleave
 * @property {(text: string) => void} notice
 * @property {() => HTMLVideoElement[]} videos  what a small window shows
 */

export class Controls {
  #options;
  #mic = byId("mic", HTMLButtonElement);
  #camera = byId("camera", HTMLButtonElement);
  #shareButton = byId("share", HTMLButtonElement);
  #hand = byId("hand", HTMLButtonElement);
  #fullScreen = byId("full-screen", HTMLButtonElement);
  #pipButton = byId("pip", HTMLButtonElement);
  #menu = byId("menu", HTMLElement);
  #pip;
  #shortcuts;
  #session;
  #stop = new AbortController();

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    const { videos, onleave } = options;
    this.#pip = new PictureInPicture({
      videos,
      buttons: () => [this.#mic, this.#camera, byId("leave", HTMLButtonElement)],
      onchange: (open) => setToggle(this.#pipButton, open, "Small window"),
    });
    oneAtATime(this.#mic, () => this.#setDevice("audio", !options.media.isOn("audio")));
    oneAtATime(this.#camera, () => this.#setDevice("video", !options.media.isOn("video")));
    byId("leave", HTMLButtonElement).onclick = onleave;
    this.#wireShare();
    this.#wireHand();
    this.#wireMenu();
    this.#shortcuts = new Shortcuts(this.#keys());
    this.#session = new Session({
      togglemicrophone: () => this.#mic.click(),
      togglecamera: () => this.#camera.click(),
      hangup: onleave,
    });
    this.refresh();
    // Now it would make the browser lay out the page before anything else is done.
    requestAnimationFrame(() => focusUnlessElsewhere(this.#mic));
  }

  /** Microphone, camera or share changed. */
  refresh() {
    const { media, share } = this.#options;
    setDevice(this.#mic, media, "audio");
    setDevice(this.#camera, media, "video");
    setToggle(this.#shareButton, share.shared !== null, "Share screen");
    byId("share-hint", HTMLElement).hidden = share.shared === null;
    byId("share-hint-choice", HTMLSelectElement).value = share.hint;
    this.#pip.refresh();
    void this.#session.show(media.isOn("audio"), media.isOn("video"));
  }

  close() {
    this.#stop.abort();
    this.#shortcuts.close();
    this.#session.close();
    this.#pip.close();
    if (document.fullscreenElement) void document.exitFullscreen();
  }

  /** @returns {import("./shortcuts.js").Shortcut[]} */
  #keys() {
    const hold = { begin: () => this.#talk(), end: (/** @type {boolean} */ tapped) => this.#rest(tapped) };
    return [
      { key: "m", text: "Microphone on or off", button: this.#mic },
      { key: " ", text: "Hold to talk while muted", button: this.#mic, hold },
      { key: "c", text: "Camera on or off", button: this.#camera },
      { key: "s", text: "Share the screen, or stop", button: this.#shareButton },
      { key: "h", text: "Raise or lower the hand", button: this.#hand },
      { key: "f", text: "Full screen", button: this.#fullScreen },
      { key: "p", text: "Small window", button: this.#pipButton },
      { key: "k", text: "Lock or unlock the room", button: byId("lock", HTMLButtonElement) },
      { key: "v", text: "Own picture shown or hidden", button: byId("toggle-self", HTMLButtonElement) },
      { key: "shift+l", text: "Leave the call", button: byId("leave", HTMLButtonElement) },
    ];
  }

  /** Opens a muted microphone for as long as a key is held. */
  #talk() {
    if (this.#options.media.isOn("audio")) return false;
    this.#mic.classList.add("talking");
    void this.#setDevice("audio", true);
    return true;
  }

  /** @param {boolean} open  it stays open all the same */
  #rest(open) {
    this.#mic.classList.remove("talking");
    if (!open) void this.#setDevice("audio", false);
  }

  /**
   * @param {"audio" | "video"} kind
   * @param {boolean} on
   */
  async #setDevice(kind, on) {
    const { media, notice } = this.#options;
    await media.set(kind, on);
    const problem = media.problems[kind];
    if (on && problem) notice(sentence(kind, problem));
    const unseen = kind === "video" && byId("limit", HTMLSelectElement).value === "audio";
    if (on && !problem && unseen) notice("Only your sound is sent. The menu changes that.");
  }

  #wireShare() {
    const { share, notice } = this.#options;
    this.#shareButton.hidden = !ScreenShare.isPossible;
    oneAtATime(this.#shareButton, async () => {
      if (share.shared) {
        share.stop();
        return;
      }
      const problem = await share.start();
      if (problem) notice(problem);
    });
    const choice = byId("share-hint-choice", HTMLSelectElement);
    choice.onchange = () => (share.hint = choice.value === "motion" ? "motion" : "detail");
  }

  #wireHand() {
    let up = false;
    const show = () => setToggle(this.#hand, up, "Raise hand");
    this.#hand.onclick = () => {
      up = !up;
      show();
      this.#options.onhand(up);
    };
    show();
  }

  #wireMenu() {
    const { onlimit, onself } = this.#options;
    const { signal } = this.#stop;
    const limit = byId("limit", HTMLSelectElement);
    const tell = () => onlimit(/** @type {import("../quality.js").Limit} */ (limit.value));
    limit.onchange = tell;
    limit.value = this.#options.limit;
    if (!limit.value) limit.value = "auto";
    else if (limit.value !== "auto") tell();
    byId("show-shortcuts", HTMLButtonElement).onclick = () => {
      this.#menu.hidePopover();
      this.#shortcuts.show();
    };
    byId("toggle-self", HTMLButtonElement).onclick = onself;
    this.#pipButton.hidden = !PictureInPicture.isPossible;
    oneAtATime(this.#pipButton, () => this.#pip.toggle());
    setToggle(this.#pipButton, false, "Small window");
    this.#fullScreen.hidden = !document.fullscreenEnabled;
    oneAtATime(this.#fullScreen, async () => {
      const turn = document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen();
      await turn.catch(() => {});
    });
    const showFull = () => setToggle(this.#fullScreen, document.fullscreenElement !== null, "Full screen");
    document.addEventListener("fullscreenchange", showFull, { signal });
    showFull();
  }
}
