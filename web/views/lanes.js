/** The names at the left of the timeline: of each instrument, in the model's order, and of what is none of them. */

import { glyph } from "../glyphs.js";
import { colour } from "../palette.js";
import { title } from "../words.js";

export class Lanes {
  #list;
  #shown = "";

  /** @param {HTMLElement} list */
  constructor(list) {
    this.#list = list;
  }

  /**
   * @param {string[]} labels
   * @param {string[]} lineup
   * @returns {boolean} Whether they are others than before.
   */
  show(labels, lineup) {
    const shown = labels.map((name) => `${name} ${lineup.includes(name)}`).join("\n");
    if (shown === this.#shown && this.#list.childElementCount > 0) return false;
    this.#shown = shown;
    const instruments = labels.map((name) => named(name, lineup.includes(name)));
    this.#list.replaceChildren(...instruments, lane("unknown", "None of them"));
    return true;
  }

  /**
   * Where the lanes are.
   *
   * @param {number} width Of the canvas beside them, in CSS pixels.
   * @param {number} height
   * @returns {import("./geometry.js").Layout}
   */
  layout(width, height) {
    /** @type {Map<string, import("./geometry.js").Band>} */
    const lanes = new Map();
    let none = { top: 0, height: 0 };
    for (const item of /** @type {Iterable<HTMLElement>} */ (this.#list.children)) {
      none = { top: item.offsetTop, height: item.offsetHeight }; // it is the last one
      if (item.dataset.instrument !== undefined) lanes.set(item.dataset.instrument, none);
    }
    const top = lanes.values().next().value?.top ?? none.top;
    return { width, height, flags: { top: 0, height: top }, lanes, none };
  }
}

/** @param {string} name @param {boolean} inLineup */
function named(name, inLineup) {
  const item = lane(name, title(name));
  item.dataset.instrument = name;
  item.dataset.lineup = String(inLineup);
  item.style.setProperty("--ink", colour(name));
  return item;
}

/** @param {string} picture @param {string} words */
function lane(picture, words) {
  const item = document.createElement("li");
  item.className = "lane";
  const text = document.createElement("span");
  text.className = "lane-name";
  text.textContent = words;
  item.append(glyph(picture), text);
  return item;
}
