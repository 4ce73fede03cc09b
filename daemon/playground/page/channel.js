import { ApiError } from './api.js';

/** Channel is the WebSocket of a session. It opens when it is needed and is closed by whoever made it; what was begun over it goes on
    when it breaks. */
export class Channel {
  #open;
  #onMessage;
  #onBreak;
  #socket = null; // one that is open or opens
  #ready = null;

  /** open makes a WebSocket; onMessage gets what it says, and onBreak is called when it ends by itself. */
  constructor(open, onMessage, onBreak) {
    this.#open = open;
    this.#onMessage = onMessage;
    this.#onBreak = onBreak;
  }

  /** ready opens the channel, if it is not. It throws an ApiError when that fails, which does not say why: browsers do not tell. */
  ready() {
    this.#ready ??= this.#connect();
    return this.#ready;
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  #connect() {
    const socket = this.#open();
    this.#socket = socket;
    return new Promise((resolve, reject) => {
      socket.addEventListener('open', () => resolve());
      socket.addEventListener('message', (event) => {
        if (this.#socket === socket) this.#onMessage(JSON.parse(event.data));
      });
      socket.addEventListener('close', (event) => {
        reject(new ApiError(0, 'unreachable', event.reason || 'the session cannot be reached'));
        if (this.#socket !== socket) return; // closed by us
        this.#socket = this.#ready = null;
        this.#onBreak(event.code, event.reason);
      });
    });
  }

  /** send sends a message over the open channel. */
  send(message) {
    this.#socket.send(JSON.stringify(message));
  }

  close() {
    const socket = this.#socket;
    this.#socket = this.#ready = null;
    socket?.close();
  }
}
