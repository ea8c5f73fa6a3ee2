/** The present state: its glyph, and its name in type as large as the place allows. */

import { glyph } from "../glyphs.js";
import { colour } from "../palette.js";

/** @typedef {import("../situation.js").Situation} Situation */

/** In pixels. */
const SMALLEST = 20;

export class Now {
  #element;
  #line;
  #eyebrow;
  #glyph;
  #place;
  #name;
  #lasted;
  #detail;
  #figure;
  #fill;
  #drawn = "";

  /** @param {HTMLElement} element */
  constructor(element) {
    /** @param {string} selector */
    const part = (selector) => /** @type {HTMLElement} */ (element.querySelector(selector));
    this.#element = element;
    this.#line = part(".now-line");
    this.#eyebrow = part(".now-eyebrow");
    this.#glyph = part(".now-glyph");
    this.#place = part(".now-place");
    this.#name = part(".now-name");
    this.#lasted = part(".now-lasted");
    this.#detail = part(".now-detail");
    this.#figure = part(".now-figure");
    this.#fill = part(".now-fill");
    new ResizeObserver(() => this.#fit()).observe(this.#place);
  }

  /** @param {Situation} situation */
  show({ kind, eyebrow, name, detail, figure, gauge, instrument, lasted, line, glyph: drawing }) {
    this.#element.dataset.kind = kind;
    this.#element.dataset.gauge = String(gauge !== null);
    this.#element.style.setProperty("--ink", instrument === null ? "" : colour(instrument));
    if (drawing !== this.#drawn) {
      this.#drawn = drawing;
      this.#glyph.replaceChildren(glyph(drawing));
    }
    this.#line.hidden = line === "";
    write(this.#line, line);
    write(this.#eyebrow, eyebrow);
    write(this.#lasted, lasted);
    write(this.#detail, detail);
    write(this.#figure, figure);
    this.#fill.style.transform = `translateX(${-100 * (1 - (gauge ?? 0))}%)`;
    if (write(this.#name, name)) this.#fit();
  }

  /** Find the largest size at which the name stays within its place. */
  #fit() {
    const { clientWidth, clientHeight } = this.#place;
    let low = SMALLEST;
    let high = Math.max(SMALLEST + 1, clientHeight);
    while (high - low > 1) {
      const size = (low + high) / 2;
      this.#name.style.fontSize = `${size}px`;
      const fits = this.#name.scrollWidth <= clientWidth && this.#name.offsetHeight <= clientHeight;
      if (fits) low = size;
      else high = size;
    }
    this.#name.style.fontSize = `${Math.floor(low)}px`;
  }
}

/**
 * Change a text, and say whether it is another one.
 *
 * @param {HTMLElement} element
 * @param {string} text
 */
function write(element, text) {
  if (element.textContent === text) return false;
  element.textContent = text;
  return true;
}
