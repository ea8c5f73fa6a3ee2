/** The parts of a form of settings: a label, a field, its unit, and who decides it. */

let count = 0;

/**
 * @param {string} words
 * @param {HTMLElement} field
 * @param {{unit?: string}} [options]
 */
export function row(words, field, { unit = "" } = {}) {
  const element = document.createElement("div");
  element.className = "setting";
  const label = document.createElement("label");
  field.id ||= `setting-${(count += 1)}`;
  label.htmlFor = field.id;
  label.textContent = unit ? `${words}, ${unit}` : words;
  element.append(label, field);
  return element;
}

/** @param {Partial<HTMLInputElement>} properties */
export function text(properties) {
  const field = document.createElement("input");
  Object.assign(field, { type: "text", autocomplete: "off", spellcheck: false, ...properties });
  field.className = "setting-field";
  return field;
}

/** @param {[number, number] | undefined} limits @param {string} placeholder What holds while it is empty. */
export function number(limits, placeholder) {
  const field = document.createElement("input");
  Object.assign(field, { type: "number", step: "any", placeholder, className: "setting-field", autocomplete: "off" });
  if (limits !== undefined) [field.min, field.max] = limits.map(String);
  field.required = placeholder === "";
  return field;
}

/** A field that takes a number, or nothing for what is usual. @param {HTMLInputElement} field */
export function numberField(field) {
  return {
    read: () => (field.value === "" ? null : Number(field.value)),
    write: (/** @type {number | null} */ value) => (field.value = value === null ? "" : String(Math.round(1e4 * value) / 1e4)),
  };
}

/**
 * Fill a field that offers some texts.
 *
 * @param {HTMLSelectElement} field
 * @param {[value: string, words: string][]} options
 */
export function offer(field, options) {
  const now = JSON.stringify(options);
  if (field.dataset.options === now) return;
  field.dataset.options = now;
  const chosen = field.value;
  field.replaceChildren(...options.map(([value, words]) => new Option(words, value)));
  field.value = chosen;
}
