"""The most memory that a step of the lecture's network takes, batch 100, by tracemalloc, to which NumPy reports.

What a step leaves behind for the next one, gradients and what layers remember, is dropped at its end, so that nothing
is left out because it was there before. A compiled step's buffers stay, and are counted.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

import tinygraph as tg
from benchmarks.dense import Problem
from benchmarks.harness import Case, Goal, Side
from benchmarks.peers import COMPILED, EAGER, LECTURE
from models.two_layer_net import TwoLayerNet
from tests import lecture_layers

NAMES = ("W1", "b1", "W2", "b2")


def _net(p: Problem) -> TwoLayerNet:
    net = TwoLayerNet(*p.widths, dtype=p.dtype)
    for weight, array in zip(net.params.values(), p.weights(), strict=True):
        weight.data = array
    return net


def tinygraph(p: Problem) -> Side:
    net, x, t = _net(p), p.x, p.labels
    optimizer = tg.optim.SGD(net.params, lr=p.rate)

    def step() -> Any:
        loss = net.loss(x, t)
        loss.backward(retain_graph=False)
        optimizer.step()
        optimizer.zero_grad()
        return loss.data
    return Side(step, lambda loss: p.answer(loss, [w.data for w in net.params.values()]))


def compiled(p: Problem) -> Side:
    net, x, t = _net(p), p.x, p.labels
    optimizer = tg.optim.SGD(net.params, lr=p.rate)

    @tg.compile
    def step(x: Any, t: Any) -> Any:
        loss = net.loss(x, t)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss
    return Side(lambda: step(x, t), lambda loss: p.answer(loss.data, [w.data for w in net.params.values()]),
                kept=lambda: step.report(repeats=1).buffers)


def lecture(p: Problem) -> Side:
    x, t, rate = p.x, p.one_hot, p.dtype(p.rate)
    weights = dict(zip(NAMES, p.weights(), strict=True))

    def step() -> Any:
        net = lecture_layers.TwoLayerNet(weights)
        gradients = net.gradient(x, t)
        for name, w in weights.items():
            w -= rate * gradients[name]
        return net.lastLayer.loss
    return Side(step, lambda loss: p.answer(loss, weights.values()))


def cases() -> Iterator[Case]:
    for dtype in (np.float32, np.float64):
        p = Problem((784, 50, 10), 100, dtype, rate=0.01, scale=0.01)
        yield Case("memory", f"peak memory of the lecture's step, batch 100, {dtype.__name__}",
                   {name: functools.partial(make, p) for name, make in
                    {EAGER: tinygraph, COMPILED: compiled, LECTURE: lecture}.items()},
                   (Goal(EAGER, (LECTURE,), at_most=1.1), Goal(COMPILED, (EAGER,), at_most=0.7)), dtype, "memory")
