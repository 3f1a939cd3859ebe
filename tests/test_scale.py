"""Long chains, deep diamonds, many steps: nothing recurses, nothing is walked twice, nothing is left behind."""

from __future__ import annotations

import gc
import platform
import subprocess
import sys
import tracemalloc
import weakref

import pytest

import tinygraph as tg
from tinygraph.core.node import Node


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def shallow():
    """Leave so little of the stack that anything that recurses over the graph is found out."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(200)
    yield
    sys.setrecursionlimit(limit)


class Double:
    def forward(self, x):
        return 2 * x

    def backward(self, dout):
        return 2 * dout


def live_nodes():
    return sum(type(thing) is Node for thing in gc.get_objects())


@pytest.mark.usefixtures("no_collector", "shallow")
def test_a_chain_of_a_million_nodes():
    before = live_nodes()
    x = tg.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(1_000_000):
        y = y * 1.0
    y.backward()
    assert x.grad == 1
    assert live_nodes() == before + 1_000_001
    y = None
    assert live_nodes() == before + 1


@pytest.mark.usefixtures("no_collector", "shallow")
@pytest.mark.parametrize("double", [lambda y: y + y, lambda y: y * 1.0 + y * 1.0, lambda y: tg.stack([y, y]).sum()])
def test_a_diamond_50_levels_deep_is_walked_node_by_node(double):
    before = live_nodes()
    x = tg.tensor(1.0, requires_grad=True)
    calls = []
    x.register_hook(lambda g: calls.append(g))
    y = x
    for _ in range(50):
        y = double(y)
    assert y.item() == 2.0 ** 50
    y.backward()
    assert x.grad == 2.0 ** 50
    assert calls == [2.0 ** 50]
    y = None
    assert live_nodes() == before + 1


@pytest.mark.usefixtures("shallow")
def test_gradients_of_gradients_of_a_long_chain():
    def f(x):
        y = x
        for _ in range(2_000):
            y = y * 1.0
        return y * y

    assert tg.grad(tg.grad(f))(3.0) == 2


@pytest.mark.usefixtures("shallow")
def test_a_long_chain_may_be_freed_during_backward():
    x = tg.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y + 1.0
    y.backward(retain_graph=False)
    assert x.grad == 1
    with pytest.raises(tg.GradientError, match="freed by an earlier"):
        y.backward()


@pytest.mark.usefixtures("shallow")
def test_a_long_chain_of_assignments():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = x * 1.0
    for _ in range(20_000):
        y += 1.0
        y[0] = y[1]
    y.sum().backward()
    assert x.grad.tolist() == [0, 2]


def step(weights, x, t):
    h = tg.relu(tg.affine(x, weights[0], weights[1]))
    loss = tg.softmax_with_loss(tg.affine(h, weights[2], weights[3]), t)
    loss.backward()
    with tg.no_grad():
        for weight in weights:
            weight -= 0.1 * weight.grad
            weight.zero_grad()
    return loss


@pytest.mark.usefixtures("no_collector")
def test_a_thousand_steps_leave_no_growth_without_the_collector(rng):
    weights = [tg.tensor(rng.normal(size=shape), requires_grad=True) for shape in [(8, 5), (5,), (5, 3), (3,)]]
    x, t = rng.normal(size=(10, 8)), rng.integers(0, 3, 10)

    def steps(count):
        for _ in range(count):
            step(weights, x, t)

    tracemalloc.start()
    try:
        steps(10)
        gc.collect()  # it empties the free lists of tuples and floats too, which would pass for growth
        nodes, start = live_nodes(), tracemalloc.get_traced_memory()[0]
        steps(1_000)
        assert live_nodes() == nodes
        assert gc.collect() == 0  # no cycles either
        grown = tracemalloc.get_traced_memory()[0] - start
    finally:
        tracemalloc.stop()
    # One node or array left behind a step would be 100,000 bytes.
    assert grown < 10_000


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("use", [
    "backward", "backward, create_graph", "grad", "grad of grad", "hook", "error", "assign", "wrapped"])
def test_what_was_computed_is_gone_with_its_last_name(use, rng):
    x = tg.tensor(rng.normal(size=3), requires_grad=True)
    before = live_nodes()
    y = (x * x).sum()
    if use == "backward":
        y.backward()
    elif use == "backward, create_graph":
        y.backward(create_graph=True)
        x.grad = None
    elif use == "grad":
        tg.grad(lambda z: (z * x).sum())(x)
    elif use == "grad of grad":
        tg.grad(lambda z: tg.grad(lambda z: (z ** 3).sum())(z).sum())(x.data)
    elif use == "hook":
        y.register_hook(lambda g: 2 * g)
        y.backward()
    elif use == "error":
        with pytest.raises(tg.ShapeError) as caught:
            y + x.reshape(3, 1) @ x.reshape(3, 1)
        del caught
    elif use == "assign":
        z = x * 1.0
        z[0] = y
        z += 1
        del z
    else:
        z = tg.wrap_layer(Double())(y)
        z.backward()
        del z
    alive = weakref.ref(y)
    del y
    if use == "error":
        gc.collect()  # the traceback of a caught error refers to the frame that holds it
    assert alive() is None
    assert live_nodes() == before


def test_the_linear_growth_of_work():
    """Twice the levels of a diamond are twice the calls of its rule, not their square or power."""
    def calls(levels):
        count = []
        x = tg.tensor(1.0, requires_grad=True)
        y = x
        for _ in range(levels):
            y = y + y
            y.register_hook(lambda g: count.append(0))
        y.backward()
        return len(count)

    assert (calls(10), calls(20), calls(40)) == (10, 20, 40)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="how other C libraries treat freed memory is their own")
def test_the_next_step_finds_the_memory_that_the_last_one_freed():
    """As page faults: 40 MB that come afresh from the system are 10,000 of them, or 20 of the largest pages."""
    code = """
import resource, numpy as np, tinygraph
def step():
    return [np.full(2_000_000, 1.0, np.float32) for _ in range(5)]
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
step()
step()
before = faults()
for _ in range(20):
    step()
print(faults() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert int(done.stdout) < 200
