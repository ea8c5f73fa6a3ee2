/** A few lines beside what somebody points at on the timeline. */

import { colour } from "../palette.js";

export class Tip {
  #element;

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
  }

  hide() {
    this.#element.hidden = true;
  }

  /**
   * @param {import("../happenings.js").Happening | import("../bins.js").Bin} happening
   * @param {string[]} lines The first is its name.
   * @param {import("./geometry.js").Geometry} geometry
   * @param {number | null} x Where the mouse is; null for the middle of it.
   */
  show(happening, lines, geometry, x) {
    const kind = happening.kind === "bin" ? happening.of : happening.kind;
    const { label } = happening;
    const box = geometry.box(happening);
    const { start, end, length } = geometry.visible(box);
    this.#element.hidden = length <= 0; // it has left at the side
    if (length <= 0) return;
    this.#element.dataset.kind = kind;
    this.#element.style.setProperty("--ink", label === null ? "" : colour(label));
    this.#write(lines);
    const { width } = geometry.layout;
    const { offsetWidth, offsetHeight } = this.#element;
    const left = Math.min(Math.max(0, (x ?? (start + end) / 2) - offsetWidth / 2), Math.max(0, width - offsetWidth));
    // Above what it is about, or, where there is no room, below it: never over it.
    const above = box.top - offsetHeight - 8;
    const below = kind === "segment" || kind === "guess" ? box.top + box.height + 8 : geometry.top + 8;
    this.#element.style.transform = `translate(${Math.round(left)}px, ${Math.round(above > -36 ? above : below)}px)`;
  }

  /** @param {string[]} lines */
  #write(lines) {
    const element = this.#element;
    while (element.childElementCount > lines.length) element.lastElementChild?.remove();
    while (element.childElementCount < lines.length) element.append(document.createElement("p"));
    lines.forEach((text, index) => {
      const line = element.children[index];
      if (line.textContent !== text) line.textContent = text;
    });
  }
}
