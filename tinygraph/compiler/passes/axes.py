"""Passes about the order of axes: transposes that cancel, calls that need not see them, copies in a new order.

A convolution gives its result as a transposed view of what lies in memory with the channels last. What follows is done
on what lies in memory, so that no call walks through it in a bad order and no buffer turns it round.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tinygraph.compiler.calls import astype, copy
from tinygraph.compiler.memory import is_elementwise
from tinygraph.compiler.passes.rewriting import makers, substituted
from tinygraph.compiler.plan import Plan, Step, Value

Axes = tuple[int, ...]

ORDERS = {np.transpose, np.swapaxes, np.lib.stride_tricks.sliding_window_view}
"""Functions that only look at their argument in another order."""


def transposes(plan: Plan) -> Plan:
    """Move each transpose behind the elementwise calls on its result; leave out those that undo one another."""
    turned: dict[Value, tuple[Value, Axes]] = {}
    new: dict[Value, Value] = {}
    written = {step.replaces for step in plan.steps}
    steps: list[Step] = []
    for step in plan.steps:
        step = substituted(step, new)
        if (axes := _axes(step)) is not None and step.result not in written:
            base, before = turned.get(step.args[0], (step.args[0], tuple(range(len(axes)))))
            axes = tuple(before[axis] for axis in axes)
            if axes == tuple(range(len(axes))):
                new[step.result] = base
                continue
            turned[step.result] = base, axes
            steps.append(Step(np.transpose, (base, axes), {}, step.result, step.why, shares=base))
        elif (common := _common(step, turned)) is not None and step.result not in written:
            result = step.result
            inner = Value(tuple(result.shape[common.index(i)] for i in range(len(common))), result.dtype)
            args = tuple(turned[x][0] if isinstance(x, Value) and x in turned else x for x in step.args)
            steps.append(Step(step.function, args, step.kwargs, inner, step.why))
            steps.append(Step(np.transpose, (inner, common), {}, result, step.why, shares=inner))
            turned[result] = inner, common
        else:
            steps.append(step)
    return plan.renamed(steps, new)


def copies(plan: Plan) -> Plan:
    """`copy` for np.copy, and before a reshape that has to copy: so what they copy goes into a buffer."""
    made = makers(plan)
    written = {step.replaces for step in plan.steps}
    steps: list[Step] = []
    for step in plan.steps:
        if step.function is np.copy and step.args[1:] == ("C",) and not step.kwargs:
            step = replace(step, function=copy, args=step.args[:1])
        elif step.function is np.reshape and step.result not in written and _has_to_copy(step, made):
            turned = Value(step.args[0].shape, step.args[0].dtype)
            steps.append(Step(copy, step.args[:1], {}, turned, step.why))
            step = replace(step, args=(turned, *step.args[1:]), shares=turned)
        steps.append(step)
    return plan.with_steps(steps)


def _has_to_copy(step: Step, made: dict[Value, Step]) -> bool:
    """Whether a reshape copies, where the array that it looks at in another order lies in C order."""
    path = [step]
    while isinstance(x := path[-1].args[0], Value) and x in made and made[x].function in ORDERS:
        path.append(made[x])
    if path[1:] == [] or not isinstance(x, Value) or x.order or len(step.args) != 2 or step.kwargs:
        return False
    array = whole = np.empty(x.shape, x.dtype)
    for view in path[::-1]:
        array = view.function(array, *view.args[1:], **view.kwargs)
    return bool(array.size) and not np.may_share_memory(array, whole)


def _axes(step: Step) -> Axes | None:
    """The order of axes, counted from 0, that a call gives its argument, where it does nothing else."""
    if not step.args or not isinstance(step.args[0], Value) or not isinstance(step.result, Value) or step.kwargs:
        return None
    n = len(step.args[0].shape)
    if n < 3:  # a matrix's transpose is BLAS's own matter, and costs nothing there
        return None
    if step.function is np.transpose:
        axes = step.args[1] if len(step.args) > 1 and step.args[1] is not None else range(n)[::-1]
        return tuple(int(axis) % n for axis in axes)
    if step.function is np.swapaxes:
        order = list(range(n))
        i, j = (int(axis) % n for axis in step.args[1:])
        order[i], order[j] = order[j], order[i]
        return tuple(order)
    return None


def _common(step: Step, turned: dict[Value, tuple[Value, Axes]]) -> Axes | None:
    """The order of axes that all arrays of an elementwise call share, where the call could as well be made before."""
    elementwise = is_elementwise(step) or step.function is astype or (step.function is np.where and len(step.args) == 3)
    if not elementwise or not isinstance(step.result, Value) or step.replaces is not None or step.effect:
        return None
    ranked = [x for x in step.args if isinstance(x, Value) and x.shape]
    if not ranked or any(x not in turned or x.shape != step.result.shape for x in ranked):
        return None
    orders = {turned[x][1] for x in ranked}
    return orders.pop() if len(orders) == 1 and _plain(step.kwargs) else None


def _plain(kwargs: dict[str, Any]) -> bool:
    return set(kwargs) <= {"dtype"}
