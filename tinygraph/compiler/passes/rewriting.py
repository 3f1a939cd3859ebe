"""What passes are made of: steps left out or exchanged, Values renamed, calls told apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tinygraph.compiler.plan import Plan, Step, Value, mapped


def replaced(plan: Plan, instead: Callable[[Step], Any]) -> Plan:
    """The plan without the steps for which ``instead`` knows a Value (or a tuple of them) to take for the result."""
    new: dict[Value, Value] = {}
    steps = []
    # What is written into must stay a Value of its own.
    written = {step.replaces for step in plan.steps}
    for step in plan.steps:
        step = substituted(step, new)
        other = instead(step)
        if other is None or any(value in written for value in step.results):
            steps.append(step)
        elif isinstance(other, tuple):
            new.update(zip(step.results, other, strict=True))
        else:
            new[step.result] = other
    return plan.renamed(steps, new)


def substituted(step: Step, new: dict[Value, Value]) -> Step:
    """The step with Values exchanged among its arguments."""
    if not any(value in new for value in step.reads):
        return step

    def change(x: Any) -> Any:
        return new.get(x, x) if isinstance(x, Value) else x
    return replace(step, args=mapped(step.args, change), kwargs=mapped(step.kwargs, change),
                   replaces=change(step.replaces), shares=change(step.shares))


def in_order(steps: list[Step]) -> list[Step]:
    """The steps, each after those that make what it looks at, and otherwise as they stand."""
    made = {value: step for step in steps for value in step.results}
    done: set[int] = set()
    ordered = []
    for step in steps:
        waiting = [step]
        while waiting:
            first = waiting[-1]
            before = [made[v] for v in first.reads if v in made and id(made[v]) not in done]
            if before:
                waiting += before[::-1]
                continue
            waiting.pop()
            if id(first) not in done:
                done.add(id(first))
                ordered.append(first)
    return ordered


def users(plan: Plan) -> dict[Value, list[Step]]:
    """The steps that look at each Value."""
    found: dict[Value, list[Step]] = defaultdict(list)
    for step in plan.steps:
        for value in step.reads:
            found[value].append(step)
    return found


def makers(plan: Plan) -> dict[Value, Step]:
    """The step that assigns each Value."""
    return {step.result: step for step in plan.steps if isinstance(step.result, Value)}


def constant(x: Any) -> Any:
    """The array of a Value that is the same at every call; anything else as it is."""
    return x.constant if isinstance(x, Value) else x


def key(x: Any) -> Any:
    """Something hashable that two equal arguments share; numbers of different types differ, and so do -0.0 and 0.0."""
    if isinstance(x, list | tuple):
        return type(x), tuple(map(key, x))
    if isinstance(x, dict):
        return tuple((name, key(value)) for name, value in x.items())
    return id(x) if isinstance(x, Value) else (type(x), repr(x))
