"""Time rival ways of doing the same work, interleaved round by round in one process.

A shared machine drifts: what is measured apart cannot be compared. Here each round runs every contender once, in turn,
and what is reported is the ratio of their medians.
"""

from __future__ import annotations

import gc
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Timing:
    """What one contender took."""

    name: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median round (seconds)."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """The interquartile range as a share of the median."""
        low, _, high = statistics.quantiles(self.seconds, n=4)
        return (high - low) / self.median


def interleave(contenders: dict[str, Callable[[], object]], *, seconds: float = 4.0, calls: int = 1) -> list[Timing]:
    """Run the contenders in turn, ``calls`` times each a round, for about so many seconds in all."""
    for work in contenders.values():
        for _ in range(3):
            work()
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    gc.collect()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(next(iter(taken.values()))) < 5:
        for name, work in contenders.items():
            start = time.perf_counter()
            for _ in range(calls):
                work()
            taken[name].append((time.perf_counter() - start) / calls)
    return [Timing(name, tuple(times)) for name, times in taken.items()]


def report(title: str, timings: list[Timing], *, unit: float = 1e-6, of: str | None = None) -> None:
    """Print a table of medians, spreads, and ratios to the contender called ``of`` (the last by default)."""
    base = next(t for t in timings if t.name == of) if of else timings[-1]
    print(f"\n{title}")
    print(f"{'':24}{'median µs':>12}{'spread':>9}{'x ' + base.name:>24}{'rounds':>8}")
    for t in timings:
        print(f"{t.name:24}{t.median / unit:12.2f}{t.spread:9.0%}{t.median / base.median:24.3f}{len(t.seconds):8}")


def machine() -> str:
    """One line about where the numbers come from."""
    return (f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
            f"NumPy {np.__version__}, {os.environ['OPENBLAS_NUM_THREADS']} BLAS thread")
