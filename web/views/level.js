/** How loud the input is: a bar for the RMS, a line for the peak, a light for clipping. */

import { NOTHING, decibels } from "../words.js";

/** Of the scale, in dBFS. */
const FLOOR = -60;
const MARKS = [-60, -48, -36, -24, -12, -6, 0];
/** Figures that change more often cannot be read. In milliseconds. */
const READABLE = 250;

export class Level {
  #meter;
  #cover;
  #peak;
  #clip;
  #figures;
  #writtenAt = -Infinity;

  /** @param {HTMLElement} element */
  constructor(element) {
    /** @param {string} selector */
    const part = (selector) => /** @type {HTMLElement} */ (element.querySelector(selector));
    this.#meter = part(".meter");
    this.#cover = part(".meter-cover");
    this.#peak = part(".meter-peak");
    this.#clip = part(".clip");
    this.#figures = { rms: part("[data-figure=rms]"), peak: part("[data-figure=peak]") };
    part(".scale").replaceChildren(...MARKS.map(mark));
  }

  /** @param {import("../peaks.js").Loudness | null} loudness */
  show(loudness) {
    this.#cover.style.transform = `scaleX(${1 - (loudness === null ? 0 : along(loudness.rms))})`;
    this.#peak.hidden = loudness === null || loudness.peak <= FLOOR;
    if (loudness !== null) this.#peak.style.transform = `translateX(${100 * along(loudness.peak)}%)`;
    this.#clip.dataset.lit = String(loudness !== null && loudness.clipped);
    const now = performance.now();
    if (loudness !== null && now - this.#writtenAt < READABLE) return;
    this.#writtenAt = loudness === null ? -Infinity : now;
    this.#figures.rms.textContent = loudness === null ? NOTHING : `${decibels(loudness.rms)} dBFS`;
    this.#figures.peak.textContent = loudness === null ? NOTHING : `${decibels(loudness.peak)} dBFS`;
    this.#meter.setAttribute("aria-valuenow", String(Math.max(FLOOR, Math.round(loudness?.rms ?? FLOOR))));
    this.#meter.setAttribute("aria-valuetext", this.#figures.rms.textContent);
  }
}

/**
 * Where a level lies on the scale, from 0 to 1.
 *
 * @param {number} level In dBFS.
 */
function along(level) {
  return Math.min(1, Math.max(0, 1 - level / FLOOR));
}

/** @param {number} level In dBFS. */
function mark(level) {
  const item = document.createElement("li");
  item.textContent = level < 0 ? `−${-level}` : "0";
  item.style.left = `${100 * along(level)}%`;
  return item;
}
