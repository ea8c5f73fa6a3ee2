/** Stops the view, so that one can look at it; what comes is still collected. */

import { wallClock } from "./words.js";

export class Pause {
  /** Unix time of what is shown; null while it is live. @type {number | null} */
  since = null;
  #badge;
  #text;
  #button;

  /**
   * @param {HTMLElement} badge Says that nothing here is live, and offers to go on.
   * @param {HTMLElement} button
   */
  constructor(badge, button) {
    this.#badge = badge;
    this.#text = /** @type {HTMLElement} */ (badge.querySelector(".paused-text"));
    this.#button = button;
  }

  get active() {
    return this.since !== null;
  }

  /** @param {number} now Unix time. */
  toggle(now) {
    this.since = this.active ? null : now;
    document.documentElement.classList.toggle("paused", this.active);
    this.#badge.hidden = !this.active;
    this.#text.textContent = this.since === null ? "" : `Paused – this is ${wallClock(this.since)}`;
    this.#button.setAttribute("aria-pressed", String(this.active));
  }
}
