/** What the keys do, and what bars and colours mean. */

import { byFamily } from "../families.js";
import { glyph } from "../glyphs.js";
import { colour } from "../palette.js";
import { areMany } from "../places.js";
import { title } from "../words.js";

export class Help {
  #dialog;
  #colours;
  #many;
  /** @type {string[]} */
  #labels = [];

  /**
   * @param {HTMLElement} element A dialog.
   * @param {HTMLElement} button Opens it.
   * @param {import("../keys.js").Keys} keys
   */
  constructor(element, button, keys) {
    this.#dialog = /** @type {HTMLDialogElement} */ (element);
    this.#colours = /** @type {HTMLElement} */ (element.querySelector(".help-colours"));
    this.#many = /** @type {HTMLElement} */ (element.querySelector(".help-many"));
    button.addEventListener("click", () => this.open());
    // On what lies around it; the dialog itself is covered by its parts.
    element.addEventListener("click", (event) => {
      if (event.target === element) this.#dialog.close();
    });
    for (const link of /** @type {NodeListOf<HTMLAnchorElement>} */ (element.querySelectorAll("a[data-token]"))) {
      // It needs the token as this page did, which may have come later.
      link.addEventListener("click", () => (link.hash = location.hash));
    }
    const on = /** @type {HTMLInputElement} */ (element.querySelector(".help-keys-on"));
    on.checked = keys.on;
    on.addEventListener("change", () => (keys.on = on.checked));
  }

  open() {
    if (!this.#dialog.open) this.#dialog.showModal(); // the browser gives the focus back afterwards
  }

  /** @param {string[]} labels The model's instruments. */
  show(labels) {
    if (labels.join("\n") === this.#labels.join("\n")) return;
    this.#labels = labels;
    this.#many.hidden = !areMany(labels);
    const ordered = areMany(labels) ? byFamily(labels).flatMap(([, members]) => members) : labels;
    this.#colours.replaceChildren(...ordered.map(swatch));
  }
}

/** @param {string} label */
function swatch(label) {
  const item = document.createElement("li");
  item.style.setProperty("--ink", colour(label));
  item.append(glyph(label), title(label));
  return item;
}
