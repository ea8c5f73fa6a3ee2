/** What one run of the service heard. Times are Unix seconds. */

/**
 * @typedef {{start: number, end: number, state: string, label: string | null, confidence: number, line?: string}} Stretch
 *   With the line that it was heard on, where there are several.
 * @typedef {{start: number, end: number, label: string, confidence: number}} Guess
 * @typedef {{time: number, text: string}} Mark
 * @typedef {{start: number, end: number | null, source: string, reason: string}} Outage
 *
 * @typedef {object} Origin From some moment on, in Unix time, what was heard; null for what no server has told.
 * @property {number} start
 * @property {string | null} run Names the run of the service.
 * @property {string | null} source
 * @property {string | null} model
 */

/** Times that differ by less are the same. In seconds. */
export const SAME = 0.001;
/** Probability from which on an instrument that is not shown is a guess, and for how many hops. The server's. */
const [GUESS_PROBABILITY, GUESS_HOPS] = [0.15, 2];

/** @param {{start: number}} stretch */
export const byStart = ({ start }) => start;
/** @param {Mark} mark */
export const byTime = ({ time }) => time;

export class Stream {
  /** @type {{segments: Stretch[], guesses: Guess[], marks: Mark[], outages: Outage[]}} */
  lists = { segments: [], guesses: [], marks: [], outages: [] };
  /** @type {Stretch | null} */
  open = null;
  /** Whether it has heard anything: then its time is right. */
  begun = false;
  /** Unix time up to which it was heard, once it is over. */
  until = 0;

  /** What was heard when, oldest first; with that of services before, whose history this one has told. @type {Origin[]} */
  #origins = [];
  /** Labels of the open stretch. */
  #labels = 0;
  /** @type {Guess | null} */
  #guess = null;
  #guesses = 0;

  /** @param {number} utc @param {string} [run] What names the run of the service, if it has told. */
  constructor(utc, run) {
    this.utc = utc;
    this.run = run || undefined;
  }

  /** What is heard now. */
  get source() {
    return this.#origins.at(-1)?.source ?? null;
  }

  /**
   * What was heard at a moment.
   *
   * @param {number} start Unix time.
   * @returns {Origin}
   */
  origin(start) {
    const found = this.#origins.filter((it) => it.start <= start + SAME).at(-1);
    if (found !== undefined) return found;
    const first = this.#origins[0] ?? { source: null, model: null };
    return { ...first, start, run: start < this.utc - SAME ? null : (this.run ?? null) };
  }

  /** The guess of this moment. */
  get guess() {
    return this.#guesses >= GUESS_HOPS ? this.#guess : null;
  }

  /** Unix time of the first thing that is known. */
  get first() {
    return this.lists.segments[0]?.start ?? this.open?.start ?? null;
  }

  get isEmpty() {
    return Object.values(this.lists).every((list) => list.length === 0);
  }

  /** Until there is audio, it may turn out to be something else. @param {import("./messages.js").Hello} hello */
  hearHello({ source = null, model = null, since = 0 }) {
    const start = this.utc + since;
    this.#origins = this.#origins.filter((it) => it.start < start - SAME);
    this.#origins.push({ start, run: this.run ?? null, source, model });
  }

  /** They are all that the server knows. @param {readonly Origin[]} origins In stream time. */
  hearOrigins(origins) {
    if (origins.length > 0) this.#origins = origins.map((it) => ({ ...it, run: it.run || null, start: this.utc + it.start }));
  }

  /** @param {import("./messages.js").Label} label */
  hearLabel({ time, since, state, label, confidence, probabilities, line }) {
    const now = this.utc + time;
    const { open } = this;
    this.begun = true;
    if (open?.end === now) return; // the answer to a subscription says again what is known
    const goesOn = open !== null && now > open.end && open.state === state && open.label === label && open.line === line;
    const start = since === undefined ? (goesOn ? open.start : now) : this.utc + since;
    if (goesOn && Math.abs(open.start - start) < SAME) {
      this.#labels += 1;
      this.open = { ...open, end: now, confidence: open.confidence + (confidence - open.confidence) / this.#labels };
    } else {
      this.#labels = 1;
      this.open = { start: Math.min(start, now), end: now, state, label, confidence, ...on(line) };
    }
    this.#hearGuess(now, label, probabilities);
  }

  /** @param {number} now @param {string | null} shown @param {Record<string, number>} probabilities */
  #hearGuess(now, shown, probabilities) {
    let best = null;
    for (const name in probabilities) {
      if (name !== shown && probabilities[name] > (best === null ? 0 : probabilities[best])) best = name;
    }
    if (best === null || probabilities[best] < GUESS_PROBABILITY) {
      this.forget();
    } else if (this.#guess?.label === best) {
      const { confidence } = this.#guess;
      this.#guesses += 1;
      this.#guess = {
        ...this.#guess,
        end: now,
        confidence: confidence + (probabilities[best] - confidence) / this.#guesses,
      };
    } else {
      this.#guess = { start: now, end: now, label: best, confidence: probabilities[best] };
      this.#guesses = 1;
    }
  }

  /** Several may be set to one moment. @param {import("./messages.js").Mark} mark */
  hearMark({ time, text }) {
    const mark = { time: this.utc + time, text };
    const { marks } = this.lists;
    if (marks.some((it) => Math.abs(it.time - mark.time) < SAME && it.text === text)) return;
    marks.push(mark);
    marks.sort((a, b) => a.time - b.time);
  }

  /** The connection was lost: what comes then may be another guess of the same instrument. */
  forget() {
    this.#guess = null;
    this.#guesses = 0;
  }

  /**
   * What is told again is known once, and a history that was late leaves alone what came before it.
   *
   * @param {Omit<import("./messages.js").History, "type">} told
   */
  hear({ segments, guesses, marks, outages }) {
    const { lists, utc } = this;
    /** @param {number} time */
    const at = (time) => utc + time;
    if (segments.length > 0) this.begun = true;
    lists.segments = merge(
      lists.segments,
      segments.map((it) => ({
        start: at(it.start),
        end: at(it.end),
        state: it.state,
        label: it.label ?? null,
        confidence: it.confidence,
        ...on(it.line),
      })),
      byStart,
    );
    lists.guesses = merge(
      lists.guesses,
      guesses.map((it) => ({ start: at(it.start), end: at(it.end), label: it.label, confidence: it.confidence })),
      byStart,
    );
    lists.marks = merge(lists.marks, marks.map(({ time, text }) => ({ time: at(time), text })), byTime);
    const ended = lists.outages.filter(({ end }) => end !== null);
    lists.outages = merge(
      lists.outages,
      outages.map(({ start, end, source, reason }) => ({
        start: at(start),
        end: end === null ? (ended.find((it) => Math.abs(it.start - at(start)) < SAME)?.end ?? null) : at(end),
        source,
        reason,
      })),
      byStart,
    );
    if (this.open !== null && (lists.segments.at(-1)?.end ?? -Infinity) > this.open.start + SAME) this.open = null;
  }

  /** Take another time for the beginning. What was before it keeps its own. @param {number} utc */
  move(utc) {
    const [before, shift] = [this.utc - SAME, utc - this.utc];
    this.utc = utc;
    const entries = [...Object.values(this.lists).flat(), this.open, this.#guess, ...this.#origins];
    for (const entry of /** @type {any[]} */ (entries)) {
      if ((entry?.start ?? entry?.time) < before) continue;
      for (const field of ["start", "end", "time"]) if (typeof entry?.[field] === "number") entry[field] += shift;
    }
  }

  /** The service is over: what was open is closed with the last thing that it told. @param {number} until Unix time. */
  close(until) {
    const { lists, open, guess } = this;
    this.until = Math.max(until, open?.end ?? until);
    if (open !== null && open.end > open.start) lists.segments.push(open);
    if (guess !== null && (lists.guesses.at(-1)?.end ?? -Infinity) <= guess.start + SAME) lists.guesses.push(guess);
    lists.outages = lists.outages.map((it) => ({ ...it, end: it.end ?? Math.max(it.start, this.until) }));
    this.open = null;
  }
}

/** Whose a stretch is; nothing where there is one line. @param {string | undefined} line */
const on = (line) => (line === undefined ? {} : { line });

/**
 * Put in what is told, in place of what was known of the same time.
 *
 * @template T
 * @param {T[]} known In the order of time, as what is told.
 * @param {T[]} told
 * @param {(entry: T) => number} time
 */
function merge(known, told, time) {
  if (told.length === 0) return known;
  const [from, to] = [time(told[0]) - SAME, time(told[told.length - 1]) + SAME];
  if (known.length === 0 || time(known[known.length - 1]) < from) {
    for (const entry of told) known.push(entry);
    return known;
  }
  return [...known.filter((entry) => time(entry) < from), ...told, ...known.filter((entry) => time(entry) > to)];
}
