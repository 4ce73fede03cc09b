// The daemon's API. The key is in headers and subprotocols, never in a URL: those end up in logs and histories.

/** ApiError is an answer other than the one that was asked for. */
export class ApiError extends Error {
  constructor(status, code, detail, retryAfter) {
    super(detail);
    this.status = status; // 0: there was no answer
    this.code = code;
    this.retryAfter = retryAfter; // seconds
  }
}

/** sentence is the detail of a refusal: a sentence, or a list of what is wrong. */
export function sentence(detail) {
  if (Array.isArray(detail)) return detail.map(wrong).join('; ');
  return typeof detail === 'string' ? detail : 'the daemon refused';
}

/** wrong is one of a list of what is wrong: where in the body, if it is in one place, and what. */
function wrong({ loc, msg }) {
  const where = loc?.slice(1).join('.');
  const what = String(msg).replace(/^Value error, /, '');
  return where ? `${where}: ${what}` : what;
}

const lineBreak = 10;

export class Api {
  #key;
  #onUnauthorized;

  constructor(key, onUnauthorized) {
    this.#key = key;
    this.#onUnauthorized = onUnauthorized;
  }

  /** url of a path: relative, so that the daemon may stand behind a proxy that adds a prefix. */
  #url(path) {
    return new URL(path, document.baseURI);
  }

  /** request answers with the response, once its headers are there. It throws an ApiError unless all went well. */
  async request(method, path, { json, body, accept, signal } = {}) {
    const headers = {};
    if (this.#key) headers.Authorization = `Bearer ${this.#key}`;
    if (accept) headers.Accept = accept;
    if (json !== undefined) {
      headers['Content-Type'] = 'application/json';
      body = JSON.stringify(json);
    } else if (body) {
      headers['Content-Type'] = 'application/octet-stream';
    }
    let response;
    try {
      response = await fetch(this.#url(path), { method, headers, body, signal, credentials: 'omit', redirect: 'error' });
    } catch (err) {
      if (err.name === 'AbortError') throw err;
      throw new ApiError(0, 'unreachable', 'the daemon cannot be reached');
    }
    if (response.ok) return response;
    const problem = await response.json().catch(() => ({}));
    const error = new ApiError(response.status, problem.code ?? '', sentence(problem.errors ?? problem.detail ?? response.statusText),
      Number(response.headers.get('Retry-After')) || 0);
    if (error.status === 401) this.#onUnauthorized(error);
    throw error;
  }

  async json(method, path, options) {
    return (await this.request(method, path, options)).json();
  }

  /** events calls back with each object of a stream of JSON lines, and returns when it has ended. */
  async events(path, onEvent, signal) {
    const response = await this.request('GET', path, { accept: 'application/x-ndjson', signal });
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    const parts = []; // of a line that is not whole; joined once, as it may be megabytes
    for (;;) {
      let chunk;
      try {
        chunk = await reader.read();
      } catch {
        throw new ApiError(0, 'unreachable', 'the daemon cannot be reached');
      }
      if (chunk.done) return;
      let start = 0;
      for (let end; (end = chunk.value.indexOf(lineBreak, start)) >= 0; start = end + 1) {
        parts.push(decoder.decode(chunk.value.subarray(start, end), { stream: true }));
        const line = parts.join('');
        parts.length = 0;
        if (line.trim()) onEvent(JSON.parse(line));
      }
      parts.push(decoder.decode(chunk.value.subarray(start), { stream: true }));
    }
  }

  /** socket opens a WebSocket. A browser's cannot send headers, but names subprotocols. */
  socket(path) {
    const url = this.#url(path);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    return new WebSocket(url, this.#key ? ['fastpyrepl', `key.${this.#key}`] : ['fastpyrepl']);
  }
}

/** sessionPath is a path below a session. An owner is named where the session is somebody else's, which takes an administrator's key. */
export function sessionPath(session, below = '', query = {}) {
  const params = new URLSearchParams(query);
  if (session.owner !== undefined) params.set('owner', session.owner);
  const text = params.toString();
  return `v1/sessions/${encodeURIComponent(session.id)}${below}${text ? `?${text}` : ''}`;
}

/** filePath is the path below a session of what names lead to. Names come from the session, which may lie: one that would lead
    elsewhere is refused. */
export function filePath(names, directory) {
  for (const name of names) {
    if (name === '' || name === '.' || name === '..' || name.includes('/')) throw new ApiError(422, 'invalid', 'no file can have this name');
  }
  return ['/files', ...names.map(encodeURIComponent)].join('/') + (directory && names.length ? '/' : '');
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
