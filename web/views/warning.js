/** What somebody should do something about: a line each, in words. */

export class Warning {
  #element;
  /** What is told, by its line. @type {Map<string, HTMLElement>} */
  #lines = new Map();

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
  }

  /** @param {import("../messages.js").Status | null} status */
  show(status) {
    const { message, warnings } = status ?? {};
    const told = [message, ...(Array.isArray(warnings) ? warnings : [])].filter((text) => typeof text === "string");
    const texts = new Set(told.map((text) => text.trim()).filter(Boolean));
    // A line that stays is left alone: a screen reader would read it out again.
    for (const [text, line] of this.#lines) {
      if (texts.has(text)) continue;
      line.remove();
      this.#lines.delete(text);
    }
    [...texts].forEach((text, index) => {
      const line = this.#lines.get(text) ?? written(text);
      this.#lines.set(text, line);
      if (this.#element.children[index] !== line) this.#element.insertBefore(line, this.#element.children[index] ?? null);
    });
  }
}

/** @param {string} text */
function written(text) {
  const line = document.createElement("p");
  line.textContent = text.charAt(0).toUpperCase() + text.slice(1);
  return line;
}
