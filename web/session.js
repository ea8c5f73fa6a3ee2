/** What one takes home: the session, or a take of it, and what was heard in it. All times are Unix seconds. */

import { recall, remember } from "./storage.js";

/**
 * @typedef {{run?: string | null, source?: string | null, model?: string | null}} Owned Whose it is, where that is known.
 * @typedef {Owned & {start: number, end: number, state: string, label: string | null, confidence: number}} Stretch
 * @typedef {Owned & {start: number, end: number, label: string, confidence: number}} Guess
 * @typedef {Owned & {time: number, text: string}} Mark
 * @typedef {Owned & {start: number, end: number | null, source: string, reason: string | null}} Outage
 *
 * @typedef {object} Heard
 * @property {readonly Stretch[]} segments Oldest first, as all of these.
 * @property {readonly Guess[]} guesses
 * @property {readonly Mark[]} marks
 * @property {readonly Outage[]} outages
 *
 * @typedef {object} Span
 * @property {number} start
 * @property {number | null} end null while it lasts.
 *
 * @typedef {object} Chronicle
 * @property {string | null} line The line that it is of; null for the one in front, or the only one.
 * @property {Origin} session What the present run of the service has heard.
 * @property {Origin} everything That, and what was heard before.
 *
 * @typedef {object} Origin What a chronicle offers.
 * @property {readonly Stretch[]} segments
 * @property {Stretch | null} open
 * @property {readonly Guess[]} guesses
 * @property {readonly Mark[]} marks
 * @property {readonly Outage[]} outages
 * @property {readonly {start: number, end: number | null}[]} gaps When there was no service.
 */

const [SPAN, HEARD] = ["session", "session-heard"];

export class Session {
  /** The take: a part that somebody began, and perhaps ended. null before the first one. @type {Span | null} */
  span = null;
  /** What was heard in the take before this page was opened, or before a service started again. @type {Heard} */
  #before = nothing();

  constructor() {
    this.#recall();
    addEventListener("storage", (event) => {
      if (event.key === SPAN || event.key === null) this.#recall(); // changed in another tab
    });
  }

  /** @returns {"none" | "running" | "stopped"} */
  get phase() {
    if (this.span === null) return "none";
    return this.span.end === null ? "running" : "stopped";
  }

  /** Begin a new take, and forget the last. @param {number} now */
  start(now) {
    this.#before = nothing();
    remember(HEARD, null);
    this.#change({ start: milliseconds(now), end: null });
  }

  /** @param {number} now */
  stop(now) {
    if (this.span !== null) this.#change({ start: this.span.start, end: Math.max(milliseconds(now), this.span.start) });
  }

  /** Go on as if it had never been stopped. */
  resume() {
    if (this.span !== null) this.#change({ start: this.span.start, end: null });
  }

  /**
   * What was heard in the take, by whatever service; without one in the session, as far as it was heard.
   *
   * @param {Chronicle} chronicle
   * @param {number} now
   * @param {number} [until] What is later is left out, where it is not a take.
   * @returns {Heard & {span: Span}}
   */
  heard(chronicle, now, until = Infinity) {
    if (this.span === null) {
      const all = merge(nothing(), chronicle.session);
      const starts = [...all.segments, ...all.guesses, ...all.outages, ...all.marks.map(instant)].map(begin);
      const ends = [...all.segments, ...all.guesses, ...all.outages, ...all.marks.map(instant)].map(
        ({ start, end }) => end ?? start,
      );
      if (starts.length === 0) return { ...all, span: { start: now, end: now } };
      const span = { start: starts.reduce((a, b) => Math.min(a, b)), end: Math.min(until, ends.reduce((a, b) => Math.max(a, b))) };
      return { ...clip(all, span.start, span.end), span };
    }
    const { start, end } = this.span;
    const before = chronicle.line === null ? this.#before : nothing(); // of a line nothing is kept
    return { ...clip(merge(before, chronicle.everything), start, end ?? now, end !== null), span: this.span };
  }

  /**
   * Keep what was heard: the server forgets it when it starts again, and sooner or later so do this page and both of
   * them what is long ago.
   *
   * @param {Chronicle} chronicle
   * @param {number} now
   */
  keep(chronicle, now) {
    if (this.span === null) return;
    const { start, end } = this.span;
    // What has no end yet may get one.
    const { segments, guesses, marks, outages } = clip(merge(this.#before, chronicle.everything), start, end ?? now);
    this.#before = { segments, guesses, marks, outages };
    if (segments.length > 0 || marks.length > 0) remember(HEARD, this.#before);
  }

  /** @param {Span | null} span */
  #change(span) {
    this.span = span;
    remember(SPAN, span);
  }

  #recall() {
    const span = recall(SPAN);
    this.span = isSpan(span) ? span : null;
    const heard = recall(HEARD);
    this.#before = this.span !== null && isHeard(heard) ? heard : nothing();
  }
}

/** @returns {Heard} */
function nothing() {
  return { segments: [], guesses: [], marks: [], outages: [] };
}

/**
 * Put together what was kept and what is known now. Of a time of which both tell, what is known now is right: what was
 * kept may have been cut short.
 *
 * @param {Heard} kept
 * @param {Origin} origin
 * @returns {Heard}
 */
export function merge(kept, origin) {
  const known = origin.open === null ? origin.segments : [...origin.segments, origin.open];
  const since = known[0]?.start ?? Infinity;
  return {
    segments: join(kept.segments, known, begin).map((stretch) =>
      stretch.start < since && stretch.end > since ? { ...stretch, end: since } : stretch,
    ),
    guesses: join(kept.guesses, origin.guesses, begin),
    marks: join(kept.marks, origin.marks, ({ time }) => time),
    // A service that ended while its source was lost never told that it came back.
    outages: join(
      kept.outages.map((it) => (it.end === null && it.start < since && since < Infinity ? { ...it, end: since } : it)),
      [...origin.outages, ...origin.gaps.map(absence)].sort((a, b) => a.start - b.start),
      begin,
    ),
  };
}

/** @param {{start: number, end: number | null}} gap */
const absence = ({ start, end }) => ({ start, end, source: "Soloist", reason: "the service was not running" });

/** @param {{start: number}} stretch */
const begin = ({ start }) => start;

/** @param {Mark} mark */
const instant = ({ time }) => ({ start: time, end: time });

/** As the files write it: who takes the same from the log names these times. @param {number} time */
const milliseconds = (time) => Math.round(1000 * time) / 1000;

/**
 * What is known, and of what was kept only what lies before it.
 *
 * @template T
 * @param {readonly T[]} kept
 * @param {readonly T[]} known
 * @param {(item: T) => number} time
 * @returns {T[]}
 */
function join(kept, known, time) {
  const since = known.length > 0 ? time(known[0]) - 0.001 : Infinity;
  return [...kept.filter((item) => time(item) < since), ...known];
}

/**
 * Leave out what lies outside, and cut what reaches out.
 *
 * @param {Heard} heard
 * @param {number} from
 * @param {number} to
 * @param {boolean} [closed] Whether what has no end yet is cut there, too.
 * @returns {Heard}
 */
export function clip({ segments, guesses, marks, outages }, from, to, closed = false) {
  /** @type {<T extends {start: number, end: number}>(stretches: readonly T[]) => T[]} */
  const within = (stretches) =>
    stretches
      .filter(({ start, end }) => end > from && start < to)
      .map((stretch) => ({ ...stretch, start: Math.max(stretch.start, from), end: Math.min(stretch.end, to) }));
  return {
    segments: within(segments),
    guesses: within(guesses),
    marks: marks.filter(({ time }) => time >= from && time <= to),
    outages: outages
      .filter(({ start, end }) => (end ?? Infinity) > from && (start < to || (end === null && start === to)))
      .map((outage) => ({
        ...outage,
        start: Math.max(outage.start, from),
        end: outage.end === null && !closed ? null : Math.min(outage.end ?? Infinity, to),
      })),
  };
}

/**
 * @param {any} value
 * @returns {value is Span}
 */
function isSpan(value) {
  return Number.isFinite(value?.start) && (value.end === null || Number.isFinite(value.end));
}

/**
 * @param {any} value
 * @returns {value is Heard}
 */
function isHeard(value) {
  return ["segments", "guesses", "marks", "outages"].every((name) => Array.isArray(value?.[name]));
}
