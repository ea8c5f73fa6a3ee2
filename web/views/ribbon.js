/** Draws the timeline: lanes of what was heard, and over them what concerns all lanes. Sizes in CSS pixels. */

import { colour } from "../palette.js";
import { ticks } from "../timescale.js";
import { wallClock } from "../words.js";

/**
 * @typedef {object} Band Where a lane is.
 * @property {number} top
 * @property {number} height
 *
 * @typedef {object} Layout
 * @property {number} width
 * @property {number} height
 * @property {Band} flags
 * @property {ReadonlyMap<string, Band>} lanes One for each instrument.
 * @property {Band} none For what is no instrument.
 *
 * @typedef {object} Ink The colours of the theme.
 * @property {string} panel
 * @property {string} track
 * @property {string} line
 * @property {string} text
 * @property {string} soft
 * @property {string} edge
 * @property {string} neutral
 * @property {string} wait
 * @property {string} bad
 * @property {string} font
 *
 * @typedef {object} Happening Anything that is drawn.
 * @property {"segment" | "guess" | "mark" | "outage" | "gap"} kind
 * @property {number} start Unix time.
 * @property {number} end The same as the start for a mark.
 * @property {boolean} lasting Whether it goes on.
 * @property {string} state Of a segment.
 * @property {string | null} label
 * @property {number} confidence
 * @property {string} text A mark's, or an outage's reason.
 *
 * @typedef {object} Scene
 * @property {number} from Unix time.
 * @property {number} to
 * @property {readonly Happening[]} segments In the order of time, as all of them.
 * @property {readonly Happening[]} guesses
 * @property {readonly Happening[]} marks
 * @property {readonly Happening[]} outages Of the source, and of the connection.
 * @property {Happening | null} chosen
 */

/** What has no confidence is still so high. Of the lane's height. */
const LOWEST = 0.3;
/** Room for a time on the axis, and for a word in a block. */
const [TICK_ROOM, WORD_ROOM] = [84, 64];
/** A finger is not as exact as a mouse. */
const [TOUCH, MARK_TOUCH] = [10, 8];

const STATES = new Map([
  ["silence", "silence"],
  ["unknown", "unknown"],
  ["warming", "warming up"],
]);

export class Ribbon {
  #canvas;
  #pen;
  #ratio = 1;
  /** @type {Layout} */
  #layout = { width: 0, height: 0, flags: { top: 0, height: 0 }, lanes: new Map(), none: { top: 0, height: 0 } };
  /** @type {Ink | null} */
  #ink = null;
  /** @type {Record<string, CanvasPattern>} */
  #patterns = {};
  /** @type {Scene | null} */
  #scene = null;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#canvas = canvas;
    this.#pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  }

  /** Take other sizes or colours. @param {Layout} layout @param {Ink} ink */
  prepare(layout, ink) {
    this.#layout = layout;
    this.#ink = ink;
    this.#ratio = devicePixelRatio;
    const [width, height] = [layout.width, layout.height].map((size) => Math.max(1, Math.round(size * this.#ratio)));
    if (this.#canvas.width !== width) this.#canvas.width = width;
    if (this.#canvas.height !== height) this.#canvas.height = height;
    this.#patterns = {
      outage: this.#hatch(7, ink.wait, "slant"),
      gap: this.#hatch(7, ink.bad, "slant"),
      unknown: this.#hatch(4, ink.neutral, "dots"),
      warming: this.#hatch(5, ink.neutral, "bars"),
    };
  }

  /** @param {Scene} scene */
  paint(scene) {
    const ink = this.#ink;
    if (ink === null) return;
    this.#scene = scene;
    const pen = this.#pen;
    pen.setTransform(this.#ratio, 0, 0, this.#ratio, 0, 0);
    pen.clearRect(0, 0, this.#layout.width, this.#layout.height);
    pen.font = ink.font;
    pen.textBaseline = "middle";
    this.#paintGround(scene, ink);
    for (const outage of scene.outages) this.#paintOutage(outage, ink);
    this.#paintGuesses(scene, ink);
    this.#paintSegments(scene, ink);
    this.#paintMarks(scene, ink);
    if (scene.chosen !== null) this.#paintChoice(scene.chosen, ink);
  }

  /**
   * What is drawn at a point, or sounded then.
   *
   * @param {number} x
   * @param {number} y
   * @returns {Happening | null}
   */
  at(x, y) {
    const scene = this.#scene;
    if (scene === null) return null;
    const { flags, lanes } = this.#layout;
    const near = scene.marks.filter((mark) => Math.abs(this.x(mark.start) - x) <= MARK_TOUCH);
    const lane = [...lanes].find(([, { top, height }]) => y >= top && y < top + height)?.[0];
    if (near.length > 0 && (y < flags.top + flags.height || lane === undefined)) return nearest(near, (it) => this.#away(it, x));
    const here = [...this.#seen(scene.segments), ...this.#seen(scene.guesses)].filter((it) => this.#away(it, x) <= TOUCH);
    const hit = nearest(here.filter((it) => lane !== undefined && it.label === lane), (it) => this.#away(it, x));
    if (hit !== null) return hit;
    if (near.length > 0) return near[0];
    const covering = scene.outages.find((it) => this.#away(it, x) === 0);
    if (covering !== undefined) return covering;
    return nearest(here.filter(({ kind }) => kind === "segment"), (it) => this.#away(it, x));
  }

  /**
   * The middle of what is seen of something.
   *
   * @param {Happening} happening
   * @returns {{x: number, y: number}}
   */
  place(happening) {
    const { left, right, top, height } = this.#box(happening);
    return { x: (Math.max(0, left) + Math.min(this.#layout.width, right)) / 2, y: top + height / 2 };
  }

  /** Unix time at a distance from the left. @param {number} x */
  time(x) {
    const { from, to } = this.#scene ?? { from: 0, to: 0 };
    return from + (x / Math.max(1, this.#layout.width)) * (to - from);
  }

  /** On whole pixels of the screen. @param {number} time Unix time. */
  x(time) {
    const { from, to } = this.#scene ?? { from: 0, to: 1 };
    const ratio = this.#ratio;
    return Math.round(((time - from) / (to - from)) * this.#layout.width * ratio) / ratio;
  }

  /** @param {Scene} scene @param {Ink} ink */
  #paintGround({ from, to }, ink) {
    const pen = this.#pen;
    const { width, height, lanes, none } = this.#layout;
    const bottom = none.top + none.height;
    pen.fillStyle = ink.track;
    pen.globalAlpha = 0.5;
    for (const { top, height: tall } of lanes.values()) pen.fillRect(0, top, width, tall);
    pen.globalAlpha = 1;
    const { step, times } = ticks(from, to, width / TICK_ROOM);
    for (const time of times) {
      const x = this.x(time);
      const text = step < 60 ? wallClock(time) : wallClock(time).slice(0, 5);
      const half = pen.measureText(text).width / 2;
      pen.fillStyle = ink.line;
      pen.fillRect(x, lanes.values().next().value?.top ?? 0, 1, bottom + 4 - (lanes.values().next().value?.top ?? 0));
      pen.fillStyle = ink.soft;
      if (x - half >= 0 && x + half <= width) pen.fillText(text, x - half, (bottom + 4 + height) / 2 + 1);
    }
  }

  /** @param {Scene} scene @param {Ink} ink */
  #paintSegments({ segments }, ink) {
    const pen = this.#pen;
    for (const segment of this.#seen(segments)) {
      const { left, right, top, height } = this.#box(segment);
      const width = right - left;
      if (segment.state === "instrument") {
        pen.fillStyle = colour(segment.label ?? "");
        pen.fillRect(left, top, width, height);
        this.#paintEdge(left, top, width, height, ink.edge);
        continue;
      }
      pen.fillStyle = segment.state === "silence" ? ink.neutral : (this.#patterns[segment.state] ?? this.#patterns.unknown);
      if (segment.state === "silence") pen.fillRect(left, top + height / 2 - 1, Math.max(width - 1, 1), 2);
      else pen.fillRect(left, top, width, height);
      const [start, end] = [Math.max(0, left), Math.min(this.#layout.width, right)];
      if (end - start >= WORD_ROOM) this.#write(STATES.get(segment.state) ?? segment.state, start + 6, top + height / 2, ink.soft, ink.panel);
    }
  }

  /** @param {Scene} scene @param {Ink} ink */
  #paintGuesses({ guesses }, ink) {
    const pen = this.#pen;
    for (const guess of this.#seen(guesses)) {
      const { left, right, top, height } = this.#box(guess);
      const width = right - left;
      pen.fillStyle = pen.strokeStyle = colour(guess.label ?? "");
      pen.globalAlpha = 0.35;
      pen.fillRect(left, top, width, height);
      pen.globalAlpha = 1;
      this.#paintEdge(left, top, width, height, pen.strokeStyle);
      this.#paintEdge(left, top, width, height, ink.edge);
    }
  }

  /** @param {Happening} outage @param {Ink} ink */
  #paintOutage(outage, ink) {
    const { left, right, top, height } = this.#box(outage);
    const pen = this.#pen;
    pen.fillStyle = this.#patterns[outage.kind];
    pen.fillRect(left, top, right - left, height);
    const [start, end] = [Math.max(0, left), Math.min(this.#layout.width, right)];
    if (end - start < WORD_ROOM * 1.6) return;
    const [text, shade] = outage.kind === "gap" ? ["no connection", ink.bad] : ["no input", ink.wait];
    this.#write(text, start + 6, top + height / 2, shade, ink.panel);
  }

  /** @param {Scene} scene @param {Ink} ink */
  #paintMarks({ marks }, ink) {
    const pen = this.#pen;
    const { flags, none, width } = this.#layout;
    const middle = flags.top + flags.height / 2;
    let free = width;
    for (const mark of marks.toReversed()) {
      const x = this.x(mark.start);
      pen.fillStyle = ink.text;
      pen.globalAlpha = 0.6;
      pen.fillRect(x, flags.top + flags.height, 1, none.top + none.height - flags.top - flags.height);
      pen.globalAlpha = 1;
      pen.fillRect(x, flags.top + 2, 1, flags.height - 2);
      pen.beginPath();
      pen.moveTo(x + 1, flags.top + 2);
      pen.lineTo(x + 9, middle - 1);
      pen.lineTo(x + 1, middle + 4);
      pen.fill();
      const letters = Math.floor((free - x - 20) / (pen.measureText("n").width || 7));
      if (letters >= mark.text.length) pen.fillText(mark.text, x + 12, middle + 1);
      else if (letters >= 4) pen.fillText(`${mark.text.slice(0, letters - 1).trimEnd()}…`, x + 12, middle + 1);
      free = Math.min(free, x);
    }
  }

  /** @param {Happening} chosen @param {Ink} ink */
  #paintChoice(chosen, ink) {
    const { left, right, top, height } = this.#box(chosen);
    const pen = this.#pen;
    pen.lineWidth = 2;
    pen.strokeStyle = ink.panel;
    pen.strokeRect(left - 3, top - 3, right - left + 6, height + 6);
    pen.strokeStyle = ink.text;
    pen.strokeRect(left - 1, top - 1, right - left + 2, height + 2);
  }

  /** @param {number} left @param {number} top @param {number} width @param {number} height @param {string | CanvasGradient | CanvasPattern} style */
  #paintEdge(left, top, width, height, style) {
    if (width < 3) return;
    this.#pen.lineWidth = 1;
    this.#pen.strokeStyle = style;
    this.#pen.strokeRect(left + 0.5, top + 0.5, width - 1, height - 1);
  }

  /** @param {string} text @param {number} x @param {number} y @param {string} shade @param {string} ground */
  #write(text, x, y, shade, ground) {
    const pen = this.#pen;
    const width = pen.measureText(text).width;
    pen.fillStyle = ground;
    pen.fillRect(x - 3, y - 8, width + 6, 16);
    pen.fillStyle = shade;
    pen.fillText(text, x, y + 1);
  }

  /** @param {Happening} happening */
  #box({ kind, start, end, state, label, confidence }) {
    const { lanes, none, flags } = this.#layout;
    const left = this.x(start);
    const right = Math.max(this.x(end), left + 1);
    const lane = kind === "guess" || state === "instrument" ? lanes.get(label ?? "") : undefined;
    if (lane !== undefined) {
      const height = Math.round(lane.height * (LOWEST + (1 - LOWEST) * Math.min(1, Math.max(0, confidence))));
      return { left, right, top: lane.top + lane.height - height, height };
    }
    if (kind === "segment" || kind === "guess") return { left, right, top: none.top, height: none.height };
    const top = kind === "mark" ? flags.top : flags.top + flags.height;
    return { left, right, top, height: none.top + none.height - top };
  }

  /** Those that reach into what is looked at. @param {readonly Happening[]} all */
  #seen(all) {
    const { from, to } = /** @type {Scene} */ (this.#scene);
    let [low, high] = [0, all.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (all[middle].end > from) high = middle;
      else low = middle + 1;
    }
    let last = low;
    while (last < all.length && all[last].start < to) last += 1;
    return all.slice(low, last);
  }

  /** How far something is from a place, 0 within. @param {Happening} happening @param {number} x */
  #away({ start, end }, x) {
    return Math.max(0, this.x(start) - x, x - this.x(end));
  }

  /**
   * @param {number} size
   * @param {string} shade
   * @param {"slant" | "dots" | "bars"} kind
   */
  #hatch(size, shade, kind) {
    const tile = document.createElement("canvas");
    const side = Math.round(size * this.#ratio);
    tile.width = tile.height = side;
    const pen = /** @type {CanvasRenderingContext2D} */ (tile.getContext("2d"));
    pen.fillStyle = pen.strokeStyle = shade;
    if (kind === "slant") {
      pen.globalAlpha = 0.12;
      pen.fillRect(0, 0, side, side);
      pen.globalAlpha = 0.75;
      pen.lineWidth = side / 5;
      pen.lineCap = "square";
      pen.beginPath();
      for (const shift of [-side, 0, side]) {
        pen.moveTo(shift, side);
        pen.lineTo(shift + side, 0);
      }
      pen.stroke();
    } else if (kind === "dots") {
      pen.globalAlpha = 0.35;
      pen.fillRect(0, 0, side, side);
      pen.globalAlpha = 0.8;
      pen.fillRect(0, 0, side / 2, side / 2);
    } else {
      pen.globalAlpha = 0.7;
      pen.fillRect(0, 0, side / 2.5, side);
    }
    const pattern = /** @type {CanvasPattern} */ (this.#pen.createPattern(tile, "repeat"));
    pattern.setTransform(new DOMMatrix().scale(1 / this.#ratio));
    return pattern;
  }
}

/**
 * @param {Happening[]} happenings
 * @param {(happening: Happening) => number} distance
 */
function nearest(happenings, distance) {
  let best = null;
  for (const it of happenings) if (best === null || distance(it) < distance(best)) best = it;
  return best;
}
