/** The overlay's one thing to see: a glyph, a name, and how sure that is. One card fades into the next. */

import { glyph } from "../glyphs.js";
import { colour } from "../palette.js";

/**
 * @typedef {import("../overlay-options.js").Options} Options
 * @typedef {import("../situation.js").Situation} Situation
 */

/** From one card to the next, in milliseconds. */
const FADE = 350;

/** Of what is no instrument. */
const NEUTRAL = "#a8b0bc";

const still = matchMedia("(prefers-reduced-motion: reduce)");

export class Card {
  #element;
  #options;
  /** @type {HTMLElement | null} */
  #card = null;
  #shown = "";

  /**
   * @param {HTMLElement} element
   * @param {Options} options
   */
  constructor(element, options) {
    this.#element = element;
    this.#options = options;
    element.dataset.align = options.align;
    element.dataset.valign = options.valign;
    element.dataset.outline = String(options.outline !== "none");
    element.dataset.shadow = String(options.shadow);
    element.style.setProperty("--outline", options.outline === "none" ? "transparent" : options.outline);
    element.style.fontWeight = String(options.weight);
    if (options.font) element.style.fontFamily = `"${options.font}", sans-serif`;
    addEventListener("resize", () => this.#fit());
  }

  /** @param {Situation | null} situation null for nothing. */
  show(situation) {
    const shown = situation === null ? "" : `${situation.kind} ${situation.name}`;
    if (shown !== this.#shown) {
      this.#shown = shown;
      this.#replace(situation && this.#draw(situation));
    }
    if (situation === null || this.#card === null) return;
    const fill = /** @type {HTMLElement | null} */ (this.#card.querySelector(".card-fill"));
    fill?.style.setProperty("width", `${100 * (situation.gauge ?? 0)}%`);
    const figure = this.#card.querySelector(".card-figure");
    if (figure !== null && figure.textContent !== situation.figure) {
      figure.textContent = situation.figure;
      this.#fit();
    }
  }

  /** @param {HTMLElement | null} card */
  #replace(card) {
    const old = this.#card;
    const duration = still.matches ? 0 : FADE;
    for (const older of this.#element.querySelectorAll(".card")) if (older !== old) older.remove(); // still fading
    old?.animate([{ opacity: 1 }, { opacity: 0 }], { duration, fill: "forwards" }).finished.then(() => old.remove());
    this.#card = card;
    if (card === null) return;
    this.#element.append(card);
    card.animate([{ opacity: 0 }, { opacity: 1 }], { duration });
    this.#fit();
  }

  /** @param {Situation} situation */
  #draw({ name, instrument, glyph: drawing, gauge }) {
    const { glyph: pictured, upper, confidence, bar, color, ink } = this.#options;
    const own = instrument === null ? NEUTRAL : colour(instrument);
    const card = block("card");
    card.dataset.name = name;
    card.style.setProperty("--ink", ink === "instrument" ? own : ink);
    card.style.color = color === "instrument" ? own : color;
    const row = block("card-row");
    if (pictured !== "0") row.append(block("card-glyph", glyph(drawing)));
    if (pictured !== "only") row.append(block("card-name", upper ? name.toUpperCase() : name));
    if (confidence) row.append(block("card-figure"));
    card.append(row);
    if (bar && gauge !== null) card.append(block("card-bar", block("card-fill")));
    return card;
  }

  /** As large as was asked for, or as the window allows. */
  #fit() {
    if (this.#card === null) return;
    const { style } = this.#card;
    style.fontSize = this.#options.size;
    const { offsetWidth, offsetHeight } = this.#card;
    const fits = Math.min(1, this.#element.clientWidth / offsetWidth, this.#element.clientHeight / offsetHeight);
    if (fits < 1) style.fontSize = `${Math.floor(fits * parseFloat(getComputedStyle(this.#card).fontSize))}px`;
  }
}

/**
 * @param {string} name
 * @param {...(Node | string)} content
 */
function block(name, ...content) {
  const element = document.createElement("div");
  element.className = name;
  element.append(...content);
  return element;
}
