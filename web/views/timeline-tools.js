/** Below the timeline: what it shows, how much of it, and the way back to now. */

import { SPANS } from "../timescale.js";
import { wallClock } from "../words.js";

/**
 * @typedef {object} Shown
 * @property {number} span How much time is shown, in seconds.
 * @property {number} from Unix time.
 * @property {number} to
 * @property {boolean} back Whether it is another time than the present.
 * @property {boolean} live Whether anything comes.
 * @property {number | null} binned What was put together for being thin, each so many seconds; null for nothing.
 */

export class TimelineTools {
  #live;
  #span;
  #binned;
  /** @type {HTMLButtonElement[]} */
  #spans;

  /**
   * @param {HTMLElement} element
   * @param {{onSpan: (span: number) => void, onReturn: () => void}} options
   */
  constructor(element, { onSpan, onReturn }) {
    /** @param {string} selector */
    const part = (selector) => /** @type {HTMLElement} */ (element.querySelector(selector));
    this.#live = part(".timeline-live");
    this.#span = part(".timeline-span");
    this.#binned = part(".legend-binned");
    this.#spans = SPANS.map((span) => button(span, onSpan));
    part(".zoom").replaceChildren(...this.#spans);
    this.#live.addEventListener("click", onReturn);
  }

  /**
   * @param {Shown} shown
   * @returns {string} What is shown, in words.
   */
  show({ span, from, to, back, live, binned }) {
    const words = back ? `${wallClock(from)} to ${wallClock(to)}` : `the last ${spanInWords(span)}`;
    if (words !== this.#span.textContent) {
      this.#span.textContent = words;
      this.#live.setAttribute("aria-pressed", String(!back));
      for (const [index, choice] of this.#spans.entries()) {
        choice.setAttribute("aria-pressed", String(SPANS[index] === span));
      }
    }
    this.#live.dataset.live = String(live);
    this.#binned.hidden = binned === null;
    const share = binned === null ? "" : `short ones: their share of ${spanInWords(binned, true)}`;
    const place = /** @type {HTMLElement} */ (this.#binned.lastElementChild);
    if (place.textContent !== share) place.textContent = share;
    return words;
  }
}

/** @param {number} span @param {(span: number) => void} onSpan */
function button(span, onSpan) {
  const choice = document.createElement("button");
  choice.type = "button";
  choice.className = "button";
  choice.textContent = spanInWords(span, true);
  choice.setAttribute("aria-label", `Show ${spanInWords(span)}`);
  choice.addEventListener("click", () => onSpan(span));
  return choice;
}

/** @param {number} span In seconds. @param {boolean} [briefly] */
function spanInWords(span, briefly = false) {
  /** @param {number} count @param {string} brief @param {string} unit */
  const say = (count, brief, unit) => {
    const figure = String(Math.round(10 * count) / 10);
    return briefly ? `${figure} ${brief}` : `${figure} ${unit}${figure === "1" ? "" : "s"}`;
  };
  if (span < 60) return say(span, "s", "second");
  return span < 3600 ? say(span / 60, "min", "minute") : say(span / 3600, "h", "hour");
}
