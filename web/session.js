/** A rehearsal or a show: from when to when it lasts, and what was heard in it. All times are Unix seconds. */

import { recall, remember } from "./storage.js";

/**
 * @typedef {{start: number, end: number, state: string, label: string | null, confidence: number}} Stretch
 * @typedef {{start: number, end: number, label: string, confidence: number}} Guess
 * @typedef {{time: number, text: string}} Mark
 * @typedef {{start: number, end: number | null, source: string, reason: string | null}} Outage
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
  /** null before the first one. @type {Span | null} */
  span = null;
  /** What was heard in it before this page was opened, or before a service started again. @type {Heard} */
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

  /** Begin a new one, and forget the last. @param {number} now */
  start(now) {
    this.#before = nothing();
    remember(HEARD, null);
    this.#change({ start: now, end: null });
  }

  /** @param {number} now */
  stop(now) {
    if (this.span !== null) this.#change({ start: this.span.start, end: Math.max(now, this.span.start) });
  }

  /** Go on as if it had never been stopped. */
  resume() {
    if (this.span !== null) this.#change({ start: this.span.start, end: null });
  }

  /**
   * What was heard in the session, or all that is known without one.
   *
   * @param {Origin} origin
   * @param {number} now
   * @returns {Heard & {span: Span}}
   */
  heard(origin, now) {
    if (this.span === null) {
      const all = merge(nothing(), origin);
      const starts = [...all.segments, ...all.guesses, ...all.outages].map(({ start }) => start);
      const start = Math.min(now, ...starts.slice(0, 1), ...all.marks.slice(0, 1).map(({ time }) => time));
      return { ...clip(all, start, now), span: { start, end: null } };
    }
    return { ...clip(merge(this.#before, origin), this.span.start, this.span.end ?? now), span: this.span };
  }

  /**
   * Keep what was heard: the server forgets it when it starts again, and sooner or later so do this page and both of
   * them what is long ago.
   *
   * @param {Origin} origin
   * @param {number} now
   */
  keep(origin, now) {
    if (this.span === null) return;
    const { segments, guesses, marks, outages } = this.heard(origin, now);
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
 * @returns {Heard}
 */
export function clip({ segments, guesses, marks, outages }, from, to) {
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
      .filter(({ start, end }) => (end ?? Infinity) > from && start < to)
      .map((outage) => ({
        ...outage,
        start: Math.max(outage.start, from),
        end: outage.end === null ? null : Math.min(outage.end, to),
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
