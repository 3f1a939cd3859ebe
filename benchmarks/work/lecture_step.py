"""One training step of the lecture's network, 784-50-10, at batches of 1, 10, 100 and 1,000."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.dense import PRODUCTS, Problem, sides
from benchmarks.harness import Case, Goal
from benchmarks.peers import COMPILE, COMPILED, EAGER, JAX, LECTURE, TORCH

WIDTHS = (784, 50, 10)


def goals(batch: int) -> tuple[Goal, ...]:
    """What should come out in float32."""
    fastest = (TORCH, COMPILE, JAX)
    if batch == 100:
        return (Goal(EAGER, (TORCH,), at_least=1.3), Goal(EAGER, (LECTURE,), at_least=1.2),
                Goal(COMPILED, fastest, at_least=1.6), Goal(COMPILED, (PRODUCTS,), at_most=1.35))
    if batch < 100:
        return Goal(EAGER, (TORCH,), at_least=1.3), Goal(COMPILED, fastest, at_least=1.5)
    return ()


def cases() -> Iterator[Case]:
    for dtype in (np.float32, np.float64):
        for batch in (1, 10, 100, 1_000):
            yield Case("lecture_step", f"the lecture's step, batch {batch:,}, {dtype.__name__}",
                       sides(Problem(WIDTHS, batch, dtype, rate=0.01, scale=0.01)),
                       goals(batch) if dtype is np.float32 else (), dtype)
