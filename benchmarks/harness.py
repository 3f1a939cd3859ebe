"""Time rival ways of doing the same work, interleaved round by round, after checking that they give the same answer.

A shared machine drifts: what is measured apart cannot be compared. Here each round gives every side one turn, and what
is reported are medians over the rounds and their ratios. A side whose answer differs is refused and not timed.
"""

from __future__ import annotations

import gc
import math
import random
import statistics
import time
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

STEPS = 4
"""What is compared is the answer of so many steps: a compiled step replays from the third on."""

TURN = 0.005
"""A turn lasts about so long (seconds), so that a short step finds its caches as warm as in a loop."""

TOLERANCE = {np.float32: 5e-3, np.float64: 1e-9}
"""How far an array may be off, as a share of the reference's norm, by dtype: rounding takes a ReLU near its kink to the
other side now and then, and a step or two later a thousandth of the gradient has changed."""


class Missing(Exception):
    """A side that cannot take part here; the message says why."""


Answer = Mapping[str, Any]


class Side(NamedTuple):
    """One contender, ready to work.

    Attributes:
        step: Does the work once.
        answer: The arrays to compare, by name, from what the last step gave; None for a yardstick, which does only a
            part of the work.
        per: How many units of work a step is: what is reported is the cost of one.
        kept: Where memory is measured, what the side keeps for its steps between them (bytes).
    """

    step: Callable[[], Any]
    answer: Callable[[Any], Answer] | None = None
    per: int = 1
    kept: Callable[[], int] | None = None


class Goal(NamedTuple):
    """What a side should reach beside the best of some others.

    Attributes:
        side, beside: Who, and beside whom; those that are missing do not count.
        at_least: So many times as fast; or
        at_most: so much of its time (or memory).
    """

    side: str
    beside: tuple[str, ...]
    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True)
class Case:
    """One piece of work for all of its contenders.

    Attributes:
        work: The name of the workload.
        title: What is done, in words.
        sides: By name what makes each contender. The first that can take part is the reference that the others are
            compared with. Making one may raise Missing.
        goals: What should come out.
        dtype: Says how closely the answers should agree.
        kind: "time" (seconds), "told" (seconds that a step itself gives back), or "memory" (the most that one step
            takes, as tracemalloc sees it, in bytes).
        steps: How many steps the compared answer is of.
    """

    work: str
    title: str
    sides: Mapping[str, Callable[[], Side]]
    goals: tuple[Goal, ...] = ()
    dtype: Any = np.float64
    kind: str = "time"
    steps: int = STEPS


@dataclass(frozen=True)
class Measured:
    """What one side took.

    Attributes:
        name: Its name.
        rounds: Each round's cost of one step.
        cores: Processor time by wall time: more than 1 where a side uses more than one thread.
    """

    name: str
    rounds: tuple[float, ...]
    cores: float = math.nan

    @property
    def median(self) -> float:
        """The median round."""
        return statistics.median(self.rounds)

    @property
    def spread(self) -> float:
        """The interquartile range as a share of the median."""
        if len(self.rounds) < 2 or not self.median:
            return 0.0
        low, _, high = statistics.quantiles(self.rounds, n=4)
        return (high - low) / self.median


@dataclass(frozen=True)
class Result:
    """What came of a case: who was measured, who was refused or missing, and why."""

    case: Case
    measured: tuple[Measured, ...]
    refused: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def median(self, name: str) -> float | None:
        """The median of the side of this name, or None where it was not measured."""
        return next((m.median for m in self.measured if m.name == name), None)

    def outcome(self, goal: Goal) -> tuple[str, float] | None:
        """The best of those that a goal looks at, and the side's cost as a share of its; None where one is missing."""
        cost = self.median(goal.side)
        others = {name: found for name in goal.beside if (found := self.median(name)) is not None}
        if cost is None or not others:
            return None
        best = min(others, key=lambda name: others[name])
        return best, cost / others[best]


def run(case: Case, seconds: float) -> Result:
    """Make the sides, compare their answers, and measure those that agree for about so many seconds in all."""
    sides, missing, failed = {}, {}, {}
    for name, make in case.sides.items():
        try:
            sides[name] = make()
        except Missing as error:
            missing[name] = str(error)
        except Exception as error:  # a peer may fail in any way
            failed[name] = _failure(error)
    sides, refused = compared(case, sides)
    measure = {"time": interleave, "told": told, "memory": peaks}[case.kind]
    return Result(case, tuple(measure(sides, seconds)), failed | refused, missing)


def compared(case: Case, sides: Mapping[str, Side]) -> tuple[dict[str, Side], dict[str, str]]:
    """Those sides that give the first one's answer, and why the others are refused."""
    agreed: dict[str, Side] = {}
    refused: dict[str, str] = {}
    reference: tuple[str, Answer] | None = None
    for name, side in sides.items():
        try:
            result = None
            for _ in range(case.steps):
                result = side.step()
            answer = side.answer(result) if side.answer is not None else None
        except Exception as error:
            refused[name] = _failure(error)
            continue
        if answer is None:
            agreed[name] = side
        elif reference is None:
            reference, agreed[name] = (name, answer), side
        elif (problem := _difference(*reference, answer, TOLERANCE[case.dtype])) is not None:
            refused[name] = problem
        else:
            agreed[name] = side
    return agreed, refused


def _failure(error: Exception) -> str:
    return f"fails: {type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _difference(name: str, right: Answer, answer: Answer, tolerance: float) -> str | None:
    """How an answer differs from the reference called ``name``, or None."""
    if set(answer) != set(right):
        return f"disagrees with {name}: it gives {', '.join(answer)} and not {', '.join(right)}"
    for key, expected in right.items():
        given, expected = np.asarray(answer[key]), np.asarray(expected)
        if given.shape != expected.shape:
            return f"disagrees with {name}: {key} is {given.shape} and not {expected.shape}"
        if given.dtype != expected.dtype:
            return f"disagrees with {name}: {key} is {given.dtype} and not {expected.dtype}"
        off = float(np.linalg.norm(np.ravel(given - expected))) / (float(np.linalg.norm(np.ravel(expected))) or 1.0)
        if not off <= tolerance:
            return f"disagrees with {name}: {key} is off by {off:.1e} of its norm (limit {tolerance:.0e})"
    return None


def interleave(sides: Mapping[str, Side], seconds: float) -> list[Measured]:
    """Give every side one turn a round, in an order drawn anew, for about so many seconds in all."""
    calls = {name: _calls(side) for name, side in sides.items()}
    taken: dict[str, list[float]] = {name: [] for name in sides}
    wall, processor = dict.fromkeys(sides, 0.0), dict.fromkeys(sides, 0.0)
    order, draw = list(sides), random.Random(0)
    if not order:
        return []
    gc.collect()
    gc.freeze()  # what the libraries made on import is none of the steps' garbage
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(taken[order[0]]) < 5:
        draw.shuffle(order)
        for name in order:
            step, number = sides[name].step, calls[name]
            if number > 1:
                step()  # brings its data back into the caches
            used, begin = time.process_time(), time.perf_counter()
            for _ in range(number):
                step()
            passed = time.perf_counter() - begin
            taken[name].append(passed / number / sides[name].per)
            wall[name] += passed
            processor[name] += time.process_time() - used
    gc.unfreeze()
    return [Measured(name, tuple(times), processor[name] / wall[name]) for name, times in taken.items()]


def _calls(side: Side) -> int:
    """How many steps make a turn; they were warmed up already."""
    begin = time.perf_counter()
    side.step()
    return max(1, math.ceil(TURN / (time.perf_counter() - begin)))


def told(sides: Mapping[str, Side], seconds: float) -> list[Measured]:
    """What the steps say that they took, in turn, for about so many seconds in all."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(next(iter(taken.values()))) < 5:
        for name, side in sides.items():
            taken[name].append(side.step() / side.per)
    return [Measured(name, tuple(times)) for name, times in taken.items()]


def peaks(sides: Mapping[str, Side], seconds: float) -> list[Measured]:
    """The most memory that a step of each side takes beyond what was there (bytes), five times."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(5):
        for name, side in sides.items():
            kept = side.kept() if side.kept is not None else 0
            gc.collect()
            tracemalloc.start()
            side.step()
            taken[name].append(kept + tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    return [Measured(name, tuple(sizes)) for name, sizes in taken.items()]
