// How loud a microphone is. Knows no DOM beyond Web Audio.

const LOOK_MS = 60;
/** What a quiet room gives, and what a loud voice does, in decibels below full scale. */
const QUIET_DB = -58;
const LOUD_DB = -14;

/**
 * From 0 in a quiet room to 1 for a loud voice, in steps that ears take for equal. Pure.
 * @param {Float32Array} samples
 */
export function levelOf(samples) {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / (samples.length || 1);
  if (power <= 0) return 0;
  const level = (10 * Math.log10(power) - QUIET_DB) / (LOUD_DB - QUIET_DB);
  return Math.min(1, Math.max(0, level));
}

export class LevelMeter {
  #onlevel;
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {MediaStreamAudioSourceNode | null} */
  #source = null;
  /** @type {MediaStreamTrack | null} */
  #track = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /** @param {(level: number) => void} onlevel  some times each second, and once more when nothing is listened to */
  constructor(onlevel) {
    this.#onlevel = onlevel;
  }

  /** @param {MediaStreamTrack | null} track */
  listen(track) {
    if (track === this.#track) return;
    this.#rest();
    this.#track = track;
    if (!track) return;
    try {
      // Only now: while a microphone is open, browsers let a page use sound without a gesture.
      this.#context ??= new AudioContext();
      this.#source = this.#context.createMediaStreamSource(new MediaStream([track]));
    } catch {
      // Some browsers take no microphone whose rate is another than the speaker's.
      return;
    }
    void this.#context.resume().catch(() => {});
    const analyser = this.#context.createAnalyser();
    analyser.fftSize = 1024;
    this.#source.connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    this.#timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      this.#onlevel(levelOf(samples));
    }, LOOK_MS);
  }

  close() {
    this.#rest();
    void this.#context?.close().catch(() => {});
    this.#context = null;
  }

  #rest() {
    clearInterval(this.#timer);
    this.#source?.disconnect();
    this.#source = this.#track = null;
    this.#onlevel(0);
  }
}
