import { h } from './dom.js';

const examples = [
  ['A plot', 'matplotlib figures are shown at the end of the cell', `import numpy as np
import matplotlib.pyplot as plt

x = np.linspace(0, 4 * np.pi, 400)
plt.figure(figsize=(7, 3))
for k in range(1, 4):
    plt.plot(x, np.sin(k * x) / k, label=f"sin({k}x)/{k}")
plt.legend()
plt.show()`],
  ['A table', 'the last expression of a cell is its result', `import pandas as pd

pd.DataFrame({
    "planet": ["Mercury", "Venus", "Earth", "Mars"],
    "radius_km": [2439.7, 6051.8, 6371.0, 3389.5],
    "moons": [0, 0, 1, 2],
})`],
  ['Live output', 'Stop interrupts it; the variables stay', `import time

for i in range(1, 101):
    print(f"\\rcounting {'█' * (i // 4):<25} {i}%", end="")
    time.sleep(0.05)
print("\\n\\033[32mdone\\033[0m")`],
  ['A question', 'input() asks you', `name = input("What is your name? ")
print(f"Hello, {name}!")`],
];

/** welcome is what stands where there are no cells yet. */
export function welcome(onExample) {
  return h('section', { class: 'welcome' },
    h('h2', null, 'Write some Python, and run it'),
    h('p', null, 'A session is a container of its own, without network. Its variables and files stay until it ends. Begin with one of these:'),
    h('div', { class: 'examples' }, ...examples.map(([title, about, code]) =>
      h('button', { class: 'example', type: 'button', onclick: () => onExample(code) }, h('b', null, title), h('span', null, about)))));
}
