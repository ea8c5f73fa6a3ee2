/** The settings of one line. */

import { Draft, readChannels } from "../settings-draft.js";
import { decibels } from "../words.js";
import { GateMeter } from "./gate-meter.js";
import { LineupChoice } from "./lineup-choice.js";
import { number, numberField, row, text } from "./setting-rows.js";

/**
 * @typedef {import("../messages.js").LineSettings} LineSettings
 * @typedef {Record<string, [number, number]>} Limits
 */

export class LineCard {
  element = document.createElement("fieldset");
  /** As the service calls it; null for a new one. @type {string | null} */
  line;
  /** Whether it is to go. */
  removed = false;
  #legend = document.createElement("legend");
  #body = document.createElement("div");
  #remove = document.createElement("button");
  #meter = new GateMeter();
  #figure = document.createElement("output");
  #lineup = new LineupChoice("Line-up", "As above");
  #draft;
  #name;
  #channels;
  #gate;

  /**
   * @param {string | null} line
   * @param {object} options
   * @param {Limits} options.limits
   * @param {string[]} options.labels
   * @param {() => void} options.onChange
   * @param {(card: LineCard) => void} options.onRemove
   */
  constructor(line, { limits, labels, onChange, onRemove }) {
    this.line = line;
    this.element.className = "line-card";
    this.#name = text({ maxLength: 60, required: true });
    this.#channels = text({ required: true, inputMode: "text", placeholder: "3, or 5, 6, or 5–8" });
    this.#gate = number(limits.gate, "as above");
    const gain = number(limits.gain, "");
    const threshold = number(limits.threshold, "as above");
    this.#lineup.offer(labels);
    const level = document.createElement("div");
    level.className = "gate-row";
    level.append(this.#meter.element, this.#figure);
    this.#remove.type = "button";
    this.#remove.className = "button line-remove";
    this.#remove.addEventListener("click", () => onRemove(this));
    this.#body.className = "line-body";
    this.#body.append(
      row("Name", this.#name),
      row("Channels", this.#channels),
      row("Gain", gain, { unit: "dB" }),
      row("Gate", this.#gate, { unit: "dBFS" }),
      row("Threshold", threshold, {}),
      level,
      this.#lineup.element,
    );
    this.element.append(this.#legend, this.#body, this.#remove);
    this.element.addEventListener("input", () => {
      this.#check();
      onChange();
    });
    this.#draft = new Draft({
      name: { read: () => this.#name.value.trim(), write: (value) => (this.#name.value = value) },
      channels: {
        read: () => readChannels(this.#channels.value) ?? this.#channels.value,
        write: (value) => (this.#channels.value = value.join(", ")),
      },
      gain: numberField(gain),
      gate: numberField(this.#gate),
      threshold: numberField(threshold),
      instruments: { read: () => this.#lineup.read(), write: (value) => this.#lineup.write(value) },
    });
  }

  /** @param {LineSettings} settings */
  show(settings) {
    this.#draft.show(/** @type {any} */ (settings), true);
    this.#check();
    this.mark(false);
  }

  /** Say whether it is to go. @param {boolean} removed */
  mark(removed) {
    this.removed = removed;
    this.#body.hidden = removed;
    this.#legend.textContent = this.line === null ? "New line" : this.line;
    this.#remove.textContent = removed ? `Keep ${this.line}` : `Remove ${this.line ?? "it"}`;
    this.element.dataset.removed = String(removed);
  }

  /** @param {string[]} labels */
  offer(labels) {
    this.#lineup.offer(labels);
  }

  /**
   * @param {number | null} level In dBFS; null where nothing is told.
   * @param {number} gate That of the service, in dBFS.
   */
  level(level, gate) {
    this.#meter.show(level, this.#gate.value === "" ? gate : Number(this.#gate.value));
    const words = level === null ? "" : `${decibels(level)} dBFS`;
    if (this.#figure.textContent !== words) this.#figure.textContent = words;
  }

  focus() {
    this.#name.focus();
  }

  /** What is to change of it; null if nothing is. @returns {Record<string, unknown> | null} */
  get changes() {
    if (this.removed) return { line: this.line, remove: true };
    const changes = this.#draft.changes;
    if (this.line === null) return { name: this.#name.value.trim(), channels: this.#read(), ...changes };
    return Object.keys(changes).length === 0 ? null : { line: this.line, ...changes };
  }

  #read() {
    return readChannels(this.#channels.value) ?? this.#channels.value;
  }

  #check() {
    const bad = this.#channels.value !== "" && readChannels(this.#channels.value) === null;
    this.#channels.setCustomValidity(bad ? "Channels are numbers from 1 on: 3, or 5, 6, or 5–8." : "");
  }
}
