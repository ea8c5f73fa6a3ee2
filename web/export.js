/** What was heard as a file: JSON for programs, CSV for spreadsheets, labels for Audacity. */

/**
 * @typedef {import("./session.js").Span} Span
 * @typedef {import("./session.js").Heard & {span: Span}} Heard
 *
 * @typedef {object} Origin
 * @property {string | null} source What was listened to.
 * @property {string | null} model
 * @property {boolean} session Whether somebody started one; if not, times count from the first thing that is known.
 * @property {number} now Unix time at which it was written.
 */

/** Of the JSON, for those who read it. */
const VERSION = 1;

const COLUMNS = ["kind", "start", "end", "start_utc", "end_utc", "state", "label", "confidence", "text"];

/**
 * @param {Heard} heard
 * @param {Origin} origin
 * @returns {string}
 */
export function toJson({ span, segments, guesses, marks, outages }, { source, model, session, now }) {
  const since = span.start;
  /** @param {{start: number, end: number | null}} stretch */
  const times = ({ start, end }) => ({
    start: digits(start - since, 3),
    end: end === null ? null : digits(end - since, 3),
    start_utc: utc(start),
    end_utc: end === null ? null : utc(end),
  });
  /** @param {{label: string | null, confidence: number}} part */
  const said = ({ label, confidence }) => ({ label, confidence: digits(confidence, 4) });
  const told = {
    soloist: VERSION,
    about: "Times are seconds since `start_utc`, and are those at which Soloist knew.",
    session: session ? (span.end === null ? "running" : "stopped") : null,
    ...times({ start: since, end: span.end ?? Math.max(since, now) }),
    source,
    model,
    segments: segments.map((it) => ({ ...times(it), state: it.state, ...said(it) })),
    guesses: guesses.map((it) => ({ ...times(it), ...said(it) })),
    marks: marks.map(({ time, text }) => ({ time: digits(time - since, 3), time_utc: utc(time), text })),
    outages: outages.map((it) => ({ ...times(it), source: it.source, reason: it.reason })),
  };
  return `${JSON.stringify(told, null, 1)}\n`;
}

/**
 * RFC 4180, with the byte order mark by which spreadsheets know UTF-8.
 *
 * @param {Heard} heard
 * @returns {string}
 */
export function toCsv({ span, segments, guesses, marks, outages }) {
  /**
   * @param {string} kind
   * @param {object} it
   * @param {number} it.start
   * @param {number | null} it.end
   * @param {string} [it.state]
   * @param {string | null} [it.label]
   * @param {number} [it.confidence]
   * @param {string} [it.text]
   */
  const row = (kind, { start, end, state, label, confidence, text }) => ({
    start,
    cells: [
      kind,
      (start - span.start).toFixed(3),
      end === null ? "" : (end - span.start).toFixed(3),
      utc(start),
      end === null ? "" : utc(end),
      plain(state ?? ""),
      plain(label ?? ""),
      confidence === undefined ? "" : confidence.toFixed(4),
      plain(text ?? ""),
    ],
  });
  const rows = [
    ...segments.map((it) => row("segment", it)),
    ...guesses.map((it) => row("guess", it)),
    ...marks.map(({ time, text }) => row("mark", { start: time, end: null, text })),
    ...outages.map((it) => row("outage", { start: it.start, end: it.end, text: lost(it) })),
  ].sort((a, b) => a.start - b.start);
  const lines = [COLUMNS, ...rows.map(({ cells }) => cells)].map((cells) => `${cells.map(cell).join(",")}\r\n`);
  return `\ufeff${lines.join("")}`;
}

/**
 * Labels for "File, Import, Labels": start, end and text, a line each. A mark is a point.
 *
 * @param {Heard} heard
 * @param {{now: number}} origin For what has not ended.
 * @returns {string}
 */
export function toAudacity({ span, segments, guesses, marks, outages }, { now }) {
  const labels = [
    ...segments.map(({ start, end, state, label, confidence }) => ({
      start,
      end,
      text: confidence > 0 ? `${label ?? state} ${percent(confidence)}` : (label ?? state),
    })),
    ...guesses.map(({ start, end, label, confidence }) => ({
      start,
      end,
      text: `guess: ${label} ${percent(confidence)}`,
    })),
    ...marks.map(({ time, text }) => ({ start: time, end: time, text: `Mark: ${text}` })),
    ...outages.map((it) => ({
      start: it.start,
      end: it.end ?? Math.max(now, it.start),
      text: `No input: ${lost(it)}`,
    })),
  ].sort((a, b) => a.start - b.start);
  /** @param {number} time */
  const at = (time) => (time - span.start).toFixed(6);
  return labels.map(({ start, end, text }) => `${at(start)}\t${at(end)}\t${line(text)}\n`).join("");
}

/**
 * soloist-2026-11-23-2014.csv, by the clock on the wall.
 *
 * @param {number} start Unix time.
 * @param {string} extension
 */
export function fileName(start, extension) {
  const date = new Date(1000 * start);
  /** @param {number} number */
  const two = (number) => String(number).padStart(2, "0");
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
  return `soloist-${day}-${two(date.getHours())}${two(date.getMinutes())}.${extension}`;
}

/** @param {{source: string, reason: string | null}} outage */
function lost({ source, reason }) {
  return reason ? `${source}: ${reason}` : source;
}

/**
 * More of them would say nothing.
 *
 * @param {number} number
 * @param {number} places
 */
function digits(number, places) {
  return Number(number.toFixed(places));
}

/** @param {number} time Unix time; nothing comes of one beyond the calendar. */
function utc(time) {
  const date = new Date(Math.round(1000 * time));
  return Number.isNaN(date.getTime()) ? "" : date.toISOString();
}

/** @param {number} probability */
function percent(probability) {
  return `${Math.round(100 * probability)}%`;
}

/**
 * A spreadsheet runs what begins like a formula, whoever wrote it; with an apostrophe before it, it is a text.
 *
 * @param {string} text
 */
function plain(text) {
  return /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/u.test(text) ? `'${text}` : text;
}

/** @param {string} text */
function cell(text) {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** @param {string} text Audacity has a label on a line, and tabs between its parts. */
function line(text) {
  return text.replace(/[\s\p{Cc}]+/gu, " ").trim();
}
