"""Passes: each takes a plan and gives one that computes the same with less. Pure functions; `optimised` runs them all.

A Value never changes, so two names for one Value are always interchangeable. What may be overwritten in memory is the
printer's matter (`tinygraph.compiler.source`), once the order is settled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tinygraph.compiler.calls import astype, copy
from tinygraph.compiler.plan import Plan, Step, Value, mapped

Pass = Callable[[Plan], Plan]

SHAPED = {np.ones_like: np.ones, np.zeros_like: np.zeros}
"""Functions that look at their argument's shape and dtype alone."""

REDUCTIONS: dict[Any, np.ufunc] = {np.sum: np.add, np.prod: np.multiply, np.max: np.maximum, np.min: np.minimum}
"""What a reduction of NumPy's hands its work to."""


def dead_code(plan: Plan) -> Plan:
    """Leave out what nothing at the end was computed from."""
    needed = set(plan.ends)
    kept = []
    for step in reversed(plan.steps):
        if step.result is None or step.effect or any(value in needed for value in step.results):
            kept.append(step)
            needed.update(step.reads)
    return plan.with_steps(kept[::-1])


def aliases(plan: Plan) -> Plan:
    """Take the argument for the result where a call changes nothing: copies, casts and reshapes to what it is."""
    return _replaced(plan, lambda step: step.args[0] if _changes_nothing(step) else None)


def _changes_nothing(step: Step) -> bool:
    first = step.args[0] if step.args else None
    if not isinstance(first, Value) or not isinstance(step.result, Value) or step.result.shape != first.shape:
        return False
    if step.result.dtype != first.dtype:
        return False
    if step.function in (copy, astype, np.copy, np.positive, np.broadcast_to, np.reshape):
        return True
    number = step.args[1] if len(step.args) == 2 else None
    if isinstance(number, Value) and number.constant is not None and number.shape == ():
        number = number.constant[()]
    is_one = isinstance(number, int | float | np.number) and number == 1
    return step.function in (np.multiply, np.divide) and is_one and not step.kwargs


def constants(plan: Plan) -> Plan:
    """Compute now what is the same at every call."""
    known: dict[Value, Value] = {}
    equal: dict[Any, Value] = {}
    steps = []
    for step in plan.steps:
        step = _with(step, known)
        shaped = step.function in SHAPED and not step.kwargs
        fixed = all(value.constant is not None for value in step.reads)
        pure = step.replaces is None and not step.effect
        if isinstance(step.result, Value) and pure and (shaped or fixed):
            if shaped:
                array = SHAPED[step.function](step.result.shape, step.result.dtype)
            else:
                array = step.function(*mapped(step.args, _constant), **mapped(step.kwargs, _constant))
            array = np.asarray(array)
            value = Value(array.shape, array.dtype, constant=array)
            known[step.result] = equal.setdefault((array.shape, array.dtype, array.tobytes()), value)
        else:
            steps.append(step)
    return plan.renamed(steps, known)


def common_subexpressions(plan: Plan) -> Plan:
    """Compute a call that is made twice with the same arguments once."""
    seen: dict[Any, Step] = {}

    def twin(step: Step) -> Any:
        if step.replaces is not None or step.result is None or step.effect:
            return None
        key = (step.function, _key(step.args), _key(step.kwargs))
        first = seen.setdefault(key, step)
        return first.result if first is not step else None
    return _replaced(plan, twin)


def sums(plan: Plan) -> Plan:
    """A sum with ``keepdims`` that is reshaped to what it would be without is that sum."""
    made = _makers(plan)
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
    made = _makers(plan)

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


PASSES: tuple[Pass, ...] = (dead_code, aliases, constants, aliases, common_subexpressions, sums, row_sums, broadcasts,
                            common_subexpressions, bare_reductions, dead_code)


def optimised(plan: Plan) -> Plan:
    """The plan after all passes, in their order."""
    for change in PASSES:
        plan = change(plan)
    return plan


# --- what passes are made of ------------------------------------------------------------------------------------------


def _replaced(plan: Plan, instead: Callable[[Step], Any]) -> Plan:
    """The plan without the steps for which ``instead`` knows a Value (or a tuple of them) to take for the result."""
    new: dict[Value, Value] = {}
    steps = []
    # What is written into must stay a Value of its own.
    written = {step.replaces for step in plan.steps}
    for step in plan.steps:
        step = _with(step, new)
        other = instead(step)
        if other is None or any(value in written for value in step.results):
            steps.append(step)
        elif isinstance(other, tuple):
            new.update(zip(step.results, other, strict=True))
        else:
            new[step.result] = other
    return plan.renamed(steps, new)


def _with(step: Step, new: dict[Value, Value]) -> Step:
    """The step with Values exchanged among its arguments."""
    if not any(value in new for value in step.reads):
        return step

    def change(x: Any) -> Any:
        return new.get(x, x) if isinstance(x, Value) else x
    return replace(step, args=mapped(step.args, change), kwargs=mapped(step.kwargs, change),
                   replaces=change(step.replaces), shares=change(step.shares))


def _makers(plan: Plan) -> dict[Value, Step]:
    """The step that assigns each Value."""
    return {step.result: step for step in plan.steps if isinstance(step.result, Value)}


def _constant(x: Any) -> Any:
    return x.constant if isinstance(x, Value) else x


def _key(x: Any) -> Any:
    """Something hashable that two equal arguments share; numbers of different types differ, and so do -0.0 and 0.0."""
    if isinstance(x, list | tuple):
        return type(x), tuple(map(_key, x))
    if isinstance(x, dict):
        return tuple((name, _key(value)) for name, value in x.items())
    return id(x) if isinstance(x, Value) else (type(x), repr(x))
