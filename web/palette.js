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

/**
 * For names that this page does not know, taught ones above all: as far from the colours above and from each other as
 * there is room, which is 0.055 for who sees all colours, 0.048 between each and the eight whoever looks, and 0.034
 * otherwise.
 *
 * @type {readonly string[]}
 */
const SPARE = [
  "#55b274", "#c97c4d", "#b2ff83", "#c9e08b", "#c900d8", "#e000ff", "#649b55", "#17e064",
  "#e055b2", "#17c15d", "#a29300", "#1f93d8", "#ff6c9b", "#e0aae0", "#b9d800", "#f0c16c",
];

/** Where these are not enough: hues, how much colour, and how light. */
const [HUES, SATURATION, LIGHTNESSES] = [24, 0.42, [0.66, 0.74, 0.82]];

/** Which of the spare colours a name has. @type {ReadonlyMap<string, string>} */
let allotted = new Map();

/**
 * Give colours to the labels of a service that have none, so that no two have the same.
 *
 * A name asks for one colour more than for another, by a number that follows from both, and who asks most for a colour
 * gets it. So it depends on nothing but who is there: it is the same on every page and tomorrow, and another name
 * changes a colour only where it asks more for it.
 *
 * @param {readonly string[]} labels
 */
export function allot(labels) {
  const wishes = labels
    .filter((name) => !COLOURS.has(name))
    .flatMap((name) => SPARE.map((it) => ({ name, it, wish: hash(`${name} ${it}`) })));
  wishes.sort((one, other) => other.wish - one.wish || (one.name < other.name ? -1 : 1));
  const given = new Map();
  const gone = new Set();
  for (const { name, it } of wishes) {
    if (given.has(name) || gone.has(it)) continue;
    given.set(name, it);
    gone.add(it);
  }
  allotted = given;
}

/**
 * The colour of an instrument; one that this page does not know has one that follows from its name.
 *
 * @param {string} instrument
 * @returns {string} In hexadecimal digits.
 */
export function colour(instrument) {
  return COLOURS.get(instrument) ?? allotted.get(instrument) ?? strange(instrument);
}

/** A number that follows from a text: FNV-1a, and what mixes its bits. @param {string} text */
function hash(text) {
  let found = 2166136261;
  for (let place = 0; place < text.length; place += 1) found = Math.imul(found ^ text.charCodeAt(place), 16777619);
  found = Math.imul(found ^ (found >>> 16), 0x85ebca6b);
  return (found ^ (found >>> 13)) >>> 0;
}

/** @param {string} name */
function strange(name) {
  const number = hash(name);
  const hue = ((number >>> 8) % HUES) * (12 / HUES);
  const lightness = LIGHTNESSES[(number >>> 16) % LIGHTNESSES.length];
  const reach = SATURATION * Math.min(lightness, 1 - lightness);
  /** @param {number} shift */
  const channel = (shift) => {
    const place = (shift + hue) % 12;
    const value = lightness - reach * Math.max(-1, Math.min(place - 3, 9 - place, 1));
    return Math.round(255 * value).toString(16).padStart(2, "0");
  };
  return `#${channel(0)}${channel(8)}${channel(4)}`;
}
