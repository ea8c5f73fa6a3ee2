/** How the service is, and when it was without its input. */

import { NOTHING, duration, wallClock } from "../words.js";

/**
 * @typedef {object} Report
 * @property {import("../messages.js").Hello | null} hello
 * @property {import("../messages.js").Status | null} status
 * @property {readonly import("../session.js").Outage[]} outages In Unix time, oldest first.
 * @property {number} now Unix time.
 */

/** A count that has grown stands out for so long. In milliseconds. */
const GROWTH_LASTS = 30_000;
/** Outages that are told. */
const TOLD = 3;

export class Health {
  #element;
  #load;
  #loadFill;
  #loadWords;
  #outages;
  /** When each count grew, and to what. @type {Map<string, {count: number, at: number}>} */
  #grown = new Map();

  /** @param {HTMLElement} element */
  constructor(element) {
    /** @param {string} selector */
    const part = (selector) => /** @type {HTMLElement} */ (element.querySelector(selector));
    this.#element = element;
    this.#load = part(".load");
    this.#loadFill = part(".load-fill");
    this.#loadWords = part(".load-words");
    this.#outages = part(".outages");
  }

  /** @param {Report} report */
  show({ hello, status, outages, now }) {
    const budget = 1000 * (hello?.hop ?? 0);
    this.#write("source", hello && String(hello.source));
    this.#write("model", hello && String(hello.model));
    this.#write("hop", told(status?.hop_ms, (time) => `${time.toFixed(1)} of ${Math.round(budget)} ms`));
    this.#write("uptime", told(status?.uptime, duration));
    this.#count("overflows", status?.overflows);
    this.#count("dropped", status?.dropped_hops);
    this.#write("clients", told(status?.clients, String));
    this.#showLoad(status !== null && Number.isFinite(status.hop_ms) && budget > 0 ? status.hop_ms / budget : null);
    this.#showOutages(outages.slice(-TOLD).reverse(), hello === null ? null : now);
  }

  /** @param {number | null} load Share of a hop that its own work takes. */
  #showLoad(load) {
    const words = load === null ? "" : strain(load);
    this.#load.dataset.strain = load === null || load <= 0.5 ? "none" : load < 1 ? "high" : "over";
    this.#load.setAttribute("aria-valuenow", String(Math.round(100 * Math.min(1, load ?? 0))));
    const share = load === null ? "unknown" : `${Math.round(100 * load)} % of the time there is`;
    this.#load.setAttribute("aria-valuetext", share);
    this.#loadFill.style.transform = `scaleX(${Math.min(1, load ?? 0)})`;
    if (this.#loadWords.textContent !== words) this.#loadWords.textContent = words;
    this.#loadWords.hidden = words === "";
  }

  /**
   * @param {readonly import("../session.js").Outage[]} outages The newest first.
   * @param {number | null} now Unix time; null while nobody tells whether the input is back.
   */
  #showOutages(outages, now) {
    this.#outages.hidden = outages.length === 0;
    const lines = outages.map((outage) => ({ words: lost(outage, now), away: outage.end === null }));
    const items = [...this.#outages.children];
    while (items.length > lines.length) items.pop()?.remove();
    for (const [place, { words, away }] of lines.entries()) {
      const item = /** @type {HTMLElement} */ (items[place] ?? this.#outages.appendChild(document.createElement("li")));
      if (item.textContent !== words) item.textContent = words;
      item.dataset.away = String(away);
    }
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
   * @param {string} fact
   * @param {number | undefined} count
   */
  #count(fact, count) {
    this.#write(fact, told(count, String)).dataset.fresh = String(this.#grew(fact, count));
  }

  /**
   * Whether a count has grown lately, while this page was looking.
   *
   * @param {string} fact
   * @param {number | undefined} count
   */
  #grew(fact, count) {
    if (count === undefined) return false;
    const now = performance.now();
    const last = this.#grown.get(fact);
    if (last === undefined || count < last.count) this.#grown.set(fact, { count, at: -Infinity });
    else if (count > last.count) this.#grown.set(fact, { count, at: now });
    return now - (this.#grown.get(fact)?.at ?? -Infinity) < GROWTH_LASTS;
  }
}

/**
 * @param {import("../session.js").Outage} outage
 * @param {number | null} now
 */
function lost({ start, end }, now) {
  const since = `Lost ${wallClock(start)}`;
  if (end !== null) return `${since}, back ${wallClock(end)} (${duration(end - start)})`;
  return now === null ? since : `${since}, ${duration(now - start)} ago, and not back yet`;
}

/** @param {number} load */
function strain(load) {
  if (load <= 0.5) return "";
  const share = `${Math.round(100 * load)}\u202f%`;
  if (load < 1) return `The computer is busy: a hop takes ${share} of the time there is. Close other programs.`;
  const fault = `The computer is too slow: a hop takes ${share} of the time there is, and hops are dropped.`;
  return `${fault} Close other programs, or take a smaller model.`;
}

/**
 * @param {number | undefined} value
 * @param {(value: number) => string} words
 */
function told(value, words) {
  return value !== undefined && Number.isFinite(value) ? words(value) : null;
}
