/** Families of instruments: where one is found among many. */

/** In the order of a score, and what is no instrument last. @type {ReadonlyMap<string, readonly string[]>} */
const FAMILIES = new Map([
  ["Woodwind", ["flute", "oboe", "clarinet", "bass clarinet", "bassoon", "tenor saxophone", "other saxophone"]],
  ["Brass", ["french horn", "trumpet", "trombone"]],
  ["Percussion", ["drums", "percussion"]],
  ["Keyboards", ["piano", "organ", "accordion", "synthesizer"]],
  ["Guitars", ["acoustic guitar", "clean electric guitar", "distorted electric guitar", "bass", "mandolin"]],
  ["Voices", ["female singer", "male singer", "speech"]],
  ["Strings", ["violin", "viola", "cello", "string section"]],
  ["Stage", ["band", "crowd", "noise"]],
]);

/** For names that the service was taught, and for instruments of other people's models. */
const [TAUGHT, OTHERS] = ["Taught", "Others"];

/** @type {ReadonlySet<string>} */
let taught = new Set();

/** Take note of the names that the service was taught. @param {readonly string[]} names */
export function welcome(names) {
  taught = new Set(names);
}

/**
 * Put instruments in the order of their families.
 *
 * @param {readonly string[]} labels
 * @returns {[family: string, labels: string[]][]} Those families that have any; without a family come last.
 */
export function byFamily(labels) {
  const families = [...FAMILIES].map(([family, members]) => {
    /** @type {[string, string[]]} */
    const found = [family, members.filter((name) => labels.includes(name))];
    return found;
  });
  const known = new Set(families.flatMap(([, members]) => members));
  const strangers = labels.filter((name) => !known.has(name));
  families.push([TAUGHT, strangers.filter((name) => taught.has(name))]);
  families.push([OTHERS, strangers.filter((name) => !taught.has(name))]);
  return families.filter(([, members]) => members.length > 0);
}
