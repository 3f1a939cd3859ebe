"""Passes that put a cheaper call in a call's place."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygraph.compiler.passes.rewriting import makers
from tinygraph.compiler.plan import Plan, Step, Value

REDUCTIONS: dict[Any, np.ufunc] = {np.sum: np.add, np.prod: np.multiply, np.max: np.maximum, np.min: np.minimum}
"""What a reduction of NumPy's hands its work to."""


def sums(plan: Plan) -> Plan:
    """A sum with ``keepdims`` that is reshaped to what it would be without is that sum."""
    made = makers(plan)
    steps = []
    for step in plan.steps:
        source = made.get(step.args[0]) if step.function is np.reshape and isinstance(step.args[0], Value) else None
        if source is not None and source.function is np.sum and set(source.kwargs) == {"axis", "keepdims"} \
                and source.kwargs["keepdims"] is True:
            x, axes = source.args[0], source.kwargs["axis"]
            axes = (axes,) if isinstance(axes, int) else axes
            if axes is not None and step.result.shape == tuple(
                    n for i, n in enumerate(x.shape) if i not in {a % len(x.shape) for a in axes}):
                axis = axes[0] if len(axes) == 1 else axes
                step = Step(np.sum, (x,), {"axis": axis}, step.result, step.why)
        steps.append(step)
    return plan.with_steps(steps)


def row_sums(plan: Plan) -> Plan:
    """The sum over a matrix's rows as a product with ones: BLAS is quicker at it. It adds in another order."""
    steps = []
    for step in plan.steps:
        x = step.args[0] if step.args else None
        if step.function is np.sum and isinstance(x, Value) and len(x.shape) == 2 and step.kwargs == {"axis": 0} \
                and len(step.args) == 1 and x.dtype.kind == "f" and x.dtype.itemsize >= 4 and x.shape[0]:
            ones = np.ones(x.shape[0], x.dtype)
            step = Step(np.matmul, (Value(ones.shape, ones.dtype, constant=ones), x), {}, step.result, step.why)
        steps.append(step)
    return plan.with_steps(steps)


def broadcasts(plan: Plan) -> Plan:
    """An elementwise call broadcasts by itself: give it the small array where another argument has the full shape."""
    made = makers(plan)

    def small(x: Any) -> Any:
        source = made.get(x) if isinstance(x, Value) else None
        return source.args[0] if source is not None and source.function is np.broadcast_to else x

    steps = []
    for step in plan.steps:
        if isinstance(step.function, np.ufunc) and step.function.signature is None and not step.kwargs:
            args = tuple(small(x) for x in step.args)
            shapes = [a.shape if isinstance(a, Value) else () for a in args]
            if isinstance(step.result, Value) and np.broadcast_shapes(*shapes) == step.result.shape:
                step = Step(step.function, args, {}, step.result, step.why)
        steps.append(step)
    return plan.with_steps(steps)


def bare_reductions(plan: Plan) -> Plan:
    """The ufunc's own reduce for np.sum and its like, which only find out that this is what is asked for."""
    steps = []
    for step in plan.steps:
        ufunc = REDUCTIONS.get(step.function)
        if ufunc is not None and isinstance(step.result, Value):
            names = ("axis", "dtype") if ufunc in (np.add, np.multiply) else ("axis",)
            given = {"axis": None, **dict(zip(names, step.args[1:], strict=False)), **step.kwargs}
            plain = {name: value for name, value in given.items()
                     if not (name == "keepdims" and value is False) and not (name == "where" and value is True)
                     and not (name == "dtype" and value is None) and value is not np._NoValue}
            if set(plain) <= {"axis", "dtype", "keepdims"}:
                step = Step(ufunc.reduce, step.args[:1], plain, step.result, step.why)
        steps.append(step)
    return plan.with_steps(steps)
