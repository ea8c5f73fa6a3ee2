/** What somebody has changed in the settings and not tried yet: fields, what they showed first, and what they say now. */

/**
 * @typedef {object} Field One setting as a form shows it.
 * @property {() => unknown} read What it says now, as the protocol has it.
 * @property {(value: any) => void} write Show a value.
 *
 * @typedef {import("./messages.js").LineSettings} LineSettings
 */

export class Draft {
  /** @type {Map<string, {field: Field, shown: string}>} What each shows, as it was told, in JSON. */
  #fields = new Map();

  /** @param {Record<string, Field>} fields By the names of their settings. */
  constructor(fields) {
    for (const [name, field] of Object.entries(fields)) this.#fields.set(name, { field, shown: "" });
  }

  /**
   * Show what is told, wherever nobody has changed it.
   *
   * @param {Record<string, unknown>} values
   * @param {boolean} all Whether also where somebody has.
   */
  show(values, all) {
    for (const [name, entry] of this.#fields) {
      if (!all && entry.shown !== "" && this.#isChanged(entry)) continue;
      entry.field.write(values[name]);
      entry.shown = JSON.stringify(entry.field.read()); // as it is shown: a number may be written shorter
    }
  }

  /** What was changed, by its name. @returns {Record<string, unknown>} */
  get changes() {
    const changed = [...this.#fields].filter(([, entry]) => this.#isChanged(entry));
    return Object.fromEntries(changed.map(([name, { field }]) => [name, field.read()]));
  }

  /** @param {{field: Field, shown: string}} entry */
  #isChanged({ field, shown }) {
    return JSON.stringify(field.read()) !== shown;
  }
}

/** A client's message may have so many bytes; the rest of it is a little. */
const LONGEST = 3800;

/**
 * Cut what is to be tried into requests that a server takes.
 *
 * @param {Record<string, unknown>} values
 * @param {Record<string, unknown>[]} lines What changes of lines.
 * @returns {object[]}
 */
export function requests(values, lines) {
  const encoder = new TextEncoder();
  const size = (/** @type {unknown} */ value) => encoder.encode(JSON.stringify(value)).length + 1;
  /** @type {{type: string, values: Record<string, unknown>, lines: Record<string, unknown>[]}[]} */
  const found = [{ type: "try-settings", values, lines: [] }];
  let left = LONGEST - size(values);
  for (const line of lines) {
    if (size(line) > left) {
      found.push({ type: "try-settings", values: {}, lines: [] });
      left = LONGEST;
    }
    /** @type {(typeof found)[0]} */ (found.at(-1)).lines.push(line);
    left -= size(line);
  }
  return found;
}

/**
 * Read channels as people write them: 3, or 5, 6, or 5-8.
 *
 * @param {string} text
 * @returns {number[] | null} null for what is none.
 */
export function readChannels(text) {
  const parts = text.split(",").map((part) => /^\s*(\d{1,3})\s*(?:[-–]\s*(\d{1,3})\s*)?$/.exec(part));
  /** @type {number[]} */
  const channels = [];
  for (const part of parts) {
    if (part === null) return null;
    const [first, last] = [Number(part[1]), Number(part[2] ?? part[1])];
    if (first < 1 || last < first) return null;
    for (let channel = first; channel <= last; channel++) channels.push(channel);
  }
  return channels;
}
