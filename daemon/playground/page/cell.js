import { announce, h, iconButton } from './dom.js';
import { bytes, seconds } from './format.js';
import { highlight } from './highlight.js';
import { TextView, plain } from './text.js';
import { traceback } from './traceback.js';
import { value } from './values.js';

const mostOutputs = 300; // elements of one cell
const tick = 1000; // ms between the figures of a running cell

const outcomes = {
  ok: ['ok', 'Done'],
  error: ['error', 'Error'],
  timeout: ['warn', 'Timed out'],
  interrupted: ['warn', 'Stopped'],
  oom: ['error', 'Out of memory'],
  crashed: ['error', 'Crashed'],
  cancelled: ['warn', 'Cancelled'],
};

// The keyboard scrolls what has the focus.
const isLong = (code) => code !== null && (code.length > 300 || code.split('\n').length > 12);

/** Cell shows code and what came of it. It is told by the events of its execution. */
export class Cell {
  #count = h('span', { class: 'count', 'aria-hidden': 'true' }, '[ ]');
  #outputs = h('div', { class: 'cell-outputs' });
  #end = h('div', { class: 'cell-end' });
  #texts = []; // in the order of the outputs
  #leftOut = 0;
  #note = null;
  #ask = null;
  #raised = false;
  #since = 0;
  #timer = 0;
  #actions;

  /** code is null where this page has not seen it. Actions are answer(text), edit(code) and again(code). */
  constructor(code, actions) {
    this.#actions = actions;
    const buttons = code === null ? [] : [
      iconButton('edit', 'Edit', () => actions.edit(code)),
      iconButton('again', 'Run again', () => actions.again(code)),
      navigator.clipboard && iconButton('copy', 'Copy', () => navigator.clipboard.writeText(code).then(() => announce('Copied'))),
    ];
    const source = code === null ? h('span', { class: 'tok-comment' }, '# begun before this page was opened') : highlight(code);
    this.el = h('article', { class: 'cell', 'aria-label': 'Cell', 'data-state': 'waiting' },
      h('div', { class: 'cell-code' }, this.#count, h('pre', { tabindex: isLong(code) ? '0' : null }, source), h('div', { class: 'cell-actions' }, ...buttons)),
      this.#outputs, this.#end);
    this.#badge('busy', 'Waiting');
  }

  /** handle shows an event. */
  handle(event) {
    switch (event.type) {
      case 'started': this.#started(event); break;
      case 'stdout':
      case 'stderr': this.#text(event.type, event.background).write(event.text); break;
      case 'display':
      case 'result': this.#put(() => value(event.data)); break;
      case 'error': this.#raise(event.exception); break;
      case 'input_request': this.#input(event.input_request); break;
      case 'done': this.#done(event);
    }
  }

  /** refused says that the code did not run, or that nobody knows whether it did; action is a button for what to do about it. */
  refused(why, action) {
    this.#finish('refused');
    this.#end.replaceChildren();
    this.#outputs.append(h('div', { class: 'refused', role: 'note' }, h('span', null, why), action));
    announce(why);
  }

  #started(event) {
    this.#count.textContent = `[${event.execution_count}]`;
    this.el.setAttribute('aria-label', `Cell ${event.execution_count}`);
    this.el.dataset.state = 'running';
    this.#since = Date.parse(event.time);
    const show = () => this.#badge('busy', Date.now() - this.#since < tick ? 'Running' : `Running ${seconds(Math.floor((Date.now() - this.#since) / tick), 0)}`);
    show();
    this.#timer = setInterval(show, tick);
  }

  /** text is where a stream goes on: the last output if that is its text. */
  #text(stream, background) {
    const last = this.#texts.at(-1);
    const full = this.#outputs.childElementCount >= mostOutputs;
    if (last && last.stream === stream && last.background === background && (full || this.#outputs.lastChild === last.el)) return last;
    if (full) {
      const any = this.#texts.findLast((text) => text.stream === stream);
      if (any) return any;
    }
    last?.flush();
    const text = new TextView(stream);
    text.background = background;
    if (background) text.el.classList.add('background');
    this.#texts.push(text);
    this.#outputs.append(text.el);
    return text;
  }

  #put(make) {
    this.#texts.at(-1)?.flush();
    if (this.#outputs.childElementCount < mostOutputs) {
      this.#outputs.append(make());
      return;
    }
    this.#leftOut += 1;
    this.#note ??= this.#outputs.appendChild(h('p', { class: 'note' }));
    this.#note.textContent = `${this.#leftOut} more not shown`;
  }

  /** raise shows the exception in the place of the text that stderr has of it. */
  #raise(exception) {
    this.#raised = true;
    const last = this.#texts.at(-1);
    if (last?.stream === 'stderr' && Array.isArray(exception.traceback) && last.takeBack(`${exception.traceback.join('\n')}\n`)) {
      this.#texts.pop();
      last.el.remove();
    }
    this.#put(() => traceback(exception));
  }

  #input({ prompt, password }) {
    this.#texts.at(-1)?.flush();
    const shown = plain(prompt) || 'input()';
    const field = h('input', { type: password ? 'password' : 'text', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', 'aria-label': shown });
    const answer = (text) => {
      this.#ask = null;
      const said = text === null ? '(end of file)' : password ? '•'.repeat(8) : text;
      form.replaceWith(h('div', { class: 'answered' }, plain(prompt), h('b', null, said)));
      this.#actions.answer(text);
    };
    const form = h('form', { class: 'ask', onsubmit: (event) => {
      event.preventDefault();
      answer(field.value);
    } }, h('label', null, shown), field,
    h('button', { class: 'primary' }, 'Send'),
    h('button', { type: 'button', title: 'Ends the input: the code gets an EOFError', onclick: () => answer(null) }, 'End'));
    this.#ask?.remove();
    this.#ask = form;
    this.#outputs.append(form);
    field.focus({ preventScroll: true });
    form.scrollIntoView({ block: 'nearest' });
    announce(`The code asks: ${shown}`);
  }

  #done(event) {
    this.#finish(event.outcome);
    const [kind, label] = outcomes[event.outcome] ?? ['warn', event.outcome];
    this.#badge(kind, label);
    this.#end.append(h('span', { title: 'Time that the code ran' }, seconds(event.execution_time)));
    if (event.usage?.memory_peak) this.#end.append(h('span', { title: 'Most memory that its process had' }, bytes(event.usage.memory_peak)));
    if (!event.state_kept) this.#end.append(h('span', { class: 'badge', 'data-kind': 'error' }, 'Variables lost'));
    const cut = Object.entries(event.truncated ?? {}).filter(([, n]) => n > 0);
    if (cut.length) this.#end.append(h('span', null, `left out: ${cut.map(([part, n]) => `${bytes(n)} of ${part}`).join(', ')}`));
    if (event.state_lost_at) this.#tell(`The variables were lost at cell [${event.state_lost_at}].`);
    if (event.error && !this.#raised) this.#tell(event.error);
    announce(`${this.el.getAttribute('aria-label')}: ${label}${event.error ? `, ${plain(event.error).slice(0, 200)}` : ''}`);
  }

  #tell(text) {
    this.#outputs.append(h('p', { class: 'refused' }, h('span', null, plain(text))));
  }

  #finish(state) {
    this.el.dataset.state = state;
    clearInterval(this.#timer);
    for (const text of this.#texts) text.flush();
    this.#ask?.remove();
    this.#ask = null;
  }

  #badge(kind, label) {
    this.#end.replaceChildren(h('span', { class: 'badge', 'data-kind': kind }, label));
  }
}
