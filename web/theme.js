/** The reader's choice of dark, light or what the system says; scheme.js applies it. */

/** @typedef {"auto" | "dark" | "light"} Choice */

/** @type {Record<Choice, {next: Choice, words: string}>} */
const CHOICES = {
  auto: { next: "dark", words: "as the system" },
  dark: { next: "light", words: "dark" },
  light: { next: "auto", words: "light" },
};

const KEY = "theme";

export class Theme {
  /** @type {Choice} */
  choice = recalled();
  #button;

  /** @param {HTMLElement} button It goes round the three of them. */
  constructor(button) {
    this.#button = button;
    button.addEventListener("click", () => this.choose(CHOICES[this.choice].next));
    addEventListener("storage", () => {
      this.choice = recalled(); // chosen in another tab
      this.#show();
    });
    this.#show();
  }

  /** @param {Choice} choice */
  choose(choice) {
    this.choice = choice;
    try {
      if (choice === "auto") localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, choice);
    } catch {
      // Storage may be forbidden; then the choice lasts as long as the page.
    }
    dispatchEvent(new CustomEvent("themechange", { detail: choice }));
    this.#show();
  }

  #show() {
    const { words, next } = CHOICES[this.choice];
    this.#button.dataset.choice = this.choice;
    this.#button.setAttribute("aria-label", `Theme: ${words}`);
    this.#button.title = `Theme: ${words}. Press for ${CHOICES[next].words}.`;
  }
}

/** @returns {Choice} */
function recalled() {
  try {
    const choice = localStorage.getItem(KEY);
    return choice === "dark" || choice === "light" ? choice : "auto";
  } catch {
    return "auto";
  }
}
