import {
  EditorState, EditorView, Prec, acceptCompletion, autocompletion, bracketMatching, classHighlighter, closeBrackets, closeBracketsKeymap, completionKeymap,
  completionStatus, defaultKeymap, drawSelection, highlightSpecialChars, history, historyKeymap, indentLess, indentMore, indentOnInput,
  indentUnit, keymap, placeholder, python, pythonLanguage, syntaxHighlighting,
} from './codemirror.js';

const storeKey = 'fastpyrepl.history';
const mostRemembered = 100; // cells
const mostStored = 200_000; // characters

/** Editor is where code is written. */
export class Editor {
  #view;
  #run;
  #past = load();
  #place = null; // in the past, null for what is being written

  /** on has: run(code), complete(code, cursor), which answers { matches, start, end } or null. */
  constructor(parent, on) {
    this.#run = on.run;
    const run = (keep) => () => {
      this.run(keep);
      return true;
    };
    const keys = [
      { key: 'Shift-Enter', run: run(false) },
      { key: 'Mod-Enter', run: run(true) },
      { key: 'Tab', run: indent, shift: indentLess },
      { key: 'ArrowUp', run: (view) => this.#recall(view, -1) },
      { key: 'ArrowDown', run: (view) => this.#recall(view, 1) },
    ];
    this.#view = new EditorView({
      parent,
      state: EditorState.create({
        extensions: [
          EditorView.cspNonce.of(document.querySelector('link[nonce]').nonce),
          Prec.high(keymap.of(keys)),
          keymap.of([...closeBracketsKeymap, ...completionKeymap, ...historyKeymap, ...defaultKeymap]),
          python(), indentUnit.of('    '), indentOnInput(), bracketMatching(), closeBrackets(), history(), drawSelection(), highlightSpecialChars(),
          autocompletion({ icons: false }),
          pythonLanguage.data.of({ autocomplete: names(on.complete) }),
          syntaxHighlighting(classHighlighter),
          EditorView.lineWrapping,
          placeholder('Python'),
          EditorView.contentAttributes.of({ 'aria-label': 'Python code. Shift+Enter runs it. Escape, then Tab, leaves the editor.', spellcheck: 'false', autocapitalize: 'off' }),
        ],
      }),
    });
  }

  /** run hands on what is written; keep leaves it there. */
  run(keep) {
    const code = this.#view.state.doc.toString();
    if (!code.trim()) return;
    this.#remember(code);
    if (!keep) this.set('');
    this.#run(code);
  }

  set(code) {
    this.#place = null;
    this.#replace(code);
  }

  focus() {
    this.#view.focus();
  }

  #replace(code) {
    this.#view.dispatch({
      changes: { from: 0, to: this.#view.state.doc.length, insert: code },
      selection: { anchor: code.length },
      scrollIntoView: true,
    });
  }

  #remember(code) {
    if (this.#past.at(-1) !== code) this.#past.push(code);
    this.#past.splice(0, this.#past.length - mostRemembered);
    this.#place = null;
    try {
      const text = JSON.stringify(this.#past);
      if (text.length <= mostStored) sessionStorage.setItem(storeKey, text);
    } catch {
      // A browser that keeps nothing forgets them with the page.
    }
  }

  /** recall goes through what was run before: up from the first line, down from the last, while nothing else was written. */
  #recall(view, step) {
    const { doc, selection } = view.state;
    const { main } = selection;
    const line = doc.lineAt(main.head).number;
    const code = doc.toString();
    if (!main.empty || completionStatus(view.state) || line !== (step < 0 ? 1 : doc.lines)) return false;
    if (this.#place === null ? code.trim() !== '' || step > 0 : code !== this.#past[this.#place]) return false;
    const next = (this.#place ?? this.#past.length) + step;
    if (next < 0) return true;
    this.#place = next < this.#past.length ? next : null;
    this.#replace(this.#place === null ? '' : this.#past[next]);
    return true;
  }
}

function load() {
  try {
    const past = JSON.parse(sessionStorage.getItem(storeKey));
    return Array.isArray(past) ? past.filter((code) => typeof code === 'string') : [];
  } catch {
    return [];
  }
}

/** indent takes the completion that is offered, goes to the next stop, or moves the lines that are selected. */
function indent(view) {
  const { state } = view;
  if (completionStatus(state) === 'active' && acceptCompletion(view)) return true;
  if (state.selection.ranges.some((range) => !range.empty)) return indentMore(view);
  const { head } = state.selection.main;
  const column = head - state.doc.lineAt(head).from;
  view.dispatch(state.replaceSelection(' '.repeat(4 - (column % 4))));
  return true;
}

/** names completes from what the session has: behind a dot, or when somebody asks. */
function names(complete) {
  return async (context) => {
    const before = context.matchBefore(/[\p{L}\p{N}_.]+/u);
    if (!context.explicit && !before?.text.includes('.')) return null;
    const code = context.state.doc.toString();
    const points = (text) => [...text].length; // the daemon counts code points, a string here UTF-16
    const found = await complete(code, points(code.slice(0, context.pos)));
    if (!found || context.aborted) return null;
    const all = [...code];
    return {
      from: all.slice(0, found.start).join('').length,
      to: all.slice(0, found.end).join('').length,
      options: found.matches.map((label) => ({ label })),
      validFor: /^[\p{L}\p{N}_]*$/u,
    };
  };
}
