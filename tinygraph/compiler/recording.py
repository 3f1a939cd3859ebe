"""One recording: a step run once on traced arrays, in the place of every tensor from outside that it may read."""

from __future__ import annotations

import gc
import inspect
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinygraph.compiler.draws import Draws
from tinygraph.compiler.leaves import Leaves
from tinygraph.compiler.plan import Plan, Value, mapped
from tinygraph.compiler.record import Trace
from tinygraph.compiler.traced import Traced
from tinygraph.core.arguments import is_array
from tinygraph.core.context import SWITCHES
from tinygraph.core.errors import TraceError
from tinygraph.core.messages import here
from tinygraph.core.node import leaf, wrap
from tinygraph.tensors import Tensor, tensor

LOCK = threading.RLock()
"""Held while a recording has other arrays in every live leaf."""

RECORDING: list[int] = []
"""The thread that records, if one does."""


def is_recording() -> bool:
    """Whether this thread is in the middle of a recording."""
    return bool(RECORDING) and RECORDING[0] == threading.get_ident()


class Out:
    """The place of an array in a step's result."""

    __slots__ = ("is_tensor", "position")

    def __init__(self, position: int, is_tensor: bool) -> None:
        self.position, self.is_tensor = position, is_tensor

    def __repr__(self) -> str:
        return f"<{'tensor' if self.is_tensor else 'array'} {self.position}>"


class Recording:
    """What a step did in one call. All is then as it was before: the program is what changes things.

    Attributes:
        plan: The calls.
        handles: The tensors behind each of ``plan.states``, with whether they require a gradient; those of one state
            hold one array.
        rebound: The tensors that hold another array afterwards; theirs stand at the end of ``plan.outputs``.
        shape: The step's result, with an `Out` for each array among ``plan.outputs``.
        made: The tensors that it made and that are kept outside.
        switches: The objects' switches that it looked at, and how they stood.
    """

    def __init__(self, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
        self._trace = trace = Trace()
        self._leaves = leaves = Leaves(trace)
        self._draws = Draws(trace)
        self.switches: list[tuple[Any, str, Any]] = []
        collecting = gc.isenabled()
        gc.disable()  # so that what the step makes stays among the youngest objects, where it is looked for after it
        RECORDING.append(threading.get_ident())
        SWITCHES.append(self._note_switch)
        try:
            with self._draws:
                with leaves:
                    names = iter(list(_names(function, args, kwargs)))
                    given = mapped((args, kwargs), lambda x: self._stand_in(x, names))
                    try:
                        result = function(*given[0], **given[1])
                    except ValueError as error:
                        # What NumPy makes of ours where one element of a plain array is assigned to.
                        raise (error.__cause__ if isinstance(error.__cause__, TraceError) else error) from None
                    arrays = self._finish(result)
                    del given, result
                self.made = leaves.kept(arrays)
                self._draws.undo()
        finally:
            trace.open = False
            RECORDING.pop()
            SWITCHES.remove(self._note_switch)
            if collecting:
                gc.enable()
        for t in self.made:
            t.node.value = np.array(t.node.value.array)
        del self._trace, self._draws  # they hold whatever there was

    def _note_switch(self, thing: Any, name: str, value: Any) -> None:
        if is_recording() and not any(thing is other for other, *_ in self.switches):
            self.switches.append((thing, name, value))

    def _stand_in(self, x: Any, names: Iterator[str]) -> Any:
        """What the step is given for an argument: a traced array for an array."""
        if not (isinstance(x, np.ndarray | np.generic | Tensor) or is_array(x)):
            return x
        array = self._leaves.array(x) if isinstance(x, Tensor) else x
        if isinstance(x, Tensor) and (x.requires_grad or x.node.op is not None):
            raise TraceError("a tensor with a past, or one that requires a gradient, was given as an argument of a "
                             f"compiled step; let the step use it from outside, or give its .data{here()}")
        if not isinstance(array, np.generic) and type(array) not in (np.ndarray, np.memmap):
            raise TraceError(f"a {type(array).__name__} was given as an argument of a compiled step, and its program "
                             f"calls NumPy on plain arrays{here()}")
        if array.dtype.kind not in "biufc":
            raise TraceError(f"an array of {array.dtype} was given as an argument of a compiled step; give numbers"
                             f"{here()}")
        stand_in = Traced(self._trace, Value(array.shape, array.dtype, next(names)), array, origin=array)
        self._trace.inputs.append(stand_in)
        return tensor(stand_in) if isinstance(x, Tensor) else stand_in

    def _finish(self, result: Any) -> list[Traced]:
        """Make the plan of what was noted, and give the arrays of its outputs."""
        trace, leaves = self._trace, self._leaves
        arrays: list[Traced] = []

        def out(x: Any) -> Any:
            value = x.node.value if isinstance(x, Tensor) else x
            if isinstance(x, Tensor) and x in leaves:
                return x
            if not isinstance(value, Traced | np.ndarray | np.generic):
                return x
            arrays.append(leaves.traced(value))
            return Out(len(arrays) - 1, isinstance(x, Tensor))
        self.shape = mapped(result, out)
        changed = leaves.rebound()
        self.rebound = [rebound for rebound, _ in changed]
        arrays += [now for _, now in changed]
        outputs = tuple(a.value for a in arrays)
        used = dict.fromkeys([value for step in trace.steps for value in step.reads] + list(outputs))
        place = {value: i for i, value in enumerate(used)}  # by first use, since the collector knows no order
        states = [root for root in leaves.roots if leaves.first[root] in used or root in trace.written]
        states.sort(key=lambda root: (place.get(leaves.first[root], len(place)), leaves.first[root].name))
        written = [root for root in states if root in trace.written]
        leaves.check_apart(states, written)
        self.handles = [leaves.behind(root) for root in states]
        self.plan = Plan(tuple(x.value for x in trace.inputs), tuple(leaves.first[root] for root in states),
                         tuple(trace.steps), tuple((leaves.first[root], root.value) for root in written), outputs)
        return arrays

    def finish(self, grads: bool) -> None:
        """Do what the step did to gradients, now that its program has run; without ``grads`` leave none behind."""
        self._leaves.leave(grads)
        del self._leaves

    def works_on_what(self, other: Recording) -> bool:
        """Whether another recording found the same tensors outside, and as they are now."""
        def seen(r: Recording) -> list[Any]:
            states = [(v.shape, v.dtype, [(id(t), required) for t, required in handles])
                      for v, handles in zip(r.plan.states, r.handles, strict=True)]
            return [*states, *((id(thing), name, value) for thing, name, value in r.switches)]
        return seen(self) == seen(other)


def put_back(shape: Any, arrays: Any) -> Any:
    """A step's result, with the arrays of one call in their places."""
    if type(shape) is not Out:
        return shape if shape is None else mapped(shape, lambda x: put_back(x, arrays) if type(x) is Out else x)
    array = arrays[shape.position]
    if not shape.is_tensor:
        return array
    return wrap(Tensor, leaf(array if type(array) is np.ndarray else np.asarray(array)))


def _names(function: Callable[..., Any], args: Any, kwargs: Any) -> Iterator[str]:
    """A name for each array among the arguments, in order: the parameter's, with the key or place inside it."""
    try:
        given = [*inspect.signature(function).parameters][:len(args)]
    except (TypeError, ValueError):
        given = []
    given += [f"x{i}" for i in range(len(given), len(args))]
    for name, x in [*zip(given, args, strict=True), *kwargs.items()]:
        yield from _inside(name, x)


def _inside(name: str, x: Any) -> Iterator[str]:
    if isinstance(x, dict):
        for key, item in x.items():
            yield from _inside(f"{name}_{key}", item)
    elif isinstance(x, list | tuple):
        for i, item in enumerate(x):
            yield from _inside(f"{name}_{i}", item)
    elif isinstance(x, np.ndarray | np.generic | Tensor) or is_array(x):
        yield name
