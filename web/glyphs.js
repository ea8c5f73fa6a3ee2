/** A small picture for each instrument and each state, all of one hand: solid shapes, round lines, fine cuts. */

import { INSTRUMENTS, NOTE, STATES } from "./drawings.js";

/** The pens, in units: the line, the cut, and what rounds the corners of the solid. */
const [PEN, CUT, ROUND] = [2, 1.25, 0.7];

/** How far the edge reaches beyond the drawing, in units. It is seen where the page sets --glyph-edge. */
const EDGE = 0.8;

/** The letters that stand for an instrument without a picture, and the disc out of which they are cut. */
const LETTERS = { "font-family": "system-ui, sans-serif", "font-size": 16, "font-weight": 700, "text-anchor": "middle" };
/** From here on letters are as wide as they are high: of these one fits into the disc. */
const WIDE = "\u2e80";
/** @type {import("./drawings.js").Drawing} */
const DISC = { solid: "M16 1A15 15 0 1 1 16 31A15 15 0 1 1 16 1Z" };

/** The tile on which the glyph stands in a tab, whose own colour is not known. */
const TILE = { fill: "#14171c", radius: 7, inset: 2 };

const NAMESPACE = "http://www.w3.org/2000/svg";

const ROUNDED = { "stroke-linecap": "round", "stroke-linejoin": "round" };

let masks = 0;

/**
 * Draw a glyph in the current colour. It is decoration: words beside it say the same.
 *
 * @param {string} name An instrument as the model names it, or a state. Instruments without a picture have their initials.
 * @returns {SVGElement}
 */
export function glyph(name) {
  const drawing = INSTRUMENTS.get(name) ?? STATES.get(name);
  const letters = drawing === undefined ? initials(name) : "";
  const { solid, line, cut, over, pen = PEN, turn = 0 } = drawing ?? (letters ? DISC : NOTE);
  const svg = node("svg", { viewBox: "-1 -1 34 34", class: "glyph", "aria-hidden": "true", "data-glyph": name });
  const mask = cut || over || letters ? `glyph-mask-${(masks += 1)}` : null;
  for (const edge of [2 * EDGE, 0]) {
    const layer = node("g", { ...ROUNDED, fill: "none", stroke: "currentColor", transform: `rotate(${turn} 16 16)` });
    if (edge) layer.style.color = "var(--glyph-edge, transparent)";
    const cutting = node("g", {});
    if (mask && !edge) cutting.setAttribute("mask", `url(#${mask})`);
    if (solid) cutting.append(path(solid, { fill: "currentColor", "stroke-width": ROUND + edge }));
    if (line) cutting.append(path(line, { "stroke-width": pen + edge }));
    layer.append(cutting);
    if (over) layer.append(path(over, { "stroke-width": pen + edge }));
    svg.append(layer);
  }
  if (mask) {
    const stencil = node("mask", { id: mask, maskUnits: "userSpaceOnUse", x: -16, y: -16, width: 64, height: 64 });
    stencil.append(path("M-16 -16H48V48H-16Z", { fill: "#fff", stroke: "none" }));
    if (cut) stencil.append(path(cut, { stroke: "#000", "stroke-width": CUT, ...ROUNDED }));
    if (over) stencil.append(path(over, { stroke: "#000", "stroke-width": pen + 2 * CUT, ...ROUNDED }));
    if (letters) stencil.append(written(letters));
    svg.append(stencil);
  }
  return svg;
}

/**
 * A glyph on a dark tile, as the address of a picture: for the tab.
 *
 * @param {string} name
 * @param {string} ink Its colour.
 */
export function glyphSource(name, ink) {
  const svg = node("svg", { viewBox: "0 0 32 32", color: ink });
  const drawn = glyph(name);
  const { fill, radius, inset } = TILE;
  for (const key of ["x", "y"]) drawn.setAttribute(key, String(inset));
  for (const key of ["width", "height"]) drawn.setAttribute(key, String(32 - 2 * inset));
  svg.append(node("rect", { width: 32, height: 32, rx: radius, fill }), drawn);
  return `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(svg))}`;
}

/** The first letters of its words, or the first two of its only one. @param {string} name */
function initials(name) {
  const [first, second] = name.match(/[\p{L}\p{N}]+(?:['’][\p{L}\p{N}]+)*/gu) ?? []; // Ben's is one word
  if (first === undefined) return "";
  if (second !== undefined) return [first, second].map((word) => Array.from(word)[0].toUpperCase()).join("");
  const [one, two = ""] = Array.from(first);
  return one > WIDE ? one : one.toUpperCase() + two.toLowerCase();
}

/** @param {string} letters */
function written(letters) {
  const text = node("text", { ...LETTERS, x: 16, y: 21.6 });
  text.textContent = letters;
  return text;
}

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 */
function node(tag, attributes) {
  const element = document.createElementNS(NAMESPACE, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return /** @type {SVGElement} */ (element);
}

/**
 * @param {string} d
 * @param {Record<string, string | number>} attributes
 */
function path(d, attributes) {
  return node("path", { d, ...attributes });
}
