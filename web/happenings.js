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
 * @property {string} [line] Of a segment: on which line, where there are several.
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
  /** @type {Happening[]} */
  #segments = [];
  /** @type {Happening[]} */
  #marks = [];

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
      this.#segments = chronicle.segments.map((it) => ({ ...PLAIN, ...it, kind: "segment" }));
      this.#marks = chronicle.marks.map(({ time, text }) => ({ ...PLAIN, kind: "mark", start: time, end: time, text }));
    }
    const { open, guesses } = chronicle;
    return {
      segments: open === null ? this.#segments : [...this.#segments, goingOn(open, chronicle, now, live)],
      guesses: guesses.map((it) => ({ ...PLAIN, ...it, kind: "guess" })),
      marks: this.#marks,
      outages: lost(chronicle, now, live),
    };
  }
}

/**
 * @param {import("./chronicle.js").Stretch} open
 * @param {Chronicle} chronicle
 * @param {number} now
 * @param {boolean} live
 * @returns {Happening}
 */
function goingOn(open, chronicle, now, live) {
  const lasting = live && now - open.end < LABEL_LASTS && chronicle.outages.at(-1)?.end !== null;
  return { ...PLAIN, ...open, kind: "segment", end: lasting ? Math.max(now, open.end) : open.end, lasting };
}

/**
 * When there was no source or no connection.
 *
 * @param {Chronicle} chronicle
 * @param {number} now
 * @param {boolean} live
 * @returns {Happening[]}
 */
function lost({ outages, gaps, until }, now, live) {
  const known = live ? now : (until ?? now);
  /** @type {Happening[]} */
  const all = outages.map(({ start, end, reason }) => ({
    ...PLAIN,
    kind: "outage",
    start,
    end: end ?? Math.max(start, known),
    lasting: live && end === null,
    text: reason,
  }));
  for (const { start, end } of gaps) all.push({ ...PLAIN, kind: "gap", start, end: end ?? now, lasting: end === null });
  if (!live && until !== null && gaps.at(-1)?.end !== null) {
    all.push({ ...PLAIN, kind: "gap", start: until, end: now, lasting: true });
  }
  return all.sort((a, b) => a.start - b.start);
}

/** Marks of a bin that are told. */
const TOLD_MARKS = 5;

/**
 * @param {Happening | import("./bins.js").Bin} happening
 * @param {readonly Happening[]} guesses All of them, for the guesses meanwhile.
 * @returns {string[]} Its name, then what else there is to say.
 */
export function words(happening, guesses) {
  if (happening.kind === "bin") return binInWords(happening);
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
      return [`Guess: ${label ?? ""}`, times, `${length}, ${percent(confidence)}`];
    default: {
      const sure = confidence > 0 ? `, ${percent(confidence)}` : "";
      const where = happening.line === undefined || state === "silence" || state === "warming" ? [] : [`on ${happening.line}`];
      return [title(label ?? state), ...where, times, length + sure, ...guessed(happening, guesses)];
    }
  }
}

/** @param {import("./bins.js").Bin} bin */
function binInWords({ of, start, end, length, state, label, seconds, all }) {
  const times = `${wallClock(start)} to ${wallClock(end)}`;
  if (of === "mark") {
    const told = all.slice(0, TOLD_MARKS).map((mark) => `${wallClock(mark.start)} ${mark.text}`);
    const more = all.length - told.length;
    return [`${all.length} marks`, times, ...told, ...(more > 0 ? [`and ${more} more`] : [])];
  }
  const name = of === "guess" ? `Guess: ${label ?? ""}` : title(label ?? state);
  const often = all.length === 1 ? "once" : `${all.length} times`;
  const whole = length < 60 ? `${length} s` : `${length / 60} min`;
  return [name, times, `${seconds.toFixed(1)} s of ${whole}, ${often}`];
}

/** @param {Happening} segment @param {readonly Happening[]} guesses */
function guessed({ start, end }, guesses) {
  /** @type {Map<string, number>} */
  const best = new Map();
  for (const guess of guesses) {
    if (guess.start >= end || guess.end <= start || guess.label === null) continue;
    best.set(guess.label, Math.max(best.get(guess.label) ?? 0, guess.confidence));
  }
  const told = [...best].sort((a, b) => b[1] - a[1]).slice(0, 2);
  const names = told.map(([name, confidence]) => `${name} ${percent(confidence)}`);
  return names.length === 0 ? [] : [`guess: ${names.join(", ")}`];
}

/** @param {number} seconds */
function lengthInWords(seconds) {
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours} h ${minutes} min` : `${minutes} min ${whole % 60} s`;
}

/**
 * Where the next thing is, or the one before. Of a bin and a guess, which are none of them, it goes by the time.
 *
 * @param {Happening[]} all In the order of time.
 * @param {Happening | import("./bins.js").Bin} chosen
 * @param {1 | -1} direction
 */
export function beside(all, chosen, direction) {
  const place = all.findIndex((it) => it === chosen);
  if (place >= 0) return place + direction;
  if (direction < 0) return all.filter(({ start }) => start < chosen.start).length - 1;
  const next = all.findIndex(({ start }) => start >= chosen.end);
  return next < 0 ? all.length - 1 : next;
}
