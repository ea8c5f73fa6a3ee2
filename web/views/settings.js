/** The settings of the service: shown, tried, kept in its file or discarded, where it lets its clients do that. */

import { Draft, requests } from "../settings-draft.js";
import { decibels } from "../words.js";
import { GateMeter } from "./gate-meter.js";
import { LineCard } from "./line-card.js";
import { LineupChoice } from "./lineup-choice.js";
import { number, numberField, offer, row } from "./setting-rows.js";

/**
 * @typedef {import("../messages.js").SettingsNow} SettingsNow
 *
 * @typedef {object} Heard
 * @property {boolean} control Whether there is a connection to a service that may be changed.
 * @property {string} name What is heard now, in words.
 * @property {number | null} level Of the only sound, or that in front, in dBFS.
 * @property {import("../lines.js").Lines} lines
 */

/** How people call what the protocol names. @type {Record<string, string>} */
const NAMES = {
  device: "device",
  channel: "channel",
  instruments: "line-up",
  hop: "hop",
  gate: "gate",
  threshold: "threshold",
  model: "model",
  line: "lines",
};

export class SettingsView {
  #dialog;
  #button;
  #send;
  #onOpen;
  #form;
  #body;
  #now;
  #said;
  #failure;
  #try;
  #keep;
  #discard;
  #device = document.createElement("select");
  #channel = document.createElement("select");
  #model = document.createElement("select");
  #gate = number(undefined, "");
  #threshold = number(undefined, "the model's");
  #hop = number(undefined, "");
  #meter = new GateMeter();
  #figure = document.createElement("output");
  #lineup = new LineupChoice("Line-up", "What the model names by itself");
  #draft;
  #cards = /** @type {LineCard[]} */ ([]);
  #list = document.createElement("div");
  #wire = /** @type {Record<string, HTMLElement>} */ ({});
  /** @type {SettingsNow | null} */
  #told = null;
  /** Answers to come until all is shown anew; what is asked for may be more than one request. */
  #asked = 0;
  #control = false;

  /**
   * @param {HTMLElement} element A dialog.
   * @param {HTMLElement} button Opens it; there only where settings can be chosen.
   * @param {object} options
   * @param {(request: object) => boolean} options.send Asks the service.
   * @param {() => void} options.onOpen Told when it is opened or closed.
   */
  constructor(element, button, { send, onOpen }) {
    /** @param {string} selector */
    const part = (selector) => /** @type {HTMLElement} */ (element.querySelector(selector));
    this.#dialog = /** @type {HTMLDialogElement} */ (element);
    this.#button = button;
    this.#send = send;
    this.#onOpen = onOpen;
    this.#form = /** @type {HTMLFormElement} */ (part(".settings-form"));
    this.#body = part(".settings-body");
    this.#now = part(".settings-now");
    this.#said = part(".settings-said");
    this.#failure = part(".settings-failure");
    this.#try = /** @type {HTMLButtonElement} */ (part(".settings-try"));
    this.#keep = /** @type {HTMLButtonElement} */ (part(".settings-keep"));
    this.#discard = /** @type {HTMLButtonElement} */ (part(".settings-discard"));
    for (const select of [this.#device, this.#channel, this.#model]) select.className = "setting-field";
    this.#wire = {
      device: row("Device", this.#device),
      channel: row("Channel", this.#channel),
      model: row("Model", this.#model),
      gate: row("Gate", this.#gate, { unit: "dBFS" }),
      threshold: row("Threshold", this.#threshold),
      hop: row("Hop", this.#hop, { unit: "s" }),
      instruments: this.#lineup.element,
    };
    this.#build(part);
    this.#draft = new Draft({
      device: selectField(this.#device),
      channel: { ...selectField(this.#channel), read: () => (this.#channel.value ? Number(this.#channel.value) : null) },
      model: selectField(this.#model),
      gate: numberField(this.#gate),
      threshold: numberField(this.#threshold),
      hop: numberField(this.#hop),
      instruments: { read: () => this.#lineup.read(), write: (value) => this.#lineup.write(value) },
    });
    button.addEventListener("click", () => this.open());
    part(".settings-close").addEventListener("click", () => this.#dialog.close());
    element.addEventListener("click", (event) => {
      if (event.target === element) this.#dialog.close(); // on what lies around it
    });
    element.addEventListener("close", () => onOpen());
    this.#model.addEventListener("change", () => {
      // What another model knows is not known before it is tried.
      if (this.#model.value !== this.#told?.values.model) this.#lineup.write(null);
    });
    this.#form.addEventListener("input", () => this.#follow());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#attempt();
    });
    this.#keep.addEventListener("click", () => this.#ask([{ type: "keep-settings" }]));
    this.#discard.addEventListener("click", () => this.#ask([{ type: "discard-settings" }]));
  }

  /** Whether it is open, so that somebody wants to know of changes. */
  get isOpen() {
    return this.#dialog.open;
  }

  open() {
    if (this.#dialog.open || this.#button.hidden) return;
    this.#fail("");
    this.#told = null;
    this.#body.hidden = true;
    this.#dialog.showModal();
    this.#onOpen();
    this.#ask([{ type: "settings" }]);
  }

  /** @param {SettingsNow} settings */
  hear(settings) {
    if (!this.isOpen) return;
    const isAnswer = this.#asked > 0;
    if (isAnswer) this.#asked -= 1;
    const all = this.#told === null || (isAnswer && this.#asked === 0);
    this.#told = settings;
    this.#offer(settings);
    this.#draft.show(/** @type {any} */ (settings.values), all);
    if (all || this.#cards.every((card) => card.changes === null)) this.#arrange(settings);
    this.#body.hidden = false;
    this.#fail(settings.message ?? "");
    this.#follow();
  }

  /** What was asked for cannot be. @param {import("../messages.js").Failure} failure */
  fail({ message = "" }) {
    if (!this.isOpen || this.#asked === 0) return;
    this.#asked = 0;
    this.#fail(message);
    this.#follow();
  }

  /** @param {Heard} heard */
  show({ control, name, level, lines }) {
    this.#button.hidden = !control;
    if (!this.isOpen) return;
    if (control !== this.#control) {
      this.#control = control;
      this.#asked = 0;
      if (control) this.#ask([{ type: "settings" }]);
      else this.#fail("The connection to the service is lost.");
      this.#follow();
    }
    write(this.#now, name);
    const gate = Number(this.#gate.value);
    this.#meter.show(level, gate);
    write(this.#figure, level === null ? "" : `${decibels(level)} dBFS`);
    for (const card of this.#cards) {
      card.level((card.line !== null && lines.get(card.line)?.label?.rms) || null, gate);
    }
  }

  /** @param {(selector: string) => HTMLElement} part */
  #build(part) {
    const meter = document.createElement("div");
    meter.className = "gate-row";
    meter.append(this.#meter.element, this.#figure);
    part(".settings-input").append(this.#wire.device, this.#wire.channel);
    part(".settings-recognition").append(
      ...[this.#wire.model, this.#wire.threshold, this.#wire.hop, this.#wire.gate, meter],
    );
    part(".settings-lineup").append(this.#lineup.element);
    this.#list.className = "line-cards";
    part(".settings-lines").append(this.#list);
    const add = part(".settings-add");
    add.addEventListener("click", () => {
      const card = this.#card(null);
      card.show({ name: "", channels: [], instruments: null, gate: null, gain: 0, threshold: null });
      this.#cards.push(card);
      this.#list.append(card.element);
      card.focus();
      this.#follow();
    });
    part(".settings-lines").append(add); // below them
  }

  /** Show what can be chosen. @param {SettingsNow} settings */
  #offer({ values, choices, decided, lines }) {
    const { devices, channels, limits } = choices;
    this.#wire.device.hidden = devices === null;
    this.#wire.channel.hidden = lines !== undefined; // they have their own
    /** @type {HTMLElement} */ (this.#wire.device.parentElement).hidden = devices === null && lines !== undefined;
    const names = (devices ?? []).map((it) => it.name);
    offer(this.#device, [
      ["", "The default input"],
      ...(devices ?? []).map((it) => /** @type {[string, string]} */ ([it.name, `${it.name}, ${plural(it.channels)}`])),
      ...(values.device === null || names.includes(values.device) ? [] : [/** @type {[string, string]} */ ([values.device, values.device])]),
    ]);
    const most = Math.max(channels ?? 0, values.channel ?? 0, 1);
    offer(this.#channel, [
      ["", "The average of all"],
      ...Array.from({ length: most }, (_, it) => /** @type {[string, string]} */ ([String(it + 1), String(it + 1)])),
    ]);
    offer(this.#model, choices.models.map((model) => [model, model]));
    for (const [name, field] of Object.entries({ gate: this.#gate, threshold: this.#threshold, hop: this.#hop })) {
      if (limits[name] !== undefined) [field.min, field.max] = limits[name].map(String);
    }
    this.#lineup.offer(choices.labels);
    for (const card of this.#cards) card.offer(choices.labels);
    for (const [name, element] of Object.entries(this.#wire)) note(element, decided[name]);
    note(this.#list, decided.line);
  }

  /** @param {SettingsNow} settings */
  #arrange({ lines = [] }) {
    this.#cards = lines.map((line) => {
      const card = this.#card(line.name);
      card.show(line);
      return card;
    });
    const decided = [...this.#list.querySelectorAll(":scope > .setting-note")];
    this.#list.replaceChildren(...decided, ...this.#cards.map(({ element }) => element));
  }

  /** @param {string | null} line */
  #card(line) {
    const { limits = {}, labels = [] } = this.#told?.choices ?? {};
    return new LineCard(line, {
      ...{ limits: /** @type {any} */ (limits), labels },
      onChange: () => this.#follow(),
      onRemove: (card) => {
        if (card.line === null) {
          this.#cards = this.#cards.filter((it) => it !== card);
          card.element.remove();
        } else {
          card.mark(!card.removed);
        }
        this.#follow();
      },
    });
  }

  #attempt() {
    const lines = this.#cards.flatMap((card) => card.changes ?? []);
    this.#ask(requests(this.#draft.changes, lines));
  }

  /** @param {object[]} asked */
  #ask(asked) {
    this.#control = true;
    this.#asked = asked.length;
    if (!asked.every((request) => this.#send(request))) {
      this.#asked = 0;
      this.#fail("The connection to the service is lost.");
    }
    this.#follow();
  }

  /** @param {string} words */
  #fail(words) {
    write(this.#failure, words);
    this.#failure.hidden = words === "";
  }

  /** Say how it stands, and what can be done. */
  #follow() {
    const told = this.#told;
    const isBusy = this.#asked > 0 || !this.#control;
    const changed = [
      ...Object.keys(this.#draft.changes),
      ...(this.#cards.some((card) => card.changes !== null) ? ["line"] : []),
    ];
    const tried = told?.tried ?? [];
    this.#try.disabled = isBusy || changed.length === 0;
    this.#keep.disabled = isBusy || tried.length === 0 || changed.length > 0 || !told?.file;
    this.#discard.disabled = isBusy || (tried.length === 0 && changed.length === 0);
    const file = told?.file?.split("/").at(-1);
    write(this.#keep, file === undefined ? "Keep" : `Keep in ${file}`);
    this.#keep.title = told?.file ?? "";
    for (const [name, element] of Object.entries(this.#wire)) element.dataset.state = state(name, changed, tried);
    write(this.#said, told === null ? "Asking the service …" : words(changed, tried, told.file, file));
  }
}

/**
 * @param {string[]} changed @param {string[]} tried
 * @param {string | null} path @param {string | undefined} file
 */
function words(changed, tried, path, file) {
  const named = (/** @type {string[]} */ names) => names.map((name) => NAMES[name] ?? name).join(", ");
  if (changed.length > 0) return `Not tried yet: ${named(changed)}`;
  if (tried.length === 0) return path === null ? "As it was started" : `As in ${file}`;
  const where = path === null ? "To keep settings, Soloist has to be started with --config FILE." : "";
  return `Tried, not kept: ${named(tried)}. ${where}`;
}

/** @param {string} name @param {string[]} changed @param {string[]} tried */
function state(name, changed, tried) {
  if (changed.includes(name)) return "changed";
  return tried.includes(name) ? "tried" : "kept";
}

/** Say who decides a setting at the next start. @param {HTMLElement} element @param {string | undefined} decider */
function note(element, decider) {
  let said = /** @type {HTMLElement | null} */ (element.querySelector(":scope > .setting-note"));
  if (decider === undefined) {
    said?.remove();
    return;
  }
  if (said === null) {
    said = document.createElement("p");
    said.className = "setting-note";
    if (element.matches(".line-cards")) element.prepend(said);
    else element.append(said);
  }
  write(said, `${decider} decides it at the next start`);
}

/** @param {HTMLSelectElement} field */
function selectField(field) {
  return {
    read: () => field.value || null,
    write: (/** @type {string | number | null} */ value) => (field.value = String(value ?? "")),
  };
}

/** @param {number} channels */
function plural(channels) {
  return channels === 1 ? "1 channel" : `${channels} channels`;
}

/** @param {HTMLElement} element @param {string} text */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
