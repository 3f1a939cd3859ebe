"""The whole training of the lecture's network on MNIST: 10,000 iterations at batch 100, float64. It takes minutes.

As in the lecture's script: a batch drawn at random, its gradient, the update, and twice an epoch's worth of accuracy
after every 600 iterations. Each side is the script that its user would write: the lecture's draws row numbers, takes
rows of one-hot labels and measures all images at once; tinygraph's takes `Batches` of integer labels, of the same row
numbers, and measures by `accuracy_of`. Without the files of MNIST both train on the digits that come along.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

import tinygraph as tg
from benchmarks.harness import Case, Goal, Side
from benchmarks.peers import COMPILED, EAGER, LECTURE
from models.two_layer_net import TwoLayerNet
from tests import lecture_layers
from tinygraph.training import accuracy_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ITERATIONS, BATCH, EPOCH, RATE = 10_000, 100, 600, 0.1


@functools.cache
def data() -> tg.data.Dataset:
    """Images in [0, 1] and their labels: of training and of test."""
    return tg.data.load("mnist" if tg.data.find_mnist() is not None else "digits", dtype=np.float64)


def training(batch: Callable[[], tuple[Any, Any]], step: Callable[[Any, Any], Any],
             accuracies: Callable[[], tuple[float, float]]) -> list[float]:
    """The lecture's loop: its first losses, then the accuracies at the end."""
    losses = []
    for i in range(ITERATIONS):
        losses.append(float(step(*batch())))
        if i % EPOCH == 0:
            last = accuracies()
    return [*losses[:100], *last]


def _side(train: Callable[[], list[float]]) -> Side:
    return Side(train, lambda result: {"losses": np.array(result[:-2]), "accuracies": np.round(result[-2:], 2)})


def _net() -> TwoLayerNet:
    return TwoLayerNet(data().input_size, 50, data().classes, seed=0)


def _tinygraph(compile: bool) -> Side:
    def train() -> list[float]:
        found, net = data(), _net()
        optimizer = tg.optim.SGD(net.params, lr=RATE)
        batches = tg.data.Batches(found.x_train, found.t_train, BATCH, seed=0, replace=True)

        def step(x: Any, t: Any) -> Any:
            optimizer.zero_grad()
            loss = net.loss(x, t)
            loss.backward(retain_graph=False)
            optimizer.step()
            return loss

        def accuracies() -> tuple[float, float]:
            return accuracy_of(net, found.x_train, found.t_train), accuracy_of(net, found.x_test, found.t_test)
        return training(lambda: next(batches), tg.compile(step) if compile else step, accuracies)
    return _side(train)


def lecture() -> Side:
    found = data()
    t_train, t_test = (np.eye(found.classes)[t] for t in (found.t_train, found.t_test))

    def train() -> list[float]:
        net = lecture_layers.TwoLayerNet({name: w.data for name, w in _net().params.items()})
        draw = np.random.default_rng(0)

        def batch() -> tuple[Any, Any]:
            rows = draw.choice(len(found.x_train), BATCH)
            return found.x_train[rows], t_train[rows]

        def step(x: Any, t: Any) -> Any:
            gradients = net.gradient(x, t)
            loss = net.lastLayer.loss
            for name in ("W1", "b1", "W2", "b2"):
                net.params[name] -= RATE * gradients[name]
            net.loss(x, t)  # as the script does, for its curve
            return loss

        def accuracies() -> tuple[float, float]:
            return net.accuracy(found.x_train, t_train), net.accuracy(found.x_test, t_test)
        return training(batch, step, accuracies)
    return _side(train)


def cases() -> Iterator[Case]:
    yield Case("training", f"the whole training of the lecture's network, {ITERATIONS:,} iterations, float64",
               {EAGER: lambda: _tinygraph(False), COMPILED: lambda: _tinygraph(True), LECTURE: lecture},
               (Goal(EAGER, (LECTURE,), at_least=1.3), Goal(COMPILED, (LECTURE,), at_least=1.8)), steps=1)
