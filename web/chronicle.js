/** What was heard, as far as it is known: over lost connections, and services that start again. In Unix seconds. */

import { SAME, Stream, byStart, byTime } from "./stream.js";

/**
 * @typedef {import("./stream.js").Stretch} Stretch
 * @typedef {import("./stream.js").Guess} Guess
 * @typedef {import("./stream.js").Mark} Mark
 * @typedef {import("./stream.js").Outage} Outage
 */

/** What is older than the first, in seconds, is forgotten, and so is the oldest of more than the second. */
const [KEPT_SECONDS, KEPT_ENTRIES] = [9000, 6000];
/** Labels come late, now more and now less, never early: the clock trusts the earliest, but not for ever. */
const [SLOWER, FAR] = [0.05, 5];

/** The messages that tell of one thing, and where such things are in a history. */
const LISTS = /** @type {const} */ ({ segment: "segments", guess: "guesses", outage: "outages" });

/** @returns {Omit<import("./messages.js").History, "type">} */
const none = () => ({ segments: [], guesses: [], marks: [], outages: [] });

export class Chronicle {
  /** The line that it is of; null for the one in front, or the only one. @type {string | null} */
  line;
  /** Unix time of the newest label; null before the first. @type {number | null} */
  now = null;
  /** Counts the changes of everything but the open stretch and guess. */
  version = 0;

  /** One for each run of the service, oldest first; the last one is heard now. @type {Stream[]} */
  #streams = [];
  /** Unix time at zero of the page's clock, as it seems. @type {number | null} */
  #offset = null;
  /** Whose labels say so. @type {Stream | null} */
  #clock = null;
  #labelAt = 0;
  #heardAt = 0;
  /** What the getters gave, for as long as nothing changes. @type {Map<string, {version: number, all: any[]}>} */
  #given = new Map();

  /** @param {string | null} [line] */
  constructor(line = null) {
    this.line = line;
  }

  /**
   * @param {import("./messages.js").Message} message All that the server tells, for any of it says that it is there.
   * @param {number} at The page's clock, in seconds.
   */
  hear(message, at = performance.now() / 1000) {
    if (message.type === "hello") this.#greet(message, at);
    const stream = this.#streams.at(-1);
    if (stream === undefined) return;
    this.#heardAt = at;
    switch (message.type) {
      case "label":
        this.#setClock(stream, message.time, at);
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
        stream.hear(this.#unknown(message, stream.utc));
        stream.hearOrigins(message.origins ?? []);
        this.#change();
        break;
      default:
        break;
    }
  }

  /**
   * All that is known, each with whose it is.
   *
   * @returns {import("./session.js").Origin}
   */
  get everything() {
    return this.#told(this.#streams, () => true);
  }

  /**
   * What the present run of the service has heard, each with whose it is: the session, as the log has it.
   *
   * @returns {import("./session.js").Origin}
   */
  get session() {
    const stream = this.#streams.at(-1);
    return this.#told(stream === undefined ? [] : [stream], (it) => it.run === (stream?.run ?? null));
  }

  /** @returns {readonly Stretch[]} The closed ones of this source, oldest first, as in all of these lists. */
  get segments() {
    return this.#all("segments", byStart);
  }

  /** The present stretch. @returns {Stretch | null} */
  get open() {
    return this.#streams.at(-1)?.open ?? null;
  }

  /** The guesses, with that of this moment. @returns {readonly Guess[]} */
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

  /**
   * From the last word of a service to the first of the next; without an end as long as that has heard nothing.
   *
   * @returns {{start: number, end: number | null}[]}
   */
  get gaps() {
    const { source } = this;
    return gaps(this.#streams.filter((it) => isSame(it.source, source)));
  }

  /** What is heard now; null where no server tells. */
  get source() {
    return this.#streams.at(-1)?.source ?? null;
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

  /** @param {import("./messages.js").Hello} hello @param {number} at */
  #greet(hello, at) {
    const { utc } = hello;
    const run = hello.run || undefined;
    const stream = this.#streams.at(-1);
    if (stream !== undefined && isSame(run, stream.run) && Math.abs(stream.utc - utc) < SAME) {
      stream.forget();
    } else if (stream !== undefined && !stream.begun && isSame(run, stream.run)) {
      stream.move(utc); // until the first audio the server did not know better
    } else if (stream !== undefined && run !== undefined && run === stream.run) {
      const shift = utc - stream.utc; // the clock of the server's computer was set
      stream.move(utc);
      if (this.now !== null) this.now += shift;
      if (this.#offset !== null) this.#offset += shift;
    } else {
      stream?.close(this.until ?? stream.utc);
      this.#streams.push(new Stream(utc, run));
    }
    this.#streams.at(-1)?.hearHello(hello);
    this.#offset ??= Math.max(Date.now() / 1000, utc) - at;
    this.#change();
  }

  /** @param {Stream} stream @param {number} time @param {number} at */
  #setClock(stream, time, at) {
    const offset = stream.utc + time - at;
    const before = this.#clock === stream && this.#offset !== null ? this.#offset : -Infinity;
    const trusted = before - offset < FAR ? before - SLOWER * (at - this.#labelAt) : -Infinity;
    this.#offset = Math.max(offset, trusted);
    this.#clock = stream;
    this.#labelAt = at;
  }

  /**
   * What is known of the run before is not told again: a service that starts anew tells that, too.
   *
   * @param {import("./messages.js").History} history
   * @param {number} utc
   * @returns {import("./messages.js").History}
   */
  #unknown(history, utc) {
    const known = this.#streams.at(-2)?.until ?? null;
    if (known === null) return history;
    /** @param {{start: number}} it */
    const isNew = ({ start }) => start >= 0 || utc + start >= known;
    return {
      ...history,
      segments: history.segments.filter(isNew),
      guesses: history.guesses.filter(isNew),
      marks: history.marks.filter(({ time }) => isNew({ start: time })),
      outages: history.outages.filter(isNew),
    };
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
    const { source } = this;
    const present = this.#streams.at(-1);
    const all = this.#streams.flatMap((stream) =>
      /** @type {any[]} */ (stream.lists[name]).filter(
        // What the present run has heard, and what was heard of the same source before.
        (entry) =>
          (stream === present && time(entry) >= stream.utc - SAME) ||
          isSame(stream.origin(time(entry)).source, source),
      ),
    );
    // The clock of a computer that starts again may have been set back.
    if (this.#streams.length > 1) all.sort((a, b) => time(a) - time(b));
    this.#given.set(name, { version: this.version, all });
    return all;
  }

  /**
   * @param {readonly Stream[]} streams
   * @param {(origin: import("./stream.js").Origin) => boolean} belongs
   * @returns {import("./session.js").Origin}
   */
  #told(streams, belongs) {
    /** @param {"segments" | "guesses" | "marks" | "outages"} name @param {(entry: any) => number} time */
    const all = (name, time) =>
      streams
        .flatMap((stream) => /** @type {any[]} */ (stream.lists[name]).map((entry) => owned(stream, entry, time)))
        .filter(belongs)
        .sort((a, b) => time(a) - time(b));
    const last = streams.at(-1);
    const [open, guess] = [last?.open ?? null, last?.guess ?? null];
    const guesses = all("guesses", byStart);
    if (last && guess !== null && (guesses.at(-1)?.end ?? -Infinity) <= guess.start + SAME) {
      guesses.push(owned(last, guess, byStart));
    }
    return {
      segments: all("segments", byStart),
      open: last && open !== null ? owned(last, open, byStart) : null,
      guesses,
      marks: all("marks", byTime),
      outages: all("outages", byStart),
      gaps: gaps(streams),
    };
  }
}

/** Whether two sources, or runs, are the same, as far as it is known. @param {unknown} one @param {unknown} other */
const isSame = (one, other) => one === other || (one ?? null) === null || (other ?? null) === null;

/**
 * An entry with whose it is; an outage knows its source.
 *
 * @param {Stream} stream
 * @param {any} entry
 * @param {(entry: any) => number} time
 */
function owned(stream, entry, time) {
  const { run, source, model } = stream.origin(time(entry));
  return { ...entry, source: entry.source ?? source, model, run };
}

/**
 * From the last word of a service to the first of the next.
 *
 * @param {readonly Stream[]} streams
 * @returns {{start: number, end: number | null}[]}
 */
function gaps(streams) {
  return streams.slice(1).flatMap((next, index) => {
    const [start, end] = [streams[index].until, next.first];
    return end === null || end > start + SAME ? [{ start, end }] : [];
  });
}
