/** How far it is with the name that the service is being taught, by this page or another one. */

/**
 * @typedef {import("./messages.js").Teaching} Teaching
 *
 * @typedef {object} Wanted What a name is to be taught as.
 * @property {string} name
 * @property {string} [line]
 * @property {string} [like] One of the model's labels, or `none`; the service decides without it.
 */

/** After so long without a sound it is said that none comes. In milliseconds. */
const QUIET = 2500;

/** While it is being taught. */
const ACTIVE = ["listening", "fitting"];

export class Lesson {
  /** What the service told last; null where there is nothing to tell. @type {Teaching | null} */
  told = null;
  /** Whether it was asked for something that it has not answered. */
  asked = false;
  /** Why it did not do it; empty where it did. */
  refusal = "";
  #send;
  /** When more of it sounded last. performance.now() */
  #soundedAt = 0;
  /** @type {string | undefined} */
  #run;

  /** @param {(request: object) => boolean} send Returns whether there was a connection to say it on. */
  constructor(send) {
    this.#send = send;
  }

  /** Whether a name is being taught now. */
  get active() {
    return this.told !== null && ACTIVE.includes(this.told.state);
  }

  /** The name that is being taught; null where there is none. */
  get coming() {
    return this.active ? (this.told?.name ?? null) : null;
  }

  /** Whether nothing sounds, though it is listened. @param {number} now performance.now() */
  quiet(now) {
    return this.told?.state === "listening" && now - this.#soundedAt > QUIET;
  }

  /** @param {Wanted} wanted */
  begin(wanted) {
    this.#ask({ type: "teach", ...wanted });
  }

  /** Be content with what was played so far, or keep nothing of it. @param {boolean} discard */
  stop(discard) {
    this.#ask({ type: "stop-teaching", discard });
  }

  /** Leave what has ended, and what was refused. */
  leave() {
    if (!this.active) this.told = null;
    this.refusal = "";
  }

  /** @param {import("./messages.js").Message} message @param {number} [now] performance.now() */
  hear(message, now = performance.now()) {
    switch (message.type) {
      case "hello":
        this.#greet(message);
        break;
      case "teaching":
        this.#follow(message, now);
        break;
      case "error":
        if (this.asked) this.refusal = message.message ?? message.code;
        this.asked = false;
        break;
      default:
        break;
    }
  }

  /** The connection is lost, and with it what was asked on it. */
  lose() {
    this.asked = false;
  }

  /** @param {object} request */
  #ask(request) {
    this.asked = this.#send(request);
    this.refusal = this.asked ? "" : "There is no connection to the service.";
  }

  /** @param {import("./messages.js").Hello} hello */
  #greet({ run }) {
    if (this.told !== null && this.active && run !== this.#run) {
      this.told = { ...this.told, state: "failed", message: "the service was started anew, and lost what it had heard" };
    }
    this.#run = run;
  }

  /** @param {Teaching} told @param {number} now */
  #follow(told, now) {
    const same = this.active && this.told?.name === told.name;
    // How one has ended that this page has not followed: it was told for others.
    if (!ACTIVE.includes(told.state) && !same) return;
    if (!same || told.seconds > (this.told?.seconds ?? 0)) this.#soundedAt = now;
    if (!same) this.refusal = "";
    this.told = told;
    this.asked = false;
  }
}
