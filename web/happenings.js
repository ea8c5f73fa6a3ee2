/** What the chronicle knows, as things on a timeline, and what there is to say of each. */

import { percent, title, wallClock } from "./words.js";

/**
 * @typedef {object} Happening
 * @property {"segment" | "guess" | "mark" | "outage" | "gap"} kind A gap is a time without connection.
 * @property {number} start Unix time.
 * @property {number} end The same as the start for a mark.
 * @property {boolean} lasting Whether it goes on.
 * @property {string} state Of a segment; empty for others.
 * @property {string | null} label
 * @property {number} confidence From 0 to 1.
 * @property {string} text A mark's, or an outage's reason.
 *
 * @typedef {object} Happenings Each in the order of time.
 * @property {Happening[]} segments
 * @property {Happening[]} guesses
 * @property {Happening[]} marks
 * @property {Happening[]} outages Of the source and of the connection.
 *
 * @typedef {import("./chronicle.js").Chronicle} Chronicle
 */

/** What is heard now is known up to the newest label; the next one comes soon. Not later than this, in seconds. */
const LABEL_LASTS = 3;

/** @type {Omit<Happening, "kind" | "start" | "end">} */
const PLAIN = { lasting: false, state: "", label: null, confidence: 0, text: "" };

/** Turns a chronicle into happenings, again only when it has changed. */
export class Digest {
  /** @type {Chronicle | null} */
  #chronicle = null;
  #version = -1;
  /** @type {Happenings} */
  #closed = { segments: [], guesses: [], marks: [], outages: [] };

  /**
   * @param {Chronicle} chronicle
   * @param {number} now Unix time.
   * @param {boolean} live Whether there is a connection.
   * @returns {Happenings}
   */
  at(chronicle, now, live) {
    if (chronicle !== this.#chronicle || chronicle.version !== this.#version) {
      this.#chronicle = chronicle;
      this.#version = chronicle.version;
      this.#closed = {
        segments: chronicle.segments.map((it) => ({ ...PLAIN, ...it, kind: "segment" })),
        guesses: [],
        marks: chronicle.marks.map(({ time, text }) => ({ ...PLAIN, kind: "mark", start: time, end: time, text })),
        outages: [],
      };
    }
    const { segments, marks } = this.#closed;
    const until = live ? now : (chronicle.until ?? now);
    /** @param {number | null} end @param {number} last */
    const ends = (end, last) => ({ end: end ?? last, lasting: end === null });
    /** @type {Happening[]} */
    const outages = [
      ...chronicle.outages.map(({ start, end, reason }) => ({
        ...PLAIN, kind: /** @type {const} */ ("outage"), start, ...ends(end, Math.max(start, until)), text: reason,
      })),
      ...chronicle.gaps.map(({ start, end }) => ({ ...PLAIN, kind: /** @type {const} */ ("gap"), start, ...ends(end, now) })),
    ];
    if (!live && chronicle.until !== null) outages.push({ ...PLAIN, kind: "gap", start: until, end: now, lasting: true });
    const { open } = chronicle;
    return {
      segments: open === null ? segments : [...segments, this.#open(open, chronicle, now, live)],
      guesses: chronicle.guesses.map((it) => ({ ...PLAIN, ...it, kind: "guess" })),
      marks,
      outages,
    };
  }

  /**
   * @param {import("./chronicle.js").Stretch} open
   * @param {Chronicle} chronicle
   * @param {number} now
   * @param {boolean} live
   * @returns {Happening}
   */
  #open(open, chronicle, now, live) {
    const fresh = live && now - open.end < LABEL_LASTS && chronicle.outages.at(-1)?.end !== null;
    return { ...PLAIN, ...open, kind: "segment", end: fresh ? Math.max(now, open.end) : open.end, lasting: fresh };
  }
}

/**
 * @param {Happening} happening
 * @param {readonly Happening[]} guesses All of them, for what was nearly said meanwhile.
 * @returns {string[]} Its name, then what else there is to say.
 */
export function words(happening, guesses) {
  const { kind, start, end, lasting, state, label, confidence, text } = happening;
  const times = lasting ? `since ${wallClock(start)}` : `${wallClock(start)} to ${wallClock(end)}`;
  const length = `${lengthInWords(end - start)}${lasting ? " so far" : ""}`;
  switch (kind) {
    case "mark":
      return [text, `mark at ${wallClock(start)}`];
    case "outage":
      return ["No input", times, length, text];
    case "gap":
      return ["No connection", times, length];
    case "guess":
      return [`Nearly ${label ?? ""}`, times, `${length}, ${percent(confidence)}`];
    default: {
      const sure = confidence > 0 ? `, ${percent(confidence)}` : "";
      return [title(label ?? state), times, length + sure, ...nearly(happening, guesses)];
    }
  }
}

/** @param {Happening} segment @param {readonly Happening[]} guesses */
function nearly({ start, end }, guesses) {
  /** @type {Map<string, number>} */
  const best = new Map();
  for (const guess of guesses) {
    if (guess.start >= end || guess.end <= start || guess.label === null) continue;
    best.set(guess.label, Math.max(best.get(guess.label) ?? 0, guess.confidence));
  }
  const told = [...best].sort((a, b) => b[1] - a[1]).slice(0, 2);
  return told.length === 0 ? [] : [`nearly ${told.map(([name, confidence]) => `${name} ${percent(confidence)}`).join(", ")}`];
}

/** @param {number} seconds */
export function lengthInWords(seconds) {
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours} h ${minutes} min` : `${minutes} min ${whole % 60} s`;
}
