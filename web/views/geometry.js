/** Where on the timeline something is, and what is where. Sizes in CSS pixels. */

import { bin, binLength } from "../bins.js";

/**
 * @typedef {import("../bins.js").Bin} Bin
 * @typedef {import("../bins.js").Drawn} Drawn
 * @typedef {import("../happenings.js").Happening} Happening
 * @typedef {import("../happenings.js").Happenings} Happenings
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
 * @property {Band} [others] For instruments that have no lane.
 * @property {Band} none For what is no instrument.
 * @property {readonly Band[]} grounds All lanes but the last, with those that are free.
 */

/** What has no confidence is still so high. Of the lane's height. */
const LOWEST = 0.3;
/** So high is a bin with next to nothing in it, of the lane's height; and so wide is what shows a texture, in pixels. */
const [LOWEST_BIN, TEXTURED] = [0.25, 4];
/** No stretch is narrower, in pixels. */
const THINNEST = 2;
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

  /** How wide a second is. */
  get second() {
    return this.layout.width / (this.to - this.from);
  }

  /** @param {Happening | Bin} happening */
  box(happening) {
    if (happening.kind === "bin") return this.#binBox(happening);
    const { kind, start, end, state, label, confidence } = happening;
    const { none, flags } = this.layout;
    const left = this.x(start);
    const width = Math.max(this.x(end) - left, kind === "outage" || kind === "gap" ? TEXTURED : THINNEST);
    const lane = kind === "guess" || state === "instrument" ? this.#lane(label) : undefined;
    if (lane !== undefined) {
      const height = Math.round(lane.height * (LOWEST + (1 - LOWEST) * Math.min(1, Math.max(0, confidence))));
      return { left, width, top: lane.top + lane.height - height, height };
    }
    if (kind === "segment" || kind === "guess") return { left, width, ...none };
    const top = kind === "mark" ? flags.top : this.top;
    return { left, width, top, height: this.bottom - top };
  }

  /** Where an instrument is drawn, if there is a place for it. @param {string | null} label */
  #lane(label) {
    return this.layout.lanes.get(label ?? "") ?? (label === null ? undefined : this.layout.others);
  }

  /** The higher, the more of the time it fills; a pixel stays free between two of them. @param {Bin} bin */
  #binBox({ of, start, end, label, share }) {
    const { none, flags } = this.layout;
    const left = this.x(start);
    const width = Math.max(this.x(end) - left - 1, 1);
    if (of === "mark") return { left, width, ...flags };
    const lane = this.#lane(label) ?? none;
    const height = Math.round(lane.height * (LOWEST_BIN + (1 - LOWEST_BIN) * share));
    return { left, width, top: lane.top + lane.height - height, height };
  }

  /** The part of a box that is seen. @param {{left: number, width: number}} box */
  visible({ left, width }) {
    const [start, end] = [Math.max(0, left), Math.min(this.layout.width, left + width)];
    return { start, end, length: end - start };
  }

  /**
   * What is to be drawn.
   *
   * @param {Happenings} known
   * @returns {Drawn}
   */
  inSight({ segments, guesses, marks, outages }) {
    const margin = 2 * binLength(this.second); // a bin at the edge shall not change while it leaves
    const [heard, guessed, noted] = [segments, guesses, marks].map((all) => this.#seen(all, margin));
    return bin({ segments: heard, guesses: guessed, marks: noted, outages }, this.second);
  }

  /**
   * Those that reach into what is looked at.
   *
   * @param {readonly Happening[]} all In the order of time.
   * @param {number} margin What lies so far outside counts, too. In seconds.
   */
  #seen(all, margin) {
    const [from, to] = [this.from - margin, this.to + margin];
    let [low, high] = [0, all.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (all[middle].end >= from) high = middle;
      else low = middle + 1;
    }
    let last = low;
    while (last < all.length && all[last].start <= to) last += 1;
    return all.slice(low, last);
  }

  /**
   * What is drawn at a point; if there is nothing, what was heard then.
   *
   * @param {Drawn} drawn
   * @param {number} x
   * @param {number} y
   * @returns {Happening | Bin | null}
   */
  at({ segments, guesses, marks, outages, bins }, x, y) {
    /** @param {readonly (Happening | Bin)[]} all @param {number} reach */
    const nearest = (all, reach) => {
      let best = null;
      let least = reach;
      for (const it of all) {
        const away = Math.max(0, this.x(it.start) - x, x - this.x(it.end));
        if (away < least || (away === least && best === null)) [best, least] = [it, away];
      }
      return best;
    };
    const { lanes, others } = this.layout;
    const lane = [...lanes.values(), ...(others ? [others] : [])].find(({ top, height }) => y >= top && y < top + height);
    const mark = nearest([...marks, ...bins.filter(({ of }) => of === "mark")], NEAR_MARK);
    if (mark !== null && lane === undefined) return mark;
    const binned = bins.filter(({ of }) => of !== "mark").sort((a, b) => b.share - a.share);
    const inLane = lane && [...segments, ...binned, ...guesses].filter(({ label }) => this.#lane(label) === lane);
    const heard = [...segments, ...binned.filter(({ of }) => of === "segment")];
    return nearest(inLane ?? [], NEAR) ?? mark ?? nearest(outages, 0) ?? nearest(heard, NEAR);
  }
}
