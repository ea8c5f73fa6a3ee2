/**
 * Dark or light, before anything is drawn; a classic script, for modules run too late for that. The reader's choice
 * (theme.js keeps it) comes first, then the system's, then dark.
 */
(() => {
  const system = matchMedia("(prefers-color-scheme: light)");
  /** @type {string | null} */
  let choice = null;
  function recall() {
    try {
      choice = localStorage.getItem("theme");
    } catch {
      // Storage may be forbidden; then the choice lasts as long as the page.
    }
    apply();
  }
  function apply() {
    const theme = choice === "light" || choice === "dark" ? choice : system.matches ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    const colour = document.querySelector("meta[name=theme-color]");
    colour?.setAttribute("content", theme === "light" ? "#f3f2ee" : "#0c0e11");
  }
  system.addEventListener("change", apply);
  addEventListener("storage", recall); // chosen in another tab
  addEventListener("themechange", (event) => {
    choice = /** @type {CustomEvent<string>} */ (event).detail; // chosen here
    apply();
  });
  recall();
})();
