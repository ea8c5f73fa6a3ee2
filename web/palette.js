/**
 * One colour per instrument, the same everywhere.
 *
 * Lightness and hue are chosen together: under protanopia, deuteranopia and tritanopia (Machado et al. 2009, full
 * severity) any two of the eight of the default line-up stay at least 0.1 apart in OKLab, and any two of all at least
 * 0.04, in hues that are akin within a family. So many no colours can tell apart for everybody: that is left to the glyph,
 * the name and the place, which each of them has wherever it has its colour. All have 3:1 against the dark ground; on the
 * light ground the style sheet gives them a dark edge.
 */

/** @type {ReadonlyMap<string, string>} */
const COLOURS = new Map([
  ["flute", "#f0e513"],
  ["oboe", "#cec445"],
  ["clarinet", "#59b3fe"],
  ["bass clarinet", "#85a5c7"],
  ["bassoon", "#f7f4b3"],
  ["tenor saxophone", "#dc9f32"],
  ["other saxophone", "#946f2a"],
  ["french horn", "#458156"],
  ["trumpet", "#8aefcc"],
  ["trombone", "#82d4a2"],
  ["drums", "#8e60b6"],
  ["percussion", "#c869d3"],
  ["piano", "#b4b4b8"],
  ["organ", "#dff9fe"],
  ["accordion", "#b2d2d1"],
  ["synthesizer", "#55d9f8"],
  ["acoustic guitar", "#f06f07"],
  ["clean electric guitar", "#fbb189"],
  ["distorted electric guitar", "#d64608"],
  ["bass", "#fe8575"],
  ["mandolin", "#c1565a"],
  ["female singer", "#b45c93"],
  ["male singer", "#f382ed"],
  ["speech", "#fdb3fb"],
  ["violin", "#3a6dd9"],
  ["viola", "#647aff"],
  ["cello", "#7982b7"],
  ["string section", "#9884f3"],
  ["band", "#6d747c"],
  ["crowd", "#b9919c"],
  ["noise", "#918b7a"],
]);

/** Of instruments of other people's models: hues, how much colour, and how light. */
const [HUES, SATURATION, LIGHTNESSES] = [24, 0.42, [0.66, 0.74, 0.82]];

/**
 * The colour of an instrument; one that this page does not know has one that follows from its name.
 *
 * @param {string} instrument
 * @returns {string} In hexadecimal digits.
 */
export function colour(instrument) {
  return COLOURS.get(instrument) ?? strange(instrument);
}

/** @param {string} name */
function strange(name) {
  let hash = 2166136261; // FNV-1a
  for (let place = 0; place < name.length; place += 1) hash = Math.imul(hash ^ name.charCodeAt(place), 16777619) >>> 0;
  const hue = ((hash >>> 8) % HUES) * (12 / HUES);
  const lightness = LIGHTNESSES[(hash >>> 16) % LIGHTNESSES.length];
  const reach = SATURATION * Math.min(lightness, 1 - lightness);
  /** @param {number} shift */
  const channel = (shift) => {
    const place = (shift + hue) % 12;
    const value = lightness - reach * Math.max(-1, Math.min(place - 3, 9 - place, 1));
    return Math.round(255 * value).toString(16).padStart(2, "0");
  };
  return `#${channel(0)}${channel(8)}${channel(4)}`;
}
