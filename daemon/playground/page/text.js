import { h, save } from './dom.js';
import { count } from './format.js';

// Text as a terminal shows it, as far as output needs one: colours, carriage returns, backspaces. All other escape sequences, those
// of links and titles among them, are dropped. What is long is there in part, so that a flood does not stop the page.

const maxLine = 20_000; // characters of a line that are shown
const chunkLines = 500;
const headChunks = 2;
const tailChunks = 8;
const maxKept = 16 << 20; // characters that are kept to be saved
const maxEscape = 4096; // characters of a sequence whose end has not come

const plainStyle = { classes: '', color: '', background: '' };

// A control character, but for the tab.
const control = /[\x00-\x08\x0a-\x1f\x7f-\x9f]/g;
// A whole escape sequence: one with parameters, a string, or two or more characters.
const escape = /\x1b(?:\[([0-9:;<=>?]*)[ -/]*([@-~])|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-OQ-WYZ`-~\\])/y;
// The beginning of one, to the end of the text.
const unfinished = /\x1b(?:\[[0-9:;<=>?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)$/y;

/** TextView shows what is written to one stream. */
export class TextView {
  #pending = []; // text that has come since the last frame
  #frame = 0;
  #rest = ''; // an escape sequence whose end has not come
  #style = plainStyle;
  #runs = []; // of the line that is being written
  #length = 0;
  #column = 0;
  #chunks = []; // elements of chunkLines lines each
  #lines = 0; // in the last chunk
  #left = 0; // lines that are not shown
  #note = null;
  #line = h('span');
  #kept = [];
  #size = 0;

  constructor(stream) {
    this.stream = stream;
    this.el = h('pre', { class: 'text', 'data-stream': stream, 'aria-label': stream === 'stderr' ? 'Standard error' : 'Output' }, this.#line);
  }

  /** write adds text; it is shown with the next frame, or by flush. */
  write(text) {
    this.#pending.push(text);
    this.#frame ||= requestAnimationFrame(() => this.flush());
  }

  flush() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const text = this.#pending.join('');
    this.#pending.length = 0;
    if (!text) return;
    if ((this.#size += text.length) <= maxKept) this.#kept.push(text);
    const { scrollTop, scrollHeight, clientHeight } = this.el;
    const atEnd = scrollTop + clientHeight >= scrollHeight - 4;
    this.#read(this.#rest + text);
    this.#line.replaceChildren(...nodes(this.#runs));
    if (this.el.scrollHeight > this.el.clientHeight) {
      this.el.tabIndex = 0; // the keyboard scrolls what has the focus
      if (atEnd) this.el.scrollTop = this.el.scrollHeight;
    }
  }

  /** text is all that was written, as it was. */
  text() {
    return this.#kept.join('') + this.#pending.join('');
  }

  /** takeBack takes the end of what was written away, if it is this text. It answers whether nothing is left. */
  takeBack(end) {
    const all = this.text();
    if (this.#size > maxKept || !all.endsWith(end)) return false;
    const rest = all.slice(0, all.length - end.length);
    for (const chunk of this.#chunks) chunk.remove();
    this.#note?.el.remove();
    this.#pending = rest ? [rest] : [];
    [this.#rest, this.#style, this.#runs, this.#chunks, this.#kept, this.#note] = ['', plainStyle, [], [], [], null];
    this.#length = this.#column = this.#lines = this.#left = this.#size = 0;
    this.#line.replaceChildren();
    this.flush();
    return rest === '';
  }

  #read(text) {
    this.#rest = '';
    let at = 0;
    while (at < text.length) {
      control.lastIndex = at;
      const found = control.exec(text);
      if (!found) {
        this.#put(text.slice(at));
        return;
      }
      if (found.index > at) this.#put(text.slice(at, found.index));
      at = found.index + 1;
      switch (found[0]) {
        case '\n': this.#newline(); break;
        case '\r': this.#column = 0; break;
        case '\b': this.#column = Math.max(0, this.#column - 1); break;
        case '\x1b': {
          escape.lastIndex = unfinished.lastIndex = found.index;
          const sequence = escape.exec(text);
          if (sequence) {
            at = escape.lastIndex;
            this.#obey(sequence[2], sequence[1]);
          } else if (text.length - found.index < maxEscape && unfinished.test(text)) {
            this.#rest = text.slice(found.index);
            return;
          }
        }
      }
    }
  }

  /** obey does what a sequence asks for, of those that are known here. */
  #obey(final, parameters) {
    if (final === 'm') this.#style = restyle(this.#style, parameters);
    if (final === 'K' && (parameters === '' || parameters === '0')) this.#cut(this.#column);
    if (final === 'K' && parameters === '2') this.#cut(0);
  }

  #cut(column) {
    this.#runs = slice(this.#runs, 0, column);
    this.#length = Math.min(this.#length, column);
  }

  #put(text) {
    if (this.#column < this.#length) {
      const after = slice(this.#runs, this.#column + text.length, Infinity);
      this.#runs = [...slice(this.#runs, 0, this.#column), { style: this.#style, text }, ...after];
    } else {
      if (this.#column > this.#length) this.#append(plainStyle, ' '.repeat(this.#column - this.#length));
      this.#append(this.#style, text);
    }
    this.#column += text.length;
    this.#length = Math.max(this.#length, this.#column);
  }

  #append(style, text) {
    const last = this.#runs.at(-1);
    if (last && same(last.style, style)) last.text += text;
    else this.#runs.push({ style, text });
  }

  #newline() {
    if (!this.#chunks.length || this.#lines === chunkLines) {
      const chunk = h('span');
      this.#line.before(chunk);
      this.#chunks.push(chunk);
      this.#lines = 0;
      if (this.#chunks.length > headChunks + tailChunks) this.#leaveOut();
    }
    const chunk = this.#chunks.at(-1);
    for (const node of nodes(this.#runs)) {
      if (node.nodeType === Node.TEXT_NODE && chunk.lastChild?.nodeType === Node.TEXT_NODE) chunk.lastChild.data += node.data;
      else chunk.append(node);
    }
    if (chunk.lastChild?.nodeType === Node.TEXT_NODE) chunk.lastChild.data += '\n';
    else chunk.append('\n');
    this.#lines += 1;
    this.#runs = [];
    this.#length = this.#column = 0;
  }

  /** leaveOut takes away the oldest lines behind the first ones. */
  #leaveOut() {
    const [chunk] = this.#chunks.splice(headChunks, 1);
    this.#left += chunkLines;
    if (!this.#note) {
      const button = h('button', { class: 'link', type: 'button', onclick: () => save(new Blob(this.#kept, { type: 'text/plain' }), `${this.stream}.txt`) }, 'Save all of it');
      this.#note = { text: new Text(), el: h('span', { class: 'left-out' }) };
      this.#note.el.append(this.#note.text, button);
      chunk.before(this.#note.el);
    }
    this.#note.text.data = `${count(this.#left, 'line')} not shown. `;
    chunk.remove();
  }
}

/** plain is text without control characters and escape sequences. */
export function plain(text) {
  return text.replace(new RegExp(escape.source, 'g'), '').replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '');
}

const same = (a, b) => a === b || (a.classes === b.classes && a.color === b.color && a.background === b.background);

/** slice is the part of runs between two columns. */
function slice(runs, from, to) {
  const part = [];
  let at = 0;
  for (const { style, text } of runs) {
    const piece = text.slice(Math.max(0, from - at), Math.max(0, to - at));
    if (piece) part.push({ style, text: piece });
    at += text.length;
  }
  return part;
}

/** nodes are runs as DOM nodes. */
function nodes(runs) {
  const all = [];
  let room = maxLine;
  for (const { style, text } of runs) {
    const shown = text.length > room ? `${text.slice(0, room)}…` : text;
    if (style.classes || style.color || style.background) {
      const el = h('span', { class: style.classes || null }, shown);
      el.style.color = style.color;
      el.style.background = style.background;
      all.push(el);
    } else {
      all.push(new Text(shown));
    }
    if ((room -= text.length) < 0) break;
  }
  return all;
}

const attributes = { 1: 'bold', 2: 'dim', 3: 'italic', 4: 'underline', 7: 'inverse', 9: 'strike' };
const ends = { 22: ['bold', 'dim'], 23: ['italic'], 24: ['underline'], 27: ['inverse'], 29: ['strike'] };

/** restyle is style after a sequence of colours and attributes. */
function restyle(style, parameters) {
  const set = new Set(style.attributes);
  let { fg = null, bg = null } = style;
  const codes = parameters.split(/[;:]/).map(Number);
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i];
    if (code === 0) {
      set.clear();
      fg = bg = null;
    } else if (attributes[code]) set.add(attributes[code]);
    else if (ends[code]) ends[code].forEach((name) => set.delete(name));
    else if (code >= 30 && code <= 37) fg = code - 30;
    else if (code >= 90 && code <= 97) fg = code - 82;
    else if (code >= 40 && code <= 47) bg = code - 40;
    else if (code >= 100 && code <= 107) bg = code - 92;
    else if (code === 39) fg = null;
    else if (code === 49) bg = null;
    else if (code === 38 || code === 48) {
      const [colour, used] = extended(codes.slice(i + 1));
      if (code === 38) fg = colour;
      else bg = colour;
      i += used;
    }
  }
  // Exchanged with each other, or where neither is set with those of the page.
  const isInverse = set.has('inverse') && (fg !== null || bg !== null);
  const [front, back] = isInverse ? [bg, fg] : [fg, bg];
  const classes = [...set].filter((name) => name !== 'inverse' || !isInverse);
  if (typeof front === 'number') classes.push(`fg-${front}`);
  if (typeof back === 'number') classes.push(`bg-${back}`);
  const inline = (colour) => (typeof colour === 'string' ? colour : '');
  return { attributes: set, fg, bg, classes: classes.join(' '), color: inline(front), background: inline(back) };
}

/** extended is one of 256 colours, or any, and how many codes say so. */
function extended([kind, ...rest]) {
  if (kind === 2) return [rgb(rest.slice(0, 3)), 4];
  if (kind !== 5) return [null, 1];
  const n = rest[0];
  if (n < 16) return [n, 2];
  if (n < 232) return [rgb([36, 6, 1].map((step) => [0, 95, 135, 175, 215, 255][Math.floor((n - 16) / step) % 6])), 2];
  return [rgb(Array(3).fill(8 + (n - 232) * 10)), 2];
}

function rgb(parts) {
  const [r, g, b] = parts.map((part) => Math.min(255, part || 0));
  return `rgb(${r ?? 0} ${g ?? 0} ${b ?? 0})`;
}
