/** The tab's picture: the glyph of what is heard. */

import { glyphSource } from "../glyphs.js";
import { colour } from "../palette.js";

/** @typedef {import("../situation.js").Situation} Situation */

/** Of what is no instrument; it stands on the glyph's dark tile in both themes. */
const NEUTRAL = "#a8b0bc";

/** Of what somebody should look after. @type {ReadonlyMap<string, string>} */
const ALARMS = new Map([
  ["offline", "#ff6b6b"],
  ["stalled", "#f2b53c"],
]);

export class Favicon {
  #link;
  #shown = "";

  /** @param {HTMLElement} link Of rel icon. */
  constructor(link) {
    this.#link = /** @type {HTMLLinkElement} */ (link);
  }

  /** @param {Situation} situation */
  show({ kind, glyph, instrument }) {
    const shown = `${kind} ${glyph}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    const ink = instrument === null ? (ALARMS.get(kind) ?? NEUTRAL) : colour(instrument);
    this.#link.href = glyphSource(glyph, ink);
  }
}
