// Sounds of the page itself.

/** Two soft notes, a fifth apart: when each begins, and its pitch. */
const TEST = [
  { at: 0.05, hertz: 523.25 },
  { at: 0.35, hertz: 783.99 },
];
const SOMEBODY = [{ at: 0.05, hertz: 659.25 }];
const NOTE_SECONDS = 0.6;
const REST_MS = 150;

/**
 * That somebody is at the door.
 * @param {string} speaker  empty for the system's own
 */
export function playChime(speaker) {
  return play(SOMEBODY, 0.12, speaker);
}

/**
 * A test sound.
 * @param {string} speaker  empty for the system's own
 */
export function playTone(speaker) {
  return play(TEST, 0.35, speaker);
}

/**
 * Plays notes to a speaker. Over an element, since more browsers let elements choose than Web Audio.
 * @param {typeof TEST} notes
 * @param {number} loud  from 0 to 1
 * @param {string} speaker
 * @returns {Promise<boolean>} whether they could be played
 */
async function play(notes, loud, speaker) {
  const element = new Audio();
  /** @type {AudioContext | undefined} */
  let context;
  try {
    context = new AudioContext();
    const output = context.createMediaStreamDestination();
    element.srcObject = output.stream;
    if (speaker) await element.setSinkId(speaker);
    await element.play();
    for (const { at, hertz } of notes) note(context, output, context.currentTime + at, hertz, loud);
    const seconds = notes[notes.length - 1].at + NOTE_SECONDS;
    await new Promise((resolve) => setTimeout(resolve, 1_000 * seconds + REST_MS));
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
 * @param {number} loud
 */
function note(context, output, start, hertz, loud) {
  const [tone, loudness] = [context.createOscillator(), context.createGain()];
  tone.frequency.value = hertz;
  loudness.gain.setValueAtTime(0, start);
  loudness.gain.linearRampToValueAtTime(loud, start + 0.03);
  loudness.gain.exponentialRampToValueAtTime(0.001, start + NOTE_SECONDS);
  tone.connect(loudness).connect(output);
  tone.start(start);
  tone.stop(start + NOTE_SECONDS);
}
