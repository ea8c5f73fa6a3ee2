/**
 * Dark or light, before anything is drawn; a classic script, for modules run too late for that. The reader's choice
 * (views/theme.js keeps it) comes first, then the system's, then dark.
 */
(() => {
  const system = matchMedia("(prefers-color-scheme: light)");
  function apply() {
    let choice = null;
    try {
      choice = localStorage.getItem("theme");
    } catch {
      // Storage may be forbidden; then there is no choice to keep.
    }
    const theme = choice === "light" || choice === "dark" ? choice : system.matches ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    const colour = document.querySelector("meta[name=theme-color]");
    colour?.setAttribute("content", theme === "light" ? "#f3f2ee" : "#0c0e11");
  }
  system.addEventListener("change", apply);
  addEventListener("storage", apply); // chosen in another tab
  addEventListener("themechange", apply); // chosen here
  apply();
})();
