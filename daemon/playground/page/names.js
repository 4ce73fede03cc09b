// Names for sessions that people can tell apart.

const first = ['amber', 'bold', 'brisk', 'calm', 'clear', 'cosy', 'deft', 'eager', 'fair', 'fond', 'gentle', 'glad', 'keen', 'kind', 'lively',
  'lucid', 'mellow', 'merry', 'mild', 'neat', 'nimble', 'quick', 'quiet', 'sunny', 'swift', 'tidy', 'vivid', 'warm', 'wise', 'witty'];
const second = ['badger', 'beaver', 'crane', 'dove', 'falcon', 'finch', 'fox', 'hare', 'heron', 'ibis', 'jay', 'kite', 'lark', 'lynx', 'marten',
  'mole', 'moth', 'newt', 'otter', 'owl', 'panda', 'plover', 'puffin', 'raven', 'robin', 'seal', 'stork', 'swan', 'tern', 'wren'];

const pick = (words) => words[Math.floor(Math.random() * words.length)];

/** newName is one that taken does not have. */
export function newName(taken) {
  for (let n = 1; ; n++) {
    const name = `${pick(first)}-${pick(second)}${n > 20 ? `-${n}` : ''}`;
    if (!taken(name)) return name;
  }
}

export const sessionName = /^[A-Za-z0-9._-]{1,128}$/;
