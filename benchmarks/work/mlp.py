"""One training step of five affine layers of 1,024, batch 256, float32: work that is nearly all matrix products."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.dense import PRODUCTS, Problem, sides
from benchmarks.harness import Case, Goal
from benchmarks.peers import COMPILED, EAGER, TORCH


def cases() -> Iterator[Case]:
    problem = Problem((1_024,) * 6, 256, np.float32, rate=0.01)
    yield Case("mlp", "a step of five layers of 1,024, batch 256, float32", sides(problem),
               (Goal(EAGER, (TORCH,), at_most=1.1), Goal(COMPILED, (PRODUCTS,), at_most=1.1)), np.float32, steps=3)
