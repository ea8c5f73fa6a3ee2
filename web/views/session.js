/** The session's controls: its clock, its marks, and what one takes home. */

import { stopwatch, wallClock } from "../words.js";

/** @typedef {"json" | "csv" | "txt"} Format By the file's extension; txt for Audacity. */

/**
 * @typedef {object} Actions
 * @property {() => void} start
 * @property {() => void} stop
 * @property {() => void} resume
 * @property {(text: string, ago: number) => boolean} mark Sets a note to the moment so many seconds ago, and says
 *   whether anybody heard of it.
 * @property {(format: Format) => void} download
 *
 * @typedef {object} Value
 * @property {import("../session.js").Span | null} span null before the first take.
 * @property {number} now Unix time.
 * @property {boolean} live Whether there is a server to take a mark.
 */

/** How long it is told that somebody has set a mark; then the timeline tells it. In milliseconds. */
const TOLD_LASTS = 10_000;

export class SessionView {
  #element;
  #actions;
  #clock;
  #note;
  #form;
  #told;
  #buttons;
  /** The number of the next mark of those who write none. */
  #next = 1;
  /** When the note was begun: it is about that moment. performance.now() */
  #begunAt = 0;
  /** What had the focus before. @type {Element | null} */
  #before = null;
  /** Whether nothing was downloaded since the take was stopped. */
  #unsaved = false;
  /** Whether what is told is that a mark was not set. */
  #failed = false;
  #telling = 0;

  /**
   * @param {HTMLElement} element
   * @param {Actions} actions Those on the take are followed by `show`.
   */
  constructor(element, actions) {
    /** @param {string} name */
    const part = (name) => /** @type {HTMLElement} */ (element.querySelector(`.session-${name}`));
    this.#element = element;
    this.#actions = actions;
    this.#clock = part("clock");
    this.#told = part("told");
    this.#form = /** @type {HTMLFormElement} */ (part("form"));
    this.#note = /** @type {HTMLInputElement} */ (part("note"));
    this.#buttons = { start: part("start"), stop: part("stop"), resume: part("resume"), mark: part("mark") };
    this.#buttons.start.addEventListener("click", (event) => this.#start(event));
    this.#buttons.start.addEventListener("blur", () => this.#ask(false));
    this.#buttons.stop.addEventListener("click", (event) => this.#stop(event));
    this.#buttons.resume.addEventListener("click", (event) => this.#resume(event));
    this.#buttons.mark.addEventListener("click", () => this.note());
    this.#form.addEventListener("submit", (event) => this.#set(event));
    this.#form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#close();
    });
    part("cancel").addEventListener("click", () => this.#close());
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (element.querySelectorAll("[data-format]"))) {
      button.addEventListener("click", () => {
        this.#unsaved = false;
        this.#actions.download(/** @type {Format} */ (button.dataset.format));
      });
    }
  }

  /** @param {Value} value */
  show({ span, now, live }) {
    const phase = span === null ? "none" : span.end === null ? "running" : "stopped";
    if (this.#element.dataset.phase !== phase) {
      this.#element.dataset.phase = phase;
      this.#buttons.start.hidden = phase === "running";
      this.#buttons.stop.hidden = phase !== "running";
      this.#buttons.resume.hidden = phase !== "stopped";
      this.#clock.hidden = phase === "none";
      this.#ask(false);
    }
    if (span !== null) write(this.#clock, words(span, now));
    this.#element.dataset.live = String(live);
    if (live && this.#failed) this.#tell(""); // it can be set now
  }

  /** Open the field for a note to this moment. */
  note() {
    if (this.#form.hidden) {
      this.#begunAt = performance.now();
      this.#before = document.activeElement;
      this.#form.hidden = false;
      this.#buttons.mark.setAttribute("aria-expanded", "true");
      this.#note.placeholder = `Mark ${this.#next}`;
    }
    this.#note.focus();
  }

  /** Tell of a mark that was set, by whomever. @param {{time: number, text: string}} mark In Unix time. */
  marked({ time, text }) {
    this.#next += 1;
    this.#tell(`Marked ${wallClock(time)}: ${text}`);
  }

  /** @param {MouseEvent} event */
  #start(event) {
    if (this.#unsaved && this.#buttons.start.dataset.asked !== "true") {
      this.#ask(true);
      return;
    }
    this.#unsaved = false;
    this.#next = 1;
    this.#tell("");
    this.#actions.start();
    follow(event, this.#buttons.stop);
  }

  /** @param {MouseEvent} event */
  #stop(event) {
    this.#unsaved = true;
    this.#actions.stop();
    follow(event, this.#buttons.resume);
  }

  /** @param {MouseEvent} event */
  #resume(event) {
    this.#actions.resume();
    follow(event, this.#buttons.stop);
  }

  /** The last take is gone with a new one: ask once, if nobody has downloaded it. @param {boolean} asked */
  #ask(asked) {
    this.#buttons.start.dataset.asked = String(asked);
    const first = this.#element.dataset.phase !== "stopped";
    write(this.#buttons.start, asked ? "Not downloaded. Start anew?" : first ? "Start take" : "New take");
  }

  /** @param {Event} event */
  #set(event) {
    event.preventDefault();
    const text = this.#note.value.trim() || this.#note.placeholder;
    if (this.#actions.mark(text, (performance.now() - this.#begunAt) / 1000)) this.#close();
    else this.#fail("Not set: no connection. Try again.");
  }

  #close() {
    if (this.#failed) this.#tell("");
    this.#form.hidden = true;
    this.#note.value = "";
    this.#buttons.mark.setAttribute("aria-expanded", "false");
    this.#note.blur(); // or the next key would still be typed there
    if (this.#before instanceof HTMLElement) this.#before.focus();
  }

  /** What was done is told for a while. @param {string} text */
  #tell(text) {
    clearTimeout(this.#telling);
    this.#failed = false;
    write(this.#told, text);
    if (text !== "") this.#telling = setTimeout(() => this.#tell(""), TOLD_LASTS);
  }

  /** What was not done is told until it is done, or given up. @param {string} text */
  #fail(text) {
    this.#tell("");
    this.#failed = true;
    write(this.#told, text);
  }
}

/**
 * Who pressed a button by keyboard finds the next one in the place of the one that went away. A pointer needs none, and
 * its owner may mean to pause the view by the next space.
 *
 * @param {MouseEvent} event
 * @param {HTMLElement} button
 */
function follow(event, button) {
  if (event.detail > 0) return;
  button.hidden = false;
  button.focus();
}

/**
 * @param {import("../session.js").Span} span
 * @param {number} now
 */
function words({ start, end }, now) {
  if (end === null) return stopwatch(now - start);
  return `${stopwatch(end - start)}, ${wallClock(start)} to ${wallClock(end)}`;
}

/**
 * @param {HTMLElement} element
 * @param {string} text
 */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
