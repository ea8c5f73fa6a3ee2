/** What is heard on each of the lines of a service: its newest label and its last minute. */

/**
 * @typedef {import("./messages.js").Label} Label
 *
 * @typedef {object} Stretch Of one state and label. In stream time, in seconds.
 * @property {number} start
 * @property {number} end
 * @property {string} state
 * @property {string | null} label
 */

/** So much of the past is kept, in seconds. */
export const KEPT = 60;
/** Times that differ by less are the same; what is missing for longer was not heard. In seconds. */
const [SAME, LONGEST_HOP] = [0.001, 3];

export class Line {
  /** @type {Label | null} */
  label = null;
  /** When it came. performance.now() */
  labelAt = -Infinity;
  /** The last minute, oldest first; the last one goes on. @type {Stretch[]} */
  stretches = [];

  /** @param {string} name @param {string[]} lineup The instruments that may be named on it. */
  constructor(name, lineup) {
    this.name = name;
    this.lineup = lineup;
  }

  /** @param {Label} label @param {number} now performance.now() */
  hear(label, now) {
    this.label = label;
    this.labelAt = now;
    const { time, state, label: name, since = time } = label;
    const last = this.stretches.at(-1);
    if (last !== undefined && last.state === state && last.label === name && since < last.end + SAME) {
      last.end = Math.max(last.end, time);
    } else {
      if (last !== undefined && (last.end > since || since - last.end < LONGEST_HOP)) last.end = since;
      this.stretches.push({ start: Math.min(since, time), end: time, state, label: name });
    }
    while (this.stretches[0].end < time - KEPT) this.stretches.shift();
  }

  /** Take in what was heard before. @param {readonly import("./messages.js").Segment[]} segments Of this line, oldest first. */
  recall(segments) {
    const until = segments.at(-1)?.end ?? -Infinity;
    const told = segments.map(({ start, end, state, label }) => ({ start, end, state, label }));
    this.stretches = [...told, ...this.stretches.filter((it) => it.start > until - SAME)];
  }

  forget() {
    this.label = null;
    this.stretches = [];
  }
}

export class Lines {
  /** In the order of the settings; empty where a service hears one sound. @type {Line[]} */
  all = [];
  /** The name of the one in front; null before it is known. @type {string | null} */
  front = null;
  /** Stream time of the newest label, in seconds. */
  time = 0;
  /** @type {string | undefined} */
  #run;

  /** @param {string} name @returns {Line | undefined} */
  get(name) {
    return this.all.find((line) => line.name === name);
  }

  /** @param {import("./messages.js").Message} message @param {number} [now] performance.now() */
  hear(message, now = performance.now()) {
    switch (message.type) {
      case "hello":
        this.#greet(message);
        break;
      case "front":
        this.front = message.line;
        break;
      case "label":
        if (message.line === undefined) break;
        this.time = Math.max(this.time, message.time);
        this.get(message.line)?.hear(message, now);
        break;
      case "history":
        for (const line of this.all) line.recall(message.segments.filter((it) => it.line === line.name));
        break;
      default:
        break;
    }
  }

  /** @param {import("./messages.js").Hello} hello */
  #greet({ run, lines = [] }) {
    if (run !== this.#run) {
      this.all = [];
      this.front = null;
      this.time = 0;
    }
    this.#run = run;
    this.all = lines.map(({ name, lineup }) => {
      const line = this.get(name) ?? new Line(name, lineup);
      line.lineup = lineup;
      return line;
    });
  }
}
