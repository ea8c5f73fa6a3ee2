/** Tells screen readers what is new, and nothing that only moves. */

/** @typedef {import("../situation.js").Situation} Situation */

export class Announcer {
  #element;
  #said = "";

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
  }

  /** @param {Situation} situation */
  show({ name, line }) {
    const words = line === "" ? name : `${line}: ${name}`;
    if (words === this.#said) return;
    this.#said = words;
    this.#element.textContent = words;
  }
}
