/** The keyboard: a key, an action, unless somebody is typing. */

import { recall, remember } from "./storage.js";

const KEY = "keys";

/** Where a letter is a letter. */
const FIELDS = "input, textarea, select, [contenteditable]";
/** Where space already does something. */
const PRESSED_BY_SPACE = "button, summary, a[href], [role=button]";

export class Keys {
  #actions;
  /** Keys without a modifier disturb those who speak to their computer; they may be turned off. */
  #on = recall(KEY) !== "off";
  /** Has the focus from a pointer; it is not seen there, and space is not meant for it. @type {Element | null} */
  #clicked = null;

  /** @param {Record<string, () => void>} actions By KeyboardEvent.key. */
  constructor(actions) {
    this.#actions = new Map(Object.entries(actions));
    addEventListener("keydown", (event) => this.#press(event));
    addEventListener("pointerdown", ({ target }) => {
      this.#clicked = target instanceof Element ? target.closest(PRESSED_BY_SPACE) : null;
    });
    addEventListener("focusin", ({ target }) => {
      if (target !== this.#clicked) this.#clicked = null;
    });
  }

  get on() {
    return this.#on;
  }

  set on(on) {
    this.#on = on;
    remember(KEY, on ? null : "off");
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const { key, target } = event;
    if (event.defaultPrevented || event.repeat || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const place = target instanceof Element ? target : document.body;
    if (place.closest(FIELDS) || document.querySelector("dialog[open]")) return;
    if (key.length === 1 && !this.#on) return;
    if (key === " " && place.matches(PRESSED_BY_SPACE)) {
      if (place !== this.#clicked) return;
      /** @type {HTMLElement} */ (place).blur(); // or it would be pressed when the key comes up
    }
    const action = this.#actions.get(key.length === 1 ? key.toLowerCase() : key);
    if (action === undefined) return;
    event.preventDefault(); // space would scroll, m would be the first letter of the note
    action();
  }
}
