/** The check of the lines, over the whole page: a tile for each line, to be read from the stage. */

import { CheckTile } from "./check-tile.js";
import { part } from "./row.js";

/** With more lines than these, tiles are smaller and stand in more columns. */
const SIZES = [1, 4, 8, 15, 32];

/**
 * @typedef {object} Checked
 * @property {import("../line-check.js").LineCheck} check
 * @property {import("../messages.js").LineInfo[]} lines
 * @property {boolean} live Whether there is a connection.
 * @property {boolean} allowed Whether this page may ask for a check.
 */

export class LineCheckView {
  #dialog;
  #open;
  #sum;
  #note;
  #start;
  #stop;
  #tiles;
  #others;
  /** @type {CheckTile[]} */
  #shown = [];
  #told = "";

  /**
   * @param {HTMLElement} element A dialog.
   * @param {HTMLElement} open The button that opens it.
   * @param {object} options
   * @param {() => void} options.onStart
   * @param {() => void} options.onStop
   * @param {() => void} options.onTurn Called when it was opened or closed.
   */
  constructor(element, open, { onStart, onStop, onTurn }) {
    /** @param {string} name */
    const get = (name) => /** @type {HTMLElement} */ (element.querySelector(`.check-${name}`));
    this.#dialog = /** @type {HTMLDialogElement} */ (element);
    this.#open = open;
    [this.#sum, this.#note, this.#tiles, this.#others] = ["sum", "note", "tiles", "others"].map(get);
    [this.#start, this.#stop] = ["start", "stop"].map(get);
    open.addEventListener("click", () => {
      this.#dialog.showModal();
      onTurn();
    });
    this.#dialog.addEventListener("close", onTurn);
    this.#start.addEventListener("click", onStart);
    this.#stop.addEventListener("click", () => {
      onStop();
      this.#start.focus(); // for the button goes away
    });
  }

  /** Whether somebody looks at it. */
  get wanted() {
    return this.#dialog.open && !document.hidden;
  }

  /** @param {Checked} checked */
  show({ check, lines, live, allowed }) {
    this.#open.hidden = !allowed || lines.length === 0;
    if (!this.#dialog.open) return;
    const now = performance.now();
    const phase = check.phase(now);
    write(this.#sum, check.sum);
    this.#dialog.dataset.green = String(check.report?.green === true);
    write(this.#note, check.note(live, now));
    write(this.#start, check.report === null ? "Start" : "Again");
    this.#stop.hidden = phase !== "running";
    /** @type {HTMLButtonElement} */ (this.#start).disabled = !live || !allowed || phase === "asked";
    const tiles = check.tiles(lines);
    if (tiles.length !== this.#shown.length) this.#arrange(tiles.length);
    tiles.forEach((tile, place) => this.#shown[place].show(tile, live && phase === "running"));
    const others = check.others;
    if (others.join("\n") === this.#told) return;
    this.#told = others.join("\n");
    this.#others.replaceChildren(...others.map((text) => Object.assign(part("li", "check-warning"), { textContent: text })));
    this.#others.hidden = others.length === 0;
  }

  /** @param {number} count */
  #arrange(count) {
    this.#shown = Array.from({ length: count }, () => new CheckTile());
    this.#tiles.replaceChildren(...this.#shown.map(({ element }) => element));
    this.#tiles.dataset.size = String(SIZES.filter((most) => count > most).length);
  }
}

/** @param {HTMLElement} element @param {string} text */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
