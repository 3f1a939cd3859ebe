"""Draw what tg.explain says of a weight behind a dead ReLU, on the graph of its loss."""

from pathlib import Path

import numpy as np

import tinygraph as tg

N = 4
X = tg.tensor(np.linspace(-1, 1, 3 * N).reshape(N, 3), name="X")
W1 = tg.tensor(np.linspace(-1, 1, 6).reshape(3, 2), requires_grad=True, name="W1")
b1 = tg.tensor(np.full(2, -9.0), requires_grad=True, name="b1")
W2 = tg.tensor(np.linspace(-1, 1, 4).reshape(2, 2), requires_grad=True, name="W2")
b2 = tg.tensor(np.zeros(2), requires_grad=True, name="b2")
t = tg.tensor(np.array([0, 1, 0, 1]), name="t")

loss = tg.softmax_with_loss(tg.affine(tg.relu(tg.affine(X, W1, b1)), W2, b2), t)
loss.backward()

answer = tg.explain(W1, loss)
hints = tg.Hints(sizes={"N": N})
for theme in ("light", "dark"):
    answer.draw(show="shapes", hints=hints, theme=theme).save(Path(__file__).with_name(f"dead_relu-{theme}.svg"))
