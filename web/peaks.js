/** Holds what passes too quickly to be seen: peaks and clipping, whatever the rate at which the screen is drawn. */

/**
 * @typedef {object} Loudness
 * @property {number} rms In dBFS.
 * @property {number} peak The largest of the last moments, in dBFS.
 * @property {boolean} clipped Whether the input was at full scale in the last seconds.
 */

/** In milliseconds. */
const [PEAK_LASTS, CLIP_LASTS] = [1500, 3000];
/** Levels come 20 times a second; later than this there is none. In milliseconds. */
const LEVEL_LASTS = 1000;

export class Peaks {
  #rms = -120;
  #peak = -120;
  #peakAt = -Infinity;
  #clippedAt = -Infinity;
  #heardAt = -Infinity;

  /**
   * @param {import("./messages.js").Level} level
   * @param {number} now performance.now()
   */
  hear(level, now) {
    this.#heardAt = now;
    this.#rms = level.rms;
    if (level.peak >= this.#peak || now - this.#peakAt > PEAK_LASTS) {
      this.#peak = level.peak;
      this.#peakAt = now;
    }
    if (level.clipped) this.#clippedAt = now;
  }

  /** Forget everything: the connection is gone. */
  clear() {
    this.#heardAt = this.#clippedAt = this.#peakAt = -Infinity;
  }

  /**
   * @param {number} now performance.now()
   * @returns {Loudness | null} null when nothing is told.
   */
  at(now) {
    if (now - this.#heardAt > LEVEL_LASTS) return null;
    return { rms: this.#rms, peak: this.#peak, clipped: now - this.#clippedAt <= CLIP_LASTS };
  }
}
