import { byId, h } from './dom.js';
import { plain } from './text.js';

const panel = byId('variables');

/** showVariables lists what a session has, null for nothing to list, with a sentence on why. */
export function showVariables(list, why) {
  if (!list?.variables.length) {
    panel.replaceChildren(h('p', { class: 'empty' }, why ?? 'Variables that your code makes are listed here.'));
    return;
  }
  const rows = list.variables.map((variable) => h('tr', null,
    h('td', null, h('span', { class: 'name' }, plain(variable.name)), h('span', { class: 'type' }, plain(kind(variable)))),
    h('td', null, h('span', { class: 'repr', title: plain(variable.repr).slice(0, 2000) }, plain(variable.repr).slice(0, 400)))));
  const table = h('table', { class: 'variables' },
    h('thead', null, h('tr', null, h('th', { scope: 'col' }, 'Name'), h('th', { scope: 'col' }, 'Value'))),
    h('tbody', null, ...rows));
  panel.replaceChildren(table, list.omitted ? h('p', { class: 'note' }, `${list.omitted} more`) : '');
}

function kind({ type, size, shape }) {
  if (shape) return `${type} ${shape.join(' × ')}`;
  return size === undefined || size === null ? type : `${type}, ${size.toLocaleString('en')}`;
}
