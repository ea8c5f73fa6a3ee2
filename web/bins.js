/** What would be too thin to be seen by itself is put together: how much of each bin of time it fills. */

/**
 * @typedef {import("./happenings.js").Happening} Happening
 * @typedef {import("./happenings.js").Happenings} Happenings
 *
 * @typedef {object} Bin Several happenings of one kind and name.
 * @property {"bin"} kind
 * @property {"segment" | "guess" | "mark"} of
 * @property {number} start Unix time of the first of them, or of the bin's beginning if that is later.
 * @property {number} end
 * @property {number} length Of the bin, in seconds.
 * @property {string} state
 * @property {string | null} label
 * @property {number} share How much of the bin they fill, from 0 to 1.
 * @property {number} seconds
 * @property {readonly Happening[]} all Oldest first.
 *
 * @typedef {Happenings & {bins: Bin[]}} Drawn What is left to be drawn by itself, and the bins.
 */

/** What is narrower goes into a bin; a bin of stretches, and one of marks with their flag, is at least so wide. In pixels. */
const [THIN, WIDTH, FLAG] = [3, 6, 30];

/** Lengths of bins, in seconds: what people count in. */
const LENGTHS = [0.5, 1, 2, 3, 5, 10, 15, 20, 30, 60, 120, 180, 300, 600, 900];

/**
 * @param {Happenings} seen What lies in sight, each list in the order of time.
 * @param {number} second In pixels.
 * @returns {Drawn}
 */
export function bin({ segments, guesses, marks, outages }, second) {
  /** @param {Happening} it */
  const isThin = ({ start, end, lasting }) => !lasting && (end - start) * second < THIN;
  const length = lengthOf(WIDTH / second);
  const bins = [
    ...collect("guess", guesses.filter(isThin), length), // in the order in which they are drawn
    ...collect("segment", segments.filter(isThin), length),
    ...collect("mark", marks, lengthOf(FLAG / second)).filter(({ all }) => all.length > 1),
  ];
  const binned = new Set(bins.flatMap(({ all }) => all));
  /** @param {Happening} it */
  const isAlone = (it) => !binned.has(it);
  return {
    segments: segments.filter(isAlone),
    guesses: guesses.filter(isAlone),
    marks: marks.filter(isAlone),
    outages,
    bins,
  };
}

/**
 * How long a bin of stretches is, in seconds.
 *
 * @param {number} second In pixels.
 */
export function binLength(second) {
  return lengthOf(WIDTH / second);
}

/** @param {Bin} one @param {Bin} other */
export function isSame(one, other) {
  return /** @type {const} */ (["of", "start", "end", "state", "label"]).every((field) => one[field] === other[field]);
}

/** @param {number} least In seconds. */
function lengthOf(least) {
  return LENGTHS.find((length) => length >= least) ?? LENGTHS[LENGTHS.length - 1];
}

/**
 * Bins begin at whole multiples of their length, so that they stay what they are while time goes on. What reaches over
 * a border counts in both, with its part of each.
 *
 * @param {"segment" | "guess" | "mark"} of
 * @param {readonly Happening[]} all
 * @param {number} length In seconds.
 * @returns {Bin[]}
 */
function collect(of, all, length) {
  /** @type {Map<string, Bin & {all: Happening[]}>} */
  const bins = new Map();
  for (const it of all) {
    const [first, last] = [Math.floor(it.start / length), Math.floor(it.end / length)];
    for (let number = first; number <= last; number += 1) {
      const [from, to] = [number * length, (number + 1) * length];
      const seconds = Math.min(it.end, to) - Math.max(it.start, from);
      if (seconds <= 0 && it.end > it.start) continue;
      const key = `${number} ${it.state} ${it.label}`;
      const { state, label } = it;
      const bin = bins.get(key) ?? { kind: "bin", of, start: from, end: to, length, state, label, share: 0, seconds: 0, all: [] };
      bins.set(key, bin);
      bin.seconds += seconds;
      bin.share = Math.min(1, bin.seconds / length);
      bin.all.push(it);
    }
  }
  return [...bins.values()];
}
