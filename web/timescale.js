/** A stretch of time on a screen: how much of it, where its ticks stand, and how they are written. */

/** What one can choose from, in seconds. */
export const SPANS = [30, 120, 600, 1800, 7200];
const [SHORTEST, LONGEST] = [SPANS[0], SPANS[SPANS.length - 1]];

/** Between two ticks, in seconds: what people count in. */
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];

/** The part of the past that is looked at. It ends now unless somebody has scrolled back. */
export class Period {
  /** In seconds. */
  span = 120;
  /** Unix time at its end; null for now. @type {number | null} */
  end = null;

  /** @param {number} now */
  range(now) {
    const to = this.end ?? now;
    return { from: to - this.span, to };
  }

  /**
   * Look at more or less, about a moment that stays where it is. What ends now goes on ending now.
   *
   * @param {number} span In seconds.
   * @param {number} now
   * @param {number} about Unix time.
   * @param {number} oldest Unix time of the first thing known.
   */
  zoom(span, now, about, oldest) {
    const chosen = Math.min(LONGEST, Math.max(SHORTEST, span));
    if (this.end !== null) {
      const share = (this.end - about) / this.span;
      this.end = about + share * chosen;
    }
    this.span = chosen;
    if (this.end !== null) this.scroll(0, now, oldest);
  }

  /**
   * Look at what was later, or with less than 0 at what was earlier.
   *
   * @param {number} seconds
   * @param {number} now
   * @param {number} oldest Unix time of the first thing known.
   */
  scroll(seconds, now, oldest) {
    const end = Math.max((this.end ?? now) + seconds, oldest + this.span);
    this.end = end >= now ? null : end;
  }

  /** Look at a moment, wherever that is. @param {number} time @param {number} now @param {number} oldest */
  reveal(time, now, oldest) {
    const { from, to } = this.range(now);
    const margin = 0.1 * this.span;
    if (time < from + margin) this.scroll(time - margin - from, now, oldest);
    else if (time > to - margin && this.end !== null) this.scroll(time + margin - to, now, oldest);
  }
}

/**
 * Where ticks stand, on round times of the wall's clock.
 *
 * @param {number} from Unix time.
 * @param {number} to
 * @param {number} most Ticks that there is room for.
 * @returns {{step: number, times: number[]}}
 */
export function ticks(from, to, most) {
  const step = STEPS.find((seconds) => (to - from) / seconds <= most) ?? 7200;
  const offset = 60 * new Date(1000 * to).getTimezoneOffset();
  const times = [];
  for (let time = Math.ceil((from - offset) / step) * step + offset; time <= to; time += step) times.push(time);
  return { step, times };
}
