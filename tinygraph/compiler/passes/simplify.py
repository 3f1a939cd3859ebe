"""Passes that leave out calls: what nobody needs, what changes nothing, what is known or was computed before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tinygraph.compiler.calls import astype, copy
from tinygraph.compiler.passes.rewriting import constant, key, replaced, substituted
from tinygraph.compiler.plan import Plan, Step, Value, mapped

SHAPED = {np.ones_like: np.ones, np.zeros_like: np.zeros}
"""Functions that look at their argument's shape and dtype alone."""


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
    def argument(step: Step) -> Value | None:
        if step.function is np.multiply and len(step.args) == 2 and _is_one(step.args[0]):
            step = replace(step, args=step.args[::-1])
        return step.args[0] if _changes_nothing(step) else None
    return replaced(plan, argument)


def _is_one(x: Any) -> bool:
    number = x.constant[()] if isinstance(x, Value) and x.constant is not None and x.shape == () else x
    return isinstance(number, int | float | np.number) and number == 1


def _changes_nothing(step: Step) -> bool:
    first = step.args[0] if step.args else None
    if not isinstance(first, Value) or not isinstance(step.result, Value) or step.result.shape != first.shape:
        return False
    if step.result.dtype != first.dtype:
        return False
    if step.function is np.copy and (len(step.args) > 1 or step.kwargs):
        return False  # it asks for an order in memory
    if step.function in (copy, astype, np.copy, np.positive, np.broadcast_to, np.reshape):
        return True
    return step.function in (np.multiply, np.divide) and len(step.args) == 2 and _is_one(step.args[1]) \
        and not step.kwargs


def constants(plan: Plan) -> Plan:
    """Compute now what is the same at every call."""
    known: dict[Value, Value] = {}
    equal: dict[Any, Value] = {}
    steps = []
    for step in plan.steps:
        step = substituted(step, known)
        shaped = step.function in SHAPED and not step.kwargs
        fixed = all(value.constant is not None for value in step.reads)
        pure = step.replaces is None and not step.effect
        if isinstance(step.result, Value) and pure and (shaped or fixed):
            if shaped:
                array = SHAPED[step.function](step.result.shape, step.result.dtype)
            else:
                array = step.function(*mapped(step.args, constant), **mapped(step.kwargs, constant))
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
        first = seen.setdefault((step.function, key(step.args), key(step.kwargs)), step)
        return first.result if first is not step else None
    return replaced(plan, twin)
