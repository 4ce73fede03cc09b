import { h } from './dom.js';
import { htmlFrame } from './frame.js';
import { jsonTree } from './json.js';
import { dataTable } from './table.js';
import { plain } from './text.js';

// A value comes in several forms, by MIME type, from code that nobody vouches for. Each form has one way to be shown, and no form is
// ever made part of this page as HTML.

/** forms are what can be shown, the best first: a name, and what makes the element. */
const forms = [
  ['application/vnd.fastpyrepl.table+json', 'Table', dataTable],
  ['image/png', 'Picture', picture],
  ['image/jpeg', 'Picture', picture],
  ['image/gif', 'Picture', picture],
  ['image/webp', 'Picture', picture],
  ['image/svg+xml', 'Drawing', drawing],
  ['text/html', 'HTML', htmlFrame],
  ['application/json', 'JSON', jsonTree],
  ['text/markdown', 'Markdown', text],
  ['text/latex', 'LaTeX', text],
  ['text/plain', 'Text', text],
];

// What such values are to people; their text says no more than the address of an object.
const pictures = new Set(['Picture', 'Drawing']);

/** value shows one that has forms, and lets people choose among them. */
export function value(data) {
  const shown = h('div', { class: 'value' });
  const choices = forms.flatMap(([type, name, make]) => {
    const form = data[type];
    if (form === undefined || form === null) return [];
    return [{ name, make: () => make(form, type, data) }];
  });
  if (!choices.length) {
    shown.append(text(`a value in forms that are not shown here: ${Object.keys(data).join(', ')}`));
    return shown;
  }
  if (choices.length === 1 || pictures.has(choices[0].name)) {
    shown.append(attempt(choices[0]));
    return shown;
  }
  const choose = (choice) => {
    for (const button of bar.children) button.setAttribute('aria-pressed', String(button.textContent === choice.name));
    if (shown.lastChild !== bar) shown.lastChild.remove(); // the form that was chosen before
    shown.append(attempt(choice));
  };
  const bar = h('div', { class: 'forms', role: 'group', 'aria-label': 'Form of the value' },
    ...choices.map((choice) => h('button', { type: 'button', onclick: () => choose(choice) }, choice.name)));
  shown.append(bar);
  choose(choices[0]);
  return shown;
}

/** attempt makes the element. A form need not be what its type says. */
function attempt({ name, make }) {
  try {
    return make();
  } catch {
    return text(`what should be ${name} is none`);
  }
}

function text(form) {
  const content = plain(typeof form === 'string' ? form : JSON.stringify(form));
  return h('pre', { class: 'text', tabindex: content.length > 2000 ? '0' : null }, content);
}

function picture(base64, type, data) {
  const digits = base64.replaceAll(/\s/g, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(digits)) throw new TypeError('no base64');
  return image(`data:${type};base64,${digits}`, data);
}

/** drawing shows SVG as a picture: in an img, nothing of it runs or loads. */
function drawing(svg, type, data) {
  if (typeof svg !== 'string') throw new TypeError('no text');
  return image(`data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`, data);
}

function image(src, data) {
  const words = typeof data['text/plain'] === 'string' ? plain(data['text/plain']).slice(0, 200) : '';
  return h('img', { class: 'picture', src, alt: words || 'Picture' });
}
