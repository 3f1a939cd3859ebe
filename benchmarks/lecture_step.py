"""One training step of the lecture's network (784-50-10, batch 100), beside the lecture's own layers.

Forward, backward and the update of the weights; the same data, labels and weights, after checking that both compute the
same gradients. Run it with ``python -m benchmarks.lecture_step``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.interleave import interleave, machine, report
from models.two_layer_net import TwoLayerNet
from tests import lecture_layers


def steps(dtype: type, batch: int = 100) -> dict[str, Callable[[], object]]:
    """The contenders: a step on one-hot labels, as in the lecture, by each of the two."""
    rng = np.random.default_rng(0)
    x = rng.random((batch, 784)).astype(dtype)
    t = np.eye(10, dtype=dtype)[rng.integers(0, 10, batch)]
    net = TwoLayerNet(784, 50, 10, seed=0, dtype=dtype)
    by_hand = lecture_layers.TwoLayerNet({name: w.data.copy() for name, w in net.params.items()})
    for name, gradient in by_hand.gradient(x, t).items():
        np.testing.assert_allclose(net.gradient(x, t)[name], gradient, atol=1e-6)
    rate = dtype(1e-4)

    def tinygraph() -> object:
        for w in net.params.values():
            w.zero_grad()
        loss = net.loss(x, t)
        loss.backward()
        for w in net.params.values():
            w.data -= rate * w.grad
        return loss

    def lecture() -> object:
        gradients = by_hand.gradient(x, t)
        for name, w in by_hand.params.items():
            w -= rate * gradients[name]
        return by_hand.lastLayer.loss

    return {"tinygraph": tinygraph, "the lecture's layers": lecture}


if __name__ == "__main__":
    print(machine())
    for dtype in (np.float64, np.float32):
        report(f"a training step, 784-50-10, batch 100, {dtype.__name__}", interleave(steps(dtype), seconds=6))
