/** A line-up: what is usual, or some of what the model knows, each with a box to tick. */

import { byFamily } from "../families.js";
import { areMany } from "../places.js";
import { title } from "../words.js";

let count = 0;

export class LineupChoice {
  element = document.createElement("fieldset");
  #usual = document.createElement("input");
  #own = document.createElement("input");
  #boxes = document.createElement("div");
  /** @type {string[]} */
  #labels = [];

  /**
   * @param {string} legend
   * @param {string} usual What holds without a line-up of its own, in words.
   */
  constructor(legend, usual) {
    const name = `lineup-${(count += 1)}`;
    this.element.className = "lineup";
    const head = document.createElement("legend");
    head.textContent = legend;
    for (const [input, words] of /** @type {const} */ ([
      [this.#usual, usual],
      [this.#own, "Only these"],
    ])) {
      Object.assign(input, { type: "radio", name });
      this.element.append(labelled(input, words, "lineup-kind"));
    }
    this.element.prepend(head);
    this.#boxes.className = "lineup-boxes";
    this.element.append(this.#boxes);
    this.element.addEventListener("change", () => this.#follow());
    this.#usual.checked = true;
    this.#follow();
  }

  /** What can be chosen. @param {string[]} labels */
  offer(labels) {
    if (labels.join("\n") === this.#labels.join("\n")) return;
    const chosen = this.read();
    this.#labels = labels;
    const groups = areMany(labels) ? byFamily(labels) : /** @type {[string, string[]][]} */ ([["", labels]]);
    this.#boxes.replaceChildren(...groups.map(([family, members]) => group(family, members)));
    this.write(chosen);
  }

  /** @returns {string[] | null} null for what is usual. */
  read() {
    if (this.#usual.checked) return null;
    return this.#all.filter((box) => box.checked).map((box) => box.value);
  }

  /** @param {string[] | null} chosen */
  write(chosen) {
    this.#usual.checked = chosen === null;
    this.#own.checked = chosen !== null;
    const all = chosen?.includes("all") && !this.#labels.includes("all");
    for (const box of this.#all) box.checked = all || (chosen?.includes(box.value) ?? false);
    this.#follow();
  }

  /** @returns {HTMLInputElement[]} */
  get #all() {
    return [...this.#boxes.querySelectorAll("input")];
  }

  #follow() {
    this.#boxes.hidden = this.#usual.checked;
  }
}

/** @param {string} family @param {string[]} members */
function group(family, members) {
  const element = document.createElement("div");
  element.className = "lineup-family";
  if (family) {
    const name = document.createElement("span");
    name.className = "lineup-name";
    name.textContent = family;
    element.append(name);
    element.setAttribute("role", "group");
    element.setAttribute("aria-label", family);
  }
  for (const member of members) {
    const box = document.createElement("input");
    Object.assign(box, { type: "checkbox", value: member });
    element.append(labelled(box, title(member), "chip"));
  }
  return element;
}

/** @param {HTMLInputElement} input @param {string} words @param {string} className */
function labelled(input, words, className) {
  const label = document.createElement("label");
  label.className = className;
  const text = document.createElement("span");
  text.textContent = words;
  label.append(input, text);
  return label;
}
