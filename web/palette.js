/**
 * One colour per instrument, the same everywhere.
 *
 * Lightness and hue are chosen together: under protanopia, deuteranopia and tritanopia (Machado et al. 2009, full
 * severity) any two of the eight stay at least 0.1 apart in OKLab, and each has 3:1 against the dark ground. On the
 * light ground the style sheet gives them a dark edge.
 */

/** @type {ReadonlyMap<string, string>} */
const COLOURS = new Map([
  ["clarinet", "#59b3fe"],
  ["distorted electric guitar", "#d64608"],
  ["female singer", "#b45c93"],
  ["flute", "#f0e513"],
  ["piano", "#b4b4b8"],
  ["tenor saxophone", "#dc9f32"],
  ["trumpet", "#8aefcc"],
  ["violin", "#3a6dd9"],
]);

const FALLBACK = "#9a92c4";

/**
 * The colour of an instrument; one for all those of models that this page does not know.
 *
 * @param {string} instrument
 * @returns {string}
 */
export function colour(instrument) {
  return COLOURS.get(instrument) ?? FALLBACK;
}
