import { h } from './dom.js';
import { bytes, count, seconds } from './format.js';
import { sessionName } from './names.js';

/** open shows a dialog and answers with what close is called with, null when it was dismissed. */
function open(make) {
  return new Promise((resolve) => {
    let answer = null;
    const close = (result) => {
      answer = result;
      dialog.close();
    };
    const dialog = h('dialog', { onclose: () => {
      dialog.remove();
      resolve(answer);
    } });
    dialog.append(make(close));
    const title = dialog.querySelector('h2');
    title.id = 'dialog-title';
    dialog.setAttribute('aria-labelledby', title.id);
    document.body.append(dialog);
    dialog.showModal();
  });
}

const cancel = (close, label = 'Cancel') => h('button', { type: 'button', onclick: () => close(null) }, label);

/** form submits to done. What done throws is shown. */
function form(done, ...children) {
  const wrong = h('p', { class: 'wrong', role: 'alert' });
  const el = h('form', { novalidate: true, onsubmit: async (event) => {
    event.preventDefault();
    const buttons = [...el.querySelectorAll('button')];
    buttons.forEach((button) => { button.disabled = true; });
    try {
      await done();
    } catch (err) {
      wrong.textContent = err.retryAfter ? `${err.message}. Try again in ${seconds(err.retryAfter)}.` : err.message;
    }
    buttons.forEach((button) => { button.disabled = false; });
  } }, ...children.slice(0, -1), wrong, children.at(-1));
  return el;
}

/** ask answers whether somebody agrees. */
export async function ask(title, text, yes) {
  return Boolean(await open((close) => form(() => close(true),
    h('h2', null, title), h('p', null, text), h('div', { class: 'buttons' }, cancel(close), h('button', { class: 'danger' }, yes)))));
}

function field(label, attributes, note) {
  const input = h('input', { autocomplete: 'off', ...attributes });
  return { input, el: h('label', null, label, input, note && h('span', { class: 'note' }, note)) };
}

/** number reads a field, undefined for an empty one. */
function number({ input }, label, factor) {
  const text = input.value.trim();
  if (text === '') return undefined;
  const n = Number(text);
  if (!Number.isFinite(n) || n < 0) {
    input.focus();
    throw new Error(`${label}: a number is needed`);
  }
  return n * factor;
}

const numeric = { inputmode: 'decimal' };

/** newSession asks how a session should be; make gets the body of the request, and may throw what is wrong with it. */
export function newSession(name, make) {
  return open((close) => {
    const id = field('Name', { value: name, maxlength: '128', spellcheck: 'false', autocapitalize: 'off', autofocus: true });
    const memory = field('Memory, MiB', { ...numeric, placeholder: 'default' });
    const cpus = field('CPU cores', { ...numeric, placeholder: 'default' });
    const timeout = field('Longest run, seconds', { ...numeric, placeholder: 'default' });
    const idle = field('Ends when idle, minutes', { ...numeric, placeholder: 'default' });
    const done = async () => {
      if (!sessionName.test(id.input.value)) {
        id.input.focus();
        throw new Error('Name: letters, digits and . _ - are allowed, 128 at most');
      }
      const minutes = number(idle, 'Ends when idle', 60);
      await make({
        session_id: id.input.value,
        memory: number(memory, 'Memory', 1 << 20),
        cpus: number(cpus, 'CPU cores', 1),
        timeout: number(timeout, 'Longest run', 1),
        idle_ttl: minutes,
      });
      close(true);
    };
    return form(done, h('h2', null, 'New session'), id.el,
      h('div', { class: 'pair' }, memory.el, cpus.el), h('div', { class: 'pair' }, timeout.el, idle.el),
      h('div', { class: 'buttons' }, cancel(close), h('button', { class: 'primary' }, 'Create')));
  });
}

/** sessionDetails shows a session. It answers 'end' when somebody wants it to end; change gets a new lifetime. */
export function sessionDetails(info, change) {
  const facts = [
    ['Image', info.image], ['Cells run', String(info.execution_count)], ['Begun', new Date(info.created_at).toLocaleString()],
    ['Memory', info.limits && `${info.usage ? `${bytes(info.usage.memory)} of ` : ''}${bytes(info.limits.memory)}`],
    ['CPU', info.limits && count(info.limits.cpus, 'core')],
    ['Files', info.limits && `up to ${bytes(info.limits.disk)}`],
    ['Ends', info.expires_at ? new Date(info.expires_at).toLocaleString() : 'when you end it'],
    ['Owner', info.owner],
  ].filter(([, fact]) => fact);
  return open((close) => {
    const ttl = field('Ends in, minutes', { ...numeric, placeholder: 'no change' });
    const idle = field('Ends when idle, minutes', { ...numeric, placeholder: info.idle_ttl ? String(info.idle_ttl / 60) : 'no change' });
    const done = async () => {
      await change({ ttl: number(ttl, 'Ends in', 60), idle_ttl: number(idle, 'Ends when idle', 60) });
      close('changed');
    };
    return form(done, h('h2', null, info.session_id),
      h('dl', null, ...facts.flatMap(([name, fact]) => [h('dt', null, name), h('dd', null, fact)])),
      h('div', { class: 'pair' }, ttl.el, idle.el), h('p', { class: 'note' }, '0 is for ever, where that is allowed.'),
      h('div', { class: 'buttons' },
        h('button', { class: 'danger first', type: 'button', onclick: () => close('end') }, 'End session'),
        cancel(close, 'Close'), h('button', { class: 'primary' }, 'Save')));
  });
}

const isMac = /Mac|iP(hone|ad)/.test(navigator.platform);
const mod = isMac ? '⌘' : 'Ctrl';

const keys = [
  [['Shift', 'Enter'], 'run, and begin a new cell'],
  [[mod, 'Enter'], 'run, and keep the code'],
  [['↑'], 'in an empty editor: what was run before'],
  [[mod, '.'], 'stop what runs'],
  [['Tab'], 'indent, or take the completion; Shift+Tab the other way'],
  [['Ctrl', 'Space'], 'complete'],
  [[mod, '/'], 'comment lines'],
  [['Esc', 'Tab'], 'leave the editor with the keyboard'],
  [['F1'], 'this'],
];

export function help() {
  return open((close) => form(() => close(true), h('h2', null, 'Keyboard'),
    h('dl', null, ...keys.flatMap(([names, what]) => [h('dt', null, ...names.map((name) => h('kbd', null, name))), h('dd', null, what)])),
    h('p', null, 'A session is a container without network. Its variables and files stay until it ends; what you see here stays until you close the tab.'),
    h('p', { class: 'note' }, h('a', { href: 'docs', target: '_blank', rel: 'noopener' }, 'API'), ' · the editor is CodeMirror: ',
      h('a', { href: 'playground/LICENSES.txt', target: '_blank', rel: 'noopener' }, 'licences')),
    h('div', { class: 'buttons' }, h('button', { class: 'primary' }, 'Close'))));
}
