"""Plan: what a step does, as a flat list of NumPy calls in single-assignment form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np


@dataclass(eq=False, slots=True)
class Value:
    """One array of the plan, assigned once.

    Attributes:
        shape, dtype: What it will have at every call.
        name: What the source calls it, where the user's code gave it a name.
        constant: The array itself, where it is the same at every call.
        order: The axes as they lie in memory, that of the longest stride first; empty where they lie as they stand.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    name: str = ""
    constant: Any = None
    order: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """How many elements it has."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        """What it takes up (bytes)."""
        return self.size * self.dtype.itemsize


class View(NamedTuple):
    """A way to look at an array: ``function(*args, **kwargs)`` with `HERE` in its place; ``at``: which of several."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    at: int | None = None

    def filled(self, x: Any) -> tuple[Any, ...]:
        """The arguments with an array, or what stands for it, in its place."""
        args: tuple[Any, ...] = mapped(self.args, lambda a: x if a is HERE else a)
        return args

    def of(self, x: Any) -> Any:
        """The view of an array."""
        result = self.function(*self.filled(x), **self.kwargs)
        return result if self.at is None else result[self.at]


class _Here:
    def __repr__(self) -> str:
        return "HERE"


HERE = _Here()
"""The array that a `View` looks at."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call: ``result = function(*args, **kwargs)``, where Values stand for arrays, also inside containers.

    Attributes:
        result: The Value it assigns; a tuple of them where the function gives several; None for a check of values.
        why: The op and the line of the user's code that it comes from.
        replaces: The first argument, where the call writes into it (setitem): what it becomes is ``result``, and what
            the function itself gives is nothing. Whoever needs the argument later must have it copied.
        shares: The argument in whose memory the result lies or may lie, where it is a view.
        path: With ``replaces``: the call writes into this view of the array, one view after the other.
        effect: The call does more than give a result (it draws from a generator): it is made once, in its place,
            whatever becomes of its result.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any
    why: str = ""
    replaces: Value | None = None
    shares: Value | None = None
    path: tuple[View, ...] = ()
    effect: bool = False

    @property
    def reads(self) -> list[Value]:
        """The Values among its arguments, in order, each as often as it occurs."""
        return list(values_in((self.args, self.kwargs)))

    @property
    def results(self) -> list[Value]:
        """The Values that it assigns."""
        return list(values_in(self.result))


@dataclass(frozen=True, eq=False)
class Chain:
    """A function that is several elementwise calls, made together on some rows of the arrays, then on the next.

    Attributes:
        steps: The calls.
        arguments, results: The Values that it takes, and those that it gives.
        rows: How many rows a block has.
        least: How many rows a thread must have for its start to be worth it.
        cut: The arguments that are cut into blocks; what broadcasts along the first axis is given whole.
    """

    steps: tuple[Step, ...]
    arguments: tuple[Value, ...]
    results: tuple[Value, ...]
    rows: int
    least: int
    cut: frozenset[Value]

    __name__ = "chain"

    def __call__(self, *arrays: Any) -> tuple[Any, ...]:
        """What it comes to, on whole arrays."""
        known: dict[Any, Any] = dict(zip(self.arguments, arrays, strict=True))
        for step in self.steps:
            args = mapped(step.args, lambda x: known.get(x, x) if isinstance(x, Value) else x)
            known[step.result] = step.function(*args)
        return tuple(known[v] for v in self.results)

    def may_overwrite(self, argument: Value, result: Value) -> bool:
        """Whether no call looks at an argument after the one that makes a result, so that the two may share memory."""
        places = {step.result: i for i, step in enumerate(self.steps)}
        last = max(i for i, step in enumerate(self.steps) if argument in step.reads)
        return argument in self.cut and last <= places[result]


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole step.

    Attributes:
        inputs: The Values of the step's array arguments.
        states: The Values of the tensors it reads from outside, as they are when it begins.
        steps: The calls, in an order in which they can run.
        writes: What is written back at the end: (the state, the Value that it becomes).
        outputs: The Values that it returns.
    """

    inputs: tuple[Value, ...]
    states: tuple[Value, ...]
    steps: tuple[Step, ...]
    writes: tuple[tuple[Value, Value], ...]
    outputs: tuple[Value, ...]

    @property
    def ends(self) -> set[Value]:
        """The Values that must outlive the steps."""
        return {*self.outputs, *(value for _, value in self.writes)}

    def with_steps(self, steps: list[Step]) -> Plan:
        """The same plan with other steps."""
        return replace(self, steps=tuple(steps))

    def renamed(self, steps: list[Step], new: dict[Value, Value]) -> Plan:
        """The same plan with other steps, and its ends taken from where ``new`` says."""
        return replace(self, steps=tuple(steps), outputs=tuple(new.get(v, v) for v in self.outputs),
                       writes=tuple((state, new.get(v, v)) for state, v in self.writes))


def is_uniform(array: Any) -> bool:
    """Whether all elements of an array are equal, bit for bit (0.0 and -0.0 differ)."""
    return bool(array.size) and bool(np.all(array == array.flat[0])) and array.tobytes() == np.full_like(
        array, array.flat[0], order="C", subok=False).tobytes()


def order_of(array: Any) -> tuple[int, ...]:
    """The axes of an array as they lie in memory, for `Value.order`; empty also where some do not lie apart."""
    strides = getattr(array, "strides", ())
    if len(strides) < 2 or array.flags.c_contiguous or 0 in strides:
        return ()
    return tuple(sorted(range(len(strides)), key=lambda axis: -abs(strides[axis])))


def values_in(x: Any) -> Iterator[Value]:
    """Every Value in nested containers, in order."""
    if isinstance(x, Value):
        yield x
    elif isinstance(x, list | tuple):
        for item in x:
            yield from values_in(item)
    elif isinstance(x, dict):
        for item in x.values():
            yield from values_in(item)


def mapped(x: Any, change: Callable[[Any], Any]) -> Any:
    """The same containers with every leaf changed."""
    if isinstance(x, list | tuple):
        items = [mapped(item, change) for item in x]
        return type(x)(*items) if hasattr(x, "_fields") else type(x)(items)
    if isinstance(x, dict):
        return {key: mapped(item, change) for key, item in x.items()}
    return change(x)
