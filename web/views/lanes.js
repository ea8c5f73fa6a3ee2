/**
 * The names at the left of the timeline: of each instrument, in the model's order, and of what is none of them. Where they
 * are many, those have a lane that were heard most; what the others said is in one lane, and has its name written to it.
 */

import { glyph } from "../glyphs.js";
import { colour } from "../palette.js";
import { Places, areMany } from "../places.js";
import { title } from "../words.js";

/** So many lanes there are at the least, empty ones at first: what is below shall not move at each new name. */
const FEWEST = 4;

export class Lanes {
  #list;
  #places = new Places();
  /** For whom the places are. */
  #labels = "";
  /** For how long each instrument was in front, in closed stretches, and what version of the chronicle says so. */
  #times = { version: -1, of: /** @type {Map<string, number>} */ (new Map()) };
  /** @type {import("../chronicle.js").Chronicle | null} */
  #chronicle = null;
  #shown = "";

  /** @param {HTMLElement} list */
  constructor(list) {
    this.#list = list;
  }

  /**
   * @param {string[]} labels
   * @param {string[]} lineup
   * @param {import("../chronicle.js").Chronicle} chronicle
   * @returns {boolean} Whether they are others than before.
   */
  show(labels, lineup, chronicle) {
    const heard = this.#heard(chronicle);
    const names = areMany(lineup) ? this.#placed(labels, heard) : areMany(labels) ? lineup : labels;
    const others = areMany(lineup) || [...heard.keys()].some((name) => !names.includes(name));
    const shown = [...names.map((name) => `${name} ${lineup.includes(name)}`), others].join("\n");
    if (shown === this.#shown && this.#list.childElementCount > 0) return false;
    this.#shown = shown;
    const lanes = names.map((name) => named(name, lineup.includes(name)));
    while (others && lanes.length < FEWEST) lanes.push(empty("free"));
    if (others) lanes.push(lane("others", "Others", "others"));
    this.#list.replaceChildren(...lanes, lane("unknown", "None of them"));
    return true;
  }

  /**
   * For how long each instrument was in front, in seconds.
   *
   * @param {import("../chronicle.js").Chronicle} chronicle
   */
  #heard(chronicle) {
    const { version, open } = chronicle;
    const isOther = chronicle !== this.#chronicle || version !== this.#times.version;
    this.#chronicle = chronicle;
    if (isOther) this.#times = { version, of: sums(chronicle.segments) };
    return open === null ? this.#times.of : sums([open], this.#times.of);
  }

  /** @param {string[]} labels @param {ReadonlyMap<string, number>} heard */
  #placed(labels, heard) {
    if (labels.join("\n") !== this.#labels) this.#places = new Places();
    this.#labels = labels.join("\n");
    this.#places.settle(heard);
    return this.#places.names;
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
    /** @type {import("./geometry.js").Band[]} */
    const bands = [];
    let others;
    for (const item of /** @type {Iterable<HTMLElement>} */ (this.#list.children)) {
      const band = { top: item.offsetTop, height: item.offsetHeight };
      if (item.dataset.instrument !== undefined) lanes.set(item.dataset.instrument, band);
      if (item.dataset.for === "others") others = band;
      bands.push(band);
    }
    const none = bands.pop() ?? { top: 0, height: 0 };
    const top = bands[0]?.top ?? none.top;
    return { width, height, flags: { top: 0, height: top }, lanes, others, none, grounds: bands };
  }
}

/**
 * @param {readonly import("../stream.js").Stretch[]} stretches
 * @param {ReadonlyMap<string, number>} [before] What to add them to.
 */
function sums(stretches, before = new Map()) {
  const times = new Map(before);
  for (const { label, start, end } of stretches) {
    if (label !== null) times.set(label, (times.get(label) ?? 0) + end - start);
  }
  return times;
}

/** @param {string} name @param {boolean} inLineup */
function named(name, inLineup) {
  const item = lane(name, title(name));
  item.dataset.instrument = name;
  item.dataset.lineup = String(inLineup);
  item.style.setProperty("--ink", colour(name));
  return item;
}

/** @param {string} use */
function empty(use) {
  const item = document.createElement("li");
  item.className = "lane";
  item.dataset.for = use;
  return item;
}

/** @param {string} picture @param {string} words @param {string} [use] */
function lane(picture, words, use = "") {
  const item = empty(use);
  const text = document.createElement("span");
  text.className = "lane-name";
  text.textContent = words;
  item.append(glyph(picture), text);
  return item;
}
