import { pause } from './api.js';
import { byId, h, iconButton } from './dom.js';
import { bytes } from './format.js';

const every = 2500; // ms between two lists
const usageEvery = 4000; // ms, which is two lists; the engine takes a second to tell
const afterFailure = 1000; // ms, doubled up to the next
const longest = 8000;

/** SessionList shows the sessions that the daemon has, and the one that is worked in, and asks for them while somebody looks. */
export class SessionList {
  #api;
  #app;
  #rows = new Map(); // by key
  #figures = new Map(); // what each uses, by key
  #nextFigures = 0;
  #wake = () => {};

  /** App has: current (a Session), choose(info), end(info), listed(infos), which may take its time, measured(), and
      reachable(error or null). */
  constructor(api, app) {
    this.#api = api;
    this.#app = app;
  }

  start() {
    document.addEventListener('visibilitychange', () => this.soon());
    this.#poll();
  }

  /** soon asks at once rather than in a while. */
  soon() {
    this.#wake();
  }

  /** measured is info with what the session uses. */
  measured(info) {
    return { ...info, ...this.#figures.get(key(info)) };
  }

  async #poll() {
    const isWatched = () => document.visibilityState === 'visible';
    for (let failures = 0; ; ) {
      const woken = new Promise((resolve) => { this.#wake = resolve; }); // also while this round goes on
      let wait = every;
      if (isWatched()) {
        try {
          const { sessions } = await this.#api.json('GET', 'v1/sessions');
          failures = 0;
          this.#app.reachable(null);
          await this.#app.listed(sessions);
          if (sessions.length) this.#measure();
        } catch (err) {
          if (err.status === 401) return;
          wait = Math.max(Math.min(longest, afterFailure * 2 ** failures++), (err.retryAfter ?? 0) * 1000);
          this.#app.reachable(err);
        }
      }
      if (failures) await pause(wait); // which nobody cuts short: the daemon may have asked for it
      else await (isWatched() ? Promise.race([woken, pause(wait)]) : woken);
    }
  }

  /** measure asks what the sessions use, and makes a share of a core out of two readings. */
  async #measure() {
    const now = performance.now();
    if (now < this.#nextFigures) return;
    this.#nextFigures = Infinity; // one question at a time
    try {
      const { sessions } = await this.#api.json('GET', 'v1/sessions?usage=true');
      const at = performance.now();
      const before = this.#figures;
      this.#figures = new Map(sessions.filter((info) => info.usage).map((info) => {
        const last = before.get(key(info));
        const cpu = last && Math.max(0, (info.usage.cpu_time - last.usage.cpu_time) / ((at - last.at) / 1000));
        return [key(info), { usage: info.usage, cpu, at }];
      }));
      this.#app.measured();
    } catch {
      // The next list says what is wrong.
    }
    this.#nextFigures = now + usageEvery;
  }

  /** show shows the sessions, and the one that is worked in also where it is not among them. */
  show(sessions) {
    const { current } = this.#app;
    const all = sessions.map((info) => ({ key: key(info), info }));
    const currentKey = key({ session_id: current.id, owner: current.info?.owner ?? current.owner });
    if (!current.info) all.push({ key: currentKey, info: { session_id: current.id, owner: current.owner, state: current.gone ? 'gone' : 'new' } });
    all.sort((a, b) => order(b.info.created_at ?? '~', a.info.created_at ?? '~') || order(a.key, b.key)); // the newest first
    const keep = new Set(all.map((row) => row.key));
    for (const [name, row] of this.#rows) {
      if (keep.has(name)) continue;
      row.el.remove();
      this.#rows.delete(name);
    }
    const list = byId('session-list');
    all.forEach((one, i) => {
      const row = this.#rows.get(one.key) ?? this.#row(one.key);
      row.fill(one.info, one.key === currentKey);
      if (list.children[i] !== row.el) list.insertBefore(row.el, list.children[i] ?? null);
    });
  }

  #row(name) {
    let info;
    const dot = h('span', { class: 'dot' });
    const title = h('span', { class: 'name' });
    const about = h('span', { class: 'about' });
    const meter = h('meter', { min: '0', max: '1', high: '.85', optimum: '0', value: '0' });
    const choose = h('button', { class: 'choose', type: 'button', onclick: () => this.#app.choose(info) }, dot, title, about, meter);
    const end = iconButton('trash', 'End', () => this.#app.end(info));
    const el = h('li', { class: 'session' }, choose, end);
    const fill = (now, isCurrent) => {
      info = now;
      dot.dataset.state = now.state;
      title.textContent = label(now);
      about.textContent = summary(now);
      meter.hidden = !now.usage;
      if (now.usage && now.limits) {
        meter.value = Math.min(1, now.usage.memory / now.limits.memory);
        meter.setAttribute('aria-label', `Memory of ${label(now)}`);
        meter.title = `${bytes(now.usage.memory)} of ${bytes(now.limits.memory)}`;
      }
      el.toggleAttribute('data-current', isCurrent);
      if (isCurrent) choose.setAttribute('aria-current', 'true');
      else choose.removeAttribute('aria-current');
      end.setAttribute('aria-label', `End ${label(now)}`);
      end.hidden = now.state === 'new';
    };
    const row = { el, fill };
    this.#rows.set(name, row);
    return row;
  }
}

const order = (a, b) => Number(a > b) - Number(a < b);

const key = (info) => `${info.owner ?? ''}/${info.session_id}`;

const label = (info) => (info.foreign ? `${info.owner} / ${info.session_id}` : info.session_id);

const states = { new: 'starts with the first run', gone: 'gone', starting: 'starting' };

/** summary is the line about a session: its state, and what it uses. */
export function summary(info) {
  const parts = [states[info.state] ?? (info.queued ? `${info.state}, ${info.queued} waiting` : info.state)];
  if (info.usage) parts.push(bytes(info.usage.memory));
  if (info.cpu !== undefined) parts.push(`${Math.round(info.cpu * 100)}% CPU`);
  return parts.join(' · ');
}
