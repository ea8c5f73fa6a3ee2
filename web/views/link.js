/** Says in a corner whether the page is connected, and whether it hears anything. */

/** @typedef {import("../connection.js").Connection} Connection */

export class Link {
  #element;
  #text;

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
    this.#text = /** @type {HTMLElement} */ (element.querySelector(".link-text"));
  }

  /**
   * @param {Connection} connection
   * @param {boolean} live Whether what is shown is what is heard now: a server without its input is only connected.
   */
  show(connection, live) {
    this.#element.dataset.phase = connection.phase;
    this.#element.dataset.live = String(live);
    const text = words(connection, live);
    if (this.#text.textContent !== text) this.#text.textContent = text;
  }
}

/** @param {Connection} connection @param {boolean} live */
function words({ phase, failures, refused, foreign }, live) {
  if (phase === "live") return live ? "Live" : "Connected";
  if (foreign) return "Other version";
  if (refused) return "Refused";
  if (failures === 0) return "Connecting";
  return `Reconnecting, attempt ${phase === "connecting" ? failures : failures + 1}`;
}
