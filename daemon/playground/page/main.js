import { Api } from './api.js';
import { themeButton } from './appearance.js';
import { byId } from './dom.js';
import { signIn, signOut } from './signin.js';
import { Workbench } from './workbench.js';

// The page: a key if one is needed, then the workbench.

themeButton();
const key = await signIn();
const workbench = new Workbench(new Api(key, (err) => signOut(err.message)));
byId('app').hidden = false;
if (key) {
  byId('leave-button').hidden = false;
  byId('leave-button').addEventListener('click', () => signOut());
}
workbench.start();
