/** A strip for each line; pressing one opens it, pressing it again closes it. */

import { onResolution } from "../resolution.js";
import { LineStrip } from "./line-strip.js";
import { readInk } from "./ribbon.js";
import { weave } from "./textures.js";

/** More strips than these are smaller on a phone. */
const MANY = 8;

/**
 * @typedef {object} Heard
 * @property {import("../lines.js").Lines} lines
 * @property {string | null} opened The name of the one that the page shows instead of the one in front.
 * @property {boolean} live Whether there is a connection.
 */

export class LinesView {
  #element;
  #list;
  #onOpen;
  /** @type {LineStrip[]} */
  #strips = [];
  /** @type {Heard | null} */
  #heard = null;
  /** Whether they can be seen. */
  #seen = true;

  /**
   * @param {HTMLElement} element
   * @param {{onOpen: (name: string | null) => void}} options Told which one to open; null for the one in front.
   */
  constructor(element, { onOpen }) {
    this.#element = element;
    this.#list = /** @type {HTMLElement} */ (element.querySelector(".strips"));
    this.#onOpen = onOpen;
    new ResizeObserver(() => this.#measure()).observe(this.#list);
    new MutationObserver(() => this.#measure()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    onResolution(() => this.#measure());
    new IntersectionObserver(([{ isIntersecting }]) => {
      this.#seen = isIntersecting;
      this.#draw();
    }).observe(this.#list);
  }

  /** @param {Heard} heard */
  show(heard) {
    this.#heard = heard;
    const names = heard.lines.all.map(({ name }) => name);
    if (names.join("\n") !== this.#strips.map(({ name }) => name).join("\n")) this.#arrange(names);
    this.#draw();
  }

  /** The strip of a line, for whom it is to have the focus. @param {string} name */
  strip(name) {
    return this.#strips.find((strip) => strip.name === name);
  }

  /** @param {string[]} names */
  #arrange(names) {
    const before = new Map(this.#strips.map((strip) => [strip.name, strip]));
    this.#strips = names.map((name) => before.get(name) ?? new LineStrip(name, () => this.#press(name)));
    this.#list.replaceChildren(...this.#strips.map(({ element }) => element));
    this.#element.dataset.many = String(names.length > MANY);
    document.documentElement.classList.toggle("lined", names.length > 0);
    this.#element.hidden = names.length === 0;
    this.#measure();
  }

  /** @param {string} name */
  #press(name) {
    this.#onOpen(this.#heard?.opened === name ? null : name);
  }

  #measure() {
    if (this.#strips.length === 0) return;
    const ink = readInk(this.#list);
    const pattern = weave(this.#strips[0].pen, "dots", ink.neutral, devicePixelRatio);
    const widths = this.#strips.map((strip) => strip.width); // all are read before any is written
    this.#strips.forEach((strip, place) => strip.prepare(widths[place], ink, pattern));
    this.#draw();
  }

  #draw() {
    if (this.#heard === null || !this.#seen) return;
    const { lines, opened, live } = this.#heard;
    this.#strips.forEach((strip, place) => {
      const line = lines.all[place];
      strip.show({ line, time: lines.time, live, front: line.name === lines.front, opened: line.name === opened });
    });
  }
}
