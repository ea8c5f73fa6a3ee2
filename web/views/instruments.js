/**
 * A bar for each of the model's instruments, always in the same order. Where they are many, those that have something to
 * show have a place, and the others are one row that opens to all of them, by families.
 */

import { byFamily } from "../families.js";
import { colour } from "../palette.js";
import { PLACES, Places, areMany } from "../places.js";
import { recall, remember } from "../storage.js";
import { title } from "../words.js";
import { Row, part } from "./row.js";

/**
 * @typedef {import("../messages.js").Label} Label
 *
 * @typedef {object} Estimate
 * @property {string[]} labels
 * @property {string[]} lineup
 * @property {Label | null} label null when nothing is known.
 */

/** Under which it is remembered whether all are shown. */
const SPREAD = "all-instruments";
/** What is less probable takes no place. So much, only as many as there are places can have. */
const WORTH_A_PLACE = 1 / (PLACES + 1);
/** How long it takes until somebody who has fallen silent has half as much to show, in seconds of the stream. */
const HALF = 20;

export class Instruments {
  #panel;
  #list;
  #title;
  #button;
  /** @type {Row} */
  #others;
  /** @type {Map<string, InstrumentRow>} */
  #rows = new Map();
  /** What is shown. @type {Estimate | null} */
  #shown = null;
  /** Where which row is. */
  #order = "";
  #places = new Places();
  /** How probable each was lately: what was heard longer ago counts less. @type {Map<string, number>} */
  #lately = new Map();
  #spread = recall(SPREAD) === true;

  /** @param {HTMLElement} element */
  constructor(element) {
    /** @param {string} selector */
    const find = (selector) => /** @type {HTMLElement} */ (element.querySelector(selector));
    this.#panel = element;
    this.#list = find(".rows");
    this.#title = find(".panel-title");
    this.#button = find(".others-button");
    this.#others = new Row(find(".others"), "others", this.#button);
    this.#button.addEventListener("click", () => {
      this.#spread = !this.#spread;
      remember(SPREAD, this.#spread);
      if (this.#shown !== null) this.#draw(this.#shown);
    });
  }

  /** @param {Estimate} estimate */
  show(estimate) {
    const { labels, lineup, label } = estimate;
    const shown = this.#shown;
    if (label === shown?.label && labels === shown.labels && lineup === shown.lineup) return;
    if (labels.join("\n") !== [...this.#rows.keys()].join("\n") || lineup.join("\n") !== shown?.lineup.join("\n")) {
      this.#rows = new Map(labels.map((name) => [name, new InstrumentRow(name, lineup.includes(name))]));
      this.#places = new Places(labels.filter((name) => lineup.includes(name)));
      this.#lately.clear();
      this.#order = "";
    }
    if (label !== null) this.#settle(label, shown?.label?.time ?? label.time, lineup);
    this.#shown = estimate;
    this.#draw(estimate);
  }

  /**
   * Let those have places that are heard.
   *
   * @param {Label} label
   * @param {number} before The time of the label before.
   * @param {string[]} lineup
   */
  #settle({ time, probabilities, label: named }, before, lineup) {
    if (!areMany(lineup)) return;
    const fading = 0.5 ** (Math.max(0, time - before) / HALF);
    for (const name of lineup) {
      const now = probabilities[name] ?? 0;
      const was = fading * (this.#lately.get(name) ?? 0);
      this.#lately.set(name, Math.max(was, now > WORTH_A_PLACE ? now : 0));
    }
    const weights = new Map(this.#lately);
    if (named !== null && lineup.includes(named)) weights.set(named, Infinity); // who is in front is always seen
    this.#places.settle(weights);
  }

  /** @param {Estimate} estimate */
  #draw({ labels, lineup, label }) {
    const many = areMany(labels);
    const all = !many || this.#spread;
    const placed = areMany(lineup) ? this.#places.names : labels.filter((name) => lineup.includes(name));
    const names = all ? labels : placed;
    this.#arrange(names, many && all);
    // Nothing is estimated while warming or silent; zeros would say that it was, and that it was none of them.
    const estimated = label !== null && label.state !== "warming" && label.state !== "silence";
    for (const name of names) {
      this.#rows.get(name)?.show({
        probability: estimated ? (label.probabilities[name] ?? null) : null,
        raw: estimated ? (label.raw[name] ?? null) : null,
        inFront: label !== null && label.state === "instrument" && label.label === name,
      });
    }
    const others = labels.filter((name) => !placed.includes(name));
    const able = others.some((name) => lineup.includes(name));
    /** @param {Record<string, number>} of */
    const sum = (of) => others.reduce((all, name) => all + (of[name] ?? 0), 0);
    this.#others.element.hidden = !many;
    this.#others.reveal(!all && able);
    this.#others.show({
      probability: estimated ? sum(label.probabilities) : null,
      raw: estimated ? sum(label.raw) : null,
    });
    const count = others.length === 1 ? "1 other" : `${others.length} others`;
    const words = all ? "Show fewer" : `${count}${able ? "" : ", not tonight"}`;
    write(this.#button, words);
    this.#others.call(words);
    this.#button.setAttribute("aria-expanded", String(all));
    write(this.#title, all ? "All instruments" : "Instruments");
    document.documentElement.classList.toggle("spread", many && all);
  }

  /** @param {readonly string[]} names @param {boolean} families */
  #arrange(names, families) {
    const order = `${families}\n${names.join("\n")}`;
    if (order === this.#order) return;
    this.#order = order;
    this.#panel.dataset.families = String(families);
    /** @param {readonly string[]} some */
    const rows = (some) => some.flatMap((name) => this.#rows.get(name)?.element ?? []);
    this.#list.replaceChildren(
      ...(families ? byFamily(names).map(([family, members]) => group(family, rows(members))) : rows(names)),
    );
  }
}

class InstrumentRow extends Row {
  /** @param {string} name @param {boolean} inLineup */
  constructor(name, inLineup) {
    const label = document.createElement("span");
    super(part("li", "row"), name, label);
    this.element.dataset.instrument = name;
    this.element.dataset.lineup = String(inLineup);
    this.element.style.setProperty("--ink", colour(name));
    label.append(title(name));
    if (!inLineup) label.append(part("span", "row-note"));
    if (!inLineup) write(/** @type {HTMLElement} */ (label.lastElementChild), " not tonight");
    this.call(title(name));
  }

  /** @param {import("./row.js").Value & {inFront: boolean}} value */
  show({ inFront, ...value }) {
    this.element.dataset.front = String(inFront);
    super.show(value);
  }
}

/** @param {string} family @param {HTMLElement[]} rows */
function group(family, rows) {
  const item = part("li", "family");
  const [heading, list] = [part("h3", "family-name"), part("ul", "family-rows")];
  write(heading, family);
  list.setAttribute("aria-label", family);
  list.append(...rows);
  item.append(heading, list);
  return item;
}

/**
 * @param {HTMLElement} element
 * @param {string} text
 */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
