"""Passes that put a cheaper call in a call's place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tinygraph.compiler.calls import copy, getitem, masked
from tinygraph.compiler.memory import is_elementwise
from tinygraph.compiler.passes.rewriting import makers
from tinygraph.compiler.plan import Plan, Step, Value, is_uniform

REDUCTIONS: dict[Any, np.ufunc] = {np.sum: np.add, np.prod: np.multiply, np.max: np.maximum, np.min: np.minimum}
"""What a reduction of NumPy's hands its work to."""

FLOATS = {np.dtype(np.float32), np.dtype(np.float64)}

NARROW = 64
"""A row of fewer numbers than this is reduced slowly: NumPy's loop over it ends before it has begun."""


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

    It adds in another order.
    """
    ones: dict[Any, Value] = {}
    steps: list[Step] = []
    for step in plan.steps:
        x, axis, keepdims = _reduced_matrix(step, np.sum)
        if x is None or x.dtype not in FLOATS or (axis == 1 and (x.shape[1] > NARROW or x.shape[0] < NARROW)):
            steps.append(step)
            continue
        key = (x.shape[axis], x.dtype)
        one = ones.setdefault(key, Value(key[:1], x.dtype, constant=np.ones(*key)))
        args = (one, x) if axis == 0 else (x, one)
        steps += _with_axis(Step(np.matmul, args, {}, step.result, step.why), axis, keepdims)
    return plan.with_steps(steps)


def row_maxima(plan: Plan) -> Plan:
    """The maximum or minimum along each of many narrow rows from a transposed copy, whose rows are long."""
    steps: list[Step] = []
    for step in plan.steps:
        x, axis, keepdims = _reduced_matrix(step, np.max, np.min)
        if x is None or axis == 0 or x.shape[1] > NARROW or x.shape[0] < NARROW:
            steps.append(step)
            continue
        view, turned = (Value(x.shape[::-1], x.dtype) for _ in range(2))
        steps += [Step(np.transpose, (x,), {}, view, step.why, shares=x), Step(copy, (view,), {}, turned, step.why)]
        steps += _with_axis(Step(step.function, (turned,), {"axis": 0}, step.result, step.why), 1, keepdims)
    return plan.with_steps(steps)


def _reduced_matrix(step: Step, *functions: Any) -> tuple[Value | None, int, bool]:
    """The matrix that one of the functions reduces along one axis, which, and whether the axis stays."""
    x = step.args[0] if len(step.args) == 1 else None
    given = {name: v for name, v in step.kwargs.items() if v is not np._NoValue}
    axis = given.pop("axis", None)
    axis = axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis
    keepdims = given.pop("keepdims", False)
    matrix = isinstance(x, Value) and len(x.shape) == 2 and 0 not in x.shape and isinstance(axis, int)
    if step.function not in functions or not matrix or given or not isinstance(keepdims, bool):
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


def products(plan: Plan) -> Plan:
    """np.dot for a product of matrices and vectors: the same call of BLAS, which matmul takes longer to find.

    Where the inner axis is 1, matmul leaves BLAS and takes eight times as long.
    """
    steps = []
    for step in plan.steps:
        pair = [x for x in step.args if isinstance(x, Value) and 1 <= len(x.shape) <= 2 and x.dtype.kind in "fc"]
        if step.function is np.matmul and len(pair) == 2 and not step.kwargs and pair[0].dtype == pair[1].dtype:
            step = replace(step, function=np.dot)
        steps.append(step)
    return plan.with_steps(steps)


def masks(plan: Plan) -> Plan:
    """`masked` for np.where with zero on one side: as much as twenty times as fast where the mask is irregular."""
    steps = []
    for step in plan.steps:
        if step.function is np.where and len(step.args) == 3 and step.args[2] in (0, 0.0) and not step.kwargs:
            mask, x, zero = step.args
            alike = all(isinstance(v, Value) and v.shape == step.result.shape for v in (mask, x))
            if alike and mask.dtype == bool and x.dtype == step.result.dtype and x.dtype in FLOATS \
                    and step.result.nbytes >= 1 << 14 and not np.signbit(zero):
                step = replace(step, function=masked, args=(mask, x))
        steps.append(step)
    return plan.with_steps(steps)


def uniform(plan: Plan) -> Plan:
    """A number for a constant array of equal elements, where another argument of an elementwise call has its shape."""
    steps = []
    for step in plan.steps:
        if isinstance(step.function, np.ufunc) and is_elementwise(step) and step.result.shape:
            args = tuple(_number(x) if isinstance(x, Value) else x for x in step.args)
            shapes = [getattr(x, "shape", ()) for x in args]
            if np.broadcast_shapes(*shapes) == step.result.shape:
                step = replace(step, args=args)
        steps.append(step)
    return plan.with_steps(steps)


def _number(x: Value) -> Any:
    """A constant array's one element, with its dtype, where all are equal bit for bit; anything else as it is."""
    return x.constant.flat[0] if x.constant is not None and x.shape and is_uniform(x.constant) else x


def numbers(plan: Plan) -> Plan:
    """An array without axes for a number that an elementwise call gets: NumPy would make one at every call (0.2 µs)."""
    made: dict[Any, Value] = {}

    def array(x: Any, dtype: np.dtype[Any]) -> Any:
        if not isinstance(x, int | float | np.number):
            return x
        if dtype.kind in "iu" and not np.iinfo(dtype).min <= x <= np.iinfo(dtype).max:
            return x  # a comparison with what the dtype cannot hold is answered without it
        constant = np.array(x).astype(dtype)
        name = f"c_{x!s}".replace("e-", "e_minus_").replace("-", "minus_")
        return made.setdefault((repr(x), dtype), Value((), dtype, name, constant))

    steps = []
    for step in plan.steps:
        arrays = any(isinstance(x, Value) and x.shape for x in step.args)
        function: Any = step.function
        plain = isinstance(function, np.ufunc) and is_elementwise(step) and not step.kwargs
        if plain and arrays and not any(isinstance(x, bool) for x in step.args):
            kinds = [x.dtype if isinstance(x, Value | np.generic) else type(x) for x in step.args]
            dtypes = function.resolve_dtypes((*kinds, None))
            step = replace(step, args=tuple(map(array, step.args, dtypes)))
        steps.append(step)
    return plan.with_steps(steps)


def broadcasts(plan: Plan) -> Plan:
    """An elementwise call broadcasts by itself: give it the small array where another argument has the full shape."""
    made = makers(plan)

    def small(x: Any) -> Any:
        source = made.get(x) if isinstance(x, Value) else None
        bare = source is not None and source.function is np.broadcast_to and isinstance(source.args[0], Value)
        return source.args[0] if source is not None and bare else x

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
