"""Passes that put a cheaper call in the place of a sum, a maximum or a minimum."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tinygraph.compiler.calls import copy, getitem, taken
from tinygraph.compiler.memory import is_elementwise
from tinygraph.compiler.passes.algebra import FLOATS
from tinygraph.compiler.passes.rewriting import constant, makers, users
from tinygraph.compiler.plan import Plan, Step, Value

REDUCTIONS: dict[Any, np.ufunc] = {np.sum: np.add, np.prod: np.multiply, np.max: np.maximum, np.min: np.minimum}
"""What a reduction of NumPy's hands its work to."""

SUMMING = {np.sum, np.prod}
"""Those whose third argument is a dtype."""

NARROW = 64
"""A row of fewer numbers than this is reduced slowly: NumPy's loop over it ends before it has begun."""

FEW = 2000
"""Of as many numbers or fewer, in narrow rows, the places of the extremes are found sooner than a copy is made."""

SMALL = 1 << 16
"""A sum over more than this is not held up by what calls cost (bytes)."""

VERY_NARROW = 16
"""As many sums as a row has numbers cost a product as much as one of them."""


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
    """The sum over a matrix's rows, or along narrow ones, as a product with ones: BLAS is quicker at it.

    It adds in another order. Where the sums of very narrow rows go back to each of the row's elements, the product
    gives them in all those places.
    """
    ones: dict[Any, Value] = {}
    whole: dict[Value, Value] = {}
    steps: list[Step] = []

    def one(*shape: int, dtype: np.dtype[Any]) -> Value:
        return ones.setdefault((shape, dtype), Value(shape, dtype, "ones", np.ones(shape, dtype)))

    spread, compared = _spread(plan), _compared(plan)
    for step in plan.steps:
        x, axis, keepdims = _reduced_matrix(step, np.sum)
        if x is None or x.dtype not in FLOATS or (axis == 1 and x.shape[1] > NARROW) or step.result in compared:
            if is_elementwise(step) and not step.kwargs and isinstance(step.result, Value):
                step = replace(step, args=tuple(
                    whole[a] if isinstance(a, Value) and a in whole and whole[a].shape == step.result.shape else a
                    for a in step.args))
            steps.append(step)
        elif x.shape[axis] == 1 and not keepdims:
            index = (0,) if axis == 0 else (slice(None), 0)
            steps.append(Step(getitem, (x, index), {}, step.result, step.why, shares=x))
        elif axis == 1 and keepdims and 1 < x.shape[1] <= VERY_NARROW and step.result in spread:
            whole[step.result] = full = Value(x.shape, x.dtype)
            steps += [Step(np.matmul, (x, one(x.shape[1], x.shape[1], dtype=x.dtype)), {}, full, step.why),
                      Step(getitem, (full, (slice(None), slice(1))), {}, step.result, step.why, shares=full)]
        else:
            weights = one(x.shape[axis], dtype=x.dtype)
            steps += _with_axis(Step(np.matmul, (weights, x) if axis == 0 else (x, weights), {}, step.result, step.why),
                                axis, keepdims)
    return plan.with_steps(steps)


def _compared(plan: Plan) -> set[Value]:
    """What is asked whether it equals something, or leads there through elementwise calls and extremes.

    The other side may be the same sums, added up elsewhere in NumPy's order.
    """
    found: set[Value] = set()
    for step in reversed(plan.steps):
        leads = step.function in (np.equal, np.not_equal)
        passes_on = is_elementwise(step) or step.shares is not None or step.function in (np.max, np.min)
        if leads or (passes_on and any(v in found for v in step.results)):
            found.update(step.reads)
    return found


def _spread(plan: Plan) -> set[Value]:
    """The columns that an elementwise call gives to each element of the rows of a matrix."""
    return {x for step in plan.steps if is_elementwise(step) and not step.kwargs and isinstance(step.result, Value)
            for x in step.reads if len(x.shape) == 2 and x.shape[1] == 1 and x.shape[0] == step.result.shape[0]
            and len(step.result.shape) == 2 and step.result.shape[1] > 1}


def totals(plan: Plan) -> Plan:
    """The sum of all elements as a product with ones; where it is then scaled by numbers, with what they come to."""
    looking, compared = users(plan), _compared(plan)
    scaled: set[int] = set()
    steps: list[Step] = []
    for step in plan.steps:
        x = _totalled(step)
        if x is not None and step.result not in compared:
            scale, last = 1.0, step
            while last.result not in plan.ends and len(looking[last.result]) == 1 \
                    and (factor := _scaled_by(looking[last.result][0])) is not None:
                last = looking[last.result][0]
                scale *= factor
                scaled.add(id(last))
            weights = Value(x.shape, x.dtype, "ones" if scale == 1 else "scales", np.full(x.shape, scale, x.dtype))
            steps.append(Step(np.vdot, (x, weights), {}, last.result, step.why))
        elif id(step) not in scaled:
            steps.append(step)
    return plan.with_steps(steps)


def _totalled(step: Step) -> Value | None:
    """The small array whose elements a call all adds up."""
    x = step.args[0] if step.function is np.sum and step.args else None
    if not isinstance(x, Value) or _asked(step) != {"axis": None}:
        return None
    return x if x.shape and x.dtype in FLOATS and 0 < x.nbytes <= SMALL else None


def _scaled_by(step: Step) -> float | None:
    """The number that a call multiplies its one array by."""
    if step.kwargs or not isinstance(step.result, Value) or step.result.dtype != step.reads[0].dtype:
        return None
    if step.function is np.negative:
        return -1.0
    numbers = [x for x in map(constant, step.args) if isinstance(x, int | float | np.number)]
    if len(step.args) != 2 or len(numbers) != 1 or step.reads[0].constant is not None:
        return None
    if step.function is np.multiply:
        return float(numbers[0])
    return 1.0 / float(numbers[0]) if step.function is np.divide and step.args[0] is step.reads[0] and numbers[0] \
        else None


def row_maxima(plan: Plan) -> Plan:
    """The maximum or minimum along narrow rows: of few, what lies at their places; of many, from a transposed copy.

    NumPy finds the place of an extreme sooner than the extreme, and goes along long rows sooner than along short ones.
    """
    steps: list[Step] = []
    for step in plan.steps:
        x, axis, keepdims = _reduced_matrix(step, np.max, np.min)
        if x is None or axis == 0 or x.shape[1] > NARROW or (x.shape[0] < NARROW and x.size > FEW):
            steps.append(step)
            continue
        if x.size <= FEW and not x.order:
            places = columns = Value(x.shape[:1], np.dtype(np.intp))
            find = np.argmax if step.function is np.max else np.argmin
            steps.append(Step(find, (x, 1), {}, columns, step.why))
            if x.shape[0] > 1:
                places = Value(columns.shape, columns.dtype)
                starts = Value(columns.shape, columns.dtype, "starts", np.arange(0, x.size, x.shape[1]))
                steps.append(Step(np.add, (columns, starts), {}, places, step.why))
            last = Step(taken, (x, places), {}, step.result, step.why)
        else:
            view, turned = (Value(x.shape[::-1], x.dtype) for _ in range(2))
            steps += [Step(np.transpose, (x,), {}, view, step.why, shares=x), Step(copy, (view,), {}, turned, step.why)]
            last = Step(step.function, (turned,), {"axis": 0}, step.result, step.why)
        steps += _with_axis(last, 1, keepdims)
    return plan.with_steps(steps)


def _asked(step: Step) -> dict[str, Any]:
    """What a reduction is asked for: the axis, and what is not as it is by itself."""
    names = ("axis", "dtype") if step.function in SUMMING else ("axis",)
    given = {"axis": None, **dict(zip(names, step.args[1:], strict=False)), **step.kwargs}
    usual = {"dtype": None, "keepdims": False, "where": True}
    return {name: value for name, value in given.items()
            if value is not np._NoValue and not (name in usual and value is usual[name])}


def _reduced_matrix(step: Step, *functions: Any) -> tuple[Value | None, int, bool]:
    """The matrix that one of the functions reduces along one axis, which, and whether the axis stays."""
    x = step.args[0] if step.function in functions and step.args else None
    if not isinstance(x, Value) or len(x.shape) != 2 or 0 in x.shape:
        return None, 0, False
    asked = _asked(step)
    axis, keepdims = asked.pop("axis"), asked.pop("keepdims", False)
    axis = axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis
    if not isinstance(axis, int) or keepdims not in (True, False) or asked:
        return None, 0, False
    return x, axis % 2, keepdims


def _with_axis(step: Step, axis: int, keepdims: bool) -> list[Step]:
    """A call that drops an axis of a matrix, and where the axis is to stay, what puts it back."""
    if not keepdims:
        return [step]
    shape = (step.result.shape[1 - axis],)
    flat = Value(shape, step.result.dtype)
    index = (None, slice(None)) if axis == 0 else (slice(None), None)
    return [replace(step, result=flat), Step(getitem, (flat, index), {}, step.result, step.why, shares=flat)]


def bare_reductions(plan: Plan) -> Plan:
    """The ufunc's own reduce for np.sum and its like, which only find out that this is what is asked for."""
    steps = []
    for step in plan.steps:
        ufunc = REDUCTIONS.get(step.function)
        if ufunc is not None and isinstance(step.result, Value) and len(step.args) <= 2 + (step.function in SUMMING):
            asked = _asked(step)
            if set(asked) <= {"axis", "dtype", "keepdims"}:
                step = Step(ufunc.reduce, step.args[:1], asked, step.result, step.why)
        steps.append(step)
    return plan.with_steps(steps)
