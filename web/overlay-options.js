/** What the overlay's address may ask for: each parameter with what it takes, what it is without, and what it does. */

/**
 * @typedef {object} Options
 * @property {"left" | "center" | "right"} align
 * @property {"top" | "middle" | "bottom"} valign
 * @property {string} size Of the letters, a length of CSS.
 * @property {string} font A family, or empty.
 * @property {number} weight
 * @property {boolean} upper
 * @property {string} color Of the letters: a colour of CSS, or "instrument".
 * @property {string} ink Of glyph and bar, the same.
 * @property {string} outline A colour of CSS, or "none".
 * @property {boolean} shadow
 * @property {"0" | "1" | "only"} glyph
 * @property {boolean} confidence
 * @property {boolean} bar
 * @property {boolean} states
 * @property {number} min From 0 to 1.
 * @property {number} hold In seconds.
 * @property {string[]} instruments In small letters; empty for all.
 * @property {string} line Its name in small letters; empty for the one in front.
 * @property {boolean} help
 *
 * @typedef {object} Parameter
 * @property {string} takes In words.
 * @property {string} otherwise Its value where it is missing or wrong.
 * @property {string} [without] The same in words, where it is empty.
 * @property {string} does In words.
 * @property {(text: string) => unknown} read Returns undefined for what it does not take.
 */

/** @param {string[]} words */
const oneOf = (...words) => (/** @type {string} */ text) => words.find((word) => word === text);

/** @param {string} text */
const readSwitch = (text) => ({ 0: false, 1: true })[text];

/**
 * @param {number} least
 * @param {number} most
 */
const between = (least, most) => (/** @type {string} */ text) => {
  const number = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  return number >= least && number <= most ? number : undefined;
};

/** @param {string} word Taken besides colours. */
const colourOr = (word) => (/** @type {string} */ text) => {
  if (text === word) return word;
  const digits = /^#?((?:[0-9a-f]{3,4}){1,2})$/i.exec(text)?.[1];
  return digits && `#${digits}`;
};

/** @param {string} text */
function readSize(text) {
  const [, number, unit = "px"] = /^(\d+(?:\.\d+)?)(px|vw|vh)?$/.exec(text) ?? [];
  const most = unit === "px" ? 2000 : 100;
  return Number(number) > 0 && Number(number) <= most ? `${number}${unit}` : undefined;
}

/** @param {string} text */
const readFont = (text) => (/^[\p{L}\p{N} _-]{0,60}$/u.test(text) ? text : undefined);

/** Names between commas; one that has a comma itself may stand in double quotes. @param {string} text */
const readList = (text) =>
  [...text.matchAll(/\s*(?:"((?:[^"]|"")*)"\s*|([^,]*))(?:,|$)/g)]
    .map(([, quoted, plain]) => folded(quoted?.replaceAll('""', '"') ?? plain))
    .filter(Boolean);

/** What of a name is compared: neither case, nor how an accent is written. @param {string} name */
export const folded = (name) => name.trim().normalize("NFC").toLowerCase();

/**
 * Whether a list of names has a label, which may have been taken for several if it has commas.
 *
 * @param {string[]} names Of `instruments`.
 * @param {string} label
 */
export function hasName(names, label) {
  const parts = label.split(",").map(folded);
  return names.includes(folded(label)) || names.some((_, at) => parts.every((part, i) => names[at + i] === part));
}

const COLOUR = "RGB in hex, such as ff8800";

/** @type {Readonly<Record<keyof Options, Parameter>>} */
export const PARAMETERS = {
  align: {
    takes: "left, center, right",
    otherwise: "center",
    does: "horizontal position",
    read: oneOf("left", "center", "right"),
  },
  valign: {
    takes: "top, middle, bottom",
    otherwise: "middle",
    does: "vertical position",
    read: oneOf("top", "middle", "bottom"),
  },
  size: {
    takes: "a number, with px, vw or vh",
    otherwise: "12vw",
    does: "height of the letters; long names are made smaller to fit",
    read: readSize,
  },
  font: {
    takes: "a font family on this computer",
    otherwise: "",
    without: "the system's own",
    does: "typeface",
    read: readFont,
  },
  weight: { takes: "1 to 1000", otherwise: "700", does: "400 is regular, 700 bold", read: between(1, 1000) },
  upper: { takes: "0, 1", otherwise: "0", does: "1 for capitals", read: readSwitch },
  color: {
    takes: `${COLOUR}, or instrument`,
    otherwise: "ffffff",
    does: "colour of the letters; with instrument, the colour of each instrument",
    read: colourOr("instrument"),
  },
  ink: {
    takes: `${COLOUR}, or instrument`,
    otherwise: "instrument",
    does: "colour of the glyph and the bar",
    read: colourOr("instrument"),
  },
  outline: { takes: `${COLOUR}, or none`, otherwise: "000000", does: "outline around everything", read: colourOr("none") },
  shadow: { takes: "0, 1", otherwise: "1", does: "a soft shadow", read: readSwitch },
  glyph: {
    takes: "0, 1, only",
    otherwise: "1",
    does: "the picture of the instrument; only leaves out the name",
    read: oneOf("0", "1", "only"),
  },
  confidence: { takes: "0, 1", otherwise: "0", does: "how sure Soloist is, in per cent", read: readSwitch },
  bar: { takes: "0, 1", otherwise: "0", does: "the confidence as a bar", read: readSwitch },
  states: { takes: "0, 1", otherwise: "0", does: "1 also shows silence and unknown", read: readSwitch },
  min: { takes: "0 to 1", otherwise: "0", does: "hides everything that is less sure than this", read: between(0, 1) },
  hold: {
    takes: "0 to 600",
    otherwise: "0",
    does: "seconds for which a name stays when nothing follows it",
    read: between(0, 600),
  },
  instruments: {
    takes: "names, separated by commas",
    otherwise: "",
    without: "all",
    does: "shows only these; a name with a comma may stand in double quotes",
    read: readList,
  },
  line: {
    takes: "the name of a line",
    otherwise: "",
    without: "the line in front",
    does: "shows only what is heard on this line, where the service has lines",
    read: (text) => folded(text),
  },
  help: { takes: "0, 1", otherwise: "0", does: "1 shows this list", read: readSwitch },
};

/**
 * Read the query of the page's address.
 *
 * @param {string} search
 * @returns {{ options: Options, faults: string[] }} What was asked for, and what of it makes no sense.
 */
export function read(search) {
  const asked = new URLSearchParams(search);
  /** @type {Record<string, unknown>} */
  const options = {};
  const faults = [];
  for (const [name, { takes, otherwise, read: parse }] of Object.entries(PARAMETERS)) {
    const text = asked.get(name);
    const value = text === null ? undefined : parse(text.trim());
    if (text !== null && value === undefined) faults.push(`${name} is "${text}", not ${takes}`);
    options[name] = value ?? parse(otherwise);
  }
  for (const name of new Set(asked.keys())) {
    if (!Object.keys(PARAMETERS).includes(name)) faults.push(`there is no "${name}"`);
  }
  return { options: /** @type {Options} */ (/** @type {unknown} */ (options)), faults };
}
