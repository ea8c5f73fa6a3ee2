/** Loudness as colour: lightness rises evenly from near black to cream, while the hue goes round from indigo to amber. */

/** Chroma and hue (degrees) in OKLCH, at even steps; lightness goes from the first to the last of LIGHTNESS. */
const STOPS = [
  [0.035, 265],
  [0.13, 285],
  [0.17, 345],
  [0.155, 410],
  [0.07, 455],
];
const LIGHTNESS = [0.18, 0.97];

/** Colours in the map. */
export const COLOURS = 256;

/**
 * The map from 0, the softest, to COLOURS - 1: each an [r, g, b] from 0 to 255.
 *
 * @type {ReadonlyArray<readonly [number, number, number]>}
 */
export const COLOURMAP = Array.from({ length: COLOURS }, (_, index) => {
  const place = index / (COLOURS - 1);
  const last = STOPS.length - 1;
  const stop = Math.min(last - 1, Math.floor(place * last));
  const [chroma, hue] = STOPS[stop].map((from, part) => mix(from, STOPS[stop + 1][part], place * last - stop));
  return srgb(mix(LIGHTNESS[0], LIGHTNESS[1], place), chroma, (hue * Math.PI) / 180);
});

/** The map as a CSS gradient from left to right. */
export function gradient() {
  const stops = Array.from({ length: 17 }, (_, step) => `rgb(${COLOURMAP[Math.round((step / 16) * (COLOURS - 1))].join(" ")})`);
  return `linear-gradient(90deg, ${stops.join(", ")})`;
}

/**
 * @param {number} from
 * @param {number} to
 * @param {number} part From 0 to 1.
 */
function mix(from, to, part) {
  return from + (to - from) * part;
}

/**
 * OKLCH to sRGB (Björn Ottosson, 2020), what lies outside cut off.
 *
 * @param {number} lightness
 * @param {number} chroma
 * @param {number} hue In radians.
 * @returns {[number, number, number]}
 */
function srgb(lightness, chroma, hue) {
  const [a, b] = [chroma * Math.cos(hue), chroma * Math.sin(hue)];
  const long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const short = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    encoded(4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short),
    encoded(-1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short),
    encoded(-0.0041960863 * long - 0.7034186147 * medium + 1.707614701 * short),
  ];
}

/** @param {number} linear */
function encoded(linear) {
  const value = Math.min(1, Math.max(0, linear));
  return Math.round(255 * (value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055));
}
