/** The mel bands that the model hears, as they come in; asked for only while somebody can see them. */

import { COLOURMAP, COLOURS, gradient } from "../colourmap.js";
import { BANDS, LAG, RATE, band } from "../mel.js";
import { Playout } from "../playout.js";
import { recall, remember } from "../storage.js";
import { Strip } from "../strip.js";

/** What is seen below the loudest of the last seconds, as in the model's input. In dB. */
const RANGE = 80;
/** By which the loudest is forgotten, in dB for each column: 2 dB in a second. */
const DECAY = 2 / RATE;
/** Nothing softer than this counts as loud: half a second of silence is no noise at full brightness. In dB. */
const SOFTEST = -15;
/** The least that the server tells, in dB. */
const NOTHING = -100;
/** Columns that are kept ready beyond those of one hop, for batches that come late. */
const MARGIN = 3;
/** Columns at most from the newest to the one at the edge: a hop lasts no longer than a window. */
const LONGEST = 2 * BANDS;
/** A column is as wide as it takes to show about so many seconds, but a whole number of pixels, and not many. */
const [SECONDS, WIDEST] = [12, 3];

const HERTZ = [250, 500, 1000, 2000, 4000, 8000];
/** Distances of the time ticks in seconds, and the least in pixels. */
const [STEPS, APART] = [[1, 2, 5, 10, 20], 60];

/** Where the choice of showing it is kept. */
const KEY = "spectrogram";

/** The map as pixels: bytes red, green, blue, opaque. */
const PIXELS = new Uint32Array(new Uint8ClampedArray(COLOURMAP.flatMap((colour) => [...colour, 255])).buffer);

/**
 * @typedef {object} Present
 * @property {import("../messages.js").Hello | null} hello
 * @property {boolean} live Whether there is anything to see.
 * @property {string} name What there is instead.
 */

export class Spectrogram {
  #switch;
  #body;
  #plot;
  #veil;
  #strip;
  #onWanted;
  #playout = new Playout();
  #still = matchMedia("(prefers-reduced-motion: reduce)");
  #column = new ImageData(1, BANDS);
  #pixels = new Uint32Array(this.#column.data.buffer);

  #on = recall(KEY) !== false;
  #inView = false;
  #paused = false;
  #live = false;
  /** Whether spectra are of use. */
  wanted = false;

  /** The column after the newest; null before the first. @type {number | null} */
  #next = null;
  #loudest = -Infinity;
  /** Of the axes: what they were drawn for. */
  #drawn = "";
  /** Of a column and of the whole place, in pixels; asked for anywhere else it would make the page lay itself out. */
  #width = 1;
  #place = 0;
  /** Seconds. */
  #window = 0;
  /** Columns. */
  #hop = 11;

  /**
   * @param {HTMLElement} element
   * @param {{onWanted: (wanted: boolean) => void}} options Told when spectra begin to be of use, and cease to.
   */
  constructor(element, { onWanted }) {
    /** @param {string} selector */
    const part = (selector) => /** @type {HTMLElement} */ (element.querySelector(selector));
    this.#onWanted = onWanted;
    this.#switch = part(".spectrogram-switch");
    this.#body = part(".spectrogram-body");
    this.#plot = part(".spectrogram-plot");
    this.#veil = part(".spectrogram-veil");
    this.#strip = new Strip(part(".spectrogram-strip"), { rows: BANDS, rate: RATE });
    part(".spectrogram-colours").style.backgroundImage = gradient();
    part(".spectrogram-hertz").replaceChildren(...HERTZ.map(pitch));
    this.#switch.addEventListener("click", () => this.#turn(!this.#on));
    document.addEventListener("visibilitychange", () => this.#decide());
    new IntersectionObserver(([entry]) => {
      this.#inView = entry.isIntersecting;
      this.#decide();
    }).observe(this.#plot);
    new ResizeObserver(([entry]) => {
      this.#place = entry.contentRect.width;
      this.#measure();
    }).observe(this.#plot);
    this.#turn(this.#on);
  }

  /** @param {import("../messages.js").Spectrum} spectrum */
  hear({ time, frames }) {
    if (!this.wanted || frames.length === 0) return;
    const first = this.#columnOf(time * RATE - LAG + 1 - frames.length);
    const end = first + frames.length;
    if (this.#next !== null && end < this.#next) this.clear(); // another stream
    this.#next = end;
    const oldest = end - Math.ceil(this.#place / this.#width) - LONGEST;
    frames.forEach((frame, index) => {
      if (frame.length !== BANDS || first + index < oldest) return;
      this.#paint(frame);
      this.#strip.put(first + index, this.#column, oldest);
    });
    if (this.#live) this.#move(end);
  }

  /** @param {Present} present */
  show({ hello, live, name }) {
    if (hello !== null) {
      this.#window = hello.window;
      this.#hop = Math.max(1, Math.round(hello.hop * RATE));
      this.#measure();
    }
    if (this.#paused) return;
    if (this.#live && !live) this.#strip.hold();
    this.#live = live;
    if (this.#veil.textContent !== name) this.#veil.textContent = name;
    this.#veil.hidden = live;
  }

  /** Forget what was seen. */
  clear() {
    this.#strip.clear();
    this.#playout.clear();
    this.#next = null;
    this.#loudest = -Infinity;
  }

  /** @param {boolean} flag Whether the picture is to stand still. */
  pause(flag) {
    this.#paused = flag;
    this.#decide();
  }

  /** @param {boolean} on */
  #turn(on) {
    if (on !== this.#on) remember(KEY, on ? null : false);
    this.#on = on;
    this.#body.hidden = !on;
    this.#switch.textContent = on ? "Hide" : "Show";
    this.#switch.setAttribute("aria-expanded", String(on));
    this.#decide();
  }

  #decide() {
    const wanted = this.#on && this.#inView && !this.#paused && !document.hidden;
    if (wanted === this.wanted) return;
    this.wanted = wanted;
    if (!wanted) this.#strip.hold();
    this.#onWanted(wanted);
  }

  /**
   * The column of a moment. Where frames lie between two columns, as they may after a gap, those of the next message
   * follow those of the last all the same.
   *
   * @param {number} moment In columns.
   */
  #columnOf(moment) {
    return this.#next !== null && Math.abs(moment - this.#next) < 0.75 ? this.#next : Math.round(moment);
  }

  /** @param {unknown[]} frame In dB; anything else is nothing. */
  #paint(frame) {
    const levels = Float32Array.from(frame, (value) => (typeof value === "number" ? value : NOTHING));
    this.#loudest = Math.max(SOFTEST, this.#loudest - DECAY, ...levels);
    for (let row = 0; row < BANDS; row++) {
      const place = 1 + (levels[BANDS - 1 - row] - this.#loudest) / RANGE;
      this.#pixels[row] = PIXELS[Math.max(0, Math.round(place * (COLOURS - 1)))];
    }
  }

  /** @param {number} end The column after the newest. */
  #move(end) {
    if (this.#still.matches) return this.#strip.hold(end);
    const due = end - this.#hop - MARGIN;
    if (!this.#strip.moves) {
      this.#playout.clear();
      return this.#strip.run(due);
    }
    const { seek, pace } = this.#playout.hear(due - this.#strip.head);
    if (seek !== 0) this.#strip.run(this.#strip.head + seek);
    this.#strip.pace = pace;
    this.#strip.renew();
  }

  /** Draw the axes again if the place or the window is another one. */
  #measure() {
    const place = this.#place;
    const drawn = `${place} ${this.#window}`;
    if (place === 0 || drawn === this.#drawn) return;
    this.#drawn = drawn;
    this.#width = Math.min(WIDEST, Math.max(1, Math.round(place / (SECONDS * RATE))));
    this.#strip.resize(this.#width);
    const second = RATE * this.#width;
    const step = STEPS.find((seconds) => seconds * second >= APART) ?? 60;
    const ticks = Array.from({ length: Math.floor(place / second / step) + 1 }, (_, index) => moment(index * step, second));
    /** @type {HTMLElement} */ (this.#body.querySelector(".spectrogram-seconds")).replaceChildren(...ticks);
    for (const bracket of this.#body.querySelectorAll(".spectrogram-window")) {
      const { style } = /** @type {HTMLElement} */ (bracket);
      style.width = `${Math.min(place, this.#window * second)}px`;
      style.visibility = this.#window > 0 ? "" : "hidden"; // before it is known
    }
    this.#plot.setAttribute("aria-label", `Mel spectrogram, 0 to 11 kHz, the last ${Math.round(place / second)} seconds`);
  }
}

/** @param {number} hertz */
function pitch(hertz) {
  const item = document.createElement("li");
  item.textContent = hertz < 1000 ? `${hertz} Hz` : `${hertz / 1000} kHz`;
  item.dataset.hertz = String(hertz);
  item.style.bottom = `${(100 * (band(hertz) + 0.5)) / BANDS}%`;
  return item;
}

/**
 * @param {number} ago In seconds.
 * @param {number} second In pixels.
 */
function moment(ago, second) {
  const item = document.createElement("li");
  item.textContent = ago === 0 ? "now" : `−${ago} s`;
  item.style.right = `${ago * second}px`;
  return item;
}
