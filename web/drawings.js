/** The lines of the glyphs: an instrument or a state each, in a square of 32 units. */

import { STAGE } from "./drawings/stage.js";
import { STRINGS } from "./drawings/strings.js";
import { WINDS } from "./drawings/winds.js";

/**
 * @typedef {object} Drawing In a square of 32 units.
 * @property {string} [solid] Filled; a part that runs the other way about is a hole.
 * @property {string} [line] Drawn with a round pen.
 * @property {string} [cut] Taken away from the two above with a finer pen.
 * @property {string} [over] Drawn with the round pen in front of the others, with a gap about it.
 * @property {number} [pen] The width of the line, where it is another one.
 * @property {number} [turn] Clockwise about the centre, in degrees.
 */

/** @type {ReadonlyMap<string, Drawing>} */
export const INSTRUMENTS = new Map([...STRINGS, ...WINDS, ...STAGE]);

/** For instruments of other people's models. @type {Drawing} */
export const NOTE = {
  solid:
    "M15.8 25.2C15.8 28.2 12.8 30.6 9.2 30.6C6.2 30.6 4 29 4 26.6C4 23.6 7 21 10.4 21C11.6 21 12.8 21.3 13.6 22V2.6" +
    "H15.8C16.4 8.6 26 9.4 26 16.6C26 19.2 25 21.2 23.2 23.2C25 16.4 19.2 14 15.8 13Z",
};

/** What is no instrument. @type {ReadonlyMap<string, Drawing>} */
export const STATES = new Map([
  [
    "others",
    {
      pen: 5,
      line: "M10 10H10.01M22 10H22.01M10 22H10.01M22 22H22.01",
    },
  ],
  [
    "silence",
    {
      solid:
        "M11.4 2.6L20.4 13C16.6 16.4 16.8 18.8 21.6 24.4C15.6 22 13 24.8 16.6 29.8C9.4 25.4 10 19.6 16.4 20.4" +
        "L10.2 13.4C14.4 9.4 14 6.6 11.4 2.6Z",
    },
  ],
  [
    "unknown",
    {
      pen: 3.4,
      line: "M9.4 10.6C9.4 6 12.2 3.4 16 3.4C20 3.4 22.8 6 22.8 9.6C22.8 14.8 16 15 16 20.4M16 27.8V27.81",
    },
  ],
  [
    "warming",
    {
      solid:
        "M12.4 8.6H19.6C19 11 16 12 16 14C16 12 13 11 12.4 8.6ZM12 28C12.4 24.6 16 24 16 22C16 24 19.6 24.6 20 28Z",
      line:
        "M8 3H24M8 29H24M10 3.4V7C10 12 16 13 16 16C16 19 10 20 10 25V28.6M22 3.4V7C22 12 16 13 16 16" +
        "C16 19 22 20 22 25V28.6",
    },
  ],
  [
    "connecting",
    {
      pen: 5,
      line: "M5 16H5.01M16 16H16.01M27 16H27.01",
    },
  ],
  [
    "offline",
    {
      turn: 45,
      solid:
        "M10.8 10H21.2V5.2C21.2 2.2 19 .8 16 .8C13 .8 10.8 2.2 10.8 5.2ZM10.8 22.4H21.2V26.6C21.2 29.6 19 31 16 31" +
        "C13 31 10.8 29.6 10.8 26.6Z",
      line: "M16 -4V.8M16 31V36M13 18V22.4M19 18V22.4",
    },
  ],
  [
    "input",
    {
      solid: "M11.6 6.6C11.6 1 20.4 1 20.4 6.6V14.4C20.4 20 11.6 20 11.6 14.4Z",
      line: "M7 13.6C7 25.4 25 25.4 25 13.6M16 22.6V29M10.6 29H21.4",
      over: "M4.4 3.4L27.6 28.6",
    },
  ],
  [
    "stalled",
    {
      pen: 2.4,
      line: "M16 4L29 27.4H3ZM16 12.4V18.8M16 23V23.01",
    },
  ],
  [
    "ended",
    {
      solid: "M15.6 3.4H21.8V28.6H15.6Z",
      line: "M10.6 4V28",
    },
  ],
]);
