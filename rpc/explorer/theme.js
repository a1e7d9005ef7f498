// Dark or light colours: those of the system until the button was pressed.

function choose(theme) {
  document.documentElement.dataset.theme = theme;
}

export function startTheme() {
  try {
    const stored = localStorage.getItem("theme");
    if (stored === "dark" || stored === "light") choose(stored);
  } catch {
    // Storage may be disabled in private windows.
  }
}

export function flipTheme() {
  const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const present = document.documentElement.dataset.theme ?? (isDark ? "dark" : "light");
  const theme = present === "dark" ? "light" : "dark";
  choose(theme);
  try {
    localStorage.setItem("theme", theme);
  } catch {
    // The choice then lasts until the page is closed.
  }
}
