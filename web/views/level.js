/** How loud the input is: a bar for the RMS, a line for the peak, a light for clipping, and all of it in figures. */

import { NOTHING, decibels, duration } from "../words.js";

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
  #reset;
  #writtenAt = -Infinity;

  /**
   * @param {HTMLElement} element
   * @param {{onReset: () => void}} options Told when the highest and the clips are to be forgotten.
   */
  constructor(element, { onReset }) {
    /** @param {string} selector */
    const part = (selector) => /** @type {HTMLElement} */ (element.querySelector(selector));
    this.#meter = part(".meter");
    this.#cover = part(".meter-cover");
    this.#peak = part(".meter-peak");
    this.#clip = part(".clip");
    this.#figures = {
      rms: part("[data-figure=rms]"),
      peak: part("[data-figure=peak]"),
      highest: part("[data-figure=highest]"),
    };
    this.#reset = /** @type {HTMLButtonElement} */ (element.querySelector(".level-reset"));
    this.#reset.addEventListener("click", () => {
      onReset();
      this.#writtenAt = -Infinity;
    });
    part(".scale").replaceChildren(...MARKS.map(mark));
  }

  /** @param {import("../peaks.js").Loudness | null} loudness */
  show(loudness) {
    this.#cover.style.transform = `scaleX(${1 - (loudness === null ? 0 : along(loudness.rms))})`;
    this.#peak.hidden = loudness === null || loudness.peak <= FLOOR;
    if (loudness !== null) this.#peak.style.transform = `translateX(${100 * along(loudness.peak)}%)`;
    const lit = loudness?.clipped ? "true" : loudness?.clips ? "held" : "false";
    const now = performance.now();
    if (lit === this.#clip.dataset.lit && loudness !== null && now - this.#writtenAt < READABLE) return;
    this.#clip.dataset.lit = lit;
    this.#writtenAt = loudness === null ? -Infinity : now;
    write(this.#clip, clipping(loudness));
    write(this.#figures.rms, figure(loudness?.rms));
    write(this.#figures.peak, figure(loudness?.peak));
    write(this.#figures.highest, figure(loudness?.highest));
    this.#reset.disabled = loudness === null;
    this.#meter.setAttribute("aria-valuenow", String(Math.min(0, Math.max(FLOOR, Math.round(loudness?.rms ?? FLOOR)))));
    const words = loudness === null ? "no level" : `RMS ${figure(loudness.rms)}, peak ${figure(loudness.peak)}`;
    this.#meter.setAttribute("aria-valuetext", words);
  }
}

/** @param {number | undefined} level In dBFS. */
function figure(level) {
  return level === undefined ? NOTHING : `${decibels(level)} dBFS`;
}

/** @param {import("../peaks.js").Loudness | null} loudness */
function clipping(loudness) {
  if (loudness === null) return NOTHING;
  const { clipped, clippedAgo, clips } = loudness;
  if (clippedAgo === null) return "No clipping";
  const times = clips === 1 ? "" : `, ${clips} times`;
  return clipped ? "Clipping" : `Clipped ${duration(clippedAgo)} ago${times}`;
}

/**
 * @param {HTMLElement} element
 * @param {string} text
 */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
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
