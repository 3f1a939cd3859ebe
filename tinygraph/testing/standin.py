"""StandIn: an array that is strict about the NumPy protocols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygraph.core.messages import describe


class StandIn(np.lib.mixins.NDArrayOperatorsMixin):
    """A strict array: it speaks only the NumPy protocols, and refuses to become an ndarray or to meet one.

    What runs on it runs on CuPy's and Dask's arrays and can be recorded, as far as NumPy's protocols go. Its truth
    cannot be asked for, so that code which branches on a value is found out.

    >>> np.add(StandIn(np.ones(2)), 1)
    StandIn(array([2., 2.]))
    >>> np.asarray(StandIn(np.ones(2)))
    Traceback (most recent call last):
    TypeError: a StandIn does not become an ndarray
    """

    def __init__(self, array: Any) -> None:
        self._array = np.asarray(array)

    shape = property(lambda self: self._array.shape)
    dtype = property(lambda self: self._array.dtype)
    ndim = property(lambda self: self._array.ndim)
    size = property(lambda self: self._array.size)

    def __repr__(self) -> str:
        return f"StandIn({self._array!r})"

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError("a StandIn does not become an ndarray")

    def __bool__(self) -> bool:
        raise TypeError("the truth of a StandIn is not known: the code branches on a value")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if any(hasattr(x, "__array_ufunc__") and not isinstance(x, KNOWN) for x in inputs):
            return NotImplemented
        return dressed(getattr(ufunc, method)(*bare(inputs), **bare(kwargs)))

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        if not all(issubclass(kind, KNOWN) for kind in types):
            return NotImplemented
        return dressed(function(*bare(args), **bare(kwargs)))

    def __getitem__(self, key: Any) -> StandIn:
        return StandIn(self._array[bare(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        self._array[bare(key)] = bare(value)

    def astype(self, dtype: Any, copy: bool = True) -> StandIn:
        """Converted to another dtype."""
        return StandIn(self._array.astype(dtype, copy=copy))

    def copy(self) -> StandIn:
        """The same elements in an array of their own."""
        return StandIn(self._array.copy())


KNOWN = (StandIn, np.ndarray, np.generic)


def bare(value: Any) -> Any:
    """Stand-ins, wherever they sit, as the arrays in them."""
    if isinstance(value, StandIn):
        return value._array
    if isinstance(value, np.ndarray):
        raise TypeError(f"a StandIn meets an ndarray ({describe(value)}); make arrays with *_like or like=")
    return each(value, bare)


def dressed(value: Any) -> Any:
    """Arrays, wherever they sit, as stand-ins."""
    if isinstance(value, np.ndarray | np.generic):
        return StandIn(value)
    return each(value, dressed)


def each(value: Any, change: Callable[[Any], Any]) -> Any:
    """What a list, tuple or dict becomes when each of its items is changed."""
    if isinstance(value, dict):
        return {key: change(item) for key, item in value.items()}
    if type(value) is list or type(value) is tuple:
        return type(value)(change(item) for item in value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(change, value))
    return value
