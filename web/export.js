/** What was heard as a file: JSON for programs, CSV for spreadsheets, labels for Audacity. */

/**
 * @typedef {import("./session.js").Span} Span
 * @typedef {import("./session.js").Heard & {span: Span}} Heard
 *
 * @typedef {object} Origin
 * @property {string | null} source What is listened to now, for files with nothing in them.
 * @property {string | null} model
 * @property {string | null} run
 * @property {string | null} line Whose line it is that was opened; null for what was in front, or all there is.
 * @property {number} now Unix time at which it was written.
 */

/** Of the JSON, for those who read it. */
const VERSION = 2;

const COLUMNS = [
  ...["kind", "start", "end", "start_utc", "end_utc", "state", "label", "confidence", "text"],
  ...["source", "model", "run", "start_local", "end_local"],
];

/**
 * @param {Heard} heard
 * @param {Origin} origin
 * @returns {string}
 */
export function toJson({ span, segments, guesses, marks, outages }, { source, model, run, line, now }) {
  const since = span.start;
  /** @param {string} name @param {number | null} time */
  const clock = (name, time) => ({
    [`${name}_utc`]: time === null ? null : utc(time),
    [`${name}_local`]: time === null ? null : local(time),
  });
  /** @param {{start: number, end: number | null}} stretch */
  const times = ({ start, end }) => ({
    start: digits(start - since, 3),
    end: end === null ? null : digits(end - since, 3),
    ...clock("start", start),
    ...clock("end", end),
  });
  /** @param {{label: string | null, confidence: number}} part */
  const said = ({ label, confidence }) => ({ label, confidence: digits(confidence, 4) });
  /** @param {import("./session.js").Owned} part */
  const whose = (part) => ({ source: part.source ?? null, model: part.model ?? null, run: part.run ?? null });
  // Who lost the input says what that was; what was heard is what was not lost.
  const heard = [...segments, ...guesses, ...marks].map(whose);
  const told = {
    soloist: VERSION,
    about: "Times are seconds since `start_utc`, and are those at which Soloist knew.",
    ...times({ start: since, end: span.end ?? Math.max(since, now) }),
    source: only(heard.length > 0 ? heard.map((it) => it.source) : [source]),
    model: only(heard.length > 0 ? heard.map((it) => it.model) : [model]),
    run: only(heard.length > 0 ? heard.map((it) => it.run) : [run]),
    ...(line === null ? {} : { line }),
    segments: segments.map((it) => ({ ...times(it), state: it.state, ...said(it), ...whose(it) })),
    guesses: guesses.map((it) => ({ ...times(it), ...said(it), ...whose(it) })),
    marks: marks.map((it) => ({
      time: digits(it.time - since, 3),
      ...clock("time", it.time),
      text: it.text,
      ...whose(it),
    })),
    outages: outages.map((it) => ({ ...times(it), reason: it.reason, ...whose(it) })),
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
   * @param {string | null} [it.source]
   * @param {string | null} [it.model]
   * @param {string | null} [it.run]
   */
  const row = (kind, { start, end, state, label, confidence, text, source, model, run }) => ({
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
      plain(source ?? ""),
      plain(model ?? ""),
      plain(run ?? ""),
      local(start),
      end === null ? "" : local(end),
    ],
  });
  const rows = [
    ...segments.map((it) => row("segment", it)),
    ...guesses.map((it) => row("guess", it)),
    ...marks.map((it) => row("mark", { ...it, start: it.time, end: null })),
    ...outages.map((it) => row("outage", { ...it, text: lost(it) })),
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
 * soloist-2026-11-23-2014.csv, by the clock on the wall; soloist-Anna-2026-11-23-2014.csv of a line.
 *
 * @param {number} start Unix time.
 * @param {string} extension
 * @param {string | null} [line]
 */
export function fileName(start, extension, line = null) {
  const date = new Date(1000 * start);
  /** @param {number} number */
  const two = (number) => String(number).padStart(2, "0");
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
  // What systems do not take in the name of a file, or take for something else.
  const whose = (line ?? "").replaceAll(/[^\p{L}\p{N}]+/gu, "-").replaceAll(/^-|-$/g, "");
  return `soloist-${whose === "" ? "" : `${whose}-`}${day}-${two(date.getHours())}${two(date.getMinutes())}.${extension}`;
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

/**
 * Local time, with what it is ahead of UTC: an hour that comes twice is told apart.
 *
 * @param {number} time Unix time; nothing comes of one beyond the calendar.
 */
function local(time) {
  const date = new Date(Math.round(1000 * time));
  const ahead = -date.getTimezoneOffset();
  const shifted = new Date(date.getTime() + 60_000 * ahead);
  if (Number.isNaN(shifted.getTime())) return "";
  /** @param {number} number */
  const two = (number) => String(Math.trunc(Math.abs(number))).padStart(2, "0");
  return `${shifted.toISOString().slice(0, -1)}${ahead < 0 ? "-" : "+"}${two(ahead / 60)}:${two(ahead % 60)}`;
}

/** What all are, if they are the same. @param {(string | null)[]} names */
function only(names) {
  return new Set(names).size === 1 ? names[0] : null;
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
