// A test sound.

/** Two soft notes, a fifth apart: when each begins, and its pitch. */
const NOTES = [
  { at: 0.05, hertz: 523.25 },
  { at: 0.35, hertz: 783.99 },
];
const NOTE_SECONDS = 0.6;
const ALL_MS = 1_100;

/**
 * Plays it to a speaker. Over an element, since more browsers let elements choose than Web Audio.
 * @param {string} speaker  empty for the system's own
 * @returns {Promise<boolean>} whether it could be played
 */
export async function playTone(speaker) {
  const element = new Audio();
  /** @type {AudioContext | undefined} */
  let context;
  try {
    context = new AudioContext();
    const output = context.createMediaStreamDestination();
    element.srcObject = output.stream;
    if (speaker) await element.setSinkId(speaker);
    await element.play();
    for (const { at, hertz } of NOTES) note(context, output, context.currentTime + at, hertz);
    await new Promise((resolve) => setTimeout(resolve, ALL_MS));
    return true;
  } catch {
    return false;
  } finally {
    element.pause();
    element.srcObject = null;
    void context?.close();
  }
}

/**
 * @param {AudioContext} context
 * @param {AudioNode} output
 * @param {number} start  seconds
 * @param {number} hertz
 */
function note(context, output, start, hertz) {
  const [tone, loudness] = [context.createOscillator(), context.createGain()];
  tone.frequency.value = hertz;
  loudness.gain.setValueAtTime(0, start);
  loudness.gain.linearRampToValueAtTime(0.35, start + 0.03);
  loudness.gain.exponentialRampToValueAtTime(0.001, start + NOTE_SECONDS);
  tone.connect(loudness).connect(output);
  tone.start(start);
  tone.stop(start + NOTE_SECONDS);
}
