"""compile: run a step's recording in the step's place, where the same calls would be made."""

from __future__ import annotations

import functools
import os
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np

from tinygraph.compiler.compare import difference
from tinygraph.compiler.passes import optimised
from tinygraph.compiler.plan import Plan, Value, mapped
from tinygraph.compiler.program import Program
from tinygraph.compiler.record import Trace, Traced
from tinygraph.compiler.report import Report, measured, standalone
from tinygraph.compiler.source import printed
from tinygraph.core.errors import TraceError
from tinygraph.core.messages import here
from tinygraph.core.node import Node
from tinygraph.core.op import is_array
from tinygraph.tensors import Tensor, tensor

KEPT = 8
"""How many signatures a compiled step remembers."""

# Recording puts other arrays into every live leaf for a moment; only one may at a time.
_RECORDING = threading.RLock()


@dataclass
class _Recorded:
    """What one recording found.

    Attributes:
        plan: The calls.
        leaves: The tensors behind ``plan.states``.
        rebound: Those whose ``data`` was given another array; they stand at the end of ``plan.outputs``.
        shape: The step's result, with Slots for the arrays among ``plan.outputs``.
    """

    plan: Plan
    leaves: list[Node]
    rebound: list[Node]
    result: Any


@dataclass(frozen=True)
class _Out:
    """The place of an array in a step's result."""

    position: int
    is_tensor: bool


class Compiled:
    """A step that is recorded once a signature and then replayed; made by `compile`.

    Attributes:
        function: The step itself.
    """

    def __init__(self, function: Callable[..., Any], fallback: bool = False) -> None:
        functools.update_wrapper(self, function)
        self.function, self.fallback = function, fallback
        self._name = getattr(function, "__name__", type(function).__name__)
        self._first: dict[Any, _Recorded] = {}
        self._ready: OrderedDict[Any, _Ready] = OrderedDict()
        self._eager = False
        self._evicted = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Do what the step does: the first two calls of a signature are recorded, the later ones replayed."""
        arrays: list[Any] = []
        key = _flattened((args, kwargs), arrays)
        if self._eager or any(isinstance(a.node.value if isinstance(a, Tensor) else a, Traced) for a in arrays):
            return self.function(*args, **kwargs)  # inside another recording it is recorded there
        ready = self._ready.get(key)
        if ready is not None and ready.fits():
            self._ready.move_to_end(key)
            return ready.run(arrays)
        try:
            return self._record(key, args, kwargs)
        except TraceError as error:
            if not self.fallback:
                raise
            self._eager = True
            warnings.warn(f"{self._name} runs without being compiled: {error}", RuntimeWarning, stacklevel=2)
            return self.function(*args, **kwargs)

    @property
    def source(self) -> str:
        """The NumPy program that the latest signature runs. Empty before the second call."""
        return next(reversed(self._ready.values())).program.source if self._ready else ""

    def report(self, repeats: int = 200) -> Report:
        """What each line of the latest program takes: time, FLOPs, bytes; ``str`` of it is a table.

        It runs on copies of the latest arguments and of the weights, which stay as they are.
        Raises TraceError before the third call.
        """
        ready = self._latest("report")
        return measured(ready.program, ready.arrays, ready.known, repeats)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the latest program as a Python file that needs NumPy alone: ``step(*arguments, *weights)``.

        It leaves out the checks of values (labels in range). Raises TraceError before the third call, or where the
        program calls a Python function, such as a wrapped layer's.
        """
        ready = self._latest("save")
        Path(path).write_text(standalone(ready.program, f"{self._name}, compiled by tinygraph."), encoding="utf-8")

    def _latest(self, wish: str) -> _Ready:
        ready = next(reversed(self._ready.values()), None)
        if ready is None or ready.arrays is None:
            raise TraceError(f"{wish}: {self._name} has no program yet; it has one once it was called three times with "
                             f"arguments of the same shapes and dtypes{here()}")
        return ready

    def _record(self, key: Any, args: Any, kwargs: Any) -> Any:
        with _RECORDING:
            recorded, result = _recording(self.function, args, kwargs)
        first = self._first.get(key)
        if first is None or [id(n) for n in first.leaves] != [id(n) for n in recorded.leaves]:
            self._first[key] = recorded
            self._ready.pop(key, None)
            return result
        if (problem := difference(first.plan, recorded.plan)) is not None:
            del self._first[key]
            raise TraceError(f"{self._name}: {problem}")
        self._ready[key] = _Ready(recorded)
        if len(self._ready) > KEPT:
            old, _ = self._ready.popitem(last=False)
            self._first.pop(old, None)
            self._evicted += 1
            if self._evicted == KEPT:
                warnings.warn(f"{self._name} is compiled again and again: its arguments have had more than "
                              f"{2 * KEPT} different shapes, dtypes or numbers", RuntimeWarning, stacklevel=3)
        return result


class _Ready:
    """A program with the tensors that it works on."""

    def __init__(self, recorded: _Recorded) -> None:
        self.recorded = recorded
        self.program: Program = printed(optimised(recorded.plan))
        self.signature = [(n, v.shape, v.dtype, n.requires_grad)
                          for n, v in zip(recorded.leaves, recorded.plan.states, strict=True)]
        self.known: list[Any] = [None] * len(self.signature)
        self.local = threading.local()
        self.arrays: Any = None  # the latest call's

    def fits(self) -> bool:
        """Whether the tensors are still what they were when they were recorded; a rebound array may be another."""
        for i, (node, shape, dtype, requires_grad) in enumerate(self.signature):
            value = node.value
            if node.requires_grad is not requires_grad or node.op is not None:
                return False
            if value is not self.known[i]:
                if not isinstance(value, np.ndarray) or value.shape != shape or value.dtype != dtype:
                    return False
                self.known[i] = value
        return True

    def run(self, arrays: list[Any]) -> Any:
        """One call of the program, with buffers of this thread's own."""
        step = getattr(self.local, "step", None)
        if step is None:
            step = self.local.step = self.program.load()
        self.arrays = arrays = [a.node.value if isinstance(a, Tensor) else a for a in arrays]
        outputs = step(*arrays, *self.known)
        rebound = self.recorded.rebound
        for node, value in zip(rebound, outputs[len(outputs) - len(rebound):], strict=True):
            node.value = np.asarray(value)

        def put_back(x: Any) -> Any:
            if not isinstance(x, _Out):
                return x
            value = outputs[x.position]
            return tensor(value) if x.is_tensor else value
        return mapped(self.recorded.result, put_back)


@overload
def compile(step: Callable[..., Any], *, fallback: bool = ...) -> Compiled: ...
@overload
def compile(step: None = ..., *, fallback: bool = ...) -> Callable[[Callable[..., Any]], Compiled]: ...
def compile(step: Callable[..., Any] | None = None, *, fallback: bool = False) -> Any:
    """A step of computation that runs as a flat NumPy program: forward, backward and update, without the graph.

    The first call with arguments of given shapes and dtypes runs ``step`` on arrays that note every NumPy call made
    with them; so does the second, and whatever the two do differently is a TraceError that names its line. From the
    third on the recorded program runs. ``source`` is its text.

    A step is an ordinary function: it takes arrays (or nested dicts, lists and tuples of them), uses tensors from
    outside, calls ``backward``, updates weights through ``data``, and returns tensors (without a past). What changes
    between calls must live in a Tensor or come as an argument: a plain array or Python number is a constant. Gradients
    are not left in ``grad`` afterwards; return them where they are wanted.

    The result equals that of the step itself to rounding: sums over the rows of a matrix are added in another order.
    All updates are computed before the first is written.

    Args:
        step: The function; left out where this is used as a decorator with arguments.
        fallback: Run the step as it is, and say so once, where it cannot be compiled.

    Raises TraceError where Python reads a value that is computed anew at each call (``if loss > 1``), where the step
    does something else at the second call, or where it writes into a plain array.

    >>> import numpy as np
    >>> import tinygraph as tg
    >>> w = tg.tensor([1.0, 2.0], requires_grad=True, name="w")
    >>> @tg.compile
    ... def step(x):
    ...     w.zero_grad()
    ...     loss = ((w * x) ** 2).sum()
    ...     loss.backward()
    ...     w.data -= 0.1 * w.grad
    ...     return loss
    >>> [round(step(np.ones(2)).item(), 4) for _ in range(4)]
    [5.0, 3.2, 2.048, 1.3107]
    >>> "np.multiply(" in step.source
    True
    """
    if step is None:
        return functools.partial(compile, fallback=fallback)
    return Compiled(step, fallback)


def _flattened(x: Any, arrays: list[Any]) -> Any:
    """The arrays in nested containers, and a key for all else: the structure, shapes, dtypes, constants."""
    if isinstance(x, dict):
        return dict, tuple((name, _flattened(item, arrays)) for name, item in x.items())
    if isinstance(x, list | tuple):
        return type(x), tuple([_flattened(item, arrays) for item in x])
    if isinstance(x, np.ndarray | Tensor | Traced) or is_array(x):
        arrays.append(x)
        return x.shape, x.dtype, type(x)
    return type(x), x if x.__hash__ is not None else repr(x)


def _recording(function: Callable[..., Any], args: Any, kwargs: Any) -> tuple[_Recorded, Any]:
    """Run a function once on traced arrays; give what was noted and the real result. Writes come after success."""
    trace = Trace()
    inputs: list[Value] = []
    names = iter(_argument_names(function, args, kwargs))

    def traced(x: Any) -> Any:
        if not (isinstance(x, np.ndarray | Tensor) or is_array(x)):
            return x
        array = x.data if isinstance(x, Tensor) else x
        if isinstance(x, Tensor) and (x.requires_grad or x.node.op is not None):
            raise TraceError("a tensor with a past, or one that requires a gradient, was given as an argument of a "
                             f"compiled step; let the step use it from outside, or give its .data{here()}")
        inputs.append(Value(array.shape, array.dtype, next(names, "x")))
        stand_in = Traced(trace, inputs[-1], array)
        return tensor(stand_in) if isinstance(x, Tensor) else stand_in

    trace.take_over()
    changed: dict[Node, Traced] = {}
    try:
        # Tensors among the arguments are taken over as well, so they are looked at as they were before.
        given = mapped((args, kwargs), lambda x: traced(trace.restored(x)))
        result = function(*given[0], **given[1])
        installed = trace.installed()
    finally:
        changed = trace.give_back()
    if trace.moved:
        raise TraceError("the step assigns to a tensor from outside, which makes a new node that no later call would "
                         f"see; assign under tg.no_grad() or through .data{here()}")
    outputs: list[Any] = []

    def out(x: Any) -> Any:
        value = x.node.value if isinstance(x, Tensor) else x
        if not isinstance(value, Traced):
            return x
        outputs.append(value)
        return _Out(len(outputs) - 1, isinstance(x, Tensor))
    slots = mapped(result, out)
    written = {node: now for node, now in changed.items() if now is installed[node]}
    rebound = {node: now for node, now in changed.items() if node not in written}
    outputs += rebound.values()
    used = {value for step in trace.steps for value in step.reads} | {o.value for o in outputs}
    leaves = [node for node, value in trace.states.items() if value in used or node in written]
    plan = Plan(tuple(inputs), tuple(trace.states[node] for node in leaves), tuple(trace.steps),
                tuple((trace.states[node], now.value) for node, now in written.items()),
                tuple(o.value for o in outputs))
    for node, now in written.items():
        node.value[...] = now.array
    for node, now in rebound.items():
        node.value = np.array(now.array)

    def real(x: Any) -> Any:
        if not isinstance(x, _Out):
            return x
        array = outputs[x.position].array
        array = array.copy() if isinstance(array, np.ndarray) else array
        return tensor(array) if x.is_tensor else array
    return _Recorded(plan, leaves, list(rebound), slots), mapped(slots, real)


def _argument_names(function: Callable[..., Any], args: Any, kwargs: Any) -> list[str]:
    code = getattr(function, "__code__", None)
    names = list(code.co_varnames[:code.co_argcount]) if code is not None else []
    return [*names[:len(args)], *kwargs]
