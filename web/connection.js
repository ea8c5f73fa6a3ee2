/** The socket: opens it, opens it again when it is lost, and keeps the newest message of each kind. */

import { parse } from "./messages.js";

/**
 * @typedef {import("./messages.js").Message} Message
 * @typedef {"connecting" | "live" | "waiting"} Phase Waiting is the time between two attempts.
 */

/** Of the protocol that this page speaks. */
const PROTOCOL = 1;

/** From the first attempt to reconnect to the longest pause between two, in milliseconds. */
const [FIRST_PAUSE, LONGEST_PAUSE] = [500, 8000];

/** A server tells its status every 5 s. One that says nothing for so long is gone, even if no one closed the socket. */
const DEAF_AFTER = 12_000;

/** What a server says that lets nobody in like this. */
const REFUSALS = ["unauthorized", "wrong-token", "too-often"];

/**
 * How long to wait before an attempt, in milliseconds: doubling, with jitter, so that the clients of a server that
 * comes back do not arrive all at once.
 *
 * @param {number} failures Attempts that failed so far.
 * @param {number} chance From 0 to 1.
 */
export function pause(failures, chance) {
  return Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** failures) * (0.75 + 0.25 * chance);
}

/**
 * A connection that lasts as long as the page. All times are those of performance.now(), in milliseconds.
 */
export class Connection {
  /** @type {Phase} */
  phase = "connecting";
  /** Whether the server asks for a token that it was not given. */
  refused = false;
  /** Why it did so last, as the protocol's error code; empty while another token is tried. */
  refusal = "";
  /** Whether the server speaks another version of the protocol, so that this page understands no more of it. */
  foreign = false;
  /** Attempts that failed since the last time it was live. */
  failures = 0;
  /** When the next attempt begins, while waiting. */
  retryAt = 0;
  /** When it was last live; null if never. @type {number | null} */
  liveAt = null;

  /** Kept while disconnected: it says which instruments there are. @type {import("./messages.js").Hello | null} */
  hello = null;
  /** @type {import("./messages.js").Label | null} */
  label = null;
  /** When the label came. */
  labelAt = 0;
  /** @type {import("./messages.js").Status | null} */
  status = null;

  #url;
  #token;
  #onMessage;
  #onChange;
  /** What the server is asked to tell. @type {string[]} */
  #types = ["label"];
  /** @type {WebSocket | null} */
  #socket = null;
  #heardAt = 0;
  #retry = 0;
  #watch = 0;

  /**
   * @param {string} url
   * @param {object} options
   * @param {string | null} options.token Said first, if there is one.
   * @param {(message: Message) => void} options.onMessage Called with each message that this page knows.
   * @param {() => void} options.onChange Called when any of the above has changed.
   */
  constructor(url, { token, onMessage, onChange }) {
    this.#url = url;
    this.#token = token;
    this.#onMessage = onMessage;
    this.#onChange = onChange;
  }

  /** Open the socket now, also in the middle of a pause. Does nothing while one is open or opening. */
  open() {
    if (this.#socket) return;
    clearTimeout(this.#retry);
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.phase = "connecting";
    this.#heardAt = performance.now();
    this.#watchOver();
    socket.addEventListener("open", () => {
      if (socket !== this.#socket) return;
      if (this.#token !== null) socket.send(JSON.stringify({ type: "auth", token: this.#token }));
      socket.send(JSON.stringify({ type: "subscribe", types: this.#types }));
    });
    socket.addEventListener("message", (event) => {
      if (socket === this.#socket) this.receive(event.data);
    });
    socket.addEventListener("close", () => this.#lose(socket));
    this.#onChange();
  }

  /** Take another token, and try again with it. @param {string | null} token */
  authenticate(token) {
    this.#token = token;
    this.refusal = "";
    if (this.#socket) this.#lose(this.#socket);
    this.open();
  }

  /**
   * Ask for these types of messages from now on, also after the connection was lost.
   *
   * @param {string[]} types
   */
  subscribe(types) {
    if (types.join() === this.#types.join()) return;
    this.#types = [...types];
    this.send({ type: "subscribe", types: this.#types });
  }

  /**
   * Say something to the server.
   *
   * @param {object} message
   * @returns {boolean} Whether there was a connection to say it on.
   */
  send(message) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /**
   * Store what a frame says. Whatever is no message of use is passed over.
   *
   * @param {unknown} data
   */
  receive(data) {
    const now = performance.now();
    this.#heardAt = now;
    const message = parse(data);
    if (message === null) return;
    if (message.type === "hello") this.foreign = (message.protocol ?? PROTOCOL) !== PROTOCOL;
    if (this.foreign) {
      this.phase = "connecting";
      this.label = null;
      this.status = null;
      this.#onChange();
      return;
    }
    switch (message.type) {
      case "hello":
        this.hello = message;
        this.phase = "live";
        this.refused = false;
        this.refusal = "";
        this.failures = 0;
        break;
      case "label":
        this.label = message;
        this.labelAt = now;
        break;
      case "status":
        this.status = message;
        break;
      case "error":
        // Of marks there may be too many while it is live.
        if (this.phase !== "live" && REFUSALS.includes(message.code)) {
          this.refused = true;
          this.refusal = message.code;
        }
        break;
      default:
        break;
    }
    this.#onMessage(message);
    // These come most often, and change nothing of the above.
    if (message.type !== "level" && message.type !== "spectrum") this.#onChange();
  }

  /** @param {WebSocket} socket */
  #lose(socket) {
    if (socket !== this.#socket) return;
    this.#socket = null;
    socket.close();
    clearTimeout(this.#watch);
    const now = performance.now();
    if (this.phase === "live") this.liveAt = now;
    // What was heard is no longer so.
    this.label = null;
    this.status = null;
    this.foreign = false;
    this.phase = "waiting";
    const wait = pause(this.failures, Math.random());
    this.failures += 1;
    this.retryAt = now + wait;
    this.#retry = setTimeout(() => this.open(), wait);
    this.#onChange();
  }

  #watchOver() {
    const left = this.#heardAt + DEAF_AFTER - performance.now();
    if (left <= 0 && this.#socket) this.#lose(this.#socket);
    else this.#watch = setTimeout(() => this.#watchOver(), left);
  }
}
