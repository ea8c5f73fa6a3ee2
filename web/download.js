/** Hands what was heard to the reader as a file. */

import { fileName, toAudacity, toCsv, toJson } from "./export.js";

const TYPES = { json: "application/json", csv: "text/csv", txt: "text/plain" };

/** The browser has read a file after this long at the latest. In milliseconds. */
const READ_AFTER = 60_000;

/**
 * @param {import("./views/session.js").Format} format
 * @param {import("./export.js").Heard} heard
 * @param {import("./export.js").Origin} origin
 */
export function download(format, heard, origin) {
  const content = { json: toJson, csv: toCsv, txt: toAudacity }[format](heard, origin);
  const address = URL.createObjectURL(new Blob([content], { type: `${TYPES[format]};charset=utf-8` }));
  const link = document.createElement("a");
  link.href = address;
  link.download = fileName(heard.span.start, format, origin.line);
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), READ_AFTER);
}
