// Runs before the first paint, so that a chosen theme or language never flashes.
(function () {
  var root = document.documentElement;
  root.classList.add("js");
  try {
    var theme = localStorage.getItem("theme");
    var language = localStorage.getItem("language");
    if (language) root.dataset.language = language;
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch (e) { /* storage is off: the system's wish stands */ }
})();
