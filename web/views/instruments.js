/** A bar for each of the model's instruments, always in the same order. */

import { colour } from "../palette.js";
import { NOTHING, percent, title } from "../words.js";

/**
 * @typedef {object} Estimate
 * @property {string[]} labels
 * @property {string[]} lineup
 * @property {import("../messages.js").Label | null} label null when nothing is known.
 */

export class Instruments {
  #list;
  /** @type {Map<string, Row>} */
  #rows = new Map();
  /** What is shown. @type {Estimate | null} */
  #shown = null;

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#list = /** @type {HTMLElement} */ (element.querySelector(".rows"));
  }

  /** @param {Estimate} estimate */
  show(estimate) {
    const { labels, lineup, label } = estimate;
    const shown = this.#shown;
    if (label === shown?.label && labels === shown.labels && lineup === shown.lineup) return;
    this.#shown = estimate;
    if (labels.join("\n") !== [...this.#rows.keys()].join("\n")) {
      this.#rows = new Map(labels.map((name) => [name, new Row(name)]));
      this.#list.replaceChildren(...[...this.#rows.values()].map((row) => row.element));
    }
    // Nothing is estimated while warming or silent; zeros would say that it was, and that it was none of them.
    const estimated = label !== null && label.state !== "warming" && label.state !== "silence";
    for (const [name, row] of this.#rows) {
      row.show({
        probability: estimated ? (label.probabilities[name] ?? null) : null,
        raw: estimated ? (label.raw[name] ?? null) : null,
        inLineup: lineup.includes(name),
        inFront: label !== null && label.state === "instrument" && label.label === name,
      });
    }
  }
}

class Row {
  element = document.createElement("li");
  #fill = part("div", "bar-fill");
  #raw = part("div", "bar-raw");
  #bar = part("div", "bar");
  #value = part("span", "row-value");
  #note = part("span", "row-note");

  /** @param {string} name */
  constructor(name) {
    this.element.className = "row";
    this.element.dataset.instrument = name;
    this.element.style.setProperty("--ink", colour(name));
    const label = part("span", "row-name");
    label.append(title(name), this.#note);
    this.#bar.setAttribute("role", "meter");
    this.#bar.setAttribute("aria-label", title(name));
    this.#bar.setAttribute("aria-valuemin", "0");
    this.#bar.setAttribute("aria-valuemax", "100");
    this.#value.setAttribute("aria-hidden", "true");
    this.#bar.append(this.#fill, this.#raw);
    this.element.append(label, this.#bar, this.#value);
  }

  /** @param {{probability: number | null, raw: number | null, inLineup: boolean, inFront: boolean}} value */
  show({ probability, raw, inLineup, inFront }) {
    const text = probability === null ? NOTHING : percent(probability);
    this.element.dataset.lineup = String(inLineup);
    this.element.dataset.front = String(inFront);
    write(this.#note, inLineup ? "" : " not tonight");
    write(this.#value, text);
    this.#bar.setAttribute("aria-valuenow", String(Math.round(100 * (probability ?? 0))));
    this.#bar.setAttribute("aria-valuetext", probability === null ? "no estimate" : text);
    this.#fill.hidden = !probability;
    this.#fill.style.transform = `translateX(${-100 * (1 - clamp(probability ?? 0))}%)`;
    this.#raw.hidden = raw === null;
    this.#raw.style.transform = `translateX(${100 * clamp(raw ?? 0)}%)`;
  }
}

/**
 * @param {HTMLElement} element
 * @param {string} text
 */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @param {number} value */
function clamp(value) {
  return Math.min(1, Math.max(0, value));
}

/**
 * @param {string} tag
 * @param {string} name
 */
function part(tag, name) {
  const element = document.createElement(tag);
  element.className = name;
  return element;
}
