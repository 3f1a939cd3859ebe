"""One training step of the lecture's network (784-50-10, batch 100), beside the lecture's own layers and PyTorch.

Forward, backward and the update of the weights; the same data, labels and weights, after checking that both compute the
same gradients. Run it with ``python -m benchmarks.lecture_step``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import numpy as np

import tinygraph as tg
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

    compiled = TwoLayerNet(784, 50, 10, seed=0, dtype=dtype)

    @tg.compile
    def step(x: np.ndarray, t: np.ndarray) -> tg.Tensor:
        for w in compiled.params.values():
            w.zero_grad()
        loss = compiled.loss(x, t)
        loss.backward()
        for w in compiled.params.values():
            w.data -= rate * w.grad
        return loss

    hidden = np.maximum(x @ net.params["W1"].data, 0)
    seed = np.ones((batch, 10), dtype)
    buffers = [np.empty(shape, dtype) for shape in ((batch, 50), (batch, 10), (batch, 50), (50, 10), (784, 50))]

    def products() -> None:
        np.matmul(x, net.params["W1"].data, out=buffers[0])
        np.matmul(hidden, net.params["W2"].data, out=buffers[1])
        np.matmul(seed, net.params["W2"].data.T, out=buffers[2])
        np.matmul(hidden.T, seed, out=buffers[3])
        np.matmul(x.T, hidden, out=buffers[4])

    contenders: dict[str, Callable[[], object]] = {
        "tinygraph": tinygraph, "tinygraph compiled": lambda: step(x, t), "five bare products": products}
    with contextlib.suppress(ImportError):
        contenders["PyTorch eager"] = pytorch(net, x, t, float(rate))
    contenders["the lecture's layers"] = lecture
    return contenders


def pytorch(net: TwoLayerNet, x: np.ndarray, t: np.ndarray, rate: float) -> Callable[[], object]:
    """The same step as one writes it in PyTorch."""
    import torch
    torch.set_num_threads(1)
    W1, b1, W2, b2 = (torch.tensor(w.data, requires_grad=True) for w in net.params.values())
    rows, labels = torch.tensor(x), torch.tensor(t)

    def work() -> object:
        for w in (W1, b1, W2, b2):
            w.grad = None
        loss = torch.nn.functional.cross_entropy(torch.relu(rows @ W1 + b1) @ W2 + b2, labels)
        loss.backward()
        with torch.no_grad():
            for w in (W1, b1, W2, b2):
                w -= rate * w.grad
        return loss
    return work


if __name__ == "__main__":
    print(machine())
    for dtype in (np.float64, np.float32):
        report(f"a training step, 784-50-10, batch 100, {dtype.__name__}", interleave(steps(dtype), seconds=6))
