import { classHighlighter, highlightCode, pythonLanguage } from './codemirror.js';

const maxHighlighted = 100_000; // characters; more is shown as it is

/** highlight is Python as DOM nodes that say by their class what they are. */
export function highlight(code) {
  const all = document.createDocumentFragment();
  if (code.length > maxHighlighted) {
    all.append(code);
    return all;
  }
  const put = (text, classes) => {
    if (!classes) {
      all.append(text);
      return;
    }
    const el = document.createElement('span');
    el.className = classes;
    el.textContent = text;
    all.append(el);
  };
  highlightCode(code, pythonLanguage.parser.parse(code), classHighlighter, put, () => all.append('\n'));
  return all;
}
