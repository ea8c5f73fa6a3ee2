/** Draws the marks of the timeline: a flag and its text each, or where there are many, how many. Sizes in CSS pixels. */

/**
 * @typedef {import("../bins.js").Bin} Bin
 * @typedef {import("../happenings.js").Happening} Happening
 */

/** From a flag's pole to its text, and what stays free before the next flag. */
const [TO_TEXT, FREE] = [12, 8];

/**
 * A mark by itself has a line through all lanes. Marks in a bin have a short one each, or they would hide what was heard.
 *
 * @param {CanvasRenderingContext2D} pen
 * @param {import("./ribbon.js").Ink} ink
 * @param {import("./geometry.js").Geometry} geometry
 * @param {(Happening | Bin)[]} marks
 */
export function paintFlags(pen, ink, geometry, marks) {
  const { layout, top, bottom } = geometry;
  const { flags } = layout;
  const middle = flags.top + flags.height / 2;
  const letter = pen.measureText("n").width;
  let free = layout.width;
  pen.fillStyle = ink.text;
  const latestFirst = [...marks].sort((a, b) => b.start - a.start);
  for (const [index, mark] of latestFirst.entries()) {
    const all = mark.kind === "bin" ? mark.all : [mark];
    const x = geometry.x(all[0].start);
    if (mark.kind === "bin") {
      for (const { start } of all) pen.fillRect(geometry.x(start), top - 5, 1, 5);
    } else {
      pen.globalAlpha = 0.6;
      pen.fillRect(x, top, 1, bottom - top);
      pen.globalAlpha = 1;
    }
    pen.fillRect(x, flags.top + 2, 1, flags.height - 2);
    pen.beginPath();
    pen.moveTo(x + 1, flags.top + 2);
    pen.lineTo(x + 9, middle - 1);
    pen.lineTo(x + 1, middle + 4);
    pen.fill();
    const room = free - x - TO_TEXT - FREE;
    const words = mark.kind === "bin" ? counted(pen, all.length, room) : cut(mark.text, room / letter);
    free = x;
    if (words || mark.kind !== "bin") {
      pen.fillText(words, x + TO_TEXT, middle + 1);
      continue;
    }
    // At the edge, or before a flag that is too near, a count is on the other side of its pole.
    const before = latestFirst[index + 1];
    const taken = before ? geometry.x(("all" in before ? before.all[0] : before).start) + TO_TEXT : 0;
    const count = String(all.length);
    const left = x - pen.measureText(count).width - FREE / 2;
    if (left < taken) continue;
    pen.fillText(count, left, middle + 1);
    free = left;
  }
}

/** @param {CanvasRenderingContext2D} pen @param {number} count @param {number} room */
function counted(pen, count, room) {
  const words = [`${count} marks`, String(count)];
  return words.find((text) => pen.measureText(text).width <= room + FREE - 2) ?? "";
}

/** @param {string} text @param {number} letters That there is room for. */
function cut(text, letters) {
  if (letters >= text.length) return text;
  return letters >= 4 ? `${text.slice(0, Math.floor(letters) - 1).trimEnd()}…` : "";
}
