/** Asks a server for what was heard, as often as it allows. */

/** So many at once, and then one in such a time: the server's own limit, and one less. In milliseconds. */
const [AT_ONCE, EVERY] = [3, 1000];

export class Histories {
  #send;
  /** How many may be asked for now. */
  #left = AT_ONCE;
  #askedAt = performance.now();
  #waiting = 0;

  /** @param {(request: object) => void} send */
  constructor(send) {
    this.#send = send;
  }

  /**
   * Ask now or, where that is too soon, as soon as possible; what waits for that is not asked any more.
   *
   * @param {{seconds: number, lines?: string[] | "all"}} request
   */
  ask(request) {
    clearTimeout(this.#waiting);
    const now = performance.now();
    this.#left = Math.min(AT_ONCE, this.#left + (now - this.#askedAt) / EVERY);
    this.#askedAt = now;
    if (this.#left < 1) {
      this.#waiting = setTimeout(() => this.ask(request), (1 - this.#left) * EVERY + 1);
      return;
    }
    this.#left -= 1;
    this.#send({ type: "history", ...request });
  }

  /** Ask nothing any more. */
  forget() {
    clearTimeout(this.#waiting);
  }
}
