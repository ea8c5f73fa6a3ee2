/** Keeps what is shown a steady time behind what comes in batches, as two clocks that differ a little drift apart. */

/** Batches that are looked back upon. The earliest of them tells the clock; the others were only late. */
const MEMORY = 8;
/** So many columns ahead of all that came lately, and it goes back; what waits for longer than a second is skipped. */
const [TOO_EARLY, TOO_LATE] = [-6, 43];
/** A pace between these, and a hundredth for each column that is to be made up for. */
const [SLOWEST, FASTEST, GAIN] = [0.96, 1.04, 0.01];

export class Playout {
  /** @type {number[]} */
  #surplus = [];

  /**
   * @param {number} surplus Columns that wait beyond those that should, after a batch has come; less than 0 if too few.
   * @returns {{seek: number, pace: number}} Columns to go forward at once, and the pace to go on with.
   */
  hear(surplus) {
    this.#surplus.push(surplus);
    if (this.#surplus.length > MEMORY) this.#surplus.shift();
    const least = Math.max(...this.#surplus);
    const early = this.#surplus.length === MEMORY && least < TOO_EARLY;
    if (early || surplus > TOO_LATE) {
      this.#surplus = [];
      return { seek: early ? least : surplus, pace: 1 };
    }
    // A column more or less is the grain of the clock.
    const drift = Math.abs(least) < 1 ? 0 : Math.round(least);
    return { seek: 0, pace: Math.min(FASTEST, Math.max(SLOWEST, 1 + GAIN * drift)) };
  }

  clear() {
    this.#surplus = [];
  }
}
