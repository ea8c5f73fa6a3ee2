/** A field for the token, while the service asks for one. */

/** @typedef {import("../connection.js").Connection} Connection */

export class TokenForm {
  #form;
  #field;

  /**
   * @param {HTMLElement} element
   * @param {object} actions
   * @param {(token: string) => void} actions.onToken
   */
  constructor(element, { onToken }) {
    this.#form = element;
    this.#field = /** @type {HTMLInputElement} */ (element.querySelector("input"));
    element.addEventListener("submit", (event) => {
      event.preventDefault(); // it is nobody's but the socket's
      const token = this.#field.value.trim();
      this.#field.value = "";
      if (token) onToken(token);
    });
  }

  /** @param {Connection} connection */
  show({ refused }) {
    if (this.#form.hidden !== refused) return;
    this.#form.hidden = !refused;
    if (refused && document.activeElement === document.body) this.#field.focus();
  }
}
