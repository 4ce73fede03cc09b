import { h } from './dom.js';
import { highlight } from './highlight.js';
import { plain } from './text.js';

const place = /^(\s*(?:\| )*)File "(.*)", line (\d+)(?:, in (.*))?$/;
const carets = /^[\s|]*[~^][~^\s]*$/;
const source = /^ {4}\S/;
const kind = /^([A-Za-z_][\w.]*)(:.*)?$/;

/** traceback shows an exception as CPython prints it, with colours. */
export function traceback({ type, message, traceback: lines }) {
  const el = h('div', { class: 'traceback', role: 'group', 'aria-label': `Traceback of ${plain(String(type))}`, tabindex: '0' });
  const all = Array.isArray(lines) && lines.length ? lines : [`${type}: ${message}`];
  for (const line of plain(all.join('\n')).split('\n')) el.append(show(line), '\n');
  return el;
}

function show(line) {
  let found;
  if ((found = place.exec(line))) {
    const [, indent, file, number, name] = found;
    const where = h('span', { class: 'where' }, indent, h('b', null, file), ', line ', h('b', null, number));
    if (name) where.append(', in ', h('b', null, name));
    return where;
  }
  if (carets.test(line)) return h('span', { class: 'carets' }, line);
  if (source.test(line)) return highlight(line);
  if (line.endsWith(':') && /^(Traceback|During|The above)/.test(line)) return h('span', { class: 'head-line' }, line);
  if ((found = kind.exec(line))) return h('span', null, h('b', { class: 'kind' }, found[1]), found[2] ?? '');
  return new Text(line);
}
