"""compare: whether two recordings of a step are one program, and if not, where they part."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygraph.compiler.plan import Plan, Step, Value
from tinygraph.compiler.recording import Out, Recording
from tinygraph.tensors import Tensor

REMEDY = "what changes between calls belongs in a Tensor or among the arguments, and random numbers come from tg.random"


def difference(first: Recording, second: Recording) -> str | None:
    """One sentence that says what a step did differently the second time, or None where it did the same."""
    problem = _plans(first.plan, second.plan) or _results(first.shape, second.shape)
    if problem is None and second.made:
        return "the step makes a tensor at each call that is kept outside, where no later call would put its own; " \
               "return it, or write into one that is made before"
    return problem


def _plans(first: Plan, second: Plan) -> str | None:
    same: dict[Value, Value] = dict(zip((*first.inputs, *first.states), (*second.inputs, *second.states), strict=True))
    for a, b in zip(first.steps, second.steps, strict=False):
        problem = _step(a, b, same)
        if problem:
            return f"{problem} ({b.why})"
    if len(first.steps) != len(second.steps):
        longer = max(first.steps, second.steps, key=len)[min(len(first.steps), len(second.steps))]
        return f"the two calls of the step did not make the same calls of NumPy: {_name(longer)} was made in one alone"
    ends_a, ends_b = ([*p.outputs, *(v for _, v in p.writes)] for p in (first, second))
    if len(ends_a) != len(ends_b):
        return "the two calls of the step did not return or update the same things"
    problem = next((p for a, b in zip(ends_a, ends_b, strict=True) if (p := _value(a, b, same))), None)
    return problem and f"in what the step returns or updates, {problem}"


def _results(a: Any, b: Any) -> str | None:
    """How the results of two calls differ in what is no array."""
    if isinstance(a, Out) and isinstance(b, Out):
        return None
    if isinstance(a, list | tuple) and type(a) is type(b) and len(a) == len(b):
        return next((p for x, y in zip(a, b, strict=True) if (p := _results(x, y))), None)
    if isinstance(a, dict) and isinstance(b, dict) and list(a) == list(b):
        return next((p for k in a if (p := _results(a[k], b[k]))), None)
    if a is b or (not isinstance(a, Tensor) and type(a) is type(b) and repr(a) == repr(b)):
        return None
    return f"the step returned {a!r} at the first call and {b!r} at the second; {REMEDY}"


def _step(a: Step, b: Step, same: dict[Value, Value]) -> str | None:
    if a.function is not b.function and a.function != b.function:
        return f"the first call of the step called {_name(a)} where the second called {_name(b)}"
    problem = (_argument(a.args, b.args, same) or _argument(a.kwargs, b.kwargs, same)
               or _argument(a.path, b.path, same))
    if problem:
        return f"{_name(b)}: {problem}"
    same.update(zip(a.results, b.results, strict=False))
    return None


def _argument(a: Any, b: Any, same: dict[Value, Value]) -> str | None:
    if isinstance(a, Value) and isinstance(b, Value):
        return _value(a, b, same)
    if isinstance(a, list | tuple) and type(a) is type(b) and len(a) == len(b):
        return next((p for x, y in zip(a, b, strict=True) if (p := _argument(x, y, same))), None)
    if isinstance(a, dict) and isinstance(b, dict) and list(a) == list(b):
        return next((p for k in a if (p := _argument(a[k], b[k], same))), None)
    if a is b or (type(a) is type(b) and repr(a) == repr(b)):
        return None
    if callable(a) and callable(b):
        code = getattr(a, "__code__", None)
        return None if code is not None and code is getattr(b, "__code__", None) else "it called another function"
    return f"a constant was {a!r} at the first call and {b!r} at the second; {REMEDY}"


def _value(a: Value, b: Value, same: dict[Value, Value]) -> str | None:
    if a.constant is None and b.constant is None:
        return None if same.get(a) is b else "it worked on another array the second time"
    if a.constant is None or b.constant is None:
        return "an array was a constant at one call and computed at the other"
    equal = np.array_equal(a.constant, b.constant, equal_nan=a.dtype.kind in "fc")
    return None if equal else f"a plain array had other numbers at the second call; {REMEDY}"


def _name(step: Step) -> str:
    return str(getattr(step.function, "__name__", step.function))
