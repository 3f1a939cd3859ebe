"""What a node costs, forward, backward and freed, in chains of 100 to 1,000,000 of them: it should be the same."""

from __future__ import annotations

import functools
import gc
from collections.abc import Iterator

import numpy as np

import tinygraph as tg
from benchmarks.harness import Case, Goal, Side

LENGTHS = (100, 1_000, 10_000, 100_000, 1_000_000)
START = np.linspace(0.1, 1.0, 10)


def chain(length: int, collected: bool) -> Side:
    """A chain of so many nodes, with the garbage collector on or off."""
    half, ones = length // 2, np.ones(10)

    def step() -> None:
        if not collected:
            gc.disable()
        x = y = tg.tensor(START, requires_grad=True)
        for _ in range(half):
            y = y * 1.0000001
            y = y + x
        y.backward(ones, retain_graph=False)
        del y
        gc.enable()
    return Side(step, per=length)


def cases() -> Iterator[Case]:
    names = tuple(f"{length:,} nodes" for length in LENGTHS)
    for collected, limit in ((False, 1.25), (True, 2.0)):
        yield Case("nodes", f"one node of a chain, garbage collector {'on' if collected else 'off'}",
                   {name: functools.partial(chain, length, collected)
                    for name, length in zip(names, LENGTHS, strict=True)},
                   (Goal(names[-1], names, at_most=limit),), steps=1)
