"""Runs of equal structure in a sequence: what a picture folds to one, with the number of repeats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LONGEST = 64
"""A repeated stretch may have up to so many steps."""


class Run(NamedTuple):
    """``repeats`` stretches of ``period`` steps each, one after the other from place ``start`` on."""

    start: int
    period: int
    repeats: int


def runs(steps: Sequence[int], least: int = 3) -> list[Run]:
    """Where stretches of steps follow one another ``least`` times or more, each step given by a number for its kind.

    From left to right the run is taken that covers most, of equal ones that with the shortest period.

    >>> runs([7, 1, 2, 1, 2, 1, 2, 9])
    [Run(start=1, period=2, repeats=3)]
    """
    kinds = np.asarray(steps)
    n = len(kinds)
    covered, period = np.zeros(n, int), np.zeros(n, int)
    for p in range(1, min(LONGEST, n // least) + 1):
        same = kinds[:-p] == kinds[p:]
        ends = np.flatnonzero(np.append(~same, True))
        here = np.arange(n - p)
        repeats = 1 + (ends[np.searchsorted(ends, here)] - here) // p
        cover = np.where(repeats >= least, repeats * p, 0)
        better = np.flatnonzero(cover > covered[:n - p])
        covered[better], period[better] = cover[better], p
        if covered[0] == n:  # no other covers more
            break
    found = []
    place = 0
    while place < n:
        if covered[place]:
            found.append(Run(place, int(period[place]), int(covered[place] // period[place])))
            place += int(covered[place])
        else:
            place += 1
    return found
