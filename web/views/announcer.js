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
  show({ name }) {
    if (name === this.#said) return;
    this.#said = name;
    this.#element.textContent = name;
  }
}
