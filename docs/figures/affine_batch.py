"""Draw the lecture's affine layer for a mini-batch of N samples, from a live graph."""

from pathlib import Path

import numpy as np

import tinygraph as tg

rng = np.random.default_rng(0)
N = 4
X = tg.tensor(rng.standard_normal((N, 2)), requires_grad=True, name="X")
W = tg.tensor(rng.standard_normal((2, 3)), requires_grad=True, name="W")
B = tg.tensor(np.zeros(3), requires_grad=True, name="B")
Y = X @ W + B
Y.name = "Y"

hints = tg.Hints(sizes={"N": N})
for theme in ("light", "dark"):
    tg.draw(Y, show="shapes", hints=hints, theme=theme).save(Path(__file__).with_name(f"affine_batch-{theme}.svg"))
