/** The summary of the evening: a line that can be opened to a table. */

import { colour } from "../palette.js";
import { summarize } from "../summary.js";
import { NOTHING, lasting as whole, percent, title, wallClock } from "../words.js";

/**
 * @typedef {import("../summary.js").Summary} Summary
 *
 * @typedef {object} Value
 * @property {() => import("../session.js").Heard & {span: import("../session.js").Span}} heard Looks for what was heard.
 * @property {string[]} labels
 * @property {string} phase Of the take: none, running or stopped.
 * @property {number} now Unix time.
 * @property {string | null} [line] Of which line it is; null for the one in front.
 */

/** So often it is counted anew, open or empty, and closed: hours have thousands of stretches. In milliseconds. */
const [OPEN, CLOSED] = [1000, 5000];
/** Instruments that the closed one tells. */
const TOLD = 4;

export class SummaryView {
  #element;
  #brief;
  #caption;
  #rows;
  #foot;
  #countedAt = -Infinity;
  #phase = "";
  /** @type {string | null} */
  #line = null;
  #isEmpty = true;
  /** @type {Value | null} */
  #value = null;

  /** @param {HTMLElement} element */
  constructor(element) {
    /** @param {string} selector */
    const part = (selector) => /** @type {HTMLElement} */ (element.querySelector(selector));
    this.#element = /** @type {HTMLDetailsElement} */ (element);
    this.#brief = part(".summary-brief");
    this.#caption = part("caption");
    this.#rows = part("tbody");
    this.#foot = part("tfoot");
    element.addEventListener("toggle", () => {
      this.#countedAt = -Infinity;
      if (this.#value !== null) this.show(this.#value);
    });
  }

  /** @param {Value} value */
  show(value) {
    const { heard, labels, phase, now, line = null } = value;
    this.#value = value;
    const time = performance.now();
    const isNew = phase !== this.#phase || line !== this.#line;
    if (!isNew && time - this.#countedAt < (this.#element.open || this.#isEmpty ? OPEN : CLOSED)) return;
    this.#phase = phase;
    this.#line = line;
    this.#countedAt = time;
    const summary = summarize(heard(), labels, now);
    this.#isEmpty = summary.seconds < OPEN / 1000;
    write(this.#brief, brief(summary));
    // The closed one is filled, too: the moment between opening and counting would show a table without rows.
    this.#fill(summary);
    this.#element.dataset.filled = "";
  }

  /** @param {Summary} summary */
  #fill(summary) {
    const { lines, seconds, lost, outages, marks, from, to } = summary;
    const when = `${wallClock(from)} to ${wallClock(to)}`;
    write(this.#caption, `${this.#phase === "none" ? "Session" : "Take"}, ${when}${marks ? `, ${counted(marks, "mark")}` : ""}`);
    fill(
      this.#rows,
      lines.map((line) => ({
        ink: line.instrument ? colour(line.name) : null,
        share: seconds > 0 ? line.seconds / seconds : 0,
        cells: [
          title(line.name),
          lasting(line.seconds),
          seconds > 0 ? percent(line.seconds / seconds) : NOTHING,
          String(line.times),
          line.times > 0 ? lasting(line.longest) : NOTHING,
        ],
      })),
    );
    const all = lines.reduce((sum, { times }) => sum + times, 0);
    fill(this.#foot, [
      { ink: null, share: 0, cells: ["In all", lasting(seconds), "", String(all), ""] },
      ...(outages > 0 ? [{ ink: null, share: 0, cells: ["No input", lasting(lost), "", String(outages), ""] }] : []),
    ]);
  }
}

/** To the nearest second. @param {number} seconds */
const lasting = (seconds) => whole(Math.round(seconds));

/** @param {Summary} summary */
function brief({ lines, seconds }) {
  const most = lines.filter((it) => it.instrument && it.seconds >= 1).sort((a, b) => b.seconds - a.seconds);
  if (most.length === 0) return seconds > 0 ? "no instrument yet" : "nothing yet";
  const more = most.length > TOLD ? ` and ${most.length - TOLD} more` : "";
  return most.slice(0, TOLD).map(({ name, seconds: long }) => `${title(name)} ${lasting(long)}`).join(", ") + more;
}

/** @param {number} count @param {string} thing */
function counted(count, thing) {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}

/**
 * What stays the same is left alone: somebody may be reading it, or have selected it.
 *
 * @param {HTMLElement} body
 * @param {{ink: string | null, share: number, cells: string[]}[]} rows
 */
function fill(body, rows) {
  while (body.childElementCount > rows.length) body.lastElementChild?.remove();
  for (const [place, { ink, share, cells }] of rows.entries()) {
    const row = /** @type {HTMLElement} */ (body.children[place] ?? body.appendChild(line(cells.length)));
    row.style.setProperty("--ink", ink ?? "");
    row.style.setProperty("--share", String(share));
    row.dataset.none = String(cells[3] === "0");
    for (const [column, text] of cells.entries()) write(/** @type {HTMLElement} */ (row.children[column]), text);
  }
}

/** @param {number} columns */
function line(columns) {
  const row = document.createElement("tr");
  const name = document.createElement("th");
  name.scope = "row";
  row.append(name, ...Array.from({ length: columns - 1 }, () => document.createElement("td")));
  return row;
}

/** @param {HTMLElement} element @param {string} text */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
