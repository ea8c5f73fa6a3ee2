/** What somebody should do something about, in words. */

export class Warning {
  #element;

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
  }

  /** @param {string | null} message */
  show(message) {
    const text = typeof message === "string" ? message.charAt(0).toUpperCase() + message.slice(1) : "";
    if (this.#element.textContent !== text) this.#element.textContent = text;
    this.#element.hidden = text === "";
  }
}
