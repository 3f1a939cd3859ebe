"""One op in its place as a function of its inputs: its slopes along directions, by differences and by its rules.

A random number is drawn for each output, so that what is differentiated is one number; it is the op's cotangent, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.backward import cotangents
from tinygraph.core.node import Node, leaf
from tinygraph.differences import random_direction, step_for

_WIDER = {"e": "d", "f": "d", "F": "D"}


class Local:
    """The op of a node on copies of its inputs, in double precision at least."""

    def __init__(self, node: Node, widen: bool = True) -> None:
        assert node.op is not None
        self.op = object.__new__(type(node.op))  # copy.copy gives what is registered under its name
        self.op.__dict__.update(node.op.__dict__)
        self.op.validate = None  # labels that sum to one no longer do when one of them is moved
        self.params = node.params
        self.node = node
        self.values = [_own(p.value if type(p) is Node else p, widen) for p in node.parents]
        self.y = self._outputs(self.values)
        used = {i for i, part in enumerate(self.y) if _is_float(part)}
        self.hidden = used & set(range(len(self.y) - node.op.hidden, len(self.y))) if node.op.outputs else set()
        self.visible = used - self.hidden
        dtypes = [np.asarray(x).dtype for x in (*self.y, *self.values) if _is_float(x)]
        self.dtype = max(dtypes, key=lambda dtype: float(np.finfo(dtype).eps), default=np.dtype(float))
        self.step, self.tolerance = step_for(self.dtype)
        self.tolerance *= 10

    def _outputs(self, values: Sequence[Any]) -> list[Any]:
        y = self.op.run(tuple(values), self.params)
        return list(y) if isinstance(y, tuple | list) else [y]

    def repeats(self) -> bool:
        """Whether the op gives the same for the same inputs."""
        return all(_equal(a, b) for a, b in zip(self.y, self._outputs([_own(x) for x in self.values]), strict=True))

    def is_as_recorded(self) -> bool:
        """Whether the op gives now, up to rounding, what the node holds."""
        held = self.node.value if isinstance(self.node.value, tuple | list) else [self.node.value]
        return all(_close(np.asarray(a), np.asarray(b)) for a, b in zip(held, self.y, strict=True))

    def seed(self, rng: np.random.Generator, hidden: bool) -> list[Any]:
        """A random cotangent for each output that has one; those of hidden outputs where asked for."""
        chosen = self.visible | (self.hidden if hidden else set())
        return [_at_numbers(random_direction(rng, np.asarray(part)), part) if i in chosen else None
                for i, part in enumerate(self.y)]

    def ones(self) -> list[Any]:
        """The cotangent of the sum of all outputs."""
        return [_at_numbers(np.ones_like(part), part) if i in self.visible else None for i, part in enumerate(self.y)]

    # --- by the rules -------------------------------------------------------------------------------------------

    def gradients(self, g: Sequence[Any]) -> dict[int, Array]:
        """What the op's rules give for a cotangent, made to fit each input as the engine does it."""
        made = Node()
        made.op, made.params, made.requires_grad, made.watched = self.node.op, self.params, True, False
        made.serial, made.parents, leaves = 1 << 62, (), {}
        parents: list[Any] = []
        for position, (x, parent) in enumerate(zip(self.values, self.node.parents, strict=True)):
            x = _own(x)
            if type(parent) is Node and parent.requires_grad and _is_float(x):
                x = leaf(x, True)
                leaves[x] = position
            parents.append(x)
        made.parents = tuple(parents)
        made.value = tuple(self.y) if self.op.outputs else self.y[0]
        seed: Any = list(g) if self.op.outputs else g[0]
        return {leaves[x]: np.asarray(c) for x, c, _ in cotangents(made, seed) if x in leaves}

    # --- by differences -----------------------------------------------------------------------------------------

    def at(self, moves: dict[int, Array]) -> list[Any]:
        """The outputs with some of the inputs moved."""
        return self._moved([x + moves[i] if i in moves else x for i, x in enumerate(self.values)])

    def _moved(self, values: list[Any]) -> list[Any]:
        """The outputs for other inputs; NaN where the op refuses them, since they are beyond its domain."""
        try:
            return self._outputs(values)
        except Exception:  # any op's own way to say so
            return [np.full_like(y, np.nan) if _is_float(y) else y for y in self.y]

    def slope(self, g: Sequence[Any], directions: dict[int, Array], h: float) -> tuple[float, dict[int, Array], float]:
        """The central difference along a direction, the step that was really made, and its rounding error."""
        above = {i: self.values[i] + h * d for i, d in directions.items()}
        below = {i: self.values[i] - h * d for i, d in directions.items()}
        upper = self._moved([above.get(i, x) for i, x in enumerate(self.values)])
        lower = self._moved([below.get(i, x) for i, x in enumerate(self.values)])
        made = {i: (above[i] - below[i]) / (2 * h) for i in directions}
        difference = sum((_dot(c, b - a) for c, a, b in zip(g, lower, upper, strict=True) if c is not None), 0.0)
        eps = float(np.finfo(self.dtype).eps)
        size = sum((float(np.sum(np.absolute(np.where(c == 0, 0, c * y))))
                    for c, y in zip(g, self.y, strict=True) if c is not None), 0.0)
        return difference / (2 * h), made, 32 * eps * size / h

    def kinked(self, directions: dict[int, Array]) -> list[Any]:
        """Where each output has a kink, a jump or an end of its domain within a small step along a direction.

        The slopes on the two sides differ there, and do not come closer as the step shrinks.
        """
        masks: list[Any] = []
        jumps = [self._jump(directions, h) for h in (self.step * 16, self.step * 2)]
        for (wide, slope), (narrow, steeper) in zip(*jumps, strict=True):
            if wide is None:
                masks.append(None)
                continue
            scale = np.max(slope, initial=0.0, where=np.isfinite(slope))
            bent = (narrow > 0.01 * scale) & (narrow > wide / 3)
            torn = steeper > 4 * slope  # a jump: the shorter the step, the steeper
            masks.append(~np.isfinite(narrow) | ~np.isfinite(wide) | bent | torn)
        return masks

    def _jump(self, directions: dict[int, Array], h: float) -> list[tuple[Any, Any]]:
        """How far the slopes on both sides of each output are apart, and the larger of the two."""
        sides = [self.at({i: sign * h * d for i, d in directions.items()}) for sign in (1, -1)]
        found: list[tuple[Any, Any]] = []
        for i, (y, up, down) in enumerate(zip(self.y, *sides, strict=True)):
            if i not in self.visible | self.hidden:
                found.append((None, None))
                continue
            right, left = (np.asarray(up) - y) / h, (y - np.asarray(down)) / h
            found.append((np.absolute(right - left), np.maximum(np.absolute(right), np.absolute(left))))
        return found

    def scaled(self, d: Array, position: int, relative: bool) -> Array:
        """A direction whose step fits the size of each element: as it is up to 1, or always in proportion."""
        size = np.absolute(self.values[position])
        if relative:
            return np.asarray(d * np.where(size > 0, np.minimum(size, 1e300), 1e-3), d.dtype)
        return np.asarray(d * np.maximum(1, size), d.dtype)


UNSETTLED = (float("nan"), float("nan"))
"""The answer where differences at several steps agree neither with the rule nor with one another."""


def disagreement(local: Local, g: Sequence[Any], directions: dict[int, Array], gradients: dict[int, Array],
                 ) -> tuple[float, float] | None:
    """The two slopes, by rules and by differences, where they disagree at every step tried; None where they agree.

    `UNSETTLED` where the differences are no better: how far they are from the rule then depends on the step.
    """
    tried: list[tuple[float, float, float]] = []
    for fraction, relative in ((1.0, False), (1.0, True), (1 / 30, False), (1 / 30, True), (1 / 1000, False)):
        scaled = {i: local.scaled(d, i, relative) for i, d in directions.items()}
        numerical, made, rounding = local.slope(g, scaled, local.step * fraction)
        parts = [gradients[i] * made[i] for i in directions]
        analytic = float(sum(np.real(np.sum(part)) for part in parts))
        size = float(sum(np.sum(np.absolute(part)) for part in parts))
        gap = analytic - numerical
        if abs(gap) <= local.tolerance * max(size, abs(numerical)) + rounding:
            return None
        if not relative:
            tried.append((gap, analytic, numerical))
    # What a rule lacks, it lacks at any step; what rounding or a jump adds goes with the step.
    for (gap, analytic, numerical), (again, _, _) in pairwise(tried):
        if abs(gap - again) <= 0.2 * abs(gap):
            return analytic, numerical
    return UNSETTLED


def only_at(d: Array, indices: Any) -> Array:
    """A direction that moves a few elements alone, given by their flat places."""
    kept = np.zeros(d.size, d.dtype)
    kept[indices] = d.reshape(-1)[indices]
    return kept.reshape(d.shape)


def _at_numbers(c: Array, y: Any) -> Array:
    """A cotangent without a part for what is infinite, as a mask makes it: no difference tells anything there."""
    return np.where(np.isfinite(y), c, np.zeros_like(c))


def _dot(c: Array, y: Array) -> float:
    return float(np.real(np.sum(np.where(c == 0, 0, c * y))))  # what has no weight may be infinite


def _is_float(x: Any) -> bool:
    if isinstance(x, float | complex):
        return True
    return isinstance(x, np.ndarray | np.generic) and x.dtype.kind in "fc"


def _own(x: Any, widen: bool = False) -> Any:
    """A copy of an array, in double precision where it has less."""
    if not isinstance(x, np.ndarray | np.generic):
        return x
    return np.array(x, _WIDER.get(x.dtype.char, x.dtype.char) if widen else x.dtype)


def _equal(a: Any, b: Any) -> bool:
    return np.array_equal(a, b, equal_nan=_is_float(a))


def _close(held: Array, now: Array) -> bool:
    """Whether an array is another one up to the rounding of its dtype."""
    if held.shape != now.shape:
        return False
    if not _is_float(held):
        return bool(np.array_equal(held, now))
    largest = np.max(np.absolute(held), initial=0, where=np.isfinite(held))
    return np.allclose(held, now, 1e-2 if held.dtype.char == "e" else 1e-4 if held.dtype.char in "fF" else 1e-10,
                       1e3 * float(np.finfo(held.dtype).eps) * float(largest), equal_nan=True)
