// Small helpers for views.

/**
 * The element with this id, of this class.
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function byId(id, type) {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`the page has no ${type.name} #${id}`);
  return element;
}

/**
 * A copy of a template's only element.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function copyOf(id) {
  const copy = byId(id, HTMLTemplateElement).content.firstElementChild?.cloneNode(true);
  if (!(copy instanceof HTMLElement)) throw new Error(`template #${id} is empty`);
  return copy;
}

/**
 * @template {Element} T
 * @param {Element} parent
 * @param {string} selector
 * @param {new () => T} type
 * @returns {T}
 */
export function within(parent, selector, type) {
  const element = parent.querySelector(selector);
  if (!(element instanceof type)) throw new Error(`there is no ${type.name} ${selector}`);
  return element;
}

/**
 * Shows one screen and hides the others.
 * @param {"start" | "lobby" | "call" | "end"} name
 */
export function showScreen(name) {
  for (const screen of document.querySelectorAll("[data-screen]")) {
    if (screen instanceof HTMLElement) screen.hidden = screen.dataset.screen !== name;
  }
  document.documentElement.dataset.shown = name;
}

/**
 * A toggle button: pressed while the thing is on.
 * @param {HTMLButtonElement} button
 * @param {boolean} on
 * @param {string} name  accessible name
 */
export function setToggle(button, on, name) {
  button.setAttribute("aria-pressed", String(on));
  button.setAttribute("aria-label", name);
  button.title = name;
}

/**
 * The own picture is a mirror, but for a camera that looks away.
 * @param {HTMLVideoElement} video
 * @param {import("../media.js").LocalMedia} media
 */
export function setMirror(video, media) {
  video.classList.toggle("mirror", media.facing !== "environment");
}

/**
 * The button of the microphone or the camera.
 * @param {HTMLButtonElement} button
 * @param {import("../media.js").LocalMedia} media
 * @param {import("../lines.js").Kind} kind
 */
export function setDevice(button, media, kind) {
  const paused = media.isOn(kind) && !media.isSent(kind);
  button.classList.toggle("paused", paused);
  const name = kind === "audio" ? "Microphone" : "Camera";
  setToggle(button, media.isOn(kind), paused ? `${name}, paused by the system` : name);
}

/**
 * Copies text; the button says so for a moment.
 * @param {HTMLButtonElement} button
 * @param {string} text
 * @returns {Promise<boolean>} whether the browser let it
 */
export async function copyWith(button, text) {
  const label = within(button, ".label", HTMLElement);
  const before = (button.dataset.label ??= label.textContent ?? "");
  // There is no clipboard where the origin is not secure.
  const copied = await Promise.resolve().then(() => navigator.clipboard.writeText(text)).then(() => true, () => false);
  label.textContent = copied ? "Copied" : "Copy it by hand";
  setTimeout(() => (label.textContent = before), 2000);
  return copied;
}

/**
 * Runs one action of a button at a time. The button is not disabled meanwhile: that would take the focus from it.
 * @param {HTMLButtonElement} button
 * @param {() => Promise<void>} action
 */
export function oneAtATime(button, action) {
  let busy = false;
  button.onclick = async () => {
    if (busy) return;
    busy = true;
    try {
      await action();
    } finally {
      busy = false;
    }
  };
}

/**
 * Gives the focus to an element, unless it is on another that can be seen.
 * @param {HTMLElement} element
 */
export function focusUnlessElsewhere(element) {
  const { activeElement, body } = document;
  if (!activeElement || activeElement === body || activeElement.checkVisibility?.() === false) element.focus();
}

/**
 * Does something that may remove what has the focus.
 * @param {() => void} act
 * @param {string} id  of what has the focus then
 */
export function keepFocus(act, id) {
  const { activeElement } = document;
  act();
  if (activeElement && !activeElement.isConnected) byId(id, HTMLElement).focus();
}

/**
 * Are keys letters there?
 * @param {EventTarget | null} target
 */
export function isTyping(target) {
  return target instanceof Element && target.matches("input:not([type=range], [type=checkbox]), select, textarea");
}

/**
 * Sends an element's sound to a speaker, in browsers that can. One that is gone or busy leaves it where it was.
 * @param {HTMLMediaElement} element
 * @param {string} speaker  empty for the system's own
 * @returns {Promise<boolean>} whether it goes there
 */
export async function setSink(element, speaker) {
  if (!("setSinkId" in element) || element.sinkId === speaker) return true;
  return element.setSinkId(speaker).then(() => true, () => false);
}
