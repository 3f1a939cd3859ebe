"""Ops that move values about and compute nothing: reshape, transpose, broadcast, join, convert."""

from __future__ import annotations

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


@op(symbol="move", numpy=np.moveaxis, vjp=(lambda g, y, a, *, source, destination: np.moveaxis(g, destination, source),))
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


def _piece(g: Array, y: Array, *, arrays: Any, axis: int | None, k: int) -> Array:
    """The part of a joined array that the k-th one filled."""
    if axis is None:
        start = sum(int(np.size(a)) for a in arrays[:k])
        return np.reshape(g[start:start + np.size(arrays[k])], np.shape(arrays[k]))
    start = sum(np.shape(a)[axis] for a in arrays[:k])
    index = [slice(None)] * len(g.shape)
    index[axis] = slice(start, start + np.shape(arrays[k])[axis])
    return g[tuple(index)]


def _every_array(rule: Any) -> Any:
    """A rule of an op on a list of arrays, which meets those arrays both as inputs and, filled in, as a param."""
    def each(g: Array, y: Array, *inputs: Array, arrays: Any, axis: Any, k: int) -> Array:
        # A number in the list is no input, so the k-th input is the k-th that is an array.
        places = [i for i, a in enumerate(arrays) if is_array(a)]
        return rule(g, y, arrays=arrays, axis=axis, k=places[k])
    return each


@op(symbol="concat", numpy=(np.concatenate, np.concat), nested="arrays", vjp={"arrays": _every_array(_piece)})
def concatenate(arrays: Any, axis: int | None = 0, out: None = None, *, dtype: Any = None,
                casting: Any = "same_kind") -> Array:
    """Arrays joined along an axis that they have; flattened first where ``axis`` is None.

    >>> concatenate([np.ones(2), np.zeros(1)])
    array([1., 1., 0.])
    """
    return np.concatenate(arrays, axis, dtype=dtype, casting=casting)


@op(symbol="stack", numpy=np.stack, nested="arrays",
    vjp={"arrays": _every_array(lambda g, y, *, arrays, axis, k: np.moveaxis(g, axis, 0)[k])})
def stack(arrays: Any, axis: int = 0, out: None = None, *, dtype: Any = None, casting: Any = "same_kind") -> Array:
    """Arrays of one shape joined along a new axis.

    >>> stack([np.ones(2), np.zeros(2)]).shape
    (2, 2)
    """
    return np.stack(arrays, axis, dtype=dtype, casting=casting)


@op(symbol="copy", numpy=np.copy, vjp=(lambda g, y, a: g,))
def copy(a: Array) -> Array:
    """The same elements in an array of their own.

    >>> copy(np.ones(2))
    array([1., 1.])
    """
    return np.copy(a)
