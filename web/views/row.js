/** How probable one instrument is: a bar, a line for this moment alone, and a figure. */

import { glyph } from "../glyphs.js";
import { NOTHING, percent } from "../words.js";

/**
 * @typedef {object} Value
 * @property {number | null} probability Smoothed, from 0 to 1; null where nothing is estimated.
 * @property {number | null} raw The same for this moment alone.
 */

export class Row {
  #fill = part("div", "bar-fill");
  #raw = part("div", "bar-raw");
  #bar = part("div", "bar");
  #value = part("span", "row-value");

  /**
   * @param {HTMLElement} element Gets what a row consists of.
   * @param {string} picture As glyphs.js names it.
   * @param {HTMLElement} name What says whose row it is.
   */
  constructor(element, picture, name) {
    this.element = element;
    name.classList.add("row-name");
    this.#bar.setAttribute("role", "meter");
    this.#bar.setAttribute("aria-valuemin", "0");
    this.#bar.setAttribute("aria-valuemax", "100");
    this.#value.setAttribute("aria-hidden", "true");
    this.#bar.append(this.#fill, this.#raw);
    element.append(glyph(picture), name, this.#bar, this.#value);
  }

  /** @param {string} name What screen readers call the bar. */
  call(name) {
    if (this.#bar.getAttribute("aria-label") !== name) this.#bar.setAttribute("aria-label", name);
  }

  /** @param {Value} value */
  show({ probability, raw }) {
    const text = probability === null ? NOTHING : percent(probability);
    if (this.#value.textContent !== text) this.#value.textContent = text;
    this.#bar.setAttribute("aria-valuenow", String(Math.round(100 * (probability ?? 0))));
    this.#bar.setAttribute("aria-valuetext", probability === null ? "no estimate" : text);
    this.#fill.hidden = !probability;
    this.#fill.style.transform = `translateX(${-100 * (1 - clamp(probability ?? 0))}%)`;
    this.#raw.hidden = raw === null;
    this.#raw.style.transform = `translateX(${100 * clamp(raw ?? 0)}%)`;
  }

  /** Whether there is a figure in it, or the name alone. @param {boolean} shown */
  reveal(shown) {
    this.#bar.hidden = this.#value.hidden = !shown;
  }
}

/** @param {number} value */
function clamp(value) {
  return Math.min(1, Math.max(0, value));
}

/**
 * @param {string} tag
 * @param {string} name
 */
export function part(tag, name) {
  const element = document.createElement(tag);
  element.className = name;
  return element;
}
