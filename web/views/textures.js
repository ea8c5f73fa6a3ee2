/** Fillings of the timeline for what has no colour of its own. */

/** @typedef {"slant" | "dots" | "bars"} Texture */

/** @type {Record<Texture, {size: number, draw: (pen: CanvasRenderingContext2D, side: number) => void}>} */
const TEXTURES = {
  slant: {
    size: 7,
    draw(pen, side) {
      pen.globalAlpha = 0.12;
      pen.fillRect(0, 0, side, side);
      pen.globalAlpha = 0.75;
      pen.lineWidth = side / 5;
      pen.lineCap = "square";
      pen.beginPath();
      for (const shift of [-side, 0, side]) {
        pen.moveTo(shift, side);
        pen.lineTo(shift + side, 0);
      }
      pen.stroke();
    },
  },
  dots: {
    size: 4,
    draw(pen, side) {
      pen.globalAlpha = 0.35;
      pen.fillRect(0, 0, side, side);
      pen.globalAlpha = 0.8;
      pen.fillRect(0, 0, side / 2, side / 2);
    },
  },
  bars: {
    size: 5,
    draw(pen, side) {
      pen.globalAlpha = 0.7;
      pen.fillRect(0, 0, side / 2.5, side);
    },
  },
};

/**
 * @param {CanvasRenderingContext2D} pen What it will be used with.
 * @param {Texture} texture
 * @param {string} shade
 * @param {number} ratio Pixels of the screen in one of CSS.
 */
export function weave(pen, texture, shade, ratio) {
  const { size, draw } = TEXTURES[texture];
  const tile = document.createElement("canvas");
  tile.width = tile.height = Math.round(size * ratio);
  const brush = /** @type {CanvasRenderingContext2D} */ (tile.getContext("2d"));
  brush.fillStyle = brush.strokeStyle = shade;
  draw(brush, tile.width);
  const pattern = /** @type {CanvasPattern} */ (pen.createPattern(tile, "repeat"));
  pattern.setTransform(new DOMMatrix().scale(1 / ratio));
  return pattern;
}
