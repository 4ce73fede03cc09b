import { ApiError, filePath, pause, sentence, sessionPath } from './api.js';
import { Cell } from './cell.js';
import { Channel } from './channel.js';
import { announce, h } from './dom.js';

const retryLeast = 500; // ms
const retryMost = 10_000;
const mostRemembered = 200; // cells that may still write

/** Session is one on the daemon, or one that the first code will begin. It runs code over a channel, and follows what was begun when the
    channel breaks. */
export class Session {
  info = null; // as the daemon last listed it; null where it is not there
  gone = null; // why it is no more
  #api;
  #app;
  #channel;
  #runs = new Map(); // those that have not ended, by ref
  #cells = new Map(); // by execution, for what is written behind them
  #refs = 0;
  #ended = new AbortController();

  /** App is told: changed(session), executed(session), broken(session), draft(code), and answered(). */
  constructor(api, app, transcript, id, owner) {
    this.#api = api;
    this.#app = app;
    this.transcript = transcript;
    this.id = id;
    this.owner = owner; // undefined for one's own
    this.#channel = new Channel(() => api.socket(sessionPath(this, '/channel')), (message) => this.#hear(message), () => this.#broken());
  }

  get busy() {
    return this.#runs.size > 0 || this.info?.state === 'busy';
  }

  /** run shows a new cell, and runs its code after those before it. */
  async run(code) {
    const run = this.#begin(code);
    this.#app.changed(this);
    try {
      if (this.gone) throw new ApiError(410, this.gone.code, this.gone.message);
      await this.#channel.ready();
      this.#channel.send({ type: 'execute', ref: run.ref, code, on_disconnect: 'continue' });
    } catch (err) {
      this.#refuse(run, err);
    }
  }

  #begin(code) {
    const ref = String(++this.#refs);
    const cell = new Cell(code, {
      answer: (text) => this.#answer(text),
      edit: (text) => this.#app.draft(text),
      again: (text) => this.run(text),
    });
    const run = { ref, code, cell, execution: '', count: undefined, seq: 0, doubtful: false };
    this.#runs.set(ref, run);
    this.transcript.add(cell);
    return run;
  }

  #hear(message) {
    const run = this.#runs.get(message.ref);
    if (message.type === 'refused') {
      const err = new ApiError(message.status, message.code, sentence(message.detail));
      if (run) this.#refuse(run, err);
      else announce(err.message);
    } else if (message.background) {
      this.#cells.get(message.execution_id)?.handle(message);
    } else if (run) {
      this.#deliver(run, message);
    }
  }

  #deliver(run, event) {
    if (event.seq <= run.seq) return; // heard before the channel broke
    run.seq = event.seq;
    run.execution = event.execution_id;
    run.cell.handle(event);
    if (event.type === 'started') {
      this.#remember(event.execution_id, run.cell);
      run.count = event.execution_count;
      this.info ??= { session_id: this.id, state: 'busy', execution_id: event.execution_id }; // the list says the rest
    }
    if (event.type !== 'done') return;
    this.#runs.delete(run.ref);
    if (this.info?.execution_id === run.execution) this.info = { ...this.info, state: 'idle', execution_id: undefined };
    if (this.info) this.info = { ...this.info, execution_count: run.count }; // of those that have ended
    this.#app.executed(this);
  }

  #remember(execution, cell) {
    this.#cells.set(execution, cell);
    if (this.#cells.size > mostRemembered) this.#cells.delete(this.#cells.keys().next().value);
  }

  #refuse(run, err) {
    this.#runs.delete(run.ref);
    const isGone = err.status === 410;
    if (isGone) this.gone = err;
    const again = h('button', { type: 'button', onclick: () => this.run(run.code) }, 'Run again');
    run.cell.refused(err.message, isGone ? null : again);
    this.#app.changed(this);
  }

  /** broken follows by other means what the channel has begun. What it had not said that it had begun is found again, or not, by listed. */
  #broken() {
    for (const run of this.#runs.values()) {
      if (run.execution) this.#resume(run);
      else run.doubtful = true;
    }
    this.#app.broken(this);
  }

  /** resume follows an execution until it ends, however often that takes to reach the daemon. */
  async #resume(run) {
    const path = () => {
      const owner = this.owner === undefined ? '' : `&owner=${encodeURIComponent(this.owner)}`;
      return `v1/executions/${encodeURIComponent(run.execution)}/events?after=${run.seq}${owner}`;
    };
    for (let delay = retryLeast; this.#runs.has(run.ref); delay = Math.min(retryMost, delay * 2)) {
      const before = run.seq;
      try {
        await this.#api.events(path(), (event) => this.#deliver(run, event), this.#ended.signal);
      } catch (err) {
        if (this.#ended.signal.aborted || err.status === 401) return;
        if (err.status === 404 || err.status === 410) {
          this.#refuse(run, err.status === 410 ? err : new ApiError(404, err.code, 'What came of this is not known any more.'));
          return;
        }
        delay = Math.max(delay, (err.retryAfter ?? 0) * 1000);
      }
      if (run.seq > before) delay = retryLeast;
      if (this.#runs.has(run.ref)) await pause(delay);
    }
  }

  /** listed takes what the daemon says of the session, null where it has none. What runs there is shown if this page has begun it, or
      has just opened the session. */
  listed(info) {
    const isFirst = !this.info;
    this.info = info;
    if (info) this.gone = null;
    const running = info?.execution_id;
    const isKnown = !running || this.#cells.has(running) || [...this.#runs.values()].some((run) => run.execution === running);
    const [doubtful, ...others] = [...this.#runs.values()].filter((run) => run.doubtful);
    if (!isKnown && (doubtful || isFirst && !this.#runs.size)) {
      const run = doubtful ?? this.#begin(null);
      run.doubtful = false;
      run.execution = running;
      this.#resume(run);
    } else if (doubtful) {
      others.unshift(doubtful);
    }
    for (const run of others) {
      this.#refuse(run, new ApiError(0, 'unreachable', 'The connection broke before the session answered. Nobody knows whether this ran.'));
    }
  }

  /** connect opens the channel of a session that is there, so that what is written behind its cells is seen. */
  connect() {
    if (this.info && !this.#channel.isOpen) this.#channel.ready().catch(() => {}); // tried again with the next list
  }

  disconnect() {
    if (!this.#runs.size) this.#channel.close();
  }

  async #answer(text) {
    this.#app.answered();
    try {
      await this.#channel.ready();
      this.#channel.send({ type: 'input', text });
    } catch (err) {
      announce(err.message);
    }
  }

  /** interrupt stops what runs. Not over the channel alone: it may be broken, or somebody else's code run. */
  async interrupt() {
    if (this.#channel.isOpen) this.#channel.send({ type: 'interrupt' });
    else await this.#api.request('POST', sessionPath(this, '/interrupt'));
  }

  /** ensure makes the session if no code has. */
  async ensure() {
    if (this.gone) throw this.gone;
    if (!this.info) this.listed(await this.#api.json('POST', 'v1/sessions', { json: { session_id: this.id } }));
    this.#app.changed(this);
  }

  ask(below, options) {
    return this.#api.json(options?.json ? 'POST' : 'GET', sessionPath(this, below), options);
  }

  file(method, names, { directory, body, query } = {}) {
    return this.#api.request(method, sessionPath(this, filePath(names, directory), query), { body });
  }

  change(patch) {
    return this.#api.json('PATCH', sessionPath(this), { json: patch });
  }

  /** end ends the session on the daemon, and forgets that it was lost. */
  async end() {
    await this.#api.request('DELETE', sessionPath(this));
    this.gone = null;
    this.info = null;
    this.#app.changed(this);
  }

  /** look asks why a session is not listed any more. */
  async look() {
    try {
      this.listed(await this.#api.json('GET', sessionPath(this)));
    } catch (err) {
      if (err.status === 410) this.gone = err;
      if (err.status === 404 || err.status === 410) this.listed(null);
      else if (err.status !== 0) throw err;
    }
    this.#app.changed(this);
  }

  /** close forgets the session on this page. */
  close() {
    this.#runs.clear();
    this.#ended.abort();
    this.#channel.close();
    this.transcript.remove();
  }
}
