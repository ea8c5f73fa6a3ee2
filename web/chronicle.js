/** What was heard, as far as it is known, over lost connections and services that start again. Times are Unix seconds. */

/**
 * @typedef {{start: number, end: number, state: string, label: string | null, confidence: number}} Stretch
 * @typedef {{start: number, end: number, label: string, confidence: number}} Guess
 * @typedef {{time: number, text: string}} Mark
 * @typedef {{start: number, end: number | null, source: string, reason: string}} Outage
 * @typedef {{start: number, end: number | null}} Gap
 */

/** What is older than the first, in seconds, is forgotten, and so is the oldest of more than the second. */
const [KEPT_SECONDS, KEPT_ENTRIES] = [9000, 6000];
/** Probability from which on an instrument that is not shown was nearly said, and for how many hops. The server's. */
const [NEARLY, NEARLY_HOPS] = [0.15, 2];
/** Times that differ by less are the same. In seconds. */
const SAME = 0.001;
/** Labels come late, now more and now less, never early: the clock trusts the earliest, but not for ever. */
const [SLOWER, FAR] = [0.05, 5];

/** @param {{start: number}} stretch */
const byStart = ({ start }) => start;
/** @param {Mark} mark */
const byTime = ({ time }) => time;

export class Chronicle {
  /** Unix time of the newest label; null before the first. @type {number | null} */
  now = null;
  /** Counts the changes of everything but the open stretch and guess. */
  version = 0;

  /** Oldest first; the last one is heard now. @type {Stream[]} */
  #streams = [];
  /** Unix time at zero of the page's clock, as it seems. @type {number | null} */
  #offset = null;
  #labelAt = 0;
  #heardAt = 0;
  /** What the getters gave, for as long as nothing changes. @type {Map<string, {version: number, all: any[]}>} */
  #given = new Map();

  /**
   * @param {import("./messages.js").Message} message All that the server tells, for any of it says that it is there.
   * @param {number} at The page's clock, in seconds.
   */
  hear(message, at = performance.now() / 1000) {
    if (message.type === "hello") this.#greet(message.utc, at);
    const stream = this.#streams.at(-1);
    if (stream === undefined) return;
    this.#heardAt = at;
    switch (message.type) {
      case "label":
        this.#setClock(stream.utc + message.time, at, stream.begun);
        stream.hearLabel(message);
        this.now = stream.utc + message.time;
        break;
      case "mark":
        stream.hearMark(message);
        this.#change();
        break;
      case "segment":
      case "guess":
      case "outage":
        stream.hear({ ...none(), [LISTS[message.type]]: [message] });
        this.#change();
        break;
      case "history":
        stream.hear(message);
        this.#change();
        break;
      default:
        break;
    }
  }

  /** @returns {readonly Stretch[]} The closed ones, oldest first, as in all of these lists. */
  get segments() {
    return this.#all("segments", byStart);
  }

  /** The present stretch. @returns {Stretch | null} */
  get open() {
    return this.#streams.at(-1)?.open ?? null;
  }

  /** What was nearly said, and what is nearly said now. @returns {readonly Guess[]} */
  get guesses() {
    const closed = this.#all("guesses", byStart);
    const open = this.#streams.at(-1)?.guess ?? null;
    return open === null || (closed.at(-1)?.end ?? -Infinity) > open.start + SAME ? closed : [...closed, open];
  }

  /** @returns {readonly Mark[]} */
  get marks() {
    return this.#all("marks", byTime);
  }

  /** @returns {readonly Outage[]} */
  get outages() {
    return this.#all("outages", byStart);
  }

  /** From the last word of a service to the first of the next; without an end as long as that has heard nothing. */
  get gaps() {
    return this.#streams.slice(1).flatMap((next, index) => {
      const [start, end] = [this.#streams[index].until, next.first];
      return end === null || end > start + SAME ? [{ start, end }] : [];
    });
  }

  /** Unix time up to which the server was heard; null before it was. */
  get until() {
    return this.present(this.#heardAt);
  }

  /**
   * Unix time by the server's clock, as it goes on from the newest label.
   *
   * @param {number} at The page's clock, in seconds.
   */
  present(at = performance.now() / 1000) {
    return this.#offset === null ? null : at + this.#offset;
  }

  /** @param {number} utc @param {number} at */
  #greet(utc, at) {
    const stream = this.#streams.at(-1);
    if (stream !== undefined && Math.abs(stream.utc - utc) < SAME) {
      stream.forget();
      return;
    }
    if (stream !== undefined && !stream.begun) {
      stream.move(utc); // until the first audio the server did not know better
    } else {
      stream?.close(this.until ?? stream.utc);
      this.#streams.push(new Stream(utc));
    }
    this.#offset ??= Math.max(Date.now() / 1000, utc) - at;
    this.#change();
  }

  /** @param {number} time @param {number} at @param {boolean} begun Whether a label of this stream came before. */
  #setClock(time, at, begun) {
    const offset = time - at;
    const trusted = begun && this.#offset !== null && this.#offset - offset < FAR ? this.#offset : -Infinity;
    this.#offset = Math.max(offset, trusted - SLOWER * (at - this.#labelAt));
    this.#labelAt = at;
  }

  #change() {
    this.version += 1;
    const oldest = (this.now ?? -Infinity) - KEPT_SECONDS;
    for (const name of /** @type {const} */ (["segments", "guesses", "marks", "outages"])) {
      let many = this.#streams.reduce((sum, stream) => sum + stream.lists[name].length, -KEPT_ENTRIES);
      for (const { lists } of this.#streams) {
        const list = lists[name];
        const old = list.findIndex((entry) => ("time" in entry ? entry.time : (entry.end ?? Infinity)) > oldest);
        const surplus = Math.min(list.length, Math.max(many, old < 0 ? list.length : old));
        if (surplus > 0) list.splice(0, surplus);
        many -= surplus;
      }
    }
    this.#streams = this.#streams.filter((stream, index) => index === this.#streams.length - 1 || !stream.isEmpty);
  }

  /**
   * @param {"segments" | "guesses" | "marks" | "outages"} name
   * @param {(entry: any) => number} time
   */
  #all(name, time) {
    const given = this.#given.get(name);
    if (given?.version === this.version) return given.all;
    const all = this.#streams.flatMap(({ lists }) => /** @type {any[]} */ (lists[name]));
    // The clock of a computer that starts again may have been set back.
    if (this.#streams.length > 1) all.sort((a, b) => time(a) - time(b));
    this.#given.set(name, { version: this.version, all });
    return all;
  }
}

const LISTS = /** @type {const} */ ({ segment: "segments", guess: "guesses", outage: "outages" });

/** @returns {Omit<import("./messages.js").History, "type">} */
const none = () => ({ segments: [], guesses: [], marks: [], outages: [] });

/** What one run of the service heard. */
class Stream {
  /** @type {{segments: Stretch[], guesses: Guess[], marks: Mark[], outages: Outage[]}} */
  lists = { segments: [], guesses: [], marks: [], outages: [] };
  /** @type {Stretch | null} */
  open = null;
  /** Whether it has heard anything: then its time is right. */
  begun = false;
  /** Unix time up to which it was heard, once it is over. */
  until = 0;

  /** Labels of the open stretch. */
  #labels = 0;
  /** @type {Guess | null} */
  #guess = null;
  #guesses = 0;

  /** @param {number} utc */
  constructor(utc) {
    this.utc = utc;
  }

  /** What is nearly said now. */
  get guess() {
    return this.#guesses >= NEARLY_HOPS ? this.#guess : null;
  }

  /** Unix time of the first thing that is known. */
  get first() {
    return this.lists.segments[0]?.start ?? this.open?.start ?? null;
  }

  get isEmpty() {
    return Object.values(this.lists).every((list) => list.length === 0);
  }

  /** @param {import("./messages.js").Label} label */
  hearLabel({ time, since, state, label, confidence, probabilities }) {
    const now = this.utc + time;
    const { open } = this;
    this.begun = true;
    if (open?.end === now) return; // the answer to a subscription says again what is known
    const goesOn = open !== null && now > open.end && open.state === state && open.label === label;
    const start = since === undefined ? (goesOn ? open.start : now) : this.utc + since;
    if (goesOn && Math.abs(open.start - start) < SAME) {
      this.#labels += 1;
      this.open = { ...open, end: now, confidence: open.confidence + (confidence - open.confidence) / this.#labels };
    } else {
      this.#labels = 1;
      this.open = { start: Math.min(start, now), end: now, state, label, confidence };
    }
    this.#hearGuess(now, label, probabilities);
  }

  /** @param {number} now @param {string | null} shown @param {Record<string, number>} probabilities */
  #hearGuess(now, shown, probabilities) {
    let best = null;
    for (const name in probabilities) {
      if (name !== shown && probabilities[name] > (best === null ? 0 : probabilities[best])) best = name;
    }
    if (best === null || probabilities[best] < NEARLY) {
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

  /** The connection was lost: what is nearly said may be another guess of the same instrument. */
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

  /** Take another time for the beginning. @param {number} utc */
  move(utc) {
    const shift = utc - this.utc;
    this.utc = utc;
    for (const list of Object.values(this.lists)) {
      for (const entry of /** @type {any[]} */ (list)) {
        for (const field of ["start", "end", "time"]) if (typeof entry[field] === "number") entry[field] += shift;
      }
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
