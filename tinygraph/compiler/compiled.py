"""compile: run a step's recording in the step's place, where the same calls would be made."""

from __future__ import annotations

import functools
import os
import warnings
from collections import OrderedDict
from collections.abc import Callable
from types import MethodType
from typing import Any, overload

import numpy as np

from tinygraph.compiler.compare import difference
from tinygraph.compiler.ready import Ready
from tinygraph.compiler.recording import LOCK, RECORDING, Recording, is_recording
from tinygraph.compiler.report import Report, measured, standalone
from tinygraph.core.arguments import is_array
from tinygraph.core.context import GRAD_ENABLED, WATCHES, watching
from tinygraph.core.errors import ArgumentError, TraceError
from tinygraph.core.files import write_whole
from tinygraph.core.messages import here
from tinygraph.tensors import Tensor

KEPT = 8
"""How many programs a compiled step keeps."""


class Compiled:
    """A step that is recorded once a signature and then replayed; made by `compile`.

    Attributes:
        function: The step itself.
    """

    def __init__(self, function: Callable[..., Any], fallback: bool = False) -> None:
        if not callable(function):
            raise ArgumentError(f"compile: what is compiled is a function, a step of a training say, and not "
                                f"{function!r}{here()}")
        functools.update_wrapper(self, function)
        self.function, self.fallback = function, fallback
        self._name = getattr(function, "__name__", type(function).__name__)
        self._first: OrderedDict[Any, tuple[Recording, Ready]] = OrderedDict()
        self._ready: OrderedDict[Any, Ready] = OrderedDict()
        self._latest_run: Ready | None = None
        self._eager: set[Any] = set()
        self._said = False
        self._recordings = 0  # since a program last ran, or was dropped for want of room

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """The step as a method, where it was defined in a class: its object is one more argument."""
        return self if instance is None else MethodType(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Do what the step does: the first two calls of a signature are recorded, the later ones replayed."""
        if (RECORDING and is_recording()) or (WATCHES and watching() is not None):
            # Inside another recording it is recorded there, and under tg.debug it is looked at as it is.
            return self.function(*args, **kwargs)
        latest = self._latest_run
        if latest is not None and not kwargs and latest.takes(args) and latest.fits():
            try:
                return latest.run(args)
            except TraceError:
                if not self.fallback:
                    raise  # else what follows runs the step as it is, and says so
        arrays: list[Any] = []
        key = (GRAD_ENABLED.get(), tuple([_flattened(x, arrays) for x in args]),
               _flattened(kwargs, arrays) if kwargs else None)
        ready = self._ready.get(key)
        try:
            if ready is not None and ready.fits():
                if ready is not self._latest_run:
                    self._latest_run = ready
                    self._ready.move_to_end(key)
                    if not kwargs:
                        ready.remember(args)
                return ready.run(arrays)
            if key not in self._eager:
                return self._record(key, args, kwargs, arrays)
        except TraceError as error:
            if not self.fallback:
                raise
            self._run_as_it_is(key, error)
        return self.function(*args, **kwargs)

    @property
    def source(self) -> str:
        """The NumPy program that the latest signature runs. Empty before the second call."""
        return next(reversed(self._ready.values())).program.source if self._ready else ""

    def report(self, repeats: int = 200) -> Report:
        """What each line of the latest program takes: time, FLOPs, bytes; ``str`` of it is a table.

        It runs on copies of the latest arguments and of the weights, which stay as they are.
        Raises TraceError before the second call.
        """
        ready = self._latest("report")
        return measured(ready.program, ready.arrays, ready.known, repeats)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the latest program as a Python file that needs NumPy alone, and SciPy where the step calls it.

        Its ``step`` takes the arguments' arrays, then those of the tensors, which it writes in place, and a generator
        where random numbers are drawn. The checks of values (labels in range) are left out. Raises TraceError before
        the second call, or where the program calls a Python function.
        """
        write_whole(path, self.text().encode())

    def text(self) -> str:
        """What `save` writes."""
        ready = self._latest("save")
        return standalone(ready.program, ready.plan, f"{self._name}, compiled by tinygraph")

    def _latest(self, wish: str) -> Ready:
        ready = next(reversed(self._ready.values()), None)
        if ready is None:
            raise TraceError(f"{wish}: {self._name} has no program yet; it has one once it was called twice with "
                             f"arguments of the same shapes and dtypes{here()}")
        return ready

    def _record(self, key: Any, args: Any, kwargs: Any, arrays: list[Any]) -> Any:
        """Record a call, and run the program: what it gives is then the same bits, recorded or not."""
        with LOCK:
            recording = Recording(self.function, args, kwargs)
            first, ready = self._first.pop(key, (None, None))
            self._ready.pop(key, None)
            again = first is not None and recording.works_on_what(first)
            if first is not None and again and (problem := difference(first, recording)) is not None:
                raise TraceError(f"{self._name}: {problem}")
            if ready is None or not again:
                ready = Ready(recording)
            if not ready.fits():
                raise TraceError(f"{self._name}: the tensors that it works on change while it is recorded")
            result = ready.run(arrays)
            recording.finish(grads=not again)
            if again:
                self._ready[key], self._latest_run = ready, None
                if len(self._ready) > KEPT:
                    self._ready.popitem(last=False)
            else:
                self._first[key] = recording, ready
                if len(self._first) > KEPT:
                    self._first.popitem(last=False)
        self._recordings += 1
        if self._recordings == 4 * KEPT:
            warnings.warn(f"{self._name} is recorded again and again: its arguments keep having other shapes, dtypes "
                          "or numbers, or it uses tensors that are made anew for each call; what changes belongs among "
                          "the arguments, as an array", RuntimeWarning, stacklevel=3)
        return result

    def _run_as_it_is(self, key: Any, error: TraceError) -> None:
        self._eager.add(key)
        if not self._said:
            self._said = True
            warnings.warn(f"{self._name} runs without being compiled: {error}", RuntimeWarning, stacklevel=3)


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
    if type(x) is np.ndarray:
        arrays.append(x)
        return x.shape, x.strides, x.dtype  # whether a reshape is a view depends on strides
    if isinstance(x, dict):
        return dict, tuple([(name, _flattened(item, arrays)) for name, item in x.items()])
    if isinstance(x, list | tuple):
        return type(x), tuple([_flattened(item, arrays) for item in x])
    if isinstance(x, Tensor):
        arrays.append(x)
        value = x.node.value
        return value.shape, getattr(value, "strides", None), value.dtype, x.node.requires_grad, Tensor
    if isinstance(x, np.generic) or is_array(x):
        arrays.append(x)
        return x.shape, getattr(x, "strides", None), x.dtype, type(x)
    if isinstance(x, float | complex):
        return type(x), repr(x)  # 0.0 equals -0.0, and nan nothing
    return type(x), x if x.__hash__ is not None else _Same(x)


class _Same:
    """An object that cannot be hashed as part of a key: equal to itself alone."""

    __slots__ = ("it",)

    def __init__(self, it: Any) -> None:
        self.it = it

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.it is other.it

    def __hash__(self) -> int:
        return id(self.it)
