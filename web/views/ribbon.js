/** Draws the timeline: lanes of what was heard, and over them what concerns all lanes. Sizes in CSS pixels. */

import { colour } from "../palette.js";
import { ticks } from "../timescale.js";
import { title, wallClock } from "../words.js";
import { paintFlags } from "./flags.js";
import { Geometry } from "./geometry.js";
import { weave } from "./textures.js";

/**
 * @typedef {import("../bins.js").Bin} Bin
 * @typedef {import("../bins.js").Drawn} Drawn
 * @typedef {import("../happenings.js").Happening} Happening
 * @typedef {import("./geometry.js").Layout} Layout
 *
 * @typedef {Record<typeof COLOURS[number] | "font", string>} Ink The colours of the theme.
 */

const COLOURS = /** @type {const} */ (["panel", "track", "line", "text", "soft", "edge", "neutral", "wait", "bad"]);

/** Room for a time on the axis, and for a word in a block. */
const [TICK_ROOM, WORD_ROOM] = [84, 72];
/** What is narrower has no edge. */
const NARROW = 3;
/** What is narrower, and has no colour of its own, has a line at its left. */
const WITH_BORDER = 12;

/** What has a name of its own on the ribbon. */
const WORDS = new Map([
  ["warming", "warming up"],
  ["outage", "no input"],
  ["gap", "offline"],
]);

export class Ribbon {
  #canvas;
  #pen;
  #ratio = 1;
  /** @type {Layout} */
  #layout = { width: 1, height: 1, flags: { top: 0, height: 0 }, lanes: new Map(), none: { top: 0, height: 0 }, grounds: [] };
  /** @type {Ink | null} */
  #ink = null;
  /** @type {Record<string, CanvasPattern>} */
  #patterns = {};
  /** Of the part of the past that is looked at. */
  geometry = new Geometry(this.#layout, 1, { from: 0, to: 1 });

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
      outage: weave(this.#pen, "slant", ink.wait, this.#ratio),
      gap: weave(this.#pen, "slant", ink.bad, this.#ratio),
      unknown: weave(this.#pen, "dots", ink.neutral, this.#ratio),
      warming: weave(this.#pen, "bars", ink.neutral, this.#ratio),
    };
  }

  /**
   * Look at a part of the past.
   *
   * @param {{from: number, to: number}} range Unix times.
   */
  look(range) {
    this.geometry = new Geometry(this.#layout, this.#ratio, range);
    return this.geometry;
  }

  /**
   * Draw that part.
   *
   * @param {Drawn} drawn
   * @param {Happening | Bin | null} chosen
   */
  paint({ segments, guesses, marks, outages, bins }, chosen) {
    const ink = this.#ink;
    if (ink === null) return;
    const pen = this.#pen;
    pen.setTransform(this.#ratio, 0, 0, this.#ratio, 0, 0);
    pen.clearRect(0, 0, this.#layout.width, this.#layout.height);
    pen.font = ink.font;
    pen.textBaseline = "middle";
    this.#paintGround(ink);
    for (const outage of outages) this.#paintOutage(outage, ink);
    for (const bin of layered(bins)) this.#paintBin(bin, ink);
    for (const guess of guesses) this.#paintGuess(guess, ink);
    for (const segment of segments) this.#paintSegment(segment, ink);
    paintFlags(pen, ink, this.geometry, [...marks, ...bins.filter(({ of }) => of === "mark")]);
    if (chosen !== null) this.#paintChoice(chosen, ink);
  }

  /** @param {Ink} ink */
  #paintGround(ink) {
    const pen = this.#pen;
    const { from, to, top, bottom, layout } = this.geometry;
    pen.fillStyle = ink.track;
    pen.globalAlpha = 0.5;
    for (const lane of layout.grounds) pen.fillRect(0, lane.top, layout.width, lane.height);
    pen.globalAlpha = 1;
    const { step, times } = ticks(from, to, layout.width / TICK_ROOM);
    const middle = (bottom + 4 + layout.height) / 2 + 1;
    for (const time of times) {
      const x = this.geometry.x(time);
      const text = step < 60 ? wallClock(time) : wallClock(time).slice(0, 5);
      const half = pen.measureText(text).width / 2;
      pen.fillStyle = ink.line;
      pen.fillRect(x, top, 1, bottom + 4 - top);
      pen.fillStyle = ink.soft;
      if (x >= half && x + half <= layout.width) pen.fillText(text, x - half, middle);
    }
  }

  /** @param {Happening} segment @param {Ink} ink */
  #paintSegment(segment, ink) {
    const pen = this.#pen;
    const { state, label } = segment;
    const box = this.geometry.box(segment);
    const { left, width, top, height } = box;
    if (state === "instrument") {
      pen.fillStyle = colour(label ?? "");
      pen.fillRect(left, top, width, height);
      this.#paintEdge(box, ink.edge);
      if (!this.#layout.lanes.has(label ?? "")) this.#write(title(label ?? ""), box, ink.text, ink);
    } else {
      // A flat line is what silence looks like.
      pen.fillStyle = state === "silence" ? ink.neutral : (this.#patterns[state] ?? this.#patterns.unknown);
      if (state === "silence") pen.fillRect(left, top + height / 2 - 1, Math.max(width - 1, 1), 2);
      else pen.fillRect(left, top, width, height);
      this.#write(WORDS.get(state) ?? state, box, ink.soft, ink);
    }
  }

  /** @param {Happening} guess @param {Ink} ink */
  #paintGuess(guess, ink) {
    const pen = this.#pen;
    const box = this.geometry.box(guess);
    const shade = colour(guess.label ?? "");
    pen.fillStyle = shade;
    pen.globalAlpha = box.width < NARROW ? 0.6 : 0.35;
    pen.fillRect(box.left, box.top, box.width, box.height);
    pen.globalAlpha = 1;
    if (box.width >= NARROW) this.#paintEdge(box, shade);
    this.#paintEdge(box, ink.edge);
  }

  /** @param {Happening} outage @param {Ink} ink */
  #paintOutage(outage, ink) {
    const box = this.geometry.box(outage);
    this.#pen.fillStyle = this.#patterns[outage.kind];
    this.#pen.fillRect(box.left, box.top, box.width, box.height);
    if (box.width < WITH_BORDER) {
      this.#pen.fillStyle = outage.kind === "gap" ? ink.bad : ink.wait;
      this.#pen.fillRect(box.left, box.top, 1, box.height); // or too little of the slanted lines would be seen
    }
    this.#write(WORDS.get(outage.kind) ?? "", box, outage.kind === "gap" ? ink.bad : ink.wait, ink);
  }

  /** @param {Bin} bin @param {Ink} ink */
  #paintBin(bin, ink) {
    const pen = this.#pen;
    const { of, state, label } = bin;
    if (of === "mark") return;
    const { left, width, top, height } = this.geometry.box(bin);
    if (of === "segment" && state === "silence") {
      const { none } = this.#layout;
      pen.fillStyle = ink.neutral;
      pen.fillRect(left, none.top + none.height / 2 - 1, width, 2);
      return;
    }
    pen.globalAlpha = of === "guess" ? 0.5 : 1;
    pen.fillStyle = label === null ? (this.#patterns[state] ?? this.#patterns.unknown) : colour(label);
    pen.fillRect(left, top, width, height);
    pen.globalAlpha = 1;
    if (label !== null) this.#paintEdge({ left, width, top, height }, ink.edge);
  }

  /** @param {Happening | Bin} chosen @param {Ink} ink */
  #paintChoice(chosen, ink) {
    const { left, width, top, height } = this.geometry.box(chosen);
    const pen = this.#pen;
    pen.lineWidth = 2;
    pen.strokeStyle = ink.panel;
    pen.strokeRect(left - 3, top - 3, width + 6, height + 6);
    pen.strokeStyle = ink.text;
    pen.strokeRect(left - 1, top - 1, width + 2, height + 2);
  }

  /** @param {{left: number, width: number, top: number, height: number}} box @param {string} shade */
  #paintEdge({ left, width, top, height }, shade) {
    const pen = this.#pen;
    if (shade === "transparent") return;
    if (width < NARROW) {
      pen.globalAlpha = 0.6;
      pen.fillStyle = shade;
      pen.fillRect(left, top, width, height);
      pen.globalAlpha = 1;
    } else {
      pen.lineWidth = 1;
      pen.strokeStyle = shade;
      pen.strokeRect(left + 0.5, top + 0.5, width - 1, height - 1);
    }
  }

  /**
   * Write into a box, if there is room.
   *
   * @param {string} text
   * @param {{left: number, width: number, top: number, height: number}} box
   * @param {string} shade
   * @param {Ink} ink
   */
  #write(text, box, shade, ink) {
    const { start, length } = this.geometry.visible(box);
    const pen = this.#pen;
    const { width } = pen.measureText(text);
    if (length < Math.max(WORD_ROOM, width + 12)) return;
    const middle = box.top + box.height / 2;
    pen.fillStyle = ink.panel;
    pen.fillRect(start + 3, middle - 8, width + 6, 16);
    pen.fillStyle = shade;
    pen.fillText(text, start + 6, middle + 1);
  }
}

/** Guesses first, what is low in front of what is high: those of several instruments may share a lane. @param {readonly Bin[]} bins */
const layered = (bins) =>
  [...bins].sort((a, b) => Number(a.of !== "guess") - Number(b.of !== "guess") || b.share - a.share);

/**
 * Read the colours of the theme.
 *
 * @param {HTMLElement} element
 * @returns {Ink}
 */
export function readInk(element) {
  const style = getComputedStyle(element);
  const colours = COLOURS.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]);
  return { ...Object.fromEntries(colours), font: `${style.fontSize} ${style.fontFamily}` };
}
