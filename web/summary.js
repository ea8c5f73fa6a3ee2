/** How long each instrument was in front: the sums of what the downloads list. */

import { areMany } from "./places.js";

/**
 * @typedef {import("./session.js").Heard} Heard
 * @typedef {import("./session.js").Span} Span
 *
 * @typedef {object} Line
 * @property {string} name An instrument as the model names it, or a state.
 * @property {boolean} instrument
 * @property {number} seconds
 * @property {number} times Stretches.
 * @property {number} longest The longest of them, in seconds.
 *
 * @typedef {object} Summary
 * @property {Line[]} lines Of each instrument, in the model's order, then of what is none. Of many, those that were heard.
 * @property {number} seconds Heard in all.
 * @property {number} lost Without input or service.
 * @property {number} outages
 * @property {number} marks
 * @property {number} from Unix time.
 * @property {number} to
 */

/** What is no instrument, in the order in which it is told. */
const STATES = ["unknown", "silence", "warming"];

/**
 * @param {Heard & {span: Span}} heard
 * @param {string[]} labels The instruments of the model.
 * @param {number} now Unix time.
 * @returns {Summary}
 */
export function summarize({ span, segments, marks, outages }, labels, now) {
  /** @type {Map<string, Line>} */
  const lines = new Map();
  /** @param {string} name @param {boolean} instrument */
  const line = (name, instrument) => {
    const key = `${instrument} ${name}`; // a model may have an instrument that is called as a state
    const known = lines.get(key) ?? { name, instrument, seconds: 0, times: 0, longest: 0 };
    lines.set(key, known);
    return known;
  };
  for (const name of labels) line(name, true);
  // Instruments of another model that was loaded before follow those of today's.
  for (const { label } of segments) if (label !== null) line(label, true);
  for (const name of STATES) line(name, false);
  for (const { start, end, state, label } of segments) {
    const it = line(label ?? state, label !== null);
    it.seconds += end - start;
    it.times += 1;
    it.longest = Math.max(it.longest, end - start);
  }
  const all = [...lines.values()];
  return {
    lines: areMany(labels) ? all.filter(({ instrument, times }) => !instrument || times > 0) : all,
    seconds: all.reduce((sum, { seconds }) => sum + seconds, 0),
    lost: covered(outages, span.end ?? now),
    outages: outages.length,
    marks: marks.length,
    from: span.start,
    to: span.end ?? Math.max(span.start, now),
  };
}

/**
 * How long there was at least one of them: no service may mean no input, too.
 *
 * @param {readonly {start: number, end: number | null}[]} outages In the order of their starts.
 * @param {number} now For what has not ended.
 */
function covered(outages, now) {
  let [sum, until] = [0, -Infinity];
  for (const { start, end } of outages) {
    const to = end ?? Math.max(start, now);
    sum += Math.max(0, to - Math.max(start, until));
    until = Math.max(until, to);
  }
  return sum;
}
