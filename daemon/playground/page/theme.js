// The theme that somebody chose, before the first paint: a module would run after it.
(() => {
  try {
    const theme = localStorage.getItem('fastpyrepl.theme');
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  } catch {
    // A browser that keeps nothing has the system's theme.
  }
})();
