/** Nothing but the instrument, on the whole screen and without sleep where the browser grants them. */

/** The button to leave stays for so long after somebody touched something. In milliseconds. */
const STIRRED = 3000;

export class FullScreen {
  #page = document.documentElement;
  #button;
  #leave;
  /** @type {WakeLockSentinel | null} */
  #lock = null;
  #still = 0;

  /**
   * @param {HTMLElement} button Enters.
   * @param {HTMLElement} leave Leaves; seen only when somebody is there.
   */
  constructor(button, leave) {
    this.#button = button;
    this.#leave = leave;
    button.addEventListener("click", () => this.toggle());
    leave.addEventListener("click", () => this.leave());
    // The browser's own Escape ends the full screen without asking the page.
    document.addEventListener("fullscreenchange", () => {
      if (!document.fullscreenElement) this.leave();
    });
    document.addEventListener("visibilitychange", () => this.#stayAwake()); // a hidden page loses its lock
    for (const event of ["pointermove", "pointerdown", "keydown"]) addEventListener(event, () => this.#stir());
  }

  get active() {
    return this.#page.classList.contains("solo");
  }

  toggle() {
    if (this.active) this.leave();
    else this.enter();
  }

  enter() {
    this.#page.classList.add("solo");
    scrollTo(0, 0);
    if (document.fullscreenEnabled) {
      this.#page.requestFullscreen({ navigationUI: "hide" }).catch(() => {}); // it fills the window, then
    }
    this.#stayAwake();
  }

  leave() {
    if (!this.active) return;
    const focused = document.activeElement === this.#leave;
    this.#page.classList.remove("solo", "stirred");
    // Browsers without a full screen of elements have neither.
    if (document.fullscreenElement) document.exitFullscreen().catch(() => {}); // it was left already
    this.#stayAwake();
    if (focused) this.#button.focus({ preventScroll: true });
  }

  async #stayAwake() {
    if (!("wakeLock" in navigator)) return; // not over plain HTTP, for one
    if (!this.active) {
      await this.#lock?.release();
      this.#lock = null;
    } else if (document.visibilityState === "visible" && (this.#lock === null || this.#lock.released)) {
      // Refused when the battery is low.
      this.#lock = await navigator.wakeLock.request("screen").catch(() => null);
      if (!this.active) await this.#stayAwake();
    }
  }

  #stir() {
    if (!this.active) return;
    this.#page.classList.add("stirred");
    clearTimeout(this.#still);
    this.#still = setTimeout(() => this.#page.classList.remove("stirred"), STIRRED);
  }
}
