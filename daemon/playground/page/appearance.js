import { announce, byId, icon } from './dom.js';

const root = document.documentElement;
const themes = {
  auto: { icon: 'auto', label: 'Theme: as the system' },
  light: { icon: 'sun', label: 'Theme: light' },
  dark: { icon: 'moon', label: 'Theme: dark' },
};

export function isDark() {
  return root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
}

/** themeButton makes the button that goes through the themes. theme.js applies the choice before the first paint. */
export function themeButton() {
  const button = byId('theme-button');
  const show = () => {
    const theme = themes[root.dataset.theme ?? 'auto'];
    button.replaceChildren(icon(theme.icon));
    button.title = theme.label;
    button.setAttribute('aria-label', theme.label);
  };
  button.addEventListener('click', () => {
    const names = Object.keys(themes);
    const next = names[(names.indexOf(root.dataset.theme ?? 'auto') + 1) % names.length];
    if (next === 'auto') delete root.dataset.theme;
    else root.dataset.theme = next;
    try {
      localStorage.setItem('fastpyrepl.theme', next);
    } catch {
      // A browser that keeps nothing forgets the choice.
    }
    show();
    announce(themes[next].label);
  });
  show();
}
