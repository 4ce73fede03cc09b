import { h } from './dom.js';
import { count } from './format.js';
import { plain } from './text.js';

const mostRows = 500; // the daemon sends 200 of a DataFrame; display(raw=True) may have any number
const mostColumns = 100;

/** dataTable shows application/vnd.fastpyrepl.table+json. */
export function dataTable({ columns, rows, total_rows: totalRows, total_columns: totalColumns }) {
  const shownRows = rows.slice(0, mostRows);
  const shownColumns = columns.slice(0, mostColumns);
  const isNumeric = shownColumns.map((_, i) => shownRows.some((row) => typeof row[i] === 'number'));
  const cells = (row) => shownColumns.map((_, i) => cell(row[i], isNumeric[i]));
  const table = h('table', { class: 'data' },
    h('thead', null, h('tr', null, ...shownColumns.map((name, i) => h('th', { scope: 'col', class: isNumeric[i] ? 'number' : null }, plain(String(name)))))),
    h('tbody', null, ...shownRows.map((row) => h('tr', null, ...cells(row)))));
  const size = `${part(shownRows.length, totalRows, 'row')}, ${part(shownColumns.length, totalColumns, 'column')}`;
  return h('div', null,
    h('div', { class: 'table-scroll', tabindex: '0', role: 'group', 'aria-label': `Table of ${size}` }, table),
    h('p', { class: 'note' }, size));
}

function part(shown, total, what) {
  return Number.isInteger(total) && total > shown ? `${shown.toLocaleString('en')} of ${count(total, what)}` : count(shown, what);
}

function cell(value, isNumeric) {
  if (value === null || value === undefined) return h('td', { class: isNumeric ? 'null number' : 'null' }, 'null');
  const text = plain(typeof value === 'object' ? JSON.stringify(value) : String(value));
  return h('td', { class: isNumeric ? 'number' : null, title: text.length > 40 ? text : null }, text);
}
