/** One line at a glance: its name, its level, what plays on it, and its last minute. */

import { glyph } from "../glyphs.js";
import { KEPT } from "../lines.js";
import { colour } from "../palette.js";
import { LABEL_LASTS } from "../situation.js";
import { NOTHING, percent, title } from "../words.js";

/** Height of the timeline, in CSS pixels. */
const HEIGHT = 8;
/** The softest that the meter shows, in dBFS. */
const FLOOR = -60;
/** How a state without an instrument is called. */
const STATES = new Map([["warming", "Listening"]]);

/**
 * @typedef {object} Glance
 * @property {import("../lines.js").Line} line
 * @property {number} time Stream time that is now, in seconds.
 * @property {boolean} live Whether there is a connection.
 * @property {boolean} front
 * @property {boolean} opened
 */

export class LineStrip {
  #canvas = document.createElement("canvas");
  #button = document.createElement("button");
  #cover = part("strip-cover");
  #glyph = part("strip-glyph");
  #label = part("strip-label");
  #figure = part("strip-figure");
  #front = part("strip-front");
  #shown = "";
  #painted = "";
  #ink = { neutral: "", edge: "" };
  #ratio = 1;
  /** @type {CanvasPattern | string} */
  #unknown = "";
  element = document.createElement("li");
  pen = /** @type {CanvasRenderingContext2D} */ (this.#canvas.getContext("2d"));

  /** @param {string} name @param {() => void} onPress */
  constructor(name, onPress) {
    this.name = name;
    const [meter, named] = [part("strip-meter"), part("strip-name")];
    meter.append(this.#cover);
    named.textContent = name;
    named.title = name;
    this.#front.textContent = "in front";
    this.#front.hidden = true;
    this.#canvas.className = "strip-past";
    for (const it of [meter, this.#glyph, this.#canvas]) it.setAttribute("aria-hidden", "true");
    this.#button.className = "strip";
    this.#button.type = "button";
    this.#button.setAttribute("aria-pressed", "false");
    this.#button.append(meter, this.#glyph, named, " ", this.#front, " ", this.#label, " ", this.#figure, this.#canvas);
    this.#button.addEventListener("click", onPress);
    this.element.append(this.#button);
  }

  focus() {
    this.#button.focus({ preventScroll: true });
  }

  /** Of the timeline, in CSS pixels. */
  get width() {
    return this.#canvas.clientWidth;
  }

  /**
   * @param {number} width Of the timeline, in CSS pixels.
   * @param {{neutral: string, edge: string}} ink
   * @param {CanvasPattern} unknown What is none of the instruments is filled with it.
   */
  prepare(width, ink, unknown) {
    this.#ink = ink;
    this.#unknown = unknown;
    this.#ratio = devicePixelRatio;
    this.#canvas.width = Math.max(1, Math.round(width * this.#ratio));
    this.#canvas.height = Math.round(HEIGHT * this.#ratio);
    this.#painted = "";
  }

  /** @param {Glance} glance */
  show({ line, time, live, front, opened }) {
    const heard = live && performance.now() - line.labelAt < LABEL_LASTS ? line.label : null;
    this.#cover.style.transform = `scaleY(${1 - (heard === null ? 0 : along(heard.rms))})`;
    const isSure = heard?.state === "instrument" || heard?.state === "unknown";
    write(this.#figure, heard !== null && isSure ? percent(heard.confidence) : "");
    const state = heard?.state ?? "offline";
    const name = state === "instrument" ? (heard?.label ?? "") : "";
    const shown = [state, name, front, opened].join("\n");
    if (shown !== this.#shown) this.#dress(state, name, front, opened);
    this.#shown = shown;
    this.#paint(line.stretches, time);
  }

  /** @param {string} state @param {string} name @param {boolean} front @param {boolean} opened */
  #dress(state, name, front, opened) {
    this.#button.dataset.state = state;
    this.#button.dataset.front = String(front);
    this.#button.setAttribute("aria-pressed", String(opened));
    this.#button.style.setProperty("--ink", name === "" ? "" : colour(name));
    this.#front.hidden = !front;
    write(this.#label, state === "offline" ? NOTHING : title(name || (STATES.get(state) ?? state)));
    if (state === "offline") this.#glyph.replaceChildren();
    else this.#glyph.replaceChildren(glyph(name || state));
  }

  /** @param {readonly import("../lines.js").Stretch[]} stretches @param {number} time */
  #paint(stretches, time) {
    const { width, height } = this.#canvas;
    /** @param {number} at */
    const place = (at) => Math.round(Math.max(0, 1 - (time - at) / KEPT) * width);
    const blocks = stretches.map(({ start, end, state, label }) => ({ left: place(start), right: place(end), state, label }));
    const painted = blocks.map(({ left, right, state, label }) => `${left} ${right} ${state} ${label}`).join("\n");
    if (painted === this.#painted) return;
    this.#painted = painted;
    const { pen } = this;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, width, height);
    for (const { left, right, state, label } of blocks) {
      if (right <= left || state === "warming") continue;
      if (state === "silence") {
        pen.fillStyle = this.#ink.neutral;
        pen.fillRect(left, Math.floor(height / 2), right - left, Math.max(1, Math.round(this.#ratio)));
        continue;
      }
      pen.fillStyle = state === "instrument" ? colour(label ?? "") : this.#unknown;
      pen.fillRect(left, 0, right - left, height);
      if (state !== "instrument" || right - left < 3) continue;
      pen.strokeStyle = this.#ink.edge;
      pen.strokeRect(left + 0.5, 0.5, right - left - 1, height - 1);
    }
  }
}

/** @param {string} name */
function part(name) {
  const element = document.createElement("span");
  element.className = name;
  return element;
}

/** @param {HTMLElement} element @param {string} text */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Where a level lies on the meter, from 0 to 1. @param {number} level In dBFS. */
export function along(level) {
  return Math.min(1, Math.max(0, 1 - level / FLOOR));
}
