import { isDark } from './appearance.js';
import { h, icon } from './dom.js';

// HTML of user code is shown by a document of its own (output.html): the frame's sandbox gives it no origin, and the policy that it
// comes with lets it load and send nothing. What it says to this page is little, and is not believed beyond bounds.

const leastHeight = 24;
const mostHeight = 640;

const listeners = new WeakMap(); // by frame

addEventListener('message', (event) => {
  for (const frame of document.querySelectorAll('.html-frame')) {
    if (frame.contentWindow === event.source) listeners.get(frame)(event.data);
  }
});

/** htmlFrame shows HTML, and offers to run the scripts in it. They could reach nothing but the network, and that only in browsers that let
    a frame do so; but nobody has asked for it yet. */
export function htmlFrame(html) {
  if (typeof html !== 'string') throw new TypeError('no text');
  const el = h('div', null);
  const run = h('button', { class: 'small', type: 'button', onclick: () => el.replaceChildren(frame(html, true)) }, icon('play'), 'Run its scripts');
  el.append(frame(html, false, () => el.append(run)));
  return el;
}

function frame(html, runs, onScripts) {
  const el = h('iframe', {
    class: 'html-frame', sandbox: 'allow-scripts', src: `playground/output${runs ? '?scripts=true' : ''}`, referrerpolicy: 'no-referrer', title: 'HTML output',
  });
  let sent = false;
  listeners.set(el, (message) => {
    if (message?.ready === true && !sent) {
      sent = true; // once: what runs in it could load its document anew for ever
      el.contentWindow.postMessage({ html, scheme: isDark() ? 'dark' : 'light' }, '*'); // a document without an origin has no name
    } else if (Number.isFinite(message?.height)) {
      el.style.height = `${Math.min(mostHeight, Math.max(leastHeight, Math.ceil(message.height)))}px`;
    } else if (message?.scripts === true) {
      onScripts?.();
    }
  });
  return el;
}
