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

/**
 * A line: what is wrong stands out from what is to be done, which the service writes after a colon.
 *
 * @param {string} text
 */
function written(text) {
  const line = document.createElement("p");
  const [, what, then] = /^(.*?:)?(.*)$/s.exec(text.charAt(0).toUpperCase() + text.slice(1)) ?? [];
  const fault = document.createElement("strong");
  fault.textContent = what ?? "";
  line.append(...(what === undefined ? [] : [fault]), then);
  return line;
}
