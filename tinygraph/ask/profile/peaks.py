"""What the machine can do at best, to hold what an op does against: its rate of arithmetic, its rate of moving data."""

from __future__ import annotations

from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

SIDE = 1024
"""Of the square matrices whose product is timed."""

BLOCK = 64_000_000
"""So much is copied (bytes): more than a cache holds."""

TRIES = 4


class Peaks(NamedTuple):
    """What NumPy reaches here.

    Attributes:
        flops: In a product of two matrices of 1,024 x 1,024 (FLOP/s).
        bandwidth: Copying 64 MB, what is read and what is written together (bytes/s).
    """

    flops: float
    bandwidth: float


def peaks(dtype: DTypeLike = np.float64) -> Peaks:
    """Measure them, the best of four tries each; it takes about a quarter of a second.

    >>> found = peaks(np.float32)
    >>> found.flops > 1e8, found.bandwidth > 1e8
    (True, True)
    """
    a = np.full((SIDE, SIDE), 0.5, dtype)
    product, source = np.empty_like(a), np.zeros(BLOCK, np.uint8)
    target = np.zeros_like(source)
    multiplying, copying = [], []
    for _ in range(TRIES):
        begin = perf_counter()
        np.matmul(a, a, out=product)
        multiplying.append(perf_counter() - begin)
        begin = perf_counter()
        np.copyto(target, source)
        copying.append(perf_counter() - begin)
    return Peaks(2 * SIDE ** 3 / min(multiplying), 2 * BLOCK / min(copying))
