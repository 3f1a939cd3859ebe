"""The cost of an op, forward and backward, held against the plain NumPy calls that it makes, by pytest-benchmark.

``make bench`` runs it; it is no part of the test suite, which times nothing. ``--benchmark-compare`` sets a run beside
an earlier one that ``--benchmark-autosave`` kept.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import pytest

import tinygraph as tg

LENGTH = 1_000
START = np.linspace(0.1, 1.0, 10)
ONES = np.ones(10)

LIMIT = 12.0
"""An op with its backward costs less than so many bare NumPy calls of its size."""


def chained(x, length=LENGTH):
    y = x
    for _ in range(length // 2):
        y = y * 1.0001
        y = y + x
    return y


def recorded():
    x = tg.tensor(START, requires_grad=True)
    y = chained(x)
    y.backward(ONES, retain_graph=False)


def by_function():
    x = tg.tensor(START, requires_grad=True)
    y = x
    for _ in range(LENGTH):
        y = np.tanh(y)
    y.backward(ONES, retain_graph=False)


def without_gradient():
    chained(tg.tensor(START))


def affine():
    x, w, b = (tg.tensor(a, requires_grad=True) for a in (np.ones((1, 2)), np.ones((2, 2)), np.ones(2)))
    y = x
    for _ in range(LENGTH):
        y = tg.affine(y, w, b)
    y.sum().backward(retain_graph=False)


@pytest.mark.parametrize("work", [recorded, by_function, without_gradient, affine])
def test_cost(benchmark, work):
    benchmark.extra_info["ops"] = LENGTH
    benchmark(work)


def test_an_op_costs_a_few_numpy_calls():
    """The guard: interleaved, so that it holds on a busy machine too."""
    taken = {recorded: [], chained: []}
    for _ in range(40):
        for work, argument in ((recorded, ()), (chained, (START,))):
            begin = time.perf_counter()
            work(*argument)
            taken[work].append(time.perf_counter() - begin)
    ratio = statistics.median(taken[recorded]) / statistics.median(taken[chained])
    assert ratio < LIMIT, f"an op, forward and backward, costs {ratio:.1f} bare NumPy calls; the limit is {LIMIT:g}"
