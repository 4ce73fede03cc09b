import { h } from './dom.js';
import { count } from './format.js';
import { plain } from './text.js';

const mostChildren = 200; // of one value, at first
const mostText = 2000; // characters of one string

/** jsonTree shows JSON. What is inside a value is made when somebody opens it, so that neither depth nor breadth costs anything. */
export function jsonTree(value) {
  const el = h('div', { class: 'json' });
  el.append(node(null, value, true));
  return el;
}

function node(key, value, open) {
  const label = key === null ? [] : [h('span', { class: 'key' }, plain(key)), ': '];
  if (value === null || typeof value !== 'object') return h('div', null, ...label, leaf(value));
  const entries = Object.entries(value);
  const [left, right] = Array.isArray(value) ? '[]' : '{}';
  if (!entries.length) return h('div', null, ...label, left + right);
  const inner = h('div', { class: 'inner' });
  const details = h('details', null, h('summary', null, ...label, `${left}${count(entries.length, Array.isArray(value) ? 'item' : 'key')}${right}`), inner);
  const fill = () => {
    if (!inner.firstChild) more(inner, entries, Array.isArray(value));
  };
  details.addEventListener('toggle', fill);
  if (open) {
    details.open = true;
    fill();
  }
  return details;
}

/** more adds the next of the entries. */
function more(inner, entries, isArray) {
  const [now, rest] = [entries.slice(0, mostChildren), entries.slice(mostChildren)];
  inner.append(...now.map(([key, value]) => node(isArray ? String(key) : JSON.stringify(key), value, false)));
  if (!rest.length) return;
  const button = h('button', { class: 'link', type: 'button', onclick: () => {
    button.remove();
    more(inner, rest, isArray);
  } }, `${rest.length.toLocaleString('en')} more`);
  inner.append(button);
}

function leaf(value) {
  if (typeof value !== 'string') return h('span', { class: typeof value === 'number' ? 'tok-number' : 'tok-keyword' }, String(value));
  const text = value.length > mostText ? `${value.slice(0, mostText)}…` : value;
  return h('span', { class: 'tok-string' }, plain(JSON.stringify(text)));
}
