"""Memory: where each result of a plan lies: over an argument that dies, in the one arena, or where NumPy puts it."""

from __future__ import annotations

from bisect import insort
from typing import Any

import numpy as np

from tinygraph.compiler.calls import MAYBE_VIEWS, astype, copy, masked, one_hot, taken
from tinygraph.compiler.plan import Chain, Plan, Step, Value, values_in

WITH_OUT = {np.sum, np.max, np.min, np.mean, np.prod, np.add.reduce, np.multiply.reduce, np.maximum.reduce,
            np.minimum.reduce, np.dot, np.argmax, np.argmin}
"""Functions that take ``out=``; ufuncs do anyway."""

LINE = 64
"""Buffers begin where a line of the processor's cache does (bytes)."""


class Buffer:
    """A stretch of the arena that a value lies in, and others after it that take its place.

    Attributes:
        born, dead: The first and the last step that know it.
        offset: Where it begins (bytes); known once the whole plan was gone through.
    """

    __slots__ = ("born", "dead", "dtype", "offset", "order", "shape")

    def __init__(self, value: Value, born: int, keeps_order: bool = True) -> None:
        self.shape, self.dtype = value.shape, value.dtype
        self.order = value.order if keeps_order else ()  # an array in another order would be walked through across
        self.born = self.dead = born
        self.offset = -1

    @property
    def nbytes(self) -> int:
        """What it takes up, to the end of its last line of cache (bytes)."""
        return -(-int(np.prod(self.shape)) * self.dtype.itemsize // LINE) * LINE


class Memory:
    """Goes through the steps once, in order, and decides.

    Attributes:
        over: For a result that is written over an argument: the argument.
        buffers: For a result that lies in the arena: its buffer.
        fresh: The roots that a call allocates and nobody else knows.
        spare: For a chain, the arguments in whose memory it may keep what it needs on its way.
        size: What the arena takes up (bytes).
    """

    def __init__(self, plan: Plan, steps: list[Step], sunk: dict[Value, Step]) -> None:
        self.steps = steps
        self.over: dict[Value, Value] = {}
        self.buffers: dict[Value, Buffer] = {}
        self.fresh: set[Value] = set()
        self.spare: dict[Any, set[Value]] = {}
        self._root: dict[Value, Value] = {}
        for step in steps:
            for result in step.results:
                if step.shares is not None:
                    self._root[result] = self.root(step.shares)
        self._returned = {self.root(value) for value in plan.outputs}
        self._last = self._last_uses(plan, sunk)
        self._held: dict[Value, Buffer] = {}
        made: list[Buffer] = []
        for i, step in enumerate(steps):
            self._place(i, step, made)
            if isinstance(step.function, Chain):
                self.spare[step.function] = {v for v in step.reads if self._dies(v, i, step)}
            for value in {self.root(v) for v in (*step.reads, *step.results)}:
                if self._last[value] == i and value in self._held:
                    self._held.pop(value).dead = i
        self._spare_at_the_end(plan, sunk)
        for buffer in self._held.values():
            buffer.dead = len(steps)
        self.size = arranged(made)

    def root(self, value: Value) -> Value:
        """The value in whose memory this one lies, where it is a view."""
        return self._root.get(value, value)

    def _last_uses(self, plan: Plan, sunk: dict[Value, Step]) -> dict[Value, int]:
        last: dict[Value, int] = {}
        for i, step in enumerate(self.steps):
            for value in (*step.reads, *step.results):
                last[self.root(value)] = i
        late = [value for step in sunk.values() for value in step.reads]
        last.update((self.root(value), len(self.steps)) for value in (*plan.ends, *late))
        return last

    def _spare_at_the_end(self, plan: Plan, sunk: dict[Value, Step]) -> None:
        """What the calls that write into states may do with what one of them alone still looks at."""
        kept = {self.root(value) for value in plan.ends}
        late = {id(step): step for step in sunk.values()}.values()
        for step in late:
            if isinstance(step.function, Chain):
                others = {self.root(v) for other in late if other is not step for v in other.reads}
                self.spare[step.function] = {v for v in step.reads if self._dies(v, len(self.steps), step)
                                             and v not in kept | others}

    def _place(self, i: int, step: Step, made: list[Buffer]) -> None:
        if step.replaces is not None:
            views = any(view.function in MAYBE_VIEWS for view in step.path)  # views of arrays in C order alone
            read = step.replaces in values_in((step.args[1:], step.kwargs))
            if self._dies(step.replaces, i, step) and not read and (not views or step.replaces in self._held):
                self._hand_over(step.replaces, step.result)
            else:
                self.fresh.add(step.result)
            return
        for result in step.results if step.shares is None else ():
            operand = self._operand(i, step, result)
            if operand is not None:
                self._hand_over(operand, result)
            elif result.shape and result not in self._returned and takes_out(step):
                keeps_order = is_elementwise(step) or step.function is astype
                self._held[result] = self.buffers[result] = Buffer(result, i, keeps_order)
                made.append(self._held[result])
            else:
                self.fresh.add(result)

    def _operand(self, i: int, step: Step, result: Value) -> Value | None:
        """The argument that an elementwise call may write its result over."""
        chain = step.function if isinstance(step.function, Chain) else None
        if result.shape and (chain is not None or is_elementwise(step)):
            for value in step.reads:
                if (value.shape, value.dtype) == (result.shape, result.dtype) and self._dies(value, i, step) \
                        and (result not in self._returned or value in self.fresh) \
                        and (chain is None or chain.may_overwrite(value, result)):
                    return value
        return None

    def _dies(self, value: Value, i: int, step: Step) -> bool:
        """Whether this call is the last to look at a value that lies in memory of ours, and looks at it as a whole."""
        ours = value in self._held or value in self.fresh  # so it is no view
        return ours and self._last[value] == i and not any(
            v is not value and self.root(v) is value for v in step.reads)

    def _hand_over(self, value: Value, result: Value) -> None:
        """The result lies where the value lay."""
        self.over[result] = value
        if value in self._held:
            self._held[result] = self._held.pop(value)
        else:
            self.fresh.remove(value)
            self.fresh.add(result)


def takes_out(step: Step) -> bool:
    """Whether a call can write its result into an array that is there."""
    function: Any = step.function
    if isinstance(getattr(function, "__self__", None), np.random.Generator):
        return function.__name__ in ("random", "standard_normal", "standard_exponential")
    if isinstance(function, np.ufunc):
        return function.nout == 1
    return function in WITH_OUT or function in (masked, one_hot, taken, copy, astype) or isinstance(function, Chain)


def is_elementwise(step: Step) -> bool:
    """Whether each element of the result depends on the elements in its place alone."""
    function: Any = step.function
    return function is masked or (isinstance(function, np.ufunc) and function.nout == 1 and function.signature is None)


def arranged(buffers: list[Buffer]) -> int:
    """Give each buffer its offset, so that none overlaps another of its time; how much room they take in all (bytes).

    The largest first, each in the lowest gap that is wide enough.
    """
    placed: list[tuple[int, int, Buffer]] = []
    size = 0
    for buffer in sorted(buffers, key=lambda b: -b.nbytes):
        offset, nbytes = 0, buffer.nbytes
        for begin, end, other in placed:
            if other.born <= buffer.dead and buffer.born <= other.dead:
                if begin - offset >= nbytes:
                    break
                offset = max(offset, end)
        buffer.offset = offset
        insort(placed, (offset, offset + nbytes, buffer), key=lambda p: p[:2])
        size = max(size, offset + nbytes)
    return size
