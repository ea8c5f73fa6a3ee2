/** Holds what passes too quickly to be seen: peaks and clipping, whatever the rate at which the screen is drawn. */

/**
 * @typedef {object} Loudness
 * @property {number} rms In dBFS.
 * @property {number} peak The largest of the last moments, in dBFS; then it falls.
 * @property {number} highest The largest of all, in dBFS.
 * @property {boolean} clipped Whether the input was at full scale in the last seconds.
 * @property {number | null} clippedAgo Since the input was last at full scale, in seconds; null if it never was.
 * @property {number} clips How often it was.
 */

/** In milliseconds. */
const [PEAK_LASTS, CLIP_LASTS] = [1500, 3000];
/** By which a peak falls thereafter, in dB for each millisecond. */
const FALL = 20 / 1000;
/** Full scale that comes again within it is the same clip. In milliseconds. */
const SAME_CLIP = 1000;
/** Levels come 20 times a second; later than this there is none. In milliseconds. */
const LEVEL_LASTS = 1000;

export class Peaks {
  #rms = -120;
  #newest = -120;
  #peak = -120;
  #peakAt = -Infinity;
  #highest = -120;
  #clippedAt = -Infinity;
  #clips = 0;
  #heardAt = -Infinity;

  /**
   * @param {import("./messages.js").Level} level
   * @param {number} now performance.now()
   */
  hear(level, now) {
    this.#rms = level.rms;
    this.#newest = level.peak;
    if (level.peak >= this.#held(now)) {
      this.#peak = level.peak;
      this.#peakAt = now;
    }
    this.#heardAt = now;
    this.#highest = Math.max(this.#highest, level.peak);
    if (level.clipped !== true) return;
    if (now - this.#clippedAt > SAME_CLIP) this.#clips += 1;
    this.#clippedAt = now;
  }

  /** Nothing is heard any more. What was clipped stays told. */
  clear() {
    this.#heardAt = this.#peakAt = -Infinity;
  }

  /** Begin again with the highest and the clips. */
  reset() {
    this.#highest = -120;
    this.#clippedAt = -Infinity;
    this.#clips = 0;
  }

  /**
   * @param {number} now performance.now()
   * @returns {Loudness | null} null when nothing is told.
   */
  at(now) {
    if (now - this.#heardAt > LEVEL_LASTS) return null;
    const ago = now - this.#clippedAt;
    return {
      rms: this.#rms,
      peak: Math.max(this.#newest, this.#held(now)),
      highest: this.#highest,
      clipped: ago <= CLIP_LASTS,
      clippedAgo: this.#clips === 0 ? null : ago / 1000,
      clips: this.#clips,
    };
  }

  /** What is left of the peak. @param {number} now */
  #held(now) {
    return Math.max(-120, this.#peak - FALL * Math.max(0, now - this.#peakAt - PEAK_LASTS));
  }
}
