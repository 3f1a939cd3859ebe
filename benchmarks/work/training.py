"""The whole training of the lecture's network on MNIST: 10,000 iterations at batch 100, float64. It takes minutes.

As in the lecture's script: a batch drawn at random, its gradient, the update, and twice an epoch's worth of accuracy
after every 600 iterations. Without the files of MNIST it trains on the digits that come along.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import tinygraph as tg
from benchmarks.harness import Case, Goal, Side
from benchmarks.peers import COMPILED, EAGER, LECTURE
from models.two_layer_net import TwoLayerNet
from tests import lecture_layers

ITERATIONS, BATCH, EPOCH, RATE = 10_000, 100, 600, 0.1


@functools.cache
def data() -> Any:
    """Images in [0, 1] and one-hot labels: of training and of test."""
    return tg.data.load("mnist" if tg.data.find_mnist() is not None else "digits", one_hot_label=True,
                        dtype=np.float64)


def training(step: Callable[[Any, Any], Any], accuracy: Callable[[Any, Any], float]) -> list[float]:
    """The lecture's loop: the losses, then the accuracy on the test data at the end."""
    found, draw = data(), np.random.default_rng(0)
    losses = []
    for i in range(ITERATIONS):
        rows = draw.choice(len(found.x_train), BATCH)
        losses.append(float(step(found.x_train[rows], found.t_train[rows])))
        if i % EPOCH == 0:
            accuracy(found.x_train, found.t_train)
            last = accuracy(found.x_test, found.t_test)
    return [*losses[:100], last]


def _side(step: Callable[[], list[float]]) -> Side:
    return Side(step, lambda result: {"losses": np.array(result[:-1]), "accuracy": np.round(result[-1:], 2)})


def _net() -> TwoLayerNet:
    return TwoLayerNet(data().input_size, 50, data().classes, seed=0)


def _tinygraph(compile: bool) -> Side:
    def train() -> list[float]:
        net = _net()
        optimizer = tg.optim.SGD(net.params, lr=RATE)

        def step(x: Any, t: Any) -> Any:
            optimizer.zero_grad()
            loss = net.loss(x, t)
            loss.backward(retain_graph=False)
            optimizer.step()
            return loss
        return training(tg.compile(step) if compile else step, net.accuracy)
    return _side(train)


def lecture() -> Side:
    def train() -> list[float]:
        net = lecture_layers.TwoLayerNet({name: w.data for name, w in _net().params.items()})

        def step(x: Any, t: Any) -> Any:
            gradients = net.gradient(x, t)
            loss = net.lastLayer.loss
            for name in ("W1", "b1", "W2", "b2"):
                net.params[name] -= RATE * gradients[name]
            net.loss(x, t)  # as the script does, for its curve
            return loss
        return training(step, net.accuracy)
    return _side(train)


def cases() -> Iterator[Case]:
    yield Case("training", f"the whole training of the lecture's network, {ITERATIONS:,} iterations, float64",
               {EAGER: lambda: _tinygraph(False), COMPILED: lambda: _tinygraph(True), LECTURE: lecture},
               (Goal(EAGER, (LECTURE,), at_least=1.3), Goal(COMPILED, (LECTURE,), at_least=1.8)), steps=1)
