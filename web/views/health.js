/** How the service is. */

import { NOTHING, duration } from "../words.js";

/**
 * @typedef {object} Report
 * @property {import("../messages.js").Hello | null} hello
 * @property {import("../messages.js").Status | null} status
 */

/** A count that has grown stands out for so long. In milliseconds. */
const GROWTH_LASTS = 30_000;

export class Health {
  #element;
  /** When each count grew, and to what. @type {Map<string, {count: number, at: number}>} */
  #grown = new Map();

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
  }

  /** @param {Report} report */
  show({ hello, status }) {
    const budget = Math.round(1000 * (hello?.hop ?? 0));
    this.#write("source", hello && String(hello.source));
    this.#write("model", hello && String(hello.model));
    this.#write("hop", told(status?.hop_ms, (time) => `${time.toFixed(1)} of ${budget} ms`));
    this.#write("uptime", told(status?.uptime, duration));
    this.#write("overflows", told(status?.overflows, String)).dataset.fresh = this.#grew("overflows", status?.overflows);
    this.#write("dropped", told(status?.dropped_hops, String)).dataset.fresh = this.#grew("dropped", status?.dropped_hops);
    this.#write("clients", told(status?.clients, String));
  }

  /**
   * @param {string} fact
   * @param {string | null} text
   */
  #write(fact, text) {
    const place = /** @type {HTMLElement} */ (this.#element.querySelector(`[data-fact=${fact}]`));
    if (place.textContent !== (text ?? NOTHING)) place.textContent = text ?? NOTHING;
    return place;
  }

  /**
   * Whether a count has grown lately, while this page was looking.
   *
   * @param {string} fact
   * @param {number | undefined} count
   */
  #grew(fact, count) {
    if (count === undefined) return "false";
    const now = performance.now();
    const last = this.#grown.get(fact);
    if (last === undefined || count < last.count) this.#grown.set(fact, { count, at: -Infinity });
    else if (count > last.count) this.#grown.set(fact, { count, at: now });
    return String(now - (this.#grown.get(fact)?.at ?? -Infinity) < GROWTH_LASTS);
  }
}

/**
 * @param {number | undefined} value
 * @param {(value: number) => string} words
 */
function told(value, words) {
  return value !== undefined && Number.isFinite(value) ? words(value) : null;
}
