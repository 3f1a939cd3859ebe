"""Reading and replacing parts of an array: ``t[index]``, ``t[index] = v``, and the scatter that undoes a reading."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygraph.core.op import Array, is_array, op


def _repeats(index: Any) -> bool:
    """Tell whether an index may name an element twice: it holds integer arrays or lists."""
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(part, list) or (is_array(part) and part.dtype.kind != "b" and part.shape) for part in parts)


def _scattered(g: Array, y: Array, x: Array, *_: Array, index: Any) -> Array:
    return scatter_add(g, index, np.shape(x))


@op(symbol="[ ]", nested="index", vjp={"x": _scattered, "index": None})
def getitem(x: Array, index: Any) -> Array:
    """The elements that a NumPy index names: ints, slices, None, Ellipsis, masks, integer arrays with repeats.

    >>> getitem(np.array([1.0, 2.0, 3.0]), [0, 0, 2])
    array([1., 1., 3.])
    """
    return x[index]


@op(symbol="scatter", nested="index", vjp={"v": lambda g, y, v, *_, index: g[index], "index": None})
def scatter_add(v: Array, index: Any, shape: Any) -> Array:
    """Zeros of a shape, with ``v`` added where the index points; an element that is named twice gets both.

    >>> scatter_add(np.array([1.0, 1.0, 5.0]), [0, 0, 2], (3,))
    array([2., 0., 5.])
    """
    out = np.zeros(shape, v.dtype, like=v) if hasattr(v, "__array_function__") else np.zeros(shape, v.dtype)
    if _repeats(index):
        np.add.at(out, index, v)
    else:
        out[index] = v
    return out


def _kept(g: Array, y: Array, x: Array, v: Array, *_: Array, index: Any) -> Array:
    return setitem(g, index, 0)


def _written(g: Array, y: Array, x: Array, v: Array, *_: Array, index: Any) -> Array:
    if not _repeats(index):
        return g[index]
    # Where an element is written twice the last one stays, and it alone has a derivative: ask who that was.
    g_read = g[index]
    ticket = np.reshape(np.arange(np.size(g_read), like=g), np.shape(g_read))
    winner = setitem(np.zeros(np.shape(y), np.intp, like=g), index, ticket)
    return np.where(getitem(winner, index) == ticket, g_read, 0)


@op(symbol="[ ] =", nested="index", vjp={"x": _kept, "v": _written, "index": None})
def setitem(x: Array, index: Any, v: Array) -> Array:
    """A copy of x in which the elements that a NumPy index names are replaced by v.

    >>> setitem(np.zeros(3), slice(1, None), 2.0)
    array([0., 2., 2.])
    """
    out = np.copy(x)  # an array also where x is a NumPy scalar
    out[index] = v
    return out


def _take_back(g: Array, y: Array, a: Array, indices: Array, *, axis: int | None, mode: str) -> Array:
    shape = np.shape(a)
    n = int(np.size(a)) if axis is None else shape[axis]
    if mode != "raise":
        indices = np.remainder(indices, n) if mode == "wrap" else np.clip(indices, 0, n - 1)
    if axis is None:
        return np.reshape(scatter_add(g, indices, (n,)), shape)
    return scatter_add(g, (slice(None),) * (axis % len(shape)) + (indices,), shape)


@op(symbol="take", numpy=np.take, vjp=(_take_back, None))
def take(a: Array, indices: Array, axis: int | None = None, out: None = None, mode: Any = "raise") -> Array:
    """The elements at integer places along an axis, or of all elements in order where ``axis`` is None.

    What lies outside is an IndexError, or is wrapped round or clipped to the end as ``mode`` says.

    >>> take(np.array([1.0, 2.0, 3.0]), [0, 0, 2])
    array([1., 1., 3.])
    """
    return np.take(a, indices, axis, mode=mode)
