// Elements. Text given to them stays text: nothing on this page parses HTML.

/** h makes an element: h('button', { class: 'primary', onclick: run }, 'Run'). Attributes that are false, null or undefined are left out. */
export function h(tag, attributes, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith('on')) el.addEventListener(name.slice(2), value);
    else el.setAttribute(name, value === true ? '' : value);
  }
  el.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return el;
}

/** icon refers to one of the symbols in the document. */
export function icon(name) {
  const ns = 'http://www.w3.org/2000/svg';
  const el = document.createElementNS(ns, 'svg');
  el.setAttribute('class', 'icon');
  el.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(ns, 'use');
  use.setAttribute('href', `#i-${name}`);
  el.append(use);
  return el;
}

/** iconButton is a button whose label is seen by those who point at it, and heard by those who cannot see it. */
export function iconButton(name, label, onclick) {
  return h('button', { class: 'icon-button', type: 'button', title: label, 'aria-label': label, onclick }, icon(name));
}

export const byId = (id) => document.getElementById(id);

/** announce tells those who listen to the page what those who look at it see. */
export function announce(text) {
  byId('status').textContent = text;
}

/** save gives bytes to the person, as a file. */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  h('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser reads it after the click
}
