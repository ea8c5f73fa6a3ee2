/** Where on the timeline something is, and what is where. Sizes in CSS pixels. */

/**
 * @typedef {import("../happenings.js").Happening} Happening
 *
 * @typedef {object} Band Where a lane is.
 * @property {number} top
 * @property {number} height
 *
 * @typedef {object} Layout
 * @property {number} width
 * @property {number} height
 * @property {Band} flags Of the marks.
 * @property {ReadonlyMap<string, Band>} lanes One for each instrument.
 * @property {Band} none For what is no instrument.
 */

/** What has no confidence is still so high. Of the lane's height. */
const LOWEST = 0.3;
/** So near one need come, with a finger too. */
const [NEAR, NEAR_MARK] = [10, 8];

export class Geometry {
  /**
   * @param {Layout} layout
   * @param {number} ratio Pixels of the screen in one of CSS.
   * @param {{from: number, to: number}} range Unix times.
   */
  constructor(layout, ratio, { from, to }) {
    this.layout = layout;
    this.from = from;
    this.to = to;
    this.top = layout.flags.top + layout.flags.height;
    this.bottom = layout.none.top + layout.none.height;
    this.ratio = ratio;
  }

  /** On whole pixels of the screen. @param {number} time Unix time. */
  x(time) {
    const { from, to, ratio } = this;
    return Math.round(((time - from) / (to - from)) * this.layout.width * ratio) / ratio;
  }

  /** Unix time at a distance from the left. @param {number} x */
  time(x) {
    return this.from + (x / this.layout.width) * (this.to - this.from);
  }

  /** @param {Happening} happening */
  box({ kind, start, end, state, label, confidence }) {
    const { lanes, none, flags } = this.layout;
    const left = this.x(start);
    const width = Math.max(this.x(end) - left, 1);
    const lane = kind === "guess" || state === "instrument" ? lanes.get(label ?? "") : undefined;
    if (lane !== undefined) {
      const height = Math.round(lane.height * (LOWEST + (1 - LOWEST) * Math.min(1, Math.max(0, confidence))));
      return { left, width, top: lane.top + lane.height - height, height };
    }
    if (kind === "segment" || kind === "guess") return { left, width, ...none };
    const top = kind === "mark" ? flags.top : this.top;
    return { left, width, top, height: this.bottom - top };
  }

  /** The part of a box that is seen. @param {{left: number, width: number}} box */
  visible({ left, width }) {
    const [start, end] = [Math.max(0, left), Math.min(this.layout.width, left + width)];
    return { start, end, length: end - start };
  }

  /**
   * Those that reach into what is looked at.
   *
   * @param {readonly Happening[]} all In the order of time.
   */
  seen(all) {
    let [low, high] = [0, all.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (all[middle].end >= this.from) high = middle;
      else low = middle + 1;
    }
    let last = low;
    while (last < all.length && all[last].start <= this.to) last += 1;
    return all.slice(low, last);
  }

  /**
   * What is drawn at a point; if there is nothing, what was heard then.
   *
   * @param {import("../happenings.js").Happenings} happenings
   * @param {number} x
   * @param {number} y
   * @returns {Happening | null}
   */
  at({ segments, guesses, marks, outages }, x, y) {
    /** @param {readonly Happening[]} all @param {number} reach */
    const nearest = (all, reach) => {
      let best = null;
      let least = reach;
      for (const it of all) {
        const away = Math.max(0, this.x(it.start) - x, x - this.x(it.end));
        if (away < least || (away === least && best === null)) [best, least] = [it, away];
      }
      return best;
    };
    const lane = [...this.layout.lanes].find(([, { top, height }]) => y >= top && y < top + height)?.[0];
    const [heard, guessed] = [this.seen(segments), this.seen(guesses)];
    const mark = nearest(this.seen(marks), NEAR_MARK);
    if (mark !== null && lane === undefined) return mark;
    const inLane = lane === undefined ? [] : [...heard, ...guessed].filter(({ label }) => label === lane);
    return nearest(inLane, NEAR) ?? mark ?? nearest(outages, 0) ?? nearest(heard, NEAR);
  }
}
