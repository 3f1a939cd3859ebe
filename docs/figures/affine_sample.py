"""Draw the lecture's affine layer for one sample, from a live graph."""

from pathlib import Path

import numpy as np

import tinygraph as tg

rng = np.random.default_rng(0)
X = tg.tensor(rng.standard_normal(2), requires_grad=True, name="X")
W = tg.tensor(rng.standard_normal((2, 3)), requires_grad=True, name="W")
B = tg.tensor(np.zeros(3), requires_grad=True, name="B")
Y = X @ W + B
Y.name = "Y"

for theme in ("light", "dark"):
    tg.draw(Y, show="shapes", theme=theme).save(Path(__file__).with_name(f"affine_sample-{theme}.svg"))
