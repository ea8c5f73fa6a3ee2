/** One line in the check: whether it is right, told by colour, shape and word, and what is the matter. */

import { glyph } from "../glyphs.js";
import { WORDS } from "../line-check.js";
import { title } from "../words.js";
import { along } from "./line-strip.js";
import { part } from "./row.js";

/** A shape for each colour, in a square of 32 units: filled, and drawn over it. @type {Record<string, [string, string]>} */
const MARKS = {
  green: ["M16 2A14 14 0 1 1 16 30A14 14 0 1 1 16 2Z", "M9 16.5L14 21.5L23.5 11"],
  amber: ["M16 2L31 29H1Z", "M16 11V19M16 24V24.01"],
  waiting: ["", "M16 3.5A12.5 12.5 0 1 1 16 28.5A12.5 12.5 0 1 1 16 3.5ZM16 9.5V16.5L20.5 19.5"],
  missing: ["M3 3H29V29H3Z", "M10 10L22 22M22 10L10 22"],
  none: ["", "M8 16H24"],
};
/** How it is called while a part of the time has passed that it takes. */
const HEARING = "Hearing";
const NAMESPACE = "http://www.w3.org/2000/svg";

export class CheckTile {
  element = part("li", "check-tile");
  #mark = part("span", "check-mark");
  #word = part("span", "check-word");
  #name = part("h3", "check-name");
  #channel = part("span", "check-channel");
  #plan = part("p", "check-plan");
  #text = part("p", "check-text");
  #now = part("p", "check-now");
  #picture = part("span", "check-picture");
  #heard = part("span", "check-heard");
  #cover = part("span", "strip-cover");
  #fill = part("div", "check-fill");
  #warnings = part("ul", "check-warnings");
  #shown = "";

  constructor() {
    const [meter, progress] = [part("span", "strip-meter"), part("div", "check-progress")];
    meter.append(this.#cover);
    progress.append(this.#fill);
    for (const it of [meter, this.#mark, this.#picture, progress]) it.setAttribute("aria-hidden", "true");
    this.#now.append(this.#picture, this.#heard);
    const [state, first, second] = [part("p", "check-state"), part("div", "check-row"), part("div", "check-row")];
    state.append(this.#mark, this.#word);
    first.append(this.#name, this.#channel);
    second.append(this.#plan, this.#now);
    const body = part("div", "check-body");
    body.append(first, second, this.#text, this.#warnings);
    this.element.append(meter, state, body, progress);
  }

  /** @param {import("../line-check.js").Tile} tile @param {boolean} live Whether it is so now. */
  show(tile, live) {
    this.#cover.style.transform = `scaleY(${1 - (live && tile.level !== null ? along(tile.level) : 0)})`;
    this.#fill.style.transform = `scaleX(${tile.share})`;
    const shown = JSON.stringify([{ ...tile, level: 0, share: tile.share > 0 }, live]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#dress(tile, live);
  }

  /** @param {import("../line-check.js").Tile} tile @param {boolean} live */
  #dress({ name, channels, instruments, colour, share, text, heard, warnings }, live) {
    this.element.dataset.colour = colour;
    this.#mark.replaceChildren(mark(colour));
    this.#word.textContent = colour === "waiting" && share > 0 ? HEARING : (WORDS[colour] ?? colour);
    this.#name.textContent = this.#name.title = name;
    this.#channel.textContent = `${channels.length > 1 ? "Channels" : "Channel"} ${channels.join("+")}`;
    this.#plan.textContent = instruments.length > 0 ? `${title(instruments.join(", "))}` : "Whatever sounds";
    this.#plan.style.visibility = colour === "none" && instruments.length === 0 ? "hidden" : "";
    this.#text.textContent = title(text);
    this.#text.hidden = !["amber", "missing"].includes(colour); // otherwise the word says it
    const now = live && heard !== "" && heard !== "warming" ? heard : "";
    this.#heard.textContent = title(now);
    this.#picture.replaceChildren(...(now === "" ? [] : [glyph(now)]));
    this.#warnings.replaceChildren(...warnings.map((it) => Object.assign(part("li", "check-warning"), { textContent: it })));
    this.#warnings.hidden = warnings.length === 0;
  }
}

/** @param {string} colour */
function mark(colour) {
  const svg = document.createElementNS(NAMESPACE, "svg");
  svg.setAttribute("viewBox", "0 0 32 32");
  const [solid, line] = MARKS[colour] ?? MARKS.none;
  for (const [kind, path] of [["solid", solid], ["line", line]]) {
    if (path === "") continue;
    const shape = document.createElementNS(NAMESPACE, "path");
    shape.setAttribute("class", `check-${kind}`);
    shape.setAttribute("d", path);
    svg.append(shape);
  }
  if (solid === "") svg.setAttribute("class", "check-hollow");
  return svg;
}
