"""Passes that let an elementwise call on small arrays take NumPy's short way, 0.3 µs where a broadcast takes 0.65.

It is for arguments of the result's shape, and for those without axes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tinygraph.compiler.calls import getitem
from tinygraph.compiler.memory import is_elementwise
from tinygraph.compiler.plan import Plan, Step, Value

SMALL = 1 << 16
"""What a call on more than this takes is the arithmetic (bytes)."""

FEW = 100
"""With as many numbers or fewer a call's own cost is all there is."""


def alike(plan: Plan) -> Plan:
    """An argument that only lacks the result's first axes of length 1 gets them; one of a single element loses all."""
    views: dict[Any, Value] = {}
    steps: list[Step] = []

    def view(x: Any, shape: tuple[int, ...], why: str) -> Any:
        index = _index(x, shape) if isinstance(x, Value) else None
        if index is None:
            return x
        if (x, index) not in views:
            constant = None if x.constant is None else x.constant[index]
            views[x, index] = Value(() if index[0] == 0 else shape, x.dtype, constant=constant)
            if constant is None:
                steps.append(Step(getitem, (x, index), {}, views[x, index], why, shares=x))
        return views[x, index]

    for step in plan.steps:
        if _is_small(step):
            shape = step.result.shape
            ranked = [x for x in step.args if isinstance(x, Value)]
            # Only where the call is then all on the short way.
            if all(x.shape in (shape, ()) or _index(x, shape) is not None for x in ranked):
                step = replace(step, args=tuple([view(x, shape, step.why) for x in step.args]))
        steps.append(step)
    return plan.with_steps(steps)


def _index(x: Value, shape: tuple[int, ...]) -> tuple[Any, ...] | None:
    """What makes a view of an array that needs no broadcast to a shape; None where it needs none, or there is none."""
    if x.shape in (shape, ()):
        return None
    missing = len(shape) - len(x.shape)
    if (1,) * missing + x.shape == shape:
        return (*[None] * missing, Ellipsis)
    return (*[0] * len(x.shape), Ellipsis) if x.size == 1 else None


def _is_small(step: Step) -> bool:
    result = step.result
    return is_elementwise(step) and not step.kwargs and isinstance(result, Value) and result.shape != () \
        and result.nbytes <= SMALL and step.replaces is None


def extremes(plan: Plan) -> Plan:
    """A whole array of one number for np.maximum and np.minimum, which go along two arrays four numbers at a time."""
    made: dict[Any, Value] = {}

    def whole(x: Any, result: Value) -> Any:
        if not isinstance(x, Value) or x.shape or x.constant is None:
            return x
        array = np.full(result.shape, x.constant)
        return made.setdefault((result.shape, x), Value(result.shape, x.dtype, x.name, array))

    steps = []
    for step in plan.steps:
        if step.function in (np.maximum, np.minimum) and _is_small(step) and step.result.size > FEW:
            step = replace(step, args=tuple(whole(x, step.result) for x in step.args))
        steps.append(step)
    return plan.with_steps(steps)
