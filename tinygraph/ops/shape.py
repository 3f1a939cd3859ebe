"""Ops that move values about and compute nothing: reshape, transpose, broadcast, join, convert."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from tinygraph.core.op import Array, is_array, op


@op(symbol="reshape", numpy=np.reshape, vjp=(lambda g, y, a: np.reshape(g, np.shape(a)),))
def reshape(a: Array, shape: Any, order: str = "C") -> Array:
    """The same elements in another shape; one size may be -1.

    >>> reshape(np.arange(6.0), (2, -1)).shape
    (2, 3)
    """
    if order != "C":
        raise ValueError("only order='C' keeps the elements in the order that the graph knows")
    return np.reshape(a, shape)


@op(symbol="ravel", numpy=np.ravel, vjp=(lambda g, y, a: np.reshape(g, np.shape(a)),))
def ravel(a: Array, order: str = "C") -> Array:
    """All elements in one axis.

    >>> ravel(np.ones((2, 3))).shape
    (6,)
    """
    if order != "C":
        raise ValueError("only order='C' keeps the elements in the order that the graph knows")
    return np.ravel(a)


def _transpose_back(g: Array, y: Array, a: Array, *, axes: Any) -> Array:
    if axes is None:
        return np.transpose(g)
    ndim = len(axes)
    return np.transpose(g, sorted(range(ndim), key=[axis % ndim for axis in axes].__getitem__))


@op(symbol="T", numpy=(np.transpose, np.permute_dims), tex=(r"\left(\frac{\partial L}{\partial Y}\right)^\top",),
    vjp=(_transpose_back,))
def transpose(a: Array, axes: Any = None) -> Array:
    """The axes in reverse order, or in the order that ``axes`` gives.

    >>> transpose(np.ones((2, 3))).shape
    (3, 2)
    """
    return np.transpose(a, axes)


@op(symbol="swap", numpy=np.swapaxes, vjp=(lambda g, y, a, *, axis1, axis2: np.swapaxes(g, axis1, axis2),))
def swapaxes(a: Array, axis1: int, axis2: int) -> Array:
    """Two axes exchanged.

    >>> swapaxes(np.ones((2, 3, 4)), 0, 2).shape
    (4, 3, 2)
    """
    return np.swapaxes(a, axis1, axis2)


@op(symbol="move", numpy=np.moveaxis,
    vjp=(lambda g, y, a, *, source, destination: np.moveaxis(g, destination, source),))
def moveaxis(a: Array, source: Any, destination: Any) -> Array:
    """Axes moved to other places; the others keep their order.

    >>> moveaxis(np.ones((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    return np.moveaxis(a, source, destination)


@op(symbol="expand", numpy=np.expand_dims, vjp=(lambda g, y, a: np.reshape(g, np.shape(a)),))
def expand_dims(a: Array, axis: Any) -> Array:
    """New axes of size 1, where ``axis`` (an int or several) says they stand in the result.

    >>> expand_dims(np.ones(3), 0).shape
    (1, 3)
    """
    return np.expand_dims(a, axis)


@op(symbol="squeeze", numpy=np.squeeze, vjp=(lambda g, y, a: np.reshape(g, np.shape(a)),))
def squeeze(a: Array, axis: Any = None) -> Array:
    """Axes of size 1 taken away: all of them, or those that ``axis`` names.

    >>> squeeze(np.ones((1, 3, 1))).shape
    (3,)
    """
    return np.squeeze(a, axis)


@op(symbol="broadcast", numpy=np.broadcast_to, vjp=(lambda g, y, array: g,))
def broadcast_to(array: Array, shape: Any) -> Array:
    """Repeated, without a copy, along axes of size 1 and new leading axes; the gradient adds the copies up.

    >>> broadcast_to(np.ones(3), (2, 3)).shape
    (2, 3)
    """
    return np.broadcast_to(array, shape)


@op(symbol="astype", numpy=np.astype, vjp=(lambda g, y, x: g,))
def astype(x: Array, dtype: Any, *, copy: bool = True) -> Array:
    """Converted to another dtype; the gradient comes back in the first one.

    >>> astype(np.ones(2), np.float32).dtype
    dtype('float32')
    """
    return x.astype(dtype, copy=copy)


def _places(arrays: Any, path: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    """Where in a list, or in lists within it, the arrays stand; a number there is no input."""
    if is_array(arrays) or isinstance(arrays, np.generic):
        return [path]
    if not isinstance(arrays, list | tuple):
        return []
    return [place for i, item in enumerate(arrays) for place in _places(item, (*path, i))]


def _shape(x: Any) -> tuple[int, ...]:
    """The shape of an array, or of lists that hold arrays."""
    if isinstance(x, list | tuple):
        return len(x), *(_shape(x[0]) if x else ())
    return np.shape(x)


def _joined(piece: Any) -> Any:
    """The rule of an op that joins a list of arrays; ``piece(g, arrays, i, axis)`` is what array i filled of it."""
    def rule(g: Array, y: Array, *inputs: Array, arrays: Any, axis: Any = 0, k: int) -> Array:
        i, *within = _places(arrays)[k]
        part = np.reshape(piece(g, arrays, i, axis), _shape(arrays[i]))
        return part[tuple(within)] if within else part
    return rule


def _slice(g: Array, arrays: Any, i: int, axis: int | None) -> Array:
    if axis is None:
        start = sum(math.prod(_shape(a)) for a in arrays[:i])
        return g[start:start + math.prod(_shape(arrays[i]))]
    sizes = [shape[axis] if shape else 1 for shape in map(_shape, arrays[:i + 1])]
    index = [slice(None)] * len(g.shape)
    index[axis] = slice(sum(sizes[:i]), sum(sizes))
    return g[tuple(index)]


@op(symbol="concat", numpy=(np.concatenate, np.concat), nested="arrays", vjp={"arrays": _joined(_slice)})
def concatenate(arrays: Any, axis: int | None = 0, out: None = None, *, dtype: Any = None,
                casting: Any = "same_kind") -> Array:
    """Arrays joined along an axis that they have; flattened first where ``axis`` is None.

    >>> concatenate([np.ones(2), np.zeros(1)])
    array([1., 1., 0.])
    """
    return np.concatenate(arrays, axis, dtype=dtype, casting=casting)


@op(symbol="stack", numpy=np.stack, nested="arrays",
    vjp={"arrays": _joined(lambda g, arrays, i, axis: np.moveaxis(g, axis, 0)[i])})
def stack(arrays: Any, axis: int = 0, out: None = None, *, dtype: Any = None, casting: Any = "same_kind") -> Array:
    """Arrays of one shape joined along a new axis.

    >>> stack([np.ones(2), np.zeros(2)]).shape
    (2, 2)
    """
    return np.stack(arrays, axis, dtype=dtype, casting=casting)


def _of_tuple(piece: Any) -> Any:
    """As `_joined`, for functions that call their list ``tup`` and choose the axis themselves."""
    joined = _joined(piece)

    def rule(g: Array, y: Array, *inputs: Array, tup: Any, k: int) -> Array:
        return joined(g, y, arrays=tup, axis=None, k=k)
    return rule


@op(symbol="hstack", numpy=np.hstack, nested="tup",
    vjp={"tup": _of_tuple(lambda g, arrays, i, axis: _slice(g, arrays, i, min(len(g.shape) - 1, 1)))})
def hstack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Array:
    """Arrays joined along the second axis; vectors and numbers along the only one.

    >>> hstack([np.ones(2), np.zeros(1)])
    array([1., 1., 0.])
    """
    return np.hstack(tup, dtype=dtype, casting=casting)


def _rows(g: Array, arrays: Any, i: int, axis: None) -> Array:
    heights = [shape[0] if len(shape) > 1 else 1 for shape in map(_shape, arrays[:i + 1])]
    return g[sum(heights[:i]):sum(heights)]


@op(symbol="vstack", numpy=np.vstack, nested="tup", vjp={"tup": _of_tuple(_rows)})
def vstack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Array:
    """Arrays joined along the first axis; a vector is a row.

    >>> vstack([np.ones(2), np.zeros((2, 2))]).shape
    (3, 2)
    """
    return np.vstack(tup, dtype=dtype, casting=casting)


def _split_back(g: Any, y: Any, ary: Array, *, axis: int) -> Array:
    # A part that nobody used has no cotangent.
    return np.concatenate([np.zeros_like(part) if c is None else c for c, part in zip(g, y, strict=True)], axis)


@op(symbol="split", numpy=np.split, vjp=(_split_back,), outputs=sys.maxsize, result=lambda *parts: list(parts))
def split(ary: Array, indices_or_sections: Any, axis: int = 0) -> Any:
    """A list of parts along an axis: so many equal ones, or cut before each of the given places.

    >>> split(np.arange(3.0), [1])
    [array([0.]), array([1., 2.])]
    """
    return tuple(np.split(ary, indices_or_sections, axis))


@op(symbol="flip", numpy=np.flip, vjp=(lambda g, y, m, *, axis: np.flip(g, axis),))
def flip(m: Array, axis: Any = None) -> Array:
    """The elements in reverse order along all axes, or along those that ``axis`` names.

    >>> flip(np.arange(3.0))
    array([2., 1., 0.])
    """
    return np.flip(m, axis)


@op(symbol="copy", numpy=np.copy, vjp=(lambda g, y, a: g,))
def copy(a: Array) -> Array:
    """The same elements in an array of their own.

    >>> copy(np.ones(2))
    array([1., 1.])
    """
    return np.copy(a)
