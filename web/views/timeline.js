/** The timeline: what was heard in the last minutes, to look at, to scroll back in and to ask about. */

import { binLength, isSame } from "../bins.js";
import { Digest, beside, words } from "../happenings.js";
import { onResolution } from "../resolution.js";
import { recall, remember } from "../storage.js";
import { Period } from "../timescale.js";
import { Hand } from "./hand.js";
import { Lanes } from "./lanes.js";
import { Ribbon, readInk } from "./ribbon.js";
import { TimelineTools } from "./timeline-tools.js";
import { Tip } from "./tip.js";

/**
 * @typedef {import("../bins.js").Bin} Bin
 * @typedef {import("../bins.js").Drawn} Drawn
 * @typedef {import("../happenings.js").Happening} Happening
 * @typedef {import("../happenings.js").Happenings} Happenings
 *
 * @typedef {object} Past
 * @property {import("../chronicle.js").Chronicle} chronicle
 * @property {string[]} labels
 * @property {string[]} lineup
 * @property {boolean} live Whether there is a connection.
 * @property {boolean} heard Whether there is something that is heard now.
 * @property {boolean} [paused] Whether everything is to stay as it is.
 */

/** Between two pictures at the least: when time goes on, without movement, and under a hand. In milliseconds. */
const [SMOOTH, CALM, PROMPT] = [66, 1000, 15];
/** One press of a key zooms by this. */
const FACTOR = 2;
/** Under which the span is remembered. */
const SPAN = "timeline-span";

export class Timeline {
  #canvas;
  #lanes;
  #tip;
  #tools;
  #ribbon;
  #digest = new Digest();
  #period = new Period();
  #calm = matchMedia("(prefers-reduced-motion: reduce)");

  /** @type {Past | null} */
  #past = null;
  /** What was known when it was last drawn. @type {Happenings} */
  #known = { segments: [], guesses: [], marks: [], outages: [] };
  /** What was drawn of it. @type {Drawn} */
  #drawn = { ...this.#known, bins: [] };
  #now = Date.now() / 1000;
  #version = -1;
  /** What is asked about: where the mouse is, or what was chosen. @type {{x: number, y: number} | null} */
  #pointer = null;
  /** @type {Happening | Bin | null} */
  #chosen = null;
  /** Which choice screen readers were told of. */
  #toldChoice = "";
  /** Whether the period stays only because the page is paused. */
  #held = false;

  #width = 1;
  #seen = true;
  #stale = true;
  #prompt = false;
  #drawnAt = -Infinity;
  #timer = 0;
  #frame = 0;

  /** @param {HTMLElement} element */
  constructor(element) {
    /** @param {string} selector */
    const part = (selector) => /** @type {HTMLElement} */ (element.querySelector(selector));
    this.#canvas = /** @type {HTMLCanvasElement} */ (part(".ribbon-canvas"));
    this.#lanes = new Lanes(part(".lanes"));
    this.#tip = new Tip(part(".tip"));
    this.#ribbon = new Ribbon(this.#canvas);
    this.#tools = new TimelineTools(element, { onSpan: (span) => this.#zoom(span), onReturn: () => this.#return() });
    this.#canvas.addEventListener("keydown", (event) => this.#onKey(event));
    this.#canvas.addEventListener("blur", () => this.#choose(null));
    new Hand(this.#canvas, {
      onHover: (point) => {
        this.#pointer = point;
        this.#choose(point === null ? this.#chosen : null);
      },
      onTap: ({ x, y }) => this.#choose(this.#ribbon.geometry.at(this.#drawn, x, y)),
      onDrag: (pixels) => this.#scroll((-pixels / this.#width) * this.#period.span),
      onZoom: (factor, x) => this.#zoom(this.#period.span * factor, this.#ribbon.geometry.time(x)),
    });
    const span = recall(SPAN);
    if (typeof span === "number") this.#period.zoom(span, this.#now, this.#now, this.#now);
    const stage = part(".ribbon");
    new ResizeObserver(() => this.#measure()).observe(stage);
    new MutationObserver(() => this.#measure()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    onResolution(() => this.#measure());
    new IntersectionObserver(([{ isIntersecting }]) => {
      this.#seen = isIntersecting;
      this.#plan();
    }).observe(stage);
    document.addEventListener("visibilitychange", () => this.#plan());
  }

  /** @param {Past} past */
  show(past) {
    const { chronicle, labels, lineup, live, heard, paused = false } = past;
    const before = this.#past;
    this.#past = past;
    const isNew = !paused || labels !== before?.labels || lineup !== before.lineup; // while it is paused nothing moves
    if (isNew && this.#lanes.show(labels, lineup, chronicle)) this.#measure();
    if (paused && this.#period.end === null) {
      this.#period.end = this.#present();
      this.#held = true;
    } else if (!paused && this.#held) {
      this.#held = false;
      this.#period.end = null;
    }
    const moved = chronicle !== before?.chronicle || live !== before.live || heard !== before.heard || paused !== (before?.paused ?? false);
    if (chronicle.version !== this.#version || moved) this.#stale = true;
    this.#plan();
  }

  #present() {
    return this.#past?.chronicle.present() ?? Date.now() / 1000;
  }

  /** Unix time of the first thing known. */
  get #oldest() {
    const { segments, marks, outages } = this.#known;
    return Math.min(this.#now, ...[segments[0], marks[0], outages[0]].map((it) => it?.start ?? Infinity));
  }

  /** Draw as soon as it is time to, and not at all when nobody can see it. */
  #plan() {
    clearTimeout(this.#timer);
    if (this.#frame !== 0 || !this.#seen || document.hidden || this.#past === null) return;
    const pixel = (1000 * this.#period.span) / (this.#width * devicePixelRatio);
    const least = this.#prompt ? PROMPT : this.#calm.matches ? CALM : SMOOTH;
    const wait = this.#stale ? least : this.#period.end === null ? Math.max(least, pixel) : Infinity;
    if (wait === Infinity) return;
    this.#timer = setTimeout(
      () => {
        this.#frame = requestAnimationFrame(() => {
          this.#frame = 0;
          this.#draw();
          this.#plan();
        });
      },
      Math.max(0, this.#drawnAt + wait - performance.now()),
    );
  }

  /** What somebody does shall be seen at once. */
  #redraw() {
    this.#stale = this.#prompt = true;
    this.#plan();
  }

  #draw() {
    if (this.#past === null) return;
    const { chronicle, live } = this.#past;
    this.#drawnAt = performance.now();
    this.#stale = this.#prompt = false;
    this.#version = chronicle.version;
    this.#now = this.#present();
    this.#known = this.#digest.at(chronicle, this.#now, live);
    const geometry = this.#ribbon.look(this.#period.range(this.#now));
    this.#drawn = geometry.inSight(this.#known);
    const chosen = this.#chosen === null ? null : this.#again(this.#chosen);
    const pointer = this.#pointer;
    const asked = chosen ?? (pointer === null ? null : geometry.at(this.#drawn, pointer.x, pointer.y));
    this.#ribbon.paint(this.#drawn, asked);
    if (asked === null) {
      this.#tip.hide();
    } else {
      const told = words(asked, this.#known.guesses);
      this.#tip.show(asked, told, geometry, chosen === null ? (pointer?.x ?? null) : null);
      if (chosen !== null) this.#tellChoice(chosen, told);
    }
    this.#showTools();
  }

  /** The same thing as it is known now. @param {Happening | Bin} happening */
  #again(happening) {
    const { kind, start } = happening;
    if (happening.kind === "bin") return this.#drawn.bins.find((it) => isSame(it, happening)) ?? null;
    const { segments, guesses, marks, outages } = this.#known;
    const list = kind === "segment" ? segments : kind === "guess" ? guesses : kind === "mark" ? marks : outages;
    return list.filter((it) => it.kind === kind && Math.abs(it.start - start) < 0.01).pop() ?? null;
  }

  /**
   * What goes on grows longer all the time: that is told once.
   *
   * @param {Happening | Bin} chosen
   * @param {string[]} lines
   */
  #tellChoice(chosen, lines) {
    const lasting = chosen.kind !== "bin" && chosen.lasting;
    const choice = `${chosen.kind} ${chosen.start} ${chosen.label} ${lasting}`;
    if (choice !== this.#toldChoice) this.#tell(lines.join(", "));
    this.#toldChoice = choice;
  }

  /** Let screen readers know. @param {string} words */
  #tell(words) {
    if (this.#canvas.getAttribute("aria-valuetext") !== words) this.#canvas.setAttribute("aria-valuetext", words);
  }

  #showTools() {
    const { span, end } = this.#period;
    const isBinned = this.#drawn.bins.some(({ of }) => of !== "mark");
    const words = this.#tools.show({
      ...this.#period.range(this.#now),
      span,
      back: end !== null,
      live: this.#past?.heard ?? false,
      binned: isBinned ? binLength(this.#ribbon.geometry.second) : null,
    });
    if (this.#chosen !== null) return;
    this.#toldChoice = "";
    const { length } = this.#known.segments;
    if (this.#canvas.getAttribute("aria-valuemax") !== String(length)) {
      this.#canvas.setAttribute("aria-valuemax", String(length));
      this.#canvas.setAttribute("aria-valuenow", String(length));
    }
    this.#tell(words);
  }

  #measure() {
    const stage = /** @type {HTMLElement} */ (this.#canvas.parentElement);
    this.#width = Math.max(1, stage.clientWidth);
    this.#ribbon.prepare(this.#lanes.layout(this.#width, stage.clientHeight), readInk(stage));
    this.#redraw();
  }

  /** @param {number} span @param {number} [about] Unix time. */
  #zoom(span, about) {
    const { from, to } = this.#period.range(this.#now);
    this.#period.zoom(span, this.#now, about ?? this.#chosen?.start ?? (from + to) / 2, this.#oldest);
    remember(SPAN, this.#period.span);
    this.#redraw();
  }

  /** @param {number} seconds */
  #scroll(seconds) {
    this.#held = false;
    this.#period.scroll(seconds, this.#now, this.#oldest);
    this.#redraw();
  }

  #return() {
    this.#period.end = null;
    this.#choose(null);
  }

  /** @param {Happening | Bin | null} happening */
  #choose(happening) {
    this.#chosen = happening;
    this.#redraw();
  }

  /** Go on to the next thing, or to the one before. @param {1 | -1} direction */
  #step(direction) {
    const { segments, marks, outages } = this.#known;
    const all = [...segments, ...marks, ...outages].sort((a, b) => a.start - b.start);
    const chosen = this.#chosen === null ? null : this.#again(this.#chosen);
    const index = chosen === null ? all.length - 1 : beside(all, chosen, direction);
    const next = all[Math.min(all.length - 1, Math.max(0, index))];
    if (next === undefined) return;
    this.#canvas.setAttribute("aria-valuemax", String(all.length));
    this.#canvas.setAttribute("aria-valuenow", String(all.indexOf(next) + 1));
    this.#period.reveal(direction < 0 ? next.start : Math.min(next.end, this.#now), this.#now, this.#oldest);
    this.#choose(next);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const actions = new Map([
      ["ArrowLeft", () => (event.shiftKey ? this.#scroll(-this.#period.span / 4) : this.#step(-1))],
      ["ArrowRight", () => (event.shiftKey ? this.#scroll(this.#period.span / 4) : this.#step(1))],
      ["PageUp", () => this.#scroll(-this.#period.span)],
      ["PageDown", () => this.#scroll(this.#period.span)],
      ["Home", () => this.#scroll(this.#oldest - this.#now)],
      ["End", () => this.#return()],
      ["Escape", () => this.#choose(null)],
      ["+", () => this.#zoom(this.#period.span / FACTOR)],
      ["=", () => this.#zoom(this.#period.span / FACTOR)],
      ["-", () => this.#zoom(this.#period.span * FACTOR)],
    ]);
    const action = actions.get(event.key);
    if (action === undefined || (event.key === "Escape" && this.#chosen === null)) return;
    event.preventDefault();
    action();
  }
}
