/** What hands do on a canvas: point, tap, drag, turn a wheel and pinch. Places in CSS pixels within it. */

/**
 * @typedef {{x: number, y: number}} Point
 *
 * @typedef {object} Listener
 * @property {(point: Point | null) => void} onHover null when the mouse has left.
 * @property {(point: Point) => void} onTap
 * @property {(pixels: number) => void} onDrag To the right, since the last time.
 * @property {(factor: number, x: number) => void} onZoom More than 1 shows more.
 */

/** A hand that moves less is taken for still. In pixels. */
const STILL = 5;
/** How far a wheel turns to zoom by a factor of two, in pixels. */
const DOUBLING = 240;

export class Hand {
  #canvas;
  #listener;
  /** Fingers, or the button of a mouse, that are down. @type {Map<number, Point>} */
  #down = new Map();
  /** Where the first one came down; null once it is a drag or a pinch. @type {Point | null} */
  #still = null;

  /** @param {HTMLCanvasElement} canvas @param {Listener} listener */
  constructor(canvas, listener) {
    this.#canvas = canvas;
    this.#listener = listener;
    canvas.addEventListener("pointerdown", (event) => this.#onDown(event));
    canvas.addEventListener("pointermove", (event) => this.#onMove(event));
    canvas.addEventListener("pointerup", (event) => this.#onUp(event));
    canvas.addEventListener("pointercancel", (event) => this.#down.delete(event.pointerId));
    canvas.addEventListener("pointerleave", () => listener.onHover(null));
    canvas.addEventListener("wheel", (event) => this.#onWheel(event), { passive: false });
  }

  /** @param {MouseEvent} event */
  #point({ clientX, clientY }) {
    const { left, top } = this.#canvas.getBoundingClientRect();
    return { x: clientX - left, y: clientY - top };
  }

  /** @param {PointerEvent} event */
  #onDown(event) {
    if (event.button !== 0) return;
    const point = this.#point(event);
    this.#canvas.setPointerCapture(event.pointerId);
    this.#down.set(event.pointerId, point);
    this.#still = this.#down.size === 1 ? point : null;
  }

  /** @param {PointerEvent} event */
  #onMove(event) {
    const point = this.#point(event);
    const before = this.#down.get(event.pointerId);
    if (before === undefined) {
      if (event.pointerType === "mouse") this.#listener.onHover(point);
      return;
    }
    if (this.#still !== null && Math.hypot(point.x - this.#still.x, point.y - this.#still.y) < STILL) return;
    this.#still = null;
    const others = [...this.#down].filter(([id]) => id !== event.pointerId).map(([, other]) => other);
    this.#down.set(event.pointerId, point);
    if (others.length === 0) {
      this.#listener.onDrag(point.x - before.x);
      this.#listener.onHover(null);
    } else {
      const [now, then] = [point, before].map(({ x }) => Math.max(20, Math.abs(x - others[0].x)));
      this.#listener.onZoom(then / now, (point.x + others[0].x) / 2);
    }
  }

  /** @param {PointerEvent} event */
  #onUp(event) {
    this.#down.delete(event.pointerId);
    if (this.#still !== null) this.#listener.onTap(this.#still);
    this.#still = null;
  }

  /**
   * Sideways it scrolls, and pinching zooms. A plain turn zooms too, but only where it is not needed to scroll the
   * page or somebody has gone into the canvas.
   *
   * @param {WheelEvent} event
   */
  #onWheel(event) {
    const scale = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 20 : 1;
    const sideways = event.shiftKey ? event.deltaX || event.deltaY : event.deltaX;
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      this.#listener.onDrag(-scale * sideways);
    } else {
      const { scrollHeight, clientHeight } = document.documentElement;
      if (!event.ctrlKey && document.activeElement !== this.#canvas && scrollHeight > clientHeight) return;
      const turn = event.ctrlKey ? 8 * event.deltaY : scale * event.deltaY;
      this.#listener.onZoom(2 ** (Math.max(-240, Math.min(240, turn)) / DOUBLING), this.#point(event).x);
    }
    event.preventDefault();
  }
}
