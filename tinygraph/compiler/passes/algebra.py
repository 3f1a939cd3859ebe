"""Passes that put a cheaper call in a call's place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tinygraph.compiler.memory import is_elementwise
from tinygraph.compiler.passes.rewriting import makers
from tinygraph.compiler.plan import Plan, Step, Value, is_uniform

FLOATS = {np.dtype(np.float32), np.dtype(np.float64)}


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
        arrays = any(isinstance(x, Value) for x in step.args)
        function: Any = step.function
        if function is np.where and len(step.args) == 3 and arrays and isinstance(step.result, Value):
            step = replace(step, args=(step.args[0], *(array(x, step.result.dtype) for x in step.args[1:])))
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
