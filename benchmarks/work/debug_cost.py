"""What `tinygraph.debug` costs: a chain of small ops and the lecture's step, outside and inside it.

"no look" is the engine with its look for debug and scopes taken out of the function that makes a node: the difference
is what they cost those who never use them.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

import tinygraph as tg
from benchmarks.harness import Case, Side
from benchmarks.peers import EAGER
from benchmarks.work import op_chain
from models.two_layer_net import TwoLayerNet
from tinygraph.core import node


def lecture_step() -> Callable[[], object]:
    """Forward and backward of the lecture's net on a batch of 100."""
    rng = np.random.default_rng(0)
    net = TwoLayerNet(784, 50, 10, seed=0)
    x, t = rng.random((100, 784)), rng.integers(0, 10, 100)

    def step() -> object:
        for weight in net.params.values():
            weight.zero_grad()
        net.loss(x, t).backward()
        return net.params["W1"].grad
    return step


def without_a_look(function: Callable[..., object]) -> Callable[..., object]:
    """`inner` as it would be without debug and scopes."""
    source = inspect.getsource(function)
    begin, end = source.index("    if marks := MARKS.get():"), source.index("    # A code object and an offset")
    made: dict[str, Callable[..., object]] = {}
    exec(compile(source[:begin] + source[end:], node.__file__, "exec"), vars(node), made)
    return made["inner"]


LOOKS, LOOKS_NOT = node.inner, without_a_look(node.inner)


@contextmanager
def stripped() -> Iterator[None]:
    """The engine without it."""
    node.inner = LOOKS_NOT  # type: ignore[assignment]
    try:
        yield
    finally:
        node.inner = LOOKS


def within(manager: Callable[[], object], work: Callable[[], object]) -> Callable[[], object]:
    """The same work inside a context manager."""
    def wrapped() -> object:
        with manager():  # type: ignore[attr-defined]
            return work()
    return wrapped


def cases() -> Iterator[Case]:
    chained, length = op_chain.tinygraph().step, op_chain.LENGTH
    for title, work, per in ((f"debug: one op in a chain of {length:,} on ten floats", chained, length),
                             ("debug: forward and backward of the lecture's network, batch 100", lecture_step(), 1)):
        sides = {EAGER: work, "no look": within(stripped, work), "inside tg.debug": within(tg.debug, work)}
        yield Case("debug_cost", title,
                   {name: functools.partial(Side, step, per=per) for name, step in sides.items()})
