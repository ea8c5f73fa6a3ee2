/** A picture that scrolls: each column is drawn once, where it belongs in time, and the compositor does the moving. */

/**
 * Columns of a tile. The smaller they are, the more there are to compose; of those of 512 columns and 1024 pixels
 * Chromium left some empty once they had moved on.
 */
const TILE = 256;
/** One animation takes so long, in seconds; then another one takes over. */
const STRETCH = 60;

export class Strip {
  #element;
  #rows;
  #rate;
  /** Columns that one animation passes. */
  #columns;
  /** Width of a column, in CSS pixels. */
  #width = 1;
  /** The column at which the element begins. */
  #origin = 0;
  /** @type {Map<number, {canvas: HTMLCanvasElement, context: CanvasRenderingContext2D}>} */
  #tiles = new Map();
  /** @type {Animation | null} */
  #animation = null;
  /** Where the animation began; where the strip stands if there is none. */
  #from = 0;
  #pace = 1;

  /**
   * @param {HTMLElement} element Begins at the right edge of what clips it, without a width of its own.
   * @param {{rows: number, rate: number}} options Pixels in a column, and columns in a second.
   */
  constructor(element, { rows, rate }) {
    this.#element = element;
    this.#rows = rows;
    this.#rate = rate;
    this.#columns = Math.round(STRETCH * rate);
  }

  /** The column that comes into sight next; its fraction has passed already. */
  get head() {
    const passed = (Number(this.#animation?.currentTime ?? 0) / 1000) * this.#rate;
    return this.#from + Math.min(this.#columns, passed);
  }

  get moves() {
    return this.#animation !== null;
  }

  /** @param {number} width Of a column, in CSS pixels. */
  resize(width) {
    if (width === this.#width) return;
    this.#width = width;
    this.#stand(this.head, this.moves);
  }

  /**
   * Draw a column.
   *
   * @param {number} column
   * @param {ImageData} picture One pixel wide.
   * @param {number} oldest Nothing before this column is needed any more.
   */
  put(column, picture, oldest) {
    const number = Math.floor(column / TILE);
    const tile = this.#tiles.get(number) ?? this.#lay(number, Math.floor(oldest / TILE));
    tile.context.putImageData(picture, column - number * TILE, 0);
  }

  /** Go on from a place at the rate of the columns. @param {number} head */
  run(head) {
    this.#stand(head, true);
  }

  /** Stand still, here or somewhere else. @param {number} [head] */
  hold(head = this.head) {
    this.#stand(Math.floor(head), false);
  }

  /** Let an animation that nears its end be followed by another. */
  renew() {
    if (this.moves && this.head > this.#from + 0.9 * this.#columns) this.run(this.head);
  }

  /** Go a little faster or slower. @param {number} pace 1 is the rate of the columns. */
  set pace(pace) {
    if (pace === this.#pace) return;
    this.#pace = pace;
    this.#animation?.updatePlaybackRate(pace);
  }

  clear() {
    for (const { canvas } of this.#tiles.values()) canvas.remove();
    this.#tiles.clear();
  }

  /**
   * @param {number} head
   * @param {boolean} moves
   */
  #stand(head, moves) {
    this.#animation?.cancel();
    this.#animation = null;
    this.#from = Math.floor(head);
    // What is far from the edge is laid anew now and then, for no browser lays out thousands of screens in a row.
    if (moves || Math.abs(this.#from - this.#origin) > this.#columns) this.#origin = this.#from;
    for (const [number, { canvas }] of this.#tiles) this.#place(canvas, number);
    this.#element.style.transform = this.#shift(this.#from);
    if (!moves) return;
    this.#animation = this.#element.animate(
      { transform: [this.#shift(this.#from), this.#shift(this.#from + this.#columns)] },
      // In steps: whole columns stay sharp, and a screen of 60 Hz composes 43 frames in a second.
      { duration: (1000 * this.#columns) / this.#rate, easing: `steps(${this.#columns})`, fill: "forwards" },
    );
    this.#animation.playbackRate = this.#pace;
    this.#animation.currentTime = (1000 * (head - this.#from)) / this.#rate;
  }

  /** @param {number} head */
  #shift(head) {
    return `translateX(${(this.#origin - head) * this.#width}px)`;
  }

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {number} number
   */
  #place(canvas, number) {
    canvas.style.left = `${(number * TILE - this.#origin) * this.#width}px`;
    canvas.style.width = `${TILE * this.#width}px`;
  }

  /**
   * Lay an empty tile: one that is out of sight, if there is one.
   *
   * @param {number} number
   * @param {number} oldest Number of the oldest tile that is needed.
   */
  #lay(number, oldest) {
    const spare = [...this.#tiles.keys()].find((other) => other < oldest && other < number);
    const tile = spare === undefined ? this.#make() : this.#tiles.get(spare);
    if (spare !== undefined) this.#tiles.delete(spare);
    if (tile === undefined) throw new Error("a tile is lost");
    this.#tiles.set(number, tile);
    this.#place(tile.canvas, number);
    tile.context.clearRect(0, 0, TILE, this.#rows);
    return tile;
  }

  #make() {
    const canvas = document.createElement("canvas");
    canvas.width = TILE;
    canvas.height = this.#rows;
    this.#element.append(canvas);
    // Columns come from memory, and nothing else is drawn: no work for a GPU.
    const context = canvas.getContext("2d", { willReadFrequently: true });
    if (context === null) throw new Error("this browser has no canvas");
    return { canvas, context };
  }
}
