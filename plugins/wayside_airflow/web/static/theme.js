// Follow the theme of the Airflow UI around this page: it keeps "light", "dark" or "system" under the key "theme".
// Loaded before the first paint, so that a dark page never flashes white.
(() => {
  const follow = () => {
    let theme = null;
    try {
      theme = localStorage.getItem("theme");
    } catch {
      // Storage may be forbidden; the system's preference then decides.
    }
    document.documentElement.dataset.theme = theme === "light" || theme === "dark" ? theme : "system";
  };
  follow();
  document.documentElement.classList.add("js");
  addEventListener("storage", follow);
})();
