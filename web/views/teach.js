/** The dialog in which a name is taught, and the button that leads to it and tells how far it is meanwhile. */

import { byFamily } from "../families.js";
import { glyph } from "../glyphs.js";
import { colour } from "../palette.js";
import { title } from "../words.js";
import { Ring } from "./ring.js";

/**
 * @typedef {import("../teaching.js").Lesson} Lesson
 * @typedef {import("../messages.js").Teaching} Teaching
 *
 * @typedef {object} Shown
 * @property {Lesson} lesson
 * @property {import("../messages.js").Hello | null} hello
 * @property {boolean} live Whether there is a connection.
 * @property {string | null} line The one that is looked at, or is in front.
 * @property {string | null} opened The one that the page shows instead of the one in front.
 * @property {number} now performance.now()
 */

/** What is in the dialog. @typedef {"form" | "listening" | "fitting" | "done" | "doubtful" | "failed" | "discarded"} Step */

export class Teach {
  #dialog;
  #button;
  #lesson;
  #heading;
  #form;
  #name;
  #lines;
  #like;
  #ring;
  #said;
  /** What is shown. @type {Step | ""} */
  #step = "";
  #labels = "";
  #lineNames = "";
  /** @type {Shown | null} */
  #shown = null;
  /** What was wanted last, to try it again. @type {import("../teaching.js").Wanted | null} */
  #wanted = null;

  /**
   * @param {HTMLElement} element A dialog.
   * @param {HTMLElement} button Opens it.
   * @param {Lesson} lesson
   * @param {{onChange: () => void}} options Told when the lesson is another one.
   */
  constructor(element, button, lesson, { onChange }) {
    this.#dialog = /** @type {HTMLDialogElement} */ (element);
    this.#button = button;
    this.#lesson = lesson;
    this.#heading = this.#find("h2");
    this.#form = /** @type {HTMLFormElement} */ (this.#find(".teach-form"));
    this.#name = /** @type {HTMLInputElement} */ (this.#find(".teach-name"));
    this.#lines = /** @type {HTMLSelectElement} */ (this.#find(".teach-line"));
    this.#like = /** @type {HTMLSelectElement} */ (this.#find(".teach-like"));
    this.#ring = new Ring(this.#find(".ring"));
    this.#said = this.#find(".teach-said");
    button.addEventListener("click", () => this.open());
    element.addEventListener("click", (event) => {
      if (event.target === element) this.#dialog.close(); // what lies around it
    });
    element.addEventListener("close", () => {
      lesson.leave();
      onChange();
    });
    this.#name.addEventListener("input", () => this.#warn());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#begin();
      onChange();
    });
    /** @param {string} selector @param {() => void} action */
    const press = (selector, action) =>
      this.#find(selector).addEventListener("click", () => {
        action();
        onChange();
      });
    press(".teach-enough", () => lesson.stop(false));
    press(".teach-discard", () => lesson.stop(true));
    press(".teach-another", () => this.#renew(""));
    press(".teach-again", () => this.#renew(this.#wanted?.name ?? lesson.told?.name ?? ""));
  }

  open() {
    if (this.#dialog.open) return;
    if (this.#shown !== null) this.show(this.#shown);
    this.#dialog.showModal(); // the browser gives the focus back afterwards
    if (this.#step === "form") this.#fill();
    this.#focus();
  }

  /** @param {Shown} shown */
  show(shown) {
    this.#shown = shown;
    const { hello, lesson, live } = shown;
    const able = hello?.control === true;
    if (!able && this.#dialog.open && !lesson.active) this.#dialog.close();
    this.#label(able);
    this.#offer();
    const step = stepOf(lesson);
    if (step !== this.#step) this.#turn(step);
    this.#write(".teach-refusal", lesson.refusal && title(lesson.refusal));
    this.#write(".teach-lost", live ? "" : "No connection. What was begun goes on in the service.");
    for (const button of this.#dialog.querySelectorAll("button[data-asks]")) {
      /** @type {HTMLButtonElement} */ (button).disabled = !live || lesson.asked;
    }
    if (lesson.told !== null) this.#tell(lesson.told, shown);
  }

  /** @param {string} selector @returns {HTMLElement} */
  #find(selector) {
    return /** @type {HTMLElement} */ (this.#dialog.querySelector(selector));
  }

  /** @param {string} selector @param {string} text */
  #write(selector, text) {
    write(this.#find(selector), text);
  }

  /** What the button says. @param {boolean} able Whether this page may change the service. */
  #label(able) {
    const { lesson, opened } = /** @type {Shown} */ (this.#shown);
    const { told } = lesson;
    this.#button.hidden = !able;
    this.#button.dataset.state = told?.state ?? "";
    write(this.#button, told === null ? `Teach a name${opened === null ? "" : ` on ${opened}`}` : brief(told));
  }

  /** The lines and labels that may be chosen. */
  #offer() {
    const { labels = [], lines = [], taught = [] } = this.#shown?.hello ?? {};
    const names = lines.map(({ name }) => name);
    if (names.join("\n") !== this.#lineNames) {
      this.#lineNames = names.join("\n");
      const chosen = this.#lines.value;
      this.#lines.replaceChildren(...names.map((name) => new Option(name, name)));
      if (names.includes(chosen)) this.#lines.value = chosen;
      this.#find(".teach-on").hidden = names.length === 0;
    }
    const own = labels.filter((label) => !taught.includes(label));
    if (own.join("\n") === this.#labels) return;
    this.#labels = own.join("\n");
    const chosen = this.#like.value;
    const [automatic, none] = /** @type {HTMLOptionElement[]} */ ([...this.#like.options]);
    this.#like.replaceChildren(automatic, none, ...byFamily(own).map(([family, members]) => group(family, members)));
    this.#like.value = own.includes(chosen) ? chosen : "";
  }

  /** Begin with an empty form. */
  #fill() {
    this.#form.reset();
    const line = this.#shown?.line ?? null;
    if (line !== null && [...this.#lines.options].some(({ value }) => value === line)) this.#lines.value = line;
    this.#warn();
  }

  /** Say so where there is such a name already. */
  #warn() {
    const name = this.#name.value.trim();
    const known = this.#shown?.hello?.taught?.includes(name);
    this.#write(".teach-known", known ? `${name} is taught already. This replaces what is known of that name.` : "");
  }

  #begin() {
    const name = this.#name.value.trim();
    if (name === "") return;
    this.#wanted = {
      name,
      ...(this.#lines.options.length > 0 ? { line: this.#lines.value } : {}),
      ...(this.#like.value === "" ? {} : { like: this.#like.value }),
    };
    this.#lesson.begin(this.#wanted);
  }

  /** Go back to the form. @param {string} name What stands in it. */
  #renew(name) {
    const { line, like } = this.#wanted ?? {};
    this.#lesson.leave();
    this.#fill();
    this.#name.value = name;
    if (name !== "" && line !== undefined) this.#lines.value = line;
    if (name !== "" && like !== undefined) this.#like.value = like;
    this.#warn();
  }

  /** @param {Step} step */
  #turn(step) {
    this.#step = step;
    this.#dialog.dataset.step = step;
    if (step === "form") write(this.#heading, "Teach a name");
    for (const part of /** @type {NodeListOf<HTMLElement>} */ (this.#dialog.querySelectorAll("[data-steps]"))) {
      part.hidden = !part.dataset.steps?.split(" ").includes(step);
    }
    if (this.#dialog.open) this.#focus();
  }

  /** Where one goes on. */
  #focus() {
    if (this.#step === "form") this.#name.focus();
    else this.#heading.focus({ preventScroll: true }); // what had it may be gone
  }

  /** @param {Teaching} told @param {Shown} shown */
  #tell(told, { lesson, now }) {
    const { name, seconds, least, most, reliable, taken_for: like, message } = told;
    this.#ring.show(told);
    this.#write(".ring-figure", `${Math.floor(seconds)} s`);
    this.#write(".ring-words", seconds < least ? `of ${least} s needed` : `of up to ${most} s`);
    this.#write(".teach-heard", heard(told, lesson.quiet(now)));
    for (const own of this.#dialog.querySelectorAll(".teach-own")) picture(/** @type {HTMLElement} */ (own), name, name);
    picture(this.#find(".teach-taken"), like ?? "", like === null ? "Nothing yet" : title(like));
    this.#find(".teach-apart").dataset.apart = String(reliable);
    this.#write(".teach-apart", APART.get(reliable) ?? "");
    const enough = /** @type {HTMLButtonElement} */ (this.#find(".teach-enough"));
    enough.disabled ||= seconds < least;
    this.#reasons(message);
    this.#write("h2", headline(told));
    this.#announce(told);
  }

  /** Why it is not told apart, or what else there is to say. @param {string | null} message */
  #reasons(message) {
    const reasons = message === null ? [] : message.split("; ").map(title);
    const list = this.#find(".teach-reasons");
    if (reasons.join("\n") === list.dataset.shown) return;
    list.dataset.shown = reasons.join("\n");
    list.replaceChildren(
      ...reasons.map((reason) => {
        const item = document.createElement("li");
        item.textContent = reason;
        return item;
      }),
    );
  }

  /** What screen readers are told: what is new, and not each second. @param {Teaching} told */
  #announce(told) {
    const { state, seconds, least, reliable } = told;
    const words =
      state !== "listening"
        ? headline(told)
        : reliable !== null
          ? `Told apart: ${APART.get(reliable)}`
          : seconds < least
            ? `Listening. ${least} seconds are needed.`
            : `${least} seconds have sounded.`;
    write(this.#said, words);
  }
}

/** What is said of how well it is told apart. @type {Map<boolean | null, string>} */
const APART = new Map([
  [null, "Not tried yet"],
  [true, "Yes, reliably"],
  [false, "Not yet"],
]);

/** @param {Lesson} lesson @returns {Step} */
function stepOf({ told }) {
  if (told === null) return "form";
  if (told.state === "done" && told.reliable !== true) return "doubtful";
  return /** @type {Step} */ (told.state);
}

/** @param {Teaching} told */
function headline({ name, state, reliable, line }) {
  switch (state) {
    case "listening":
      return `Listening to ${name}${line === undefined || line === name ? "" : ` on ${line}`}`;
    case "fitting":
      return `Making a label of ${name}`;
    case "done":
      return reliable === true ? `${name} is told apart` : `${name} is taught, but not told apart reliably`;
    case "discarded":
      return `${name} was discarded`;
    default:
      return `${name} was not taught`;
  }
}

/** How far it is, in a few words. @param {Teaching} told */
function brief(told) {
  const { name, state, seconds, least } = told;
  if (state !== "listening") return headline(told);
  return `Listening to ${name}: ${Math.floor(seconds)} s${seconds < least ? ` of ${least} s` : ""}`;
}

/** @param {Teaching} told @param {boolean} quiet */
function heard({ seconds }, quiet) {
  if (quiet) return seconds === 0 ? "Nothing sounds yet. Let them play." : "Nothing sounds now. It goes on when they play.";
  return seconds === 0 ? "The first three seconds are heard at once." : "Let them go on, with all that they play on stage.";
}

/** Show a label with its picture and colour. @param {HTMLElement} element @param {string} name @param {string} words */
function picture(element, name, words) {
  const ink = name === "" ? "" : colour(name);
  if (element.dataset.shown === `${name} ${ink}`) return;
  element.dataset.shown = `${name} ${ink}`;
  element.style.setProperty("--ink", ink);
  element.replaceChildren(glyph(name === "" ? "unknown" : name), words);
}

/** @param {string} family @param {readonly string[]} members */
function group(family, members) {
  const element = document.createElement("optgroup");
  element.label = family;
  element.append(...members.map((name) => new Option(title(name), name)));
  return element;
}

/** @param {HTMLElement} element @param {string} text */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
