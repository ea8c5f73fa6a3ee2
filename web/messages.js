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
 *
 * @typedef {object} Level
 * @property {"level"} type
 * @property {number} time Stream time, in seconds.
 * @property {number} rms In dBFS, -120 for nothing.
 * @property {number} peak In dBFS, -120 for nothing.
 * @property {boolean} clipped Whether the input was at full scale.
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
 *
 * @typedef {object} Failure
 * @property {"error"} type
 * @property {string} code
 *
 * @typedef {Hello | Label | Level | Status | Failure} Message
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
  return isUsable(message) ? message : null;
}

/** @param {any} message */
function isUsable(message) {
  switch (message?.type) {
    case "hello":
      return (
        areTexts(message.labels) &&
        (message.lineup === undefined || areTexts(message.lineup)) &&
        [message.window, message.hop].every(Number.isFinite)
      );
    case "label":
      return (
        isText(message.state) &&
        [message.time, message.confidence].every(Number.isFinite) &&
        [message.probabilities, message.raw].every(areNumbers) &&
        (message.state === "instrument" ? isText(message.label) : true)
      );
    case "level":
      return [message.time, message.rms, message.peak].every(Number.isFinite);
    case "status":
      return isText(message.source);
    case "error":
      return isText(message.code);
    default:
      return false;
  }
}
