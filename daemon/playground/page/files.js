import { announce, byId, h, icon, iconButton, save } from './dom.js';
import { ask } from './dialogs.js';
import { bytes } from './format.js';
import { plain } from './text.js';

/** Files shows the working directory of the session that is worked in, and moves files in and out. */
export class Files {
  #session;
  #where = []; // names of the directories that lead to what is shown
  #list = h('ul');
  #place = h('span', { class: 'where', dir: 'ltr' });
  #wrong = h('p', { class: 'wrong', role: 'alert' }); // what became of the last action; a list that comes later leaves it
  #up;

  /** current answers with the session. */
  constructor(current) {
    this.#session = current;
    const picker = h('input', { type: 'file', multiple: true, tabindex: '-1', 'aria-label': 'Files to upload', onchange: () => {
      this.#upload([...picker.files]);
      picker.value = '';
    } });
    this.#up = iconButton('folder', 'To the directory above', () => this.#go(this.#where.slice(0, -1)));
    const upload = h('button', { class: 'small', type: 'button', onclick: () => picker.click() }, icon('up'), 'Upload');
    const panel = byId('files');
    panel.append(h('div', { class: 'files-bar' }, this.#up, this.#place, iconButton('again', 'List again', () => this.#go(this.#where)), upload, picker), this.#wrong, this.#list);
    for (const type of ['dragover', 'drop']) {
      document.addEventListener(type, (event) => {
        if (event.dataTransfer?.types.includes('Files')) event.preventDefault(); // or the browser leaves the page for the file
      });
    }
    panel.addEventListener('dragover', (event) => {
      event.preventDefault();
      panel.classList.add('drop');
    });
    for (const end of ['dragleave', 'drop']) panel.addEventListener(end, () => panel.classList.remove('drop'));
    panel.addEventListener('drop', (event) => {
      event.preventDefault();
      this.#upload([...event.dataTransfer.files]);
    });
  }

  /** reset goes back to the working directory itself, as of another session. */
  reset() {
    this.#where = [];
    this.#list.replaceChildren();
    this.#wrong.textContent = '';
  }

  async show() {
    const session = this.#session();
    const where = this.#where;
    this.#place.textContent = ['~', ...where].map(plain).join('/');
    this.#up.hidden = where.length === 0;
    if (!session.info) {
      this.#empty('Files that you upload, or that your code writes, are listed here.');
      return;
    }
    try {
      const listing = await (await session.file('GET', where, { directory: true })).json();
      if (session !== this.#session() || where !== this.#where) return;
      if (!listing.entries.length) this.#empty(where.length ? 'Nothing is in this directory.' : 'No files yet. Drop some here, or let your code write them.');
      else this.#list.replaceChildren(...listing.entries.map((entry) => this.#row(entry)), listing.truncated ? h('li', { class: 'note' }, 'There are more.') : '');
    } catch (err) {
      if (session !== this.#session() || where !== this.#where) return;
      if (err.status === 404 && where.length) {
        this.#where = [];
        await this.show();
      } else if (err.status !== 404) {
        this.#list.replaceChildren(h('li', { class: 'wrong', role: 'alert' }, err.message));
      }
    }
  }

  #empty(why) {
    this.#list.replaceChildren(h('li', { class: 'empty' }, why));
  }

  #go(where) {
    this.#where = where;
    this.#wrong.textContent = '';
    return this.show();
  }

  #row({ name, path, type, size }) {
    const names = [...this.#where, name];
    const isDirectory = type === 'directory';
    const shown = plain(name);
    const reachable = path !== null && (isDirectory || type === 'file');
    const open = h('button', {
      class: 'open', type: 'button', disabled: !reachable, title: isDirectory ? `Open ${shown}` : `Download ${shown}`,
      onclick: () => (isDirectory ? this.#go(names) : this.#download(names)),
    }, icon(isDirectory ? 'folder' : 'file'), h('span', { class: 'name' }, shown), h('span', { class: 'size' }, isDirectory ? '' : type === 'file' ? bytes(size) : type));
    const remove = iconButton('trash', `Delete ${shown}`, () => this.#remove(names, isDirectory));
    if (path === null) remove.hidden = true; // its name is not UTF-8: nobody can ask for it
    return h('li', { class: 'file' }, open, remove);
  }

  async #download(names) {
    await this.#attempt(async () => {
      const response = await this.#session().file('GET', names);
      save(await response.blob(), names.at(-1));
    });
  }

  async #remove(names, isDirectory) {
    const what = plain(names.at(-1));
    if (!await ask(`Delete ${what}?`, isDirectory ? 'The directory and all that is in it go.' : 'The file goes for good.', 'Delete')) return;
    await this.#attempt(() => this.#session().file('DELETE', names, { query: isDirectory ? { recursive: 'true' } : {} }));
    await this.show();
  }

  async #upload(files) {
    const session = this.#session();
    const where = this.#where;
    await this.#attempt(async () => {
      await session.ensure();
      for (const file of files) {
        announce(`Uploading ${file.name}`);
        await session.file('PUT', [...where, file.name], { body: file });
      }
      announce(files.length === 1 ? `${files[0].name} is uploaded` : `${files.length} files are uploaded`);
    });
    await this.show();
  }

  async #attempt(action) {
    this.#wrong.textContent = '';
    try {
      await action();
    } catch (err) {
      this.#wrong.textContent = err.message;
    }
  }
}
