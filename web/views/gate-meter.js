/** How loud it is, with a mark where the gate is: below it is silence. */

/** Of the scale, in dBFS. */
const FLOOR = -100;

export class GateMeter {
  element = document.createElement("div");
  #level = document.createElement("div");
  #mark = document.createElement("div");

  constructor() {
    this.element.className = "gate-meter";
    this.element.setAttribute("aria-hidden", "true"); // the figures beside it say the same
    this.#level.className = "gate-level";
    this.#mark.className = "gate-mark";
    this.element.append(this.#level, this.#mark);
  }

  /**
   * @param {number | null} level In dBFS; null where nothing is told.
   * @param {number} gate In dBFS.
   */
  show(level, gate) {
    this.#level.style.transform = `scaleX(${level === null ? 0 : along(level)})`;
    this.element.dataset.open = String(level !== null && level >= gate);
    this.#mark.style.left = `${100 * along(gate)}%`;
  }
}

/** @param {number} level In dBFS. */
function along(level) {
  return Math.min(1, Math.max(0, 1 - level / FLOOR));
}
