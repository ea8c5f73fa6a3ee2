/**
 * Hears all lines of a service, on a connection of its own: that of the page tells of one of them what costs more, its
 * level and its spectrum, and a connection has one subscription.
 */

import { socket, token } from "./address.js";
import { Connection } from "./connection.js";
import { Histories } from "./histories.js";
import { KEPT, Lines } from "./lines.js";

/** What is asked for while somebody can see it, and what without: a server that says nothing is taken for lost. */
const [SEEN, HIDDEN] = [["label", "front", "status"], ["status"]];
/** Labels a second, of each line; more than that nobody sees. */
const RATE = 4;

export class LineFeed {
  lines = new Lines();
  #onChange;
  /** The page's. @type {import("./messages.js").Hello | null} */
  #hello = null;
  /** @type {Connection | null} */
  #connection = null;
  #histories = new Histories((request) => this.#connection?.send(request));

  /** @param {{onChange: () => void}} options Told when a line has something new. */
  constructor({ onChange }) {
    this.#onChange = onChange;
    document.addEventListener("visibilitychange", () => this.#subscribe());
  }

  /** Hear the lines for as long as there are any. @param {Connection} page The page's connection. */
  follow({ phase, hello }) {
    if (hello !== null && hello !== this.#hello) this.lines.hear(hello);
    this.#hello = hello;
    const wanted = phase === "live" && this.lines.all.length > 0;
    if (wanted && this.#connection === null) {
      this.#connection = new Connection(socket(), {
        token: token(),
        onMessage: (message) => this.#hear(message),
        onChange: () => {},
      });
      this.#subscribe();
      this.#connection.open();
    } else if (!wanted && this.#connection !== null) {
      this.#connection.close();
      this.#connection = null;
      this.#histories.forget();
    }
  }

  /** @param {import("./messages.js").Message} message */
  #hear(message) {
    this.lines.hear(message);
    if (message.type === "hello") this.#recall();
    if (message.type !== "status") this.#onChange();
  }

  #subscribe() {
    this.#connection?.subscribe(document.hidden ? HIDDEN : SEEN, { lines: "all", max_rate: RATE });
    if (!document.hidden) this.#recall(); // what was heard meanwhile
  }

  #recall() {
    if (this.#connection?.phase === "live") this.#histories.ask({ seconds: KEPT, lines: "all" });
  }
}
