/** Says in a corner whether the page is connected. */

/** @typedef {import("../connection.js").Connection} Connection */

export class Link {
  #element;
  #text;

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
    this.#text = /** @type {HTMLElement} */ (element.querySelector(".link-text"));
  }

  /** @param {Connection} connection */
  show(connection) {
    this.#element.dataset.phase = connection.phase;
    const text = words(connection);
    if (this.#text.textContent !== text) this.#text.textContent = text;
  }
}

/** @param {Connection} connection */
function words({ phase, failures, refused, foreign }) {
  if (phase === "live") return "Live";
  if (foreign) return "Other version";
  if (refused) return "Refused";
  if (failures === 0) return "Connecting";
  return `Reconnecting, attempt ${phase === "connecting" ? failures : failures + 1}`;
}
