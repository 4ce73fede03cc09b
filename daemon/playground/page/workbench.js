import { sessionPath } from './api.js';
import { ask, help, newSession, sessionDetails } from './dialogs.js';
import { announce, byId, h } from './dom.js';
import { Editor } from './editor.js';
import { Files } from './files.js';
import { newName, sessionName } from './names.js';
import { Session } from './session.js';
import { SessionList, summary } from './sessions.js';
import { followEnd, Transcript } from './transcript.js';
import { showVariables } from './variables.js';

/** Workbench is the page of somebody who is signed in: sessions, one of which is worked in, the editor, and panels about the session. */
export class Workbench {
  current = null;
  #api;
  #infos = []; // as last listed
  #sessions = new Map(); // that were opened, by key
  #owners = new Map(); // whether they are somebody else, by name
  #list;
  #editor;
  #files;
  #panel = 'variables';
  #isPanelOld = false; // what it shows could not be asked for
  #unreachable = null; // why no list came
  #notice = ''; // what went wrong, until somebody has seen it

  constructor(api) {
    this.#api = api;
  }

  start() {
    this.#editor = new Editor(byId('editor'), { run: (code) => this.#run(code), complete: (code, cursor) => this.#complete(code, cursor) });
    this.#files = new Files(() => this.current);
    this.#list = new SessionList(this.#api, this);
    followEnd();
    const named = location.hash.slice(1);
    this.#open(sessionName.test(named) ? named : newName(() => false));
    this.#buttons();
    this.#editor.focus();
    this.#list.start();
  }

  #buttons() {
    const on = (id, action) => byId(id).addEventListener('click', action);
    on('run-button', () => {
      this.#editor.run(false);
      this.#editor.focus();
    });
    on('stop-button', () => this.#stop());
    on('new-button', () => this.#new());
    on('session-button', () => this.#details());
    on('help-button', help);
    on('side-button', () => this.#toggleSide());
    for (const name of ['variables', 'files']) on(`${name}-tab`, () => this.#showPanel(name));
    byId('side').querySelector('.tabs').addEventListener('keydown', (event) => {
      if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
      this.#showPanel(this.#panel === 'files' ? 'variables' : 'files');
      byId(`${this.#panel}-tab`).focus();
    });
    for (const button of document.querySelectorAll('.views button')) button.addEventListener('click', () => this.#view(button.dataset.show));
    document.addEventListener('keydown', (event) => {
      if (event.key === 'F1') help();
      else if (event.key === '.' && (event.ctrlKey || event.metaKey)) this.#stop();
      else return;
      event.preventDefault();
    });
  }

  // What a session tells.

  changed(session) {
    if (session === this.current) this.#show();
  }

  executed(session) {
    this.changed(session);
    this.#list.soon();
    if (session === this.current) this.#fillPanel();
  }

  broken(session) {
    this.changed(session);
    this.#list.soon();
  }

  /** answered puts the focus, which was in what asked, where the next is written. */
  answered() {
    this.#editor.focus();
  }

  draft(code) {
    this.#view('code');
    this.#editor.set(code);
    this.#editor.focus();
  }

  // What the list tells, and asks for.

  async listed(infos) {
    for (const info of infos) info.foreign = await this.#isForeign(info);
    this.#infos = infos;
    const was = this.current.info;
    for (const session of this.#sessions.values()) {
      const info = infos.find((one) => one.session_id === session.id && (one.foreign ? one.owner : undefined) === session.owner);
      if (info || !session.info) session.listed(info ?? null);
      else session.look();
    }
    this.current.connect();
    this.#show();
    const now = this.current.info;
    const isOther = now && now.execution_count !== was?.execution_count; // by somebody else's code: another tab's, say
    if (isOther || this.#isPanelOld) this.#fillPanel();
  }

  measured() {
    this.#show();
  }

  reachable(err) {
    this.#unreachable = err;
    this.#show();
  }

  choose(info) {
    this.#view('code');
    if (info.foreign !== undefined) this.#open(info.session_id, info.foreign ? info.owner : undefined, info);
    this.#editor.focus();
  }

  /** isForeign tells whether a session is somebody else's. Only an administrator's list has those; who one is oneself is found out by
      asking for one of the sessions without naming its owner. */
  async #isForeign({ owner, session_id: id }) {
    if (!owner) return false;
    if (!this.#owners.has(owner)) {
      const own = await this.#api.json('GET', sessionPath({ id })).catch(expect(404, 410));
      if (own?.owner === owner) this.#owners.set(owner, false);
      else if (await this.#api.json('GET', sessionPath({ id, owner })).catch(expect(403, 404, 410))) this.#owners.set(owner, true);
    }
    return this.#owners.get(owner) ?? false;
  }

  // What people do.

  #run(code) {
    this.#view('code');
    this.current.run(code);
  }

  async #stop() {
    if (!this.current.busy) return;
    announce('Stopping');
    await this.#attempt(() => this.current.interrupt());
  }

  #open(id, owner, info = null) {
    const key = `${owner ?? ''}/${id}`;
    let session = this.#sessions.get(key);
    if (!session) {
      session = new Session(this.#api, this, new Transcript((code) => this.draft(code)), id, owner);
      this.#sessions.set(key, session);
      if (info) session.listed(info);
    }
    this.current?.transcript.show(false);
    this.current?.disconnect();
    this.current = session;
    session.transcript.show(true);
    session.connect();
    history.replaceState(null, '', owner === undefined ? `#${id}` : '#');
    this.#files.reset();
    this.#show();
    this.#fillPanel();
  }

  #new() {
    const name = newName((taken) => this.#infos.some((info) => info.session_id === taken));
    newSession(name, async (body) => {
      const info = await this.#api.json('POST', 'v1/sessions', { json: body });
      info.foreign = false;
      this.#infos.push(info);
      this.choose(info);
      this.#list.soon();
    });
  }

  async #details() {
    const { current } = this;
    await this.#attempt(async () => {
      const info = await current.ask('');
      const answer = await sessionDetails(info, (patch) => current.change(patch));
      if (answer === 'end') await this.end({ ...info, foreign: current.owner !== undefined });
    });
    this.#list.soon();
  }

  async end(info) {
    const owner = info.foreign ? info.owner : undefined;
    if (!await ask(`End ${info.session_id}?`, 'Its variables and files go with it.', 'End session')) return;
    const done = await this.#attempt(() => this.#api.request('DELETE', sessionPath({ id: info.session_id, owner })));
    if (!done) return;
    announce(`${info.session_id} has ended`);
    this.#infos = this.#infos.filter((one) => !sameSession(one, info));
    this.#forget(info.session_id, owner);
    this.#list.soon();
  }

  /** forget closes a session on the page, and opens another if it was the one that is worked in. */
  #forget(id, owner) {
    const key = `${owner ?? ''}/${id}`;
    const session = this.#sessions.get(key);
    this.#sessions.delete(key);
    if (session === this.current) {
      const next = this.#infos.find((info) => !info.foreign);
      this.#open(next?.session_id ?? newName(() => false), undefined, next);
    }
    session?.close();
    this.#show();
  }

  async #attempt(action) {
    try {
      await action();
      return true;
    } catch (err) {
      announce(err.message);
      this.#notice = err.message;
      this.#show();
      return false;
    }
  }

  // What is shown.

  #show() {
    const { current } = this;
    const info = this.#list.measured(current.info ?? { session_id: current.id, state: current.gone ? 'gone' : 'new' });
    const state = current.busy ? 'busy' : info.state;
    byId('session-button').replaceChildren(h('span', { class: 'dot', 'data-state': state }), h('span', { class: 'name' }, current.id),
      h('span', { class: 'about' }, summary({ ...info, state })));
    byId('session-button').disabled = !current.info;
    byId('stop-button').hidden = !current.busy;
    document.title = `${current.id} · fastpyrepl`;
    this.#list.show(this.#infos.map((one) => this.#list.measured(sameSession(one, current.info) ? { ...one, state } : one)));
    this.#banner();
  }

  #banner() {
    const banner = byId('banner');
    const { gone } = this.current;
    const anew = () => this.#attempt(async () => {
      await this.current.end();
      this.#list.soon();
    });
    let parts = [];
    if (this.#unreachable) parts = [h('span', null, `${capital(this.#unreachable.message)}. Trying again…`)];
    else if (gone) parts = [h('span', null, `This session is gone: ${gone.message}`), h('button', { type: 'button', onclick: anew }, 'Start it anew, empty')];
    else if (this.#notice) parts = [h('span', null, capital(this.#notice)), h('button', { type: 'button', onclick: () => {
      this.#notice = '';
      this.#show();
    } }, 'Close')];
    const text = parts[0]?.textContent ?? '';
    if (banner.firstChild?.textContent === text && parts.length) return; // said once
    banner.hidden = parts.length === 0;
    banner.replaceChildren(...parts);
  }

  #toggleSide() {
    const app = byId('app');
    const isOpen = app.dataset.side !== 'closed';
    app.dataset.side = isOpen ? 'closed' : 'open';
    byId('side-button').setAttribute('aria-expanded', String(!isOpen));
    if (!isOpen) this.#fillPanel();
  }

  /** view shows one of the regions where there is room for one alone. */
  #view(name) {
    byId('app').dataset.view = name;
    for (const button of document.querySelectorAll('.views button')) button.setAttribute('aria-pressed', String(button.dataset.show === name));
    if (name === 'variables' || name === 'files') this.#showPanel(name);
  }

  #showPanel(name) {
    this.#panel = name;
    for (const other of ['variables', 'files']) {
      byId(other).hidden = other !== name;
      byId(`${other}-tab`).setAttribute('aria-selected', String(other === name));
      byId(`${other}-tab`).tabIndex = other === name ? 0 : -1;
    }
    this.#fillPanel();
  }

  #fillPanel() {
    if (this.#panel === 'files') this.#files.show();
    else this.#variables();
  }

  async #variables() {
    const { current } = this;
    this.#isPanelOld = false;
    if (!current.info) {
      showVariables(null);
      return;
    }
    if (current.busy) { // the answer would be a refusal
      this.#isPanelOld = true;
      return;
    }
    try {
      const list = await current.ask('/variables');
      if (current === this.current) showVariables(list);
    } catch (err) {
      if (current !== this.current) return;
      if (err.status === 409) this.#isPanelOld = true; // something runs, or is being started
      else showVariables(null, err.status === 404 ? undefined : err.message);
    }
  }

  async #complete(code, cursor) {
    const { current } = this;
    if (!current.info || current.busy) return null;
    return current.ask('/complete', { json: { code, cursor } }).catch(() => null);
  }
}

/** expect lets answers of these statuses be nothing. */
function expect(...statuses) {
  return (err) => {
    if (!statuses.includes(err.status)) throw err;
    return null;
  };
}

const sameSession = (a, b) => a.session_id === b?.session_id && a.owner === b?.owner;

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
