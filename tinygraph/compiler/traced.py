"""Traced: an array whose uses are recorded; one more array that speaks the NumPy protocols."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from tinygraph.compiler.calls import WRITERS, astype, copy, getitem, into, setitem
from tinygraph.compiler.plan import Value, View
from tinygraph.core.context import GRAD_ENABLED
from tinygraph.core.errors import TraceError
from tinygraph.core.messages import here
from tinygraph.tensors import Tensor

METHODS = {"sum", "mean", "std", "var", "prod", "min", "max", "argmin", "argmax", "argsort", "argpartition", "cumsum",
           "cumprod", "clip", "round", "ravel", "squeeze", "swapaxes", "repeat", "take", "choose", "diagonal", "trace",
           "dot", "any", "all", "nonzero", "searchsorted", "conj", "conjugate", "compress"}
"""The methods of an array that are NumPy's function of the same name."""


class Traced(NDArrayOperatorsMixin):
    """An array whose uses are recorded.

    What it is, is a version: a write gives it the next one. A view knows the array it looks into, its ``base``, and
    how it looks, its ``path``; after a write into either of them it is looked at anew. So a write through one name is
    seen through every other, as it is in memory.

    Attributes:
        trace: The `tinygraph.compiler.record.Trace` that it is part of.
        value: What stands for it in the plan.
        array: What it is in this recording: an ndarray, a NumPy scalar, or a Python number (see `weak`).
        origin: Of a tensor from outside, its array; nothing is written there before the recording has succeeded.
    """

    __slots__ = ("_array", "_value", "base", "origin", "path", "seen", "trace", "version")

    def __init__(self, trace: Any, value: Value, array: Any, base: Traced | None = None,
                 path: tuple[View, ...] = (), origin: Any = None) -> None:
        self.trace, self._value, self._array, self.origin = trace, value, array, origin
        self.base, self.path, self.version = base, path, 0
        self.seen = base.version if base is not None else 0

    def _sync(self) -> None:
        base = self.base
        if base is not None and self.seen != base.version:
            self._value, self._array = self.trace.look(base, self.path)
            self.seen = base.version

    @property
    def value(self) -> Value:
        """What stands for it in the plan, as it is now."""
        self._sync()
        return self._value

    @property
    def array(self) -> Any:
        """What it is in this recording, as it is now."""
        self._sync()
        return self._array

    def become(self, value: Value, array: Any) -> None:
        """Be another version from now on; who looks into it looks anew."""
        self._value, self._array = value, array
        self.version += 1

    @property
    def weak(self) -> bool:
        """Whether it stands for a Python number, which takes the dtype of what it meets."""
        return type(self._array) in (float, int, complex, bool)

    def number(self) -> Traced:
        """What it is now, as a Python number would be: it takes the dtype of what it meets."""
        return Traced(self.trace, self.value, self.array.item())

    # --- what is the same at every call ---------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the axes."""
        return self._value.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self._value.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def itemsize(self) -> int:
        """What one element takes up (bytes)."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """What the elements take up (bytes)."""
        return self._value.nbytes

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            self._read("it is iterated over")
        return (self[i] for i in range(len(self)))

    # --- calls ------------------------------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **kwargs: Any) -> Any:
        if any(isinstance(x, Tensor) for x in inputs):
            return NotImplemented  # the tensor records an op, and that op calls NumPy on what the tensor holds
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        if method == "at":
            self.trace.rewrite(inputs[0], function, *inputs[1:])
            return None
        if out is None:
            return self.trace.call(function, inputs, kwargs)
        if len(out) > 1:
            results = self.trace.call(function, inputs, kwargs)
            return tuple(r if o is None else self.trace.assign(o, r) for o, r in zip(out, results, strict=True))
        if isinstance(out[0], Traced) and not isinstance(out[0].array, np.ndarray):
            return self.trace.call(function, inputs, kwargs)  # `x += 1` gives a scalar's name another scalar
        if method == "__call__" and not kwargs:
            result = self.trace.call(function, inputs, kwargs)
            if isinstance(out[0], Traced) and out[0].shape == result.shape and out[0].dtype == result.dtype:
                return self.trace.assign(out[0], result)
        return self.trace.rewrite(out[0], into, function, *inputs, **kwargs)

    def __array_function__(self, func: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        if Tensor in types:
            return NotImplemented
        kwargs = {name: v for name, v in kwargs.items() if name != "like"}
        if func in WRITERS:
            self.trace.rewrite(args[0], func, *args[1:], **kwargs)
            return None
        if kwargs.get("out") is not None:
            return self.trace.rewrite(kwargs.pop("out"), into, func, *args, **kwargs)
        return self.trace.call(func, args, kwargs)

    def __getitem__(self, index: Any) -> Any:
        return self.trace.call(getitem, (self, index), {})

    def __setitem__(self, index: Any, v: Any) -> None:
        if isinstance(v, Tensor):
            v = np.asarray(v) if v.requires_grad and GRAD_ENABLED.get() else v.data  # the first refuses
        whole = index is Ellipsis or (isinstance(index, slice) and index == slice(None) and self.shape)
        if whole and self.base is None and np.ndim(v) <= self.ndim and not isinstance(v, list | tuple):
            result = self.trace.call(np.broadcast_to, (v, self.shape), {})
            self.trace.assign(self, result if result.dtype == self.dtype else result.astype(self.dtype))
        else:
            self.trace.rewrite(self, setitem, index, v)

    def __getattr__(self, name: str) -> Any:
        if name in METHODS:
            return functools.partial(self._method, getattr(np, name))
        if name.startswith("__") or not hasattr(np.ndarray, name):
            raise AttributeError(f"an array has no {name!r}")
        raise TraceError(f"the step uses .{name} of an array, which cannot be recorded{here()}")

    def _method(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if function in (np.compress, np.choose):
            args, kwargs = (args[0], self, *args[1:]), kwargs
            return function(*args, **kwargs)
        return function(self, *args, **kwargs)

    def astype(self, dtype: Any, copy: bool = True, **kwargs: Any) -> Any:
        """Another dtype, as a call."""
        if not copy and self.dtype == dtype:
            return self
        return self.trace.call(astype, (self, np.dtype(dtype)), {})

    def copy(self, order: str = "C") -> Any:
        """A copy, as a call."""
        return self.trace.call(copy, (self,), {})

    __copy__ = copy

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    def flatten(self, order: Any = "C") -> Any:
        """A flat copy, as a call."""
        return np.reshape(self, -1, order=order).copy()

    def reshape(self, *shape: Any, order: Any = "C", copy: Any = None) -> Any:
        """Another shape, as a call."""
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, order=order)

    def transpose(self, *axes: Any) -> Any:
        """The axes in another order, as a call."""
        return np.transpose(self, axes[0] if len(axes) == 1 else axes or None)

    @property
    def T(self) -> Any:  # noqa: N802 - NumPy's name
        """The axes in reverse order."""
        return self.trace.call(np.transpose, (self,), {})

    @property
    def mT(self) -> Any:  # noqa: N802 - NumPy's name
        """The last two axes exchanged."""
        return np.swapaxes(self, -1, -2)

    @property
    def real(self) -> Any:
        """The real part."""
        return np.real(self)

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return np.imag(self)

    def fill(self, v: Any) -> None:
        """Write one value everywhere."""
        self[...] = v

    def put(self, indices: Any, values: Any, mode: Any = "raise") -> None:
        """Write values at flat places."""
        self.trace.rewrite(self, np.put, indices, values, mode)

    def sort(self, *args: Any, **kwargs: Any) -> None:
        """Sort in place."""
        self[...] = np.sort(self, *args, **kwargs)

    def partition(self, *args: Any, **kwargs: Any) -> None:
        """Partition in place."""
        self[...] = np.partition(self, *args, **kwargs)

    def call_opaque(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """A function that asks no protocol, as a call."""
        return self.trace.call(function, args, {})

    def check_later(self, validate: Callable[..., None], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Check the values now, and note that each call of the program is to check its own."""
        self.trace.check(validate, args, kwargs)

    # --- what is not ------------------------------------------------------------------------------------------------

    def _read(self, how: str = "") -> NoReturn:
        raise self.trace.unreadable(how)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        return self.trace.as_array(self)

    def __bool__(self) -> bool:
        self._read("`if` asks whether it is true")

    def __float__(self) -> float:
        self._read("float() of it is taken")

    def __int__(self) -> int:
        self._read("int() of it is taken")

    def __index__(self) -> int:
        self._read("it is used as a Python index or count")

    def __complex__(self) -> complex:
        self._read("complex() of it is taken")

    def item(self, *args: Any) -> Any:
        """Refused: Python reads the value."""
        self._read("item() of it is taken, as `if`, float() and formatting do of a tensor")

    def tolist(self) -> Any:
        """Refused: Python reads the value."""
        self._read("it is made a list")

    def tobytes(self, *args: Any) -> Any:
        """Refused: Python reads the value."""
        self._read("it is made bytes")

    def __str__(self) -> str:
        self._read("it is printed")

    def __format__(self, spec: str) -> str:
        self._read("it is formatted")

    def __reduce__(self) -> Any:
        self._read("it is pickled")

    def __contains__(self, item: Any) -> bool:
        self._read("`in` looks into it")

    def __repr__(self) -> str:
        return f"<traced {self.dtype} {self.shape}>"

    __hash__ = object.__hash__
