import { byId, h } from './dom.js';
import { welcome } from './examples.js';

const mostCells = 200; // of one session

/** Transcript is the cells of one session. Those of other sessions stay in the document, for a frame that leaves it loses what it shows. */
export class Transcript {
  #welcome;
  #cells = [];

  constructor(onExample) {
    this.#welcome = welcome(onExample);
    this.el = h('div', { hidden: true }, this.#welcome);
    byId('transcript').append(this.el);
  }

  add(cell) {
    this.#welcome.remove();
    this.#cells.push(cell);
    this.el.append(cell.el);
    if (this.#cells.length > mostCells) this.#cells.shift().el.remove();
    scroller.toEnd();
  }

  show(shown) {
    this.el.hidden = !shown;
    if (shown) scroller.toEnd();
  }

  remove() {
    this.el.remove();
  }
}

/** scroller keeps the end in sight while it grows, unless somebody has scrolled away from it. */
const scroller = {
  follows: true,
  top: 0,
  toEnd() {
    this.follows = true;
    const el = byId('transcript');
    el.scrollTop = el.scrollHeight;
  },
  /** start begins to follow what grows in the transcript. */
  start() {
    const el = byId('transcript');
    el.addEventListener('scroll', () => {
      const isAtEnd = el.scrollTop + el.clientHeight >= el.scrollHeight - 40;
      if (isAtEnd) this.follows = true;
      else if (el.scrollTop < this.top) this.follows = false; // what only grew has not gone up
      this.top = el.scrollTop;
    }, { passive: true });
    const grows = new ResizeObserver(() => {
      if (this.follows) el.scrollTop = el.scrollHeight;
    });
    grows.observe(el);
    new MutationObserver((changes) => {
      for (const change of changes) {
        for (const added of change.addedNodes) {
          if (added instanceof Element) grows.observe(added);
        }
      }
    }).observe(el, { childList: true });
  },
};

export const followEnd = () => scroller.start();
