"""Recording: run a step once on arrays that note every NumPy call made with them.

A `Traced` array is one more array that speaks the NumPy protocols, so the engine runs on it unmodified. It computes for
real, so that shapes and dtypes are known and the first call has its result.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from tinygraph.compiler.plan import Step, Value, mapped
from tinygraph.core.errors import TraceError
from tinygraph.core.messages import PACKAGE, here
from tinygraph.core.node import Node
from tinygraph.tensors import Tensor

NUMPY = os.path.dirname(np.__file__)

STATIC = {np.shape, np.ndim, np.size, np.iscomplexobj, np.isrealobj, np.result_type, np.can_cast}
"""Functions that ask about shapes and dtypes alone: the same at every call, so answered and not recorded."""


BY_VALUE = {np.nonzero, np.flatnonzero, np.argwhere, np.unique, np.compress, np.extract, np.bincount}
"""Functions whose result's shape depends on values: the same program would not do at the next call."""


def setitem(x: Any, index: Any, v: Any) -> Any:
    """``x[index] = v`` as a call: what x becomes. The compiled program writes into x itself where x is not needed."""
    x[index] = v
    return x


def add_at(x: Any, index: Any, v: Any) -> Any:
    """``np.add.at(x, index, v)`` as a call: what x becomes."""
    np.add.at(x, index, v)
    return x


def getitem(x: Any, index: Any) -> Any:
    """``x[index]`` as a call."""
    return x[index]


def astype(x: Any, dtype: Any) -> Any:
    """``x.astype(dtype)`` as a call; always a new array."""
    return x.astype(dtype)


def copy(x: Any) -> Any:
    """``x.copy()`` as a call."""
    return x.copy()


class Traced(NDArrayOperatorsMixin):
    """An array whose uses are recorded."""

    __slots__ = ("array", "trace", "value")

    def __init__(self, trace: Trace, value: Value, array: Any) -> None:
        self.trace, self.value, self.array = trace, value, array

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the axes."""
        return self.array.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self.array.dtype  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.array.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(self.array.size)

    @property
    def nbytes(self) -> int:
        """What the elements take up (bytes)."""
        return int(self.array.nbytes)

    def __len__(self) -> int:
        return len(self.array)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **kwargs: Any) -> Any:
        if any(isinstance(x, Tensor) for x in inputs):
            return NotImplemented  # the tensor records an op, and that op calls NumPy on what the tensor holds
        if method == "at":
            target, *rest = inputs
            self.trace.rewrite(target, add_at if ufunc is np.add else None, *rest)
            return None
        result = self.trace.call(ufunc if method == "__call__" else getattr(ufunc, method), inputs, kwargs)
        if out is None:
            return result
        (target,) = out
        return self.trace.assign(target, result)

    def __array_function__(self, func: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        if Tensor in types:
            return NotImplemented
        return self.trace.call(func, args, {k: v for k, v in kwargs.items() if k != "like"})

    def __getitem__(self, index: Any) -> Any:
        return self.trace.call(getitem, (self, index), {})

    def __setitem__(self, index: Any, v: Any) -> None:
        if index is Ellipsis or index == slice(None):
            self.trace.assign(self, self.trace.call(np.broadcast_to, (v, self.shape), {}))
        else:
            self.trace.rewrite(self, setitem, index, v)

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        """Another dtype, as a call."""
        if not copy and self.dtype == dtype:
            return self
        return self.trace.call(astype, (self, np.dtype(dtype)), {})

    def copy(self) -> Any:
        """A copy, as a call."""
        return self.trace.call(copy, (self,), {})

    @property
    def T(self) -> Any:  # noqa: N802 - NumPy's name
        """The axes in reverse order."""
        return self.trace.call(np.transpose, (self,), {})

    def check_later(self, validate: Callable[..., None], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Check the values now, and note that each call of the program is to check its own."""
        validate(*mapped(list(args), _array), **mapped(kwargs, _array))
        noted = tuple(mapped(list(args), self.trace.noted)), mapped(kwargs, self.trace.noted)
        self.trace.steps.append(Step(validate, *noted, None, why()))

    def _read(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TraceError("the step reads a value that is computed anew at each call, such as by `if loss > 1`, "
                         "float(loss) or printing; return it and read it outside, or choose with np.where" + here())

    __bool__ = __float__ = __int__ = __complex__ = __index__ = __array__ = item = tolist = __iter__ = _read

    def __repr__(self) -> str:
        return f"<traced {self.dtype} {self.shape}>"

    __hash__ = object.__hash__


class Trace:
    """A recording in progress: notes calls, holds what stands for the tensors from outside while it runs."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.constants: dict[int, tuple[Any, Value]] = {}
        self.states: dict[Node, Value] = {}
        self.originals: dict[Node, Any] = {}
        self._installed: dict[Node, Traced] = {}
        self.grads: list[Any] = []
        self._handles: list[tuple[Tensor, Node]] = []
        self.moved = False
        self.open = True

    # --- recording one call -------------------------------------------------------------------------------------

    def call(self, function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
        """Make one NumPy call for real, and note it."""
        if not self.open:
            raise TraceError(f"a value from inside a compiled step was used after it; return it from the step{here()}")
        masked = function is getitem and any(a.dtype == bool for a in _arrays(args[1]))
        if masked or function in BY_VALUE:
            name = "an index with a mask" if masked else f"np.{function.__name__}"
            raise TraceError(f"{name} gives an array whose shape depends on values, so no fixed program can do it; "
                             f"multiply by the mask or use np.where{here()}")
        real = function(*mapped(args, _array), **mapped(kwargs, _array))
        if function in STATIC:
            return real
        noted = tuple(mapped(list(args), self.noted)), mapped(kwargs, self.noted)
        result = mapped(real, lambda r: Traced(self, Value(r.shape, r.dtype), r) if hasattr(r, "dtype") else r)
        self.steps.append(Step(function, *noted, mapped(result, _value), why(), shares=_shared(result, (args, kwargs))))
        return result

    def noted(self, x: Any) -> Any:
        """What stands for an argument in the plan: a Value for an array, everything else as it is."""
        if isinstance(x, Traced):
            return x.value
        if isinstance(x, Tensor):
            raise TraceError(f"a tensor was given to a NumPy call on arrays in a compiled step{here()}")
        if isinstance(x, np.ndarray):
            if any(x is grad for grad in self.grads):
                raise TraceError("the step adds to a gradient that an earlier call left; call zero_grad() in it, "
                                 f"before backward(){here()}")
            if id(x) not in self.constants:
                # A copy: the second recording is to see if the step changed it.
                self.constants[id(x)] = x, Value(x.shape, x.dtype, constant=x.copy())
            return self.constants[id(x)][1]
        return x

    def assign(self, target: Any, result: Any) -> Any:
        """``target[...] = result``: the name stands for the new value from here on."""
        if not isinstance(target, Traced):
            raise TraceError("the step writes into a plain array, which a replay would not see; keep what changes "
                             f"between calls in a Tensor{here()}")
        if result.dtype != target.dtype:
            result = result.astype(target.dtype)
        if result.shape != target.shape:
            result = self.call(np.broadcast_to, (result, target.shape), {})
        target.value = result.value
        target.array = result.array
        return target

    def rewrite(self, target: Any, function: Callable[..., Any] | None, *args: Any) -> None:
        """A write into a part of an array, as a call that gives what the array becomes."""
        if not isinstance(target, Traced) or function is None:
            raise TraceError(f"this write into an array cannot be compiled{here()}")
        before = target.value
        array = function(target.array.copy(), *mapped(args, _array))
        value = Value(array.shape, array.dtype)
        noted = (before, *mapped(list(args), self.noted))
        self.steps.append(Step(function, noted, {}, value, why(), replaces=before))
        target.value, target.array = value, array

    # --- the tensors from outside -------------------------------------------------------------------------------

    def take_over(self) -> None:
        """Put a traced array into every leaf there is: whatever the step reads of them is then noted.

        The collector knows every live Tensor, however the step reaches it: a closure, a global, an attribute.
        """
        for thing in gc.get_objects():
            if type(thing) is not Tensor or thing.node.op is not None:
                continue
            node = thing.node
            self._handles.append((thing, node))
            if node not in self.states:
                if isinstance(node.grad, np.ndarray):
                    self.grads.append(node.grad)
                if isinstance(node.value, np.ndarray | np.generic):
                    value = Value(node.value.shape, node.value.dtype, node.name or "")
                    self.states[node] = value
                    self.originals[node] = node.value
                    node.value = self._installed[node] = Traced(self, value, node.value)

    def installed(self) -> dict[Node, Traced]:
        """The traced array that each leaf was given at first."""
        return self._installed

    def restored(self, x: Any) -> Any:
        """An argument as it was: a tensor among them was taken over like any other."""
        if isinstance(x, Tensor) and x.node in self.originals:
            return _detached(x, self.originals[x.node])
        return x

    def give_back(self) -> dict[Node, Traced]:
        """Put the arrays back; give the leaves that the step changed, with what each became."""
        self.open = False
        for handle, node in self._handles:
            if handle.node is not node:  # `t += v` or `t[i] = v` on a tensor without a gradient makes a new node
                self.moved, handle.node = True, node
        self._handles.clear()
        changed = {}
        for node, original in self.originals.items():
            now, node.value = node.value, original
            grad = node.grad.node.value if isinstance(node.grad, Tensor) else node.grad
            if isinstance(grad, Traced):
                node.grad = None
            if isinstance(now, Traced) and now.value is not self.states[node]:
                changed[node] = now
        return changed


def _detached(x: Tensor, value: Any) -> Tensor:
    """A tensor of its own with a given value, requiring a gradient where ``x`` does."""
    other = x.detach()
    other.node.value, other.node.requires_grad = value, x.requires_grad
    return other


def _array(x: Any) -> Any:
    return x.array if isinstance(x, Traced) else x


def _shared(result: Any, given: Any) -> Value | None:
    """The argument in whose memory a result lies, where it is a view."""
    for r in _arrays(result):
        for a in _arrays(given):
            if isinstance(r.array, np.ndarray) and np.may_share_memory(r.array, a.array):
                return a.value
    return None


def _arrays(x: Any) -> Iterator[Traced]:
    if isinstance(x, Traced):
        yield x
    elif isinstance(x, list | tuple):
        for item in x:
            yield from _arrays(item)
    elif isinstance(x, dict):
        yield from _arrays(list(x.values()))


def _value(x: Any) -> Any:
    return x.value if isinstance(x, Traced) else x


def why() -> str:
    """The op that is at work and the line of the user's code, as a comment of the compiled program says them."""
    frame: Any = sys._getframe(2)
    op = node = None
    while frame is not None and frame.f_code.co_filename.startswith((PACKAGE, NUMPY)):
        names = frame.f_locals
        if frame.f_code.co_name == "cotangents" and "node" in names:
            node = names["node"]
            break
        if op is None and "op" in names and hasattr(names["op"], "rules"):
            op = names["op"]
        frame = frame.f_back
    if node is not None and node.op is not None:
        place = node.location
        line = f", {place[0].rsplit('/', 1)[-1]}:{place[1]}" if place else ""
        return f"backward of {node.op.name}{line}"
    if frame is None:
        return op.name if op else ""
    line = f"{frame.f_code.co_filename.rsplit('/', 1)[-1]}:{frame.f_lineno}"
    return f"{op.name}, {line}" if op else line
