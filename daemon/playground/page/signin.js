import { Api } from './api.js';
import { byId } from './dom.js';

// The key is kept by the tab alone, and forgotten with it. Signing out loads the page anew, so that nothing of what was seen is left.

const storeKey = 'fastpyrepl.key';
const reasonKey = 'fastpyrepl.reason';

// What a header and a subprotocol can carry.
const possible = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,512}$/;

const probe = 'v1/sessions';

/** signIn answers with a key that the daemon takes, null where it asks for none. */
export async function signIn() {
  const stored = sessionStorage.getItem(storeKey);
  for (;;) {
    const found = await attempt(stored);
    if (found.taken) return stored;
    if (found.status === 401) break;
    await unreachable(found.message);
  }
  sessionStorage.removeItem(storeKey);
  const reason = sessionStorage.getItem(reasonKey) ?? '';
  sessionStorage.removeItem(reasonKey);
  const key = await form(stored && !reason ? 'The key is not known any more.' : reason);
  sessionStorage.setItem(storeKey, key);
  return key;
}

/** signOut forgets the key, and says why if there is a reason. */
export function signOut(reason) {
  sessionStorage.clear();
  if (reason) sessionStorage.setItem(reasonKey, reason);
  history.replaceState(null, '', location.pathname); // the session's name goes, too
  location.reload();
}

async function attempt(key) {
  try {
    await new Api(key, () => {}).request('GET', probe);
    return { taken: true };
  } catch (err) {
    return err;
  }
}

/** unreachable says what is wrong, and waits until somebody wants to try again. */
function unreachable(message) {
  return show(message, 'Try again', false);
}

async function form(wrong) {
  for (;;) {
    const key = await show(wrong, 'Sign in', true);
    if (!possible.test(key)) {
      wrong = key ? 'No key has such characters.' : 'A key is needed.';
      continue;
    }
    const found = await attempt(key);
    if (found.taken) {
      byId('sign-in').hidden = true;
      byId('key').value = '';
      return key;
    }
    wrong = found.status === 401 ? 'This key is not known here.' : found.message;
  }
}

/** show shows the form and answers with the key when it is sent. */
function show(wrong, action, needsKey) {
  const page = byId('sign-in');
  const [el, field, button] = [page.querySelector('form'), byId('key'), page.querySelector('button')];
  page.hidden = false;
  byId('key-wrong').textContent = wrong;
  button.textContent = action;
  button.disabled = false;
  for (const part of [field, page.querySelector('label'), byId('key-note')]) part.hidden = !needsKey;
  (needsKey ? field : button).focus();
  field.select();
  return new Promise((resolve) => {
    el.addEventListener('submit', (event) => {
      event.preventDefault();
      button.disabled = true;
      page.hidden = page.hidden || !needsKey;
      resolve(field.value.trim());
    }, { once: true });
  });
}
