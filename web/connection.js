/** The socket: opens it, opens it again when it is lost, and keeps the newest message of each kind. */

import { parse } from "./messages.js";

/**
 * @typedef {import("./messages.js").Message} Message
 * @typedef {"connecting" | "live" | "waiting"} Phase Waiting is the time between two attempts.
 *
 * @typedef {object} Wishes What a subscription may say besides its types.
 * @property {string[] | "all"} [lines] Which lines to hear, each for itself; the one in front without it.
 * @property {number} [max_rate] Labels a second at the most, of each line.
 */

/** Of the protocol that this page speaks. */
const PROTOCOL = 1;

/** From the first attempt to reconnect to the longest pause between two, in milliseconds. */
const [FIRST_PAUSE, LONGEST_PAUSE] = [500, 8000];

/** A server tells its status every 5 s. One that says nothing for so long is gone, even if no one closed the socket. */
const DEAF_AFTER = 12_000;

/** What a server says that lets nobody in like this. */
const REFUSALS = ["unauthorized", "wrong-token", "too-often"];

/** Messages that tell of one line, or of several together: what a subscription of before asked for is none of this one. */
const OF_A_LINE = ["label", "change", "segment", "guess", "level", "spectrum"];

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
  /** What the server is asked to tell. @type {{type: "subscribe", types: string[]} & Wishes} */
  #wanted = { type: "subscribe", types: ["label"] };
  /** Answers to come until what the server tells is of the lines that it was asked for last. */
  #turning = 0;
  /** The newest label meanwhile: the last one before the answer is of those lines. @type {Message | null} */
  #next = null;
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
    this.#turning = 0;
    this.#next = null;
    this.#heardAt = performance.now();
    this.#watchOver();
    socket.addEventListener("open", () => {
      if (socket !== this.#socket) return;
      if (this.#token !== null) socket.send(JSON.stringify({ type: "auth", token: this.#token }));
      socket.send(JSON.stringify(this.#wanted));
      if (this.line !== null) this.#turn(); // newcomers are told of the line in front
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

  /** End it for good, or until it is opened again. */
  close() {
    const socket = this.#socket;
    this.#socket = null;
    clearTimeout(this.#retry);
    clearTimeout(this.#watch);
    socket?.close();
  }

  /** The only line that is heard; null for the one in front, or all. */
  get line() {
    const { lines } = this.#wanted;
    return Array.isArray(lines) ? lines[0] : null;
  }

  /**
   * Ask for these types of messages from now on, also after the connection was lost.
   *
   * @param {string[]} types
   * @param {Wishes} [wishes]
   */
  subscribe(types, wishes = {}) {
    const wanted = { type: /** @type {const} */ ("subscribe"), types: [...types], ...wishes };
    if (JSON.stringify(wanted) === JSON.stringify(this.#wanted)) return;
    const turns = JSON.stringify(wanted.lines) !== JSON.stringify(this.#wanted.lines);
    this.#wanted = wanted;
    this.send(wanted);
    if (turns) this.#turn();
  }

  /** Take nothing for that of the lines which are asked for until the server has read that they are. */
  #turn() {
    this.#next = null;
    if (this.send({ type: "ping" })) this.#turning += 1;
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
    this.#heardAt = performance.now();
    const message = parse(data);
    if (message === null) return;
    if (message.type === "pong") this.#arrive();
    else if (this.#isWanted(message)) this.#take(message);
  }

  /** The server has read what it was asked for last. */
  #arrive() {
    this.#turning = Math.max(0, this.#turning - 1);
    if (this.#turning > 0) return;
    const next = this.#next;
    this.#next = null;
    if (next !== null) {
      this.#take(next);
    } else if (this.line !== null && this.label?.line !== this.line) {
      this.label = null; // nothing is known of it
      this.#onChange();
    }
  }

  /** Whether a message is about what was asked for. @param {Message} message */
  #isWanted(message) {
    if (!OF_A_LINE.includes(message.type)) return this.#turning === 0 || message.type !== "history";
    const { line } = /** @type {{line?: string}} */ (message);
    if (this.line !== null && line !== this.line) return false;
    if (this.#turning > 0 && message.type === "label") this.#next = message;
    return this.#turning === 0;
  }

  /** @param {Message} message */
  #take(message) {
    const now = performance.now();
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
