import { h } from './dom.js';
import { count } from './format.js';
import { plain } from './text.js';

const mostRows = 500; // the daemon sends 200 of a DataFrame; display(raw=True) may have any number
const mostColumns = 100;

/** dataTable shows application/vnd.fastpyrepl.table+json. */
export function dataTable({ columns, index, rows, total_rows: totalRows, total_columns: totalColumns }) {
  const shownRows = rows.slice(0, mostRows);
  const shownColumns = columns.slice(0, mostColumns);
  const levels = index ? index.names.slice(0, mostColumns) : []; // display(raw=True) need not have an index
  const keys = index ? index.rows.slice(0, mostRows) : [];
  const isNumeric = numeric(shownColumns, shownRows);
  const isNumericKey = numeric(levels, keys);
  const table = h('table', { class: 'data' },
    h('thead', null, h('tr', null,
      ...levels.map((name, i) => head(name ?? '', isNumericKey[i])),
      ...shownColumns.map((name, i) => head(name, isNumeric[i])))),
    h('tbody', null, ...shownRows.map((row, n) => h('tr', null,
      ...levels.map((_, i) => cell('th', keys[n]?.[i], isNumericKey[i])),
      ...shownColumns.map((_, i) => cell('td', row[i], isNumeric[i]))))));
  const size = `${part(shownRows.length, totalRows, 'row')}, ${part(shownColumns.length, totalColumns, 'column')}`;
  return h('div', null,
    h('div', { class: 'table-scroll', tabindex: '0', role: 'group', 'aria-label': `Table of ${size}` }, table),
    h('p', { class: 'note' }, size));
}

function numeric(columns, rows) {
  return columns.map((_, i) => rows.some((row) => typeof row[i] === 'number'));
}

function part(shown, total, what) {
  return Number.isInteger(total) && total > shown ? `${shown.toLocaleString('en')} of ${count(total, what)}` : count(shown, what);
}

function head(name, isNumeric) {
  return h('th', { scope: 'col', class: isNumeric ? 'number' : null }, plain(String(name)));
}

function cell(tag, value, isNumeric) {
  const scope = tag === 'th' ? 'row' : null;
  if (value === null || value === undefined) return h(tag, { scope, class: isNumeric ? 'null number' : 'null' }, 'null');
  const text = plain(typeof value === 'object' ? JSON.stringify(value) : String(value));
  return h(tag, { scope, class: isNumeric ? 'number' : null, title: text.length > 40 ? text : null }, text);
}
