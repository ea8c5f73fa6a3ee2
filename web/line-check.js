/** The check of the lines as the service tells of it, and what there is to say about it. */

import { duration } from "./words.js";

/**
 * @typedef {import("./messages.js").Check} Check
 * @typedef {import("./messages.js").CheckedLine} CheckedLine
 *
 * @typedef {"none" | "asked" | "running" | "ended"} Phase Nothing is known of a check; it was asked for one; it runs.
 *
 * @typedef {object} Tile What is shown of a line.
 * @property {string} name
 * @property {number[]} channels Counted from 1.
 * @property {string[]} instruments What should be there; empty where anything may be.
 * @property {string} colour green, amber, waiting, missing, or none before it is checked.
 * @property {number} share How much of the time has passed that it takes to be green, from 0 to 1.
 * @property {string} text
 * @property {string} heard What it shows now; empty where that is not known.
 * @property {number | null} level In dBFS.
 * @property {string[]} warnings What is wrong with its channels.
 */

/** With so much of what belongs there a line is green, in seconds. */
const ENOUGH = 3;
/** A check that runs tells of it once a second; one that says nothing for so long is none. In milliseconds. */
const LASTS = 6000;
/** So many instruments are named of what belongs on a line before it is checked; more are its line-up, and no plan. */
const FEW = 3;
/** What the colours are called, for who cannot tell them apart. @type {Record<string, string>} */
export const WORDS = { green: "OK", amber: "Wrong", waiting: "Waiting", missing: "Missing", none: "Not yet" };

const ADVICE =
  "Let the players play one after the other, for ten seconds each. A line is OK when what belongs there was heard for three seconds.";

export class LineCheck {
  /** The newest that was told. @type {Check | null} */
  report = null;
  /** Why it cannot be, if that is so. */
  refusal = "";
  #at = -Infinity;
  #asked = false;
  /** @type {string | undefined} */
  #run;

  /** Somebody has asked for it. */
  ask() {
    this.#asked = true;
    this.refusal = "";
  }

  /** @param {import("./messages.js").Message} message @param {number} [now] performance.now() */
  hear(message, now = performance.now()) {
    switch (message.type) {
      case "hello":
        // A service that was started anew knows nothing of it, nor one that has other lines now.
        if (message.run !== this.#run || !this.#isOf(message.lines ?? [])) this.report = null;
        this.#run = message.run;
        break;
      case "check":
        this.report = message;
        this.#at = now;
        this.#asked = false;
        this.refusal = "";
        break;
      case "error":
        if (!this.#asked) break;
        this.#asked = false;
        this.refusal = message.message ?? message.code;
        break;
      default:
        break;
    }
  }

  /** @param {number} now performance.now() @returns {Phase} */
  phase(now) {
    if (this.#asked) return "asked";
    if (this.report === null) return "none";
    return this.report.state === "running" && now - this.#at < LASTS ? "running" : "ended";
  }

  /** A sentence about it. @param {boolean} live Whether there is a connection. @param {number} now performance.now() */
  note(live, now) {
    if (!live) return "No connection. What is shown was found before.";
    if (this.refusal) return sentence(this.refusal);
    const { report } = this;
    switch (this.phase(now)) {
      case "asked":
        return "Starting";
      case "none":
        return ADVICE;
      case "ended":
        if (report?.state === "running") return "The service tells no more of this check.";
        return report?.message ? `It has ended: ${report.message}.` : "Stopped. What is shown was found before.";
      default:
        if (report !== null && report.missed >= 1) return `The machine is too busy: ${duration(report.missed)} were not checked.`;
        return report?.green ? "Every line is on its channel. It goes on, in case a cable is moved." : ADVICE;
    }
  }

  /** How many lines are how, in words. */
  get sum() {
    const { report } = this;
    if (report === null) return "";
    const all = report.lines.length;
    if (report.green) return all === 1 ? "OK" : `All ${all} OK`;
    const counts = ["green", "amber", "missing", "waiting"].map((colour) => {
      const count = report.lines.filter((line) => line.colour === colour).length;
      return count || colour === "green" ? [`${count}${colour === "green" ? ` of ${all}` : ""} ${word(colour)}`] : [];
    });
    return counts.flat().join(" · ");
  }

  /** Each line, whether it is checked or not. @param {import("./messages.js").LineInfo[]} lines @returns {Tile[]} */
  tiles(lines) {
    const { report } = this;
    if (report === null) {
      return lines.map(({ name, channels, lineup }) => ({
        ...{ name, channels, instruments: lineup.length > FEW ? [] : lineup, colour: "none" },
        ...{ share: 0, text: "", heard: "", level: null, warnings: [] },
      }));
    }
    return report.lines.map((line) => ({
      ...{ name: line.name, channels: line.channels, instruments: line.instruments, colour: line.colour },
      ...{ share: Math.min(1, line.seconds / ENOUGH), text: line.text, heard: line.heard ?? "", level: line.level },
      warnings: this.#warnings(line),
    }));
  }

  /** What is wrong with channels that no line has. @returns {string[]} */
  get others() {
    const used = new Set(this.report?.lines.flatMap(({ channels }) => channels));
    return (this.report?.channels ?? [])
      .filter(({ channel }) => !used.has(channel))
      .flatMap(({ channel, warnings }) => warnings.map(({ text }) => `Channel ${channel} ${text}`));
  }

  /** Whether it is about these lines. @param {import("./messages.js").LineInfo[]} lines */
  #isOf(lines) {
    const names = this.report?.lines.map(({ name }) => name) ?? [];
    return names.join("\n") === lines.map(({ name }) => name).join("\n");
  }

  /** @param {CheckedLine} line */
  #warnings({ channels }) {
    return (this.report?.channels ?? [])
      .filter(({ channel }) => channels.includes(channel))
      .flatMap(({ channel, warnings }) =>
        warnings.map(({ text }) => (channels.length > 1 ? `Channel ${channel} ${text}` : sentence(text, ""))),
      );
  }
}

/** @param {string} colour */
function word(colour) {
  return colour === "green" ? WORDS.green : WORDS[colour].toLowerCase();
}

/** @param {string} text @param {string} [end] */
function sentence(text, end = ".") {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${end}`;
}
