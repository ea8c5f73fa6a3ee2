/** What there is to say now: decided in one place, for the large type, the title and the screen reader alike. */

import { NOTHING, duration, lasting, percent, title } from "./words.js";

/**
 * @typedef {"connecting" | "offline" | "stalled" | "warming" | "silence" | "unknown" | "instrument"} Kind
 *
 * @typedef {object} Situation
 * @property {Kind} kind
 * @property {string} eyebrow What the name is.
 * @property {string} name The large type.
 * @property {string} detail A sentence about it.
 * @property {string} figure A number that goes with the gauge.
 * @property {number | null} gauge From 0 to 1; null for none.
 * @property {string | null} instrument The one in front, as the model names it.
 * @property {string} glyph What the picture shows, as glyphs.js names it.
 * @property {string} lasted For how long it has been so; empty where that is not known.
 * @property {string} line On which line it is heard; empty where there is one line, or none is meant.
 *
 * @typedef {import("./connection.js").Connection} Connection
 * @typedef {import("./messages.js").Label} Label
 */

/** A label is news for so long; labels come several times a second. In milliseconds. */
export const LABEL_LASTS = 3000;

/** From this probability on an instrument is worth telling though it is not recognized. */
const WORTH_TELLING = 0.15;

/** What a refusal is, and what to do about it, by its error code. @type {Record<string, [string, string]>} */
const REFUSED = {
  unauthorized: ["Token needed", "Type the token of this service, or open the link that has it."],
  "wrong-token": ["Wrong token", "This is not the token of this service. It may have been changed."],
  "too-often": ["Not now", "Too many wrong tokens came from your address. It is tried again by itself."],
};

/**
 * @param {Connection} connection
 * @param {number} now performance.now()
 * @returns {Situation}
 */
export function situation(connection, now) {
  if (connection.phase !== "live") return withoutServer(connection, now);
  const { label, labelAt, status, hello } = connection;
  if (status !== null && status.source !== "running") return withoutAudio(status.source);
  if (label === null) {
    return say("connecting", { eyebrow: "Connected", name: "One moment", detail: "Waiting for the first label." });
  }
  if (now - labelAt > LABEL_LASTS) {
    return say("stalled", {
      eyebrow: "Stalled",
      name: "No labels",
      detail: `The service is connected, but has told nothing for ${duration((now - labelAt) / 1000)}.`,
    });
  }
  const lasted = forHowLong(label);
  const opened = connection.line;
  // Where nothing plays, none is in front.
  const line = opened ?? (["instrument", "unknown"].includes(label.state) ? (label.line ?? "") : "");
  switch (label.state) {
    case "instrument":
      return say("instrument", {
        eyebrow: opened === null ? "In front" : "Heard",
        name: title(label.label ?? NOTHING),
        figure: percent(label.confidence),
        gauge: label.confidence,
        instrument: label.label,
        glyph: label.label ?? "unknown",
        lasted,
        line,
      });
    case "unknown":
      return say("unknown", {
        eyebrow: "Not recognized",
        name: "Unknown",
        detail: closest(label) ?? "None of the instruments.",
        figure: percent(label.confidence),
        gauge: label.confidence,
        lasted,
        line,
      });
    case "silence":
      return say("silence", {
        eyebrow: "Below the gate",
        name: "Silence",
        detail: "Nothing is loud enough to judge.",
        lasted,
        line,
      });
    case "warming": {
      const whole = hello?.window ?? 3;
      const heard = Math.min(label.time, whole);
      return say("warming", {
        eyebrow: "Warming up",
        name: "Listening",
        detail: `The first answer needs ${whole.toFixed(1)} s of audio.`,
        figure: `${heard.toFixed(1)} s`,
        gauge: whole > 0 ? heard / whole : 0,
        line,
      });
    }
    default: // a state of a newer protocol
      return say("unknown", { eyebrow: "State", name: title(label.state) });
  }
}

/**
 * Counted in stream time, so that it is the same for everybody who watches, and after a reload.
 *
 * @param {Label} label
 */
function forHowLong({ time, since }) {
  return Number.isFinite(since) ? `for ${lasting(time - Number(since))}` : "";
}

/**
 * What would be recognized next.
 *
 * @param {Label} label
 */
function closest({ probabilities }) {
  const [first] = Object.entries(probabilities).sort(([, one], [, other]) => other - one);
  if (first === undefined || first[1] < WORTH_TELLING) return null;
  return `Guess: ${title(first[0])} ${percent(first[1])}`;
}

/**
 * @param {Connection} connection
 * @param {number} now
 */
function withoutServer(connection, now) {
  const { phase, failures, retryAt, refused, refusal, foreign, liveAt } = connection;
  if (foreign) {
    return say("offline", {
      eyebrow: "Not understood",
      name: "Other version",
      detail: "The service was updated. Reload this page.",
    });
  }
  if (refused) {
    const [name, detail] = REFUSED[refusal] ?? ["Connecting", ""];
    return say(refusal ? "offline" : "connecting", { eyebrow: refusal ? "Refused" : "Soloist", name, detail });
  }
  if (failures === 0 && liveAt === null) return say("connecting", { eyebrow: "Soloist", name: "Connecting" });
  const wait = Math.max(0, Math.ceil((retryAt - now) / 1000));
  const next = phase === "connecting" || wait === 0 ? "Trying now." : `Trying again in ${wait} s.`;
  const since = liveAt === null ? "" : `Lost ${duration((now - liveAt) / 1000)} ago. `;
  return say("offline", { eyebrow: "Offline", name: "No connection", detail: since + next });
}

/** @param {string} source */
function withoutAudio(source) {
  switch (source) {
    case "starting":
      return say("connecting", { eyebrow: "Starting", name: "One moment", detail: "The input is being opened." });
    case "ended":
      return say("stalled", { eyebrow: "Ended", name: "The end", detail: "The audio has ended.", glyph: "ended" });
    default:
      return say("stalled", {
        eyebrow: "Waiting",
        name: "No input",
        detail: "The input is not there. Trying again.",
        glyph: "input",
      });
  }
}

/**
 * @param {Kind} kind
 * @param {Partial<Situation>} parts
 * @returns {Situation}
 */
function say(kind, parts) {
  const nothing = { eyebrow: "", name: "", detail: "", figure: "", gauge: null, instrument: null, lasted: "", line: "" };
  return { kind, glyph: kind, ...nothing, ...parts };
}
