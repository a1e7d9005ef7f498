// What a person chose, kept in the browser.

// Storage may be disabled in private windows; choices then last until the page is closed.
export function remember(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    return;
  }
}

export function recall(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}
