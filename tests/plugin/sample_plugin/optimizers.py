"""An optimizer of another package."""

from __future__ import annotations

import numpy as np

from tinygraph.optim import Optimizer, register


@register("sign")
class SignDescent(Optimizer):
    """Each weight by the learning rate, against the sign of its gradient."""

    def update(self, name, weight, g):
        weight.data -= self.lr * np.sign(g)
