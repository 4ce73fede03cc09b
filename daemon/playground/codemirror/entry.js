// What the page uses of CodeMirror; the rest is left out of the bundle.
export { EditorState, Prec } from '@codemirror/state';
export { EditorView, keymap, placeholder, highlightSpecialChars, drawSelection } from '@codemirror/view';
export { history, historyKeymap, defaultKeymap, indentMore, indentLess } from '@codemirror/commands';
export { indentUnit, bracketMatching, indentOnInput, syntaxHighlighting } from '@codemirror/language';
export { acceptCompletion, autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, completionStatus } from '@codemirror/autocomplete';
export { python, pythonLanguage } from '@codemirror/lang-python';
export { classHighlighter, highlightCode } from '@lezer/highlight';
