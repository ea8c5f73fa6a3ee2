/**
 * What the server tells (protocol version 1), as far as this page uses it. Fields and types that are not named here
 * are ignored.
 *
 * @typedef {object} Hello
 * @property {"hello"} type
 * @property {string[]} labels The model's instruments.
 * @property {string[]} [lineup] Those of them that may be named tonight; all of them without it.
 * @property {number} window Audio that one estimate hears, in seconds.
 * @property {number} hop From one estimate to the next, in seconds.
 * @property {string} model
 * @property {string} source
 * @property {number} utc Unix time of stream time 0, in seconds; that of the start until the first audio, when hello comes again.
 * @property {string} [run] Names the run of the service: with the same one another utc is that of the same stream.
 * @property {number} [since] Stream time from which on it is this source and this model.
 * @property {number} [protocol] The version of the protocol that the server speaks.
 * @property {LineInfo[]} [lines] What is heard one by one; only where there are several.
 * @property {boolean} [control] Whether this page may change the service.
 * @property {string[]} [taught] Those of the labels that are taught names.
 *
 * @typedef {object} LineInfo
 * @property {string} name As the settings have it: a text, whatever it looks like.
 * @property {number[]} channels Counted from 1.
 * @property {string[]} lineup The instruments that may be named on it.
 *
 * @typedef {object} Label
 * @property {"label"} type
 * @property {number} time Stream time, in seconds.
 * @property {string} state warming, silence, unknown or instrument.
 * @property {string | null} label The instrument in front; null unless the state is instrument.
 * @property {number} confidence From 0 to 1.
 * @property {Record<string, number>} probabilities Smoothed, from 0 to 1.
 * @property {Record<string, number>} raw The same for this window alone.
 * @property {number} rms In dBFS.
 * @property {number} peak In dBFS.
 * @property {number} [since] Stream time at which the present state and label began; servers of before do not tell.
 * @property {string} [line] Which line it is about, where there are several. So it is in what follows.
 *
 * @typedef {object} Change
 * @property {"change"} type
 * @property {number} time Stream time, in seconds.
 * @property {string} state
 * @property {string | null} label
 *
 * @typedef {object} Segment A closed stretch of one state and label.
 * @property {"segment"} type
 * @property {number} start Stream time, in seconds.
 * @property {number} end
 * @property {string} state
 * @property {string | null} label
 * @property {number} confidence Mean over the stretch, from 0 to 1.
 * @property {string} [line]
 *
 * @typedef {object} Guess A closed stretch of the most likely instrument that was not shown.
 * @property {"guess"} type
 * @property {number} start Stream time, in seconds.
 * @property {number} end
 * @property {string} label
 * @property {number} confidence Mean over the stretch, from 0 to 1.
 * @property {string} [line]
 *
 * @typedef {object} Mark A note that somebody set to a moment.
 * @property {"mark"} type
 * @property {number} time Stream time, in seconds.
 * @property {string} text
 *
 * @typedef {object} Outage
 * @property {"outage"} type
 * @property {number} start Stream time, in seconds, at which the source was lost.
 * @property {number | null} end null while it is away.
 * @property {string} source
 * @property {string} reason
 *
 * @typedef {object} History What was heard lately, oldest first.
 * @property {"history"} type
 * @property {Segment[]} segments
 * @property {Guess[]} guesses
 * @property {Mark[]} marks
 * @property {Outage[]} outages
 * @property {import("./stream.js").Origin[]} [origins] What was heard from when on, in stream time.
 *
 * @typedef {object} Spectrum
 * @property {"spectrum"} type
 * @property {number} time Stream time, in seconds; the newest frame is centred 1024 samples earlier.
 * @property {number[][]} frames Oldest first, 512 samples apart: the power of each mel band, in dB.
 * @property {string} [line]
 *
 * @typedef {object} Level
 * @property {"level"} type
 * @property {number} time Stream time, in seconds.
 * @property {number} rms In dBFS, -120 for nothing.
 * @property {number} peak In dBFS, -120 for nothing.
 * @property {boolean} clipped Whether the input was at full scale.
 * @property {string} [line]
 *
 * @typedef {object} Front Which line leads from now on.
 * @property {"front"} type
 * @property {string} line
 *
 * @typedef {object} Status
 * @property {"status"} type
 * @property {string} source starting, running, waiting or ended.
 * @property {number} overflows
 * @property {number} dropped_hops
 * @property {number} clients
 * @property {number} hop_ms
 * @property {number} uptime In seconds.
 * @property {string | null} message What somebody should do something about.
 * @property {string[]} [warnings] Everything about the input that somebody should mend.
 *
 * @typedef {object} Check How far the check of the lines is.
 * @property {"check"} type
 * @property {string} state running or ended.
 * @property {number} missed Seconds of audio that were not checked, because the machine was too busy.
 * @property {boolean} green Whether every line is.
 * @property {CheckedLine[]} lines
 * @property {CheckedChannel[]} channels All that the source has.
 * @property {string | null} message Why it has ended, if nobody stopped it.
 *
 * @typedef {object} CheckedLine
 * @property {string} name
 * @property {number[]} channels Counted from 1.
 * @property {string[]} instruments What should be heard there; empty where anything may be.
 * @property {string} colour green, amber, waiting or missing.
 * @property {number} seconds For how long it was heard there.
 * @property {string | null} heard What it shows now: an instrument, warming, silence or unknown.
 * @property {number | null} level In dBFS.
 * @property {string} text In words.
 *
 * @typedef {object} CheckedChannel
 * @property {number} channel Counted from 1.
 * @property {{kind: string, text: string}[]} warnings What is wrong with it.
 *
 * @typedef {object} Teaching How far the service is with a name that it is being taught.
 * @property {"teaching"} type
 * @property {string} name
 * @property {string} state listening, fitting, done, failed or discarded.
 * @property {number} seconds How much has sounded.
 * @property {number} least Seconds that must sound.
 * @property {number} most Seconds after which it ends by itself.
 * @property {string | null} taken_for What the model takes it for so far.
 * @property {boolean | null} reliable Whether it is told apart; null while that is not known.
 * @property {string | null} message Why it is not, what went wrong, or what to do.
 * @property {string} [line]
 *
 * @typedef {object} Failure
 * @property {"error"} type
 * @property {string} code
 * @property {string} [message] What was got and what was expected.
 *
 * @typedef {object} LineSettings
 * @property {string} name
 * @property {number[]} channels Counted from 1.
 * @property {string[] | null} instruments null for what all lines have; so it is with gate and threshold.
 * @property {number | null} gate In dBFS.
 * @property {number} gain In dB.
 * @property {number | null} threshold From 0 to 1.
 *
 * @typedef {object} SettingsNow The settings of the service that can be chosen.
 * @property {"settings"} type
 * @property {{device: string | null, channel: number | null, instruments: string[] | null, hop: number, gate: number,
 *   threshold: number | null, model: string}} values
 * @property {LineSettings[]} [lines] Only where there are several.
 * @property {string[]} tried Which of them are others than the file says; line for the lines.
 * @property {Record<string, string>} decided By which flag or variable, of those that one decides.
 * @property {string | null} file In which they can be kept.
 * @property {{devices: {name: string, channels: number}[] | null, channels: number | null, models: string[],
 *   labels: string[], limits: Record<string, [number, number]>}} choices
 * @property {string | null} message
 *
 * @typedef {object} Pong The answer to a ping, after all that came before it.
 * @property {"pong"} type
 *
 * @typedef {Hello | Label | Change | Segment | Guess | Mark | Outage | History | Spectrum | Level | Front | Status |
 *   Teaching | SettingsNow | Check | Failure | Pong} Message
 */

/** @param {unknown} value */
const isText = (value) => typeof value === "string";

/** @param {unknown} value */
const areTexts = (value) => Array.isArray(value) && value.every(isText);

/** @param {unknown} value */
const areNumbers = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value) && Object.values(value).every(Number.isFinite);

/**
 * Read one frame.
 *
 * @param {unknown} data
 * @returns {Message | null} null for what is no message, lacks what this page needs, or is of another type.
 */
export function parse(data) {
  if (typeof data !== "string") return null;
  let message;
  try {
    message = JSON.parse(data);
  } catch {
    return null;
  }
  if (!isUsable(message)) return null;
  return message.type === "history" ? told(message) : message;
}

/** @param {any} message */
function isUsable(message) {
  switch (message?.type) {
    case "hello":
      return (
        areTexts(message.labels) &&
        (message.lineup === undefined || areTexts(message.lineup)) &&
        (message.lines === undefined || (Array.isArray(message.lines) && message.lines.every(isLine))) &&
        (message.taught === undefined || areTexts(message.taught)) &&
        ["undefined", "string"].includes(typeof message.run) &&
        ["undefined", "number"].includes(typeof message.since) &&
        [message.window, message.hop, message.utc].every(Number.isFinite)
      );
    case "label":
      return (
        isState(message) &&
        [message.time, message.confidence].every(Number.isFinite) &&
        [message.probabilities, message.raw].every(areNumbers)
      );
    case "change":
      return isState(message) && Number.isFinite(message.time);
    case "segment":
      return isState(message) && isStretch(message) && Number.isFinite(message.confidence);
    case "guess":
      return isText(message.label) && isStretch(message) && Number.isFinite(message.confidence);
    case "mark":
      return Number.isFinite(message.time) && isText(message.text);
    case "outage":
      return (
        (message.end === null ? Number.isFinite(message.start) : isStretch(message)) &&
        [message.source, message.reason].every(isText)
      );
    case "history":
      return Array.isArray(message.segments);
    case "spectrum":
      // 1419 numbers four times a second: that they are numbers is left to the typed array which takes them.
      return Number.isFinite(message.time) && Array.isArray(message.frames) && message.frames.every(Array.isArray);
    case "level":
      return [message.time, message.rms, message.peak].every(Number.isFinite);
    case "front":
      return isText(message.line);
    case "pong":
      return true;
    case "status":
      return isText(message.source);
    case "check":
      return (
        [message.state, message.message ?? ""].every(isText) &&
        Number.isFinite(message.missed) &&
        [[message.lines, isCheckedLine], [message.channels, isCheckedChannel]].every(
          ([list, isOne]) => Array.isArray(list) && list.every(isOne),
        )
      );
    case "teaching":
      return (
        [message.name, message.state].every(isText) &&
        [message.seconds, message.least, message.most].every(Number.isFinite)
      );
    case "settings":
      return (
        [message.values, message.decided, message.choices?.limits].every((it) => typeof it === "object" && it !== null) &&
        [message.tried, message.choices.models, message.choices.labels].every(areTexts)
      );
    case "error":
      return isText(message.code) && ["undefined", "string"].includes(typeof message.message);
    default:
      return false;
  }
}

/** @param {any} value */
const isLine = (value) => isText(value?.name) && Array.isArray(value.channels) && areTexts(value.lineup);

/** @param {any} value */
const isCheckedLine = (value) =>
  [value?.name, value?.colour, value?.text, value?.heard ?? ""].every(isText) &&
  areTexts(value.instruments) &&
  Array.isArray(value.channels) &&
  [value.seconds, value.level ?? 0].every(Number.isFinite);

/** @param {any} value */
const isCheckedChannel = (value) =>
  Number.isFinite(value?.channel) && Array.isArray(value.warnings) && value.warnings.every((/** @type {any} */ it) => isText(it?.text));

/** @param {any} value */
const isState = (value) => isText(value.state) && (value.state !== "instrument" || isText(value.label));

/** @param {any} value */
const isStretch = (value) => [value.start, value.end].every(Number.isFinite) && value.end >= value.start;

/**
 * A history without the entries that are of no use; servers of before leave lists out.
 *
 * @param {any} history
 * @returns {History}
 */
function told(history) {
  /** @param {string} list @param {string} type */
  const usable = (list, type) =>
    Array.isArray(history[list]) ? history[list].filter((entry) => entry?.type === type && isUsable(entry)) : [];
  return {
    type: "history",
    segments: usable("segments", "segment"),
    guesses: usable("guesses", "guess"),
    marks: usable("marks", "mark"),
    outages: usable("outages", "outage"),
    origins: (Array.isArray(history.origins) ? history.origins : []).filter(
      (/** @type {any} */ it) => Number.isFinite(it?.start) && [it.run, it.source, it.model].every(isText),
    ),
  };
}
