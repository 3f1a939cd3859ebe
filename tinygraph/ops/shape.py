"""Ops that move values about and compute nothing: reshape, transpose, broadcast, flip, roll, convert."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.kinds import composed
from tinygraph.core.op import as_array, op

__all__ = ["astype", "atleast_1d", "atleast_2d", "atleast_3d", "broadcast_arrays", "broadcast_to", "copy",
           "expand_dims", "flip", "fliplr", "flipud", "matrix_transpose", "moveaxis", "ravel", "reshape", "roll",
           "rollaxis", "rot90", "squeeze", "swapaxes", "transpose"]


def _in_known_order(order: Any) -> Any:
    """The order, unless it is one that asks how the elements lie in memory: of that a graph knows nothing."""
    if order not in ("C", "F"):
        raise ValueError(f"order={order!r} depends on how an array lies in memory; give 'C' or 'F'")
    return order


def _reshaped(a: Array, shape: Any, order: Any) -> Array:
    return np.reshape(a, shape) if order == "C" else np.reshape(a, shape, order)  # Dask's knows no order


@op(symbol="reshape", numpy=np.reshape,
    tex=(r"\operatorname{reshape}(g)",), vjp=(lambda g, y, a, *, order: _reshaped(g, np.shape(a), order),))
def reshape(a: Array, shape: Any, order: Any = "C", *, copy: bool | None = None) -> Array:
    """The same elements in another shape; one size may be -1. ``order`` F counts the first axis fastest.

    >>> reshape(np.arange(6.0), (2, -1)).shape
    (2, 3)
    """
    order = _in_known_order(order)
    return _reshaped(a, shape, order) if copy is None else np.reshape(a, shape, order, copy=copy)


@op(symbol="ravel", numpy=np.ravel,
    tex=(r"\operatorname{reshape}(g)",), vjp=(lambda g, y, a, *, order: _reshaped(g, np.shape(a), order),))
def ravel(a: Array, order: Any = "C") -> Array:
    """All elements in one axis.

    >>> ravel(np.ones((2, 3))).shape
    (6,)
    """
    order = _in_known_order(order)
    return np.ravel(a) if order == "C" else np.ravel(a, order)


def _transpose_back(g: Array, y: Array, a: Array, *, axes: Any) -> Array:
    if axes is None:
        return np.transpose(g)
    ndim = len(axes)
    return np.transpose(g, sorted(range(ndim), key=[axis % ndim for axis in axes].__getitem__))


@op(symbol="T", numpy=(np.transpose, np.permute_dims), tex=(r"g^\top",), vjp=(_transpose_back,))
def transpose(a: Array, axes: Any = None) -> Array:
    """The axes in reverse order, or in the order that ``axes`` gives.

    >>> transpose(np.ones((2, 3))).shape
    (3, 2)
    """
    return np.transpose(a, axes)


@op(symbol="swap", numpy=np.swapaxes,
    tex=(r"\operatorname{swapaxes}(g)",), vjp=(lambda g, y, a, *, axis1, axis2: np.swapaxes(g, axis1, axis2),))
def swapaxes(a: Array, axis1: int, axis2: int) -> Array:
    """Two axes exchanged.

    >>> swapaxes(np.ones((2, 3, 4)), 0, 2).shape
    (4, 3, 2)
    """
    return np.swapaxes(a, axis1, axis2)


@op(symbol="move", numpy=np.moveaxis,
    tex=(r"\operatorname{moveaxis}(g)",),
    vjp=(lambda g, y, a, *, source, destination: np.moveaxis(g, destination, source),))
def moveaxis(a: Array, source: Any, destination: Any) -> Array:
    """Axes moved to other places; the others keep their order.

    >>> moveaxis(np.ones((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    return np.moveaxis(a, source, destination)


@op(symbol="expand", numpy=np.expand_dims,
    tex=(r"\operatorname{reshape}(g)",), vjp=(lambda g, y, a: np.reshape(g, np.shape(a)),))
def expand_dims(a: Array, axis: Any) -> Array:
    """New axes of size 1, where ``axis`` (an int or several) says they stand in the result.

    >>> expand_dims(np.ones(3), 0).shape
    (1, 3)
    """
    return np.expand_dims(a, axis)


@op(symbol="squeeze", numpy=np.squeeze,
    tex=(r"\operatorname{reshape}(g)",), vjp=(lambda g, y, a: np.reshape(g, np.shape(a)),))
def squeeze(a: Array, axis: Any = None) -> Array:
    """Axes of size 1 taken away: all of them, or those that ``axis`` names.

    >>> squeeze(np.ones((1, 3, 1))).shape
    (3,)
    """
    return np.squeeze(a, axis)


@composed(numpy=np.rollaxis)
def rollaxis(a: Array, axis: int, start: int = 0) -> Array:
    """One axis moved so that it stands before the axis that is now at ``start``.

    >>> rollaxis(np.ones((2, 3, 4)), 2).shape
    (4, 2, 3)
    """
    ndim = np.ndim(a)
    source, goal = axis + ndim * (axis < 0), start + ndim * (start < 0)
    if not 0 <= source < ndim or not 0 <= goal <= ndim:
        raise ValueError(f"axis {axis} and start {start} must lie within the {ndim} axes")
    return np.moveaxis(a, source, goal - (source < goal))


@composed(numpy=(np.matrix_transpose, np.linalg.matrix_transpose))
def matrix_transpose(x: Array) -> Array:
    """Each matrix of the last two axes transposed.

    >>> matrix_transpose(np.ones((5, 2, 3))).shape
    (5, 3, 2)
    """
    if np.ndim(x) < 2:
        raise ValueError(f"a matrix has 2 axes, and this has shape {np.shape(x)}")
    return np.swapaxes(x, -1, -2)


def _each(reshaped: Any, arrays: tuple[Any, ...]) -> Any:
    """The arrays with more axes: a tuple of them, or the one there is."""
    several = tuple(reshaped(as_array(a)) for a in arrays)
    return several[0] if len(several) == 1 else several


@composed(numpy=np.atleast_1d)
def atleast_1d(*arys: Array) -> Any:
    """A number as an array of one element; arrays as they are. Of several arguments, a tuple.

    >>> atleast_1d(2.0, np.ones(2))
    (array([2.]), array([1., 1.]))
    """
    return _each(lambda a: a if np.ndim(a) else np.reshape(a, (1,)), arys)


@composed(numpy=np.atleast_2d)
def atleast_2d(*arys: Array) -> Any:
    """A vector of n elements as a matrix (1, n); a number as (1, 1). Of several arguments, a tuple.

    >>> atleast_2d(np.ones(3)).shape
    (1, 3)
    """
    return _each(lambda a: a if np.ndim(a) > 1 else np.reshape(a, (1, -1)), arys)


@composed(numpy=np.atleast_3d)
def atleast_3d(*arys: Array) -> Any:
    """A vector of n elements as (1, n, 1), a matrix (m, n) as (m, n, 1). Of several arguments, a tuple.

    >>> atleast_3d(np.ones(3)).shape
    (1, 3, 1)
    """
    def deepened(a: Array) -> Array:
        if np.ndim(a) > 2:
            return a
        return np.reshape(a, (*np.shape(a), 1) if np.ndim(a) == 2 else (1, np.size(a), 1))
    return _each(deepened, arys)


@op(symbol="broadcast", numpy=np.broadcast_to, tex=(r"\sum g",), vjp=(lambda g, y, array: g,),
    mismatch=lambda array, shape: f"{np.shape(array)} does not stretch to {shape}: only axes of size 1 and new leading "
                                  "ones do")
def broadcast_to(array: Array, shape: Any) -> Array:
    """Repeated, without a copy, along axes of size 1 and new leading axes; the gradient adds the copies up.

    >>> broadcast_to(np.ones(3), (2, 3)).shape
    (2, 3)
    """
    return np.broadcast_to(array, shape)


@composed(numpy=np.broadcast_arrays)
def broadcast_arrays(*args: Array, subok: bool = False) -> tuple[Array, ...]:
    """A tuple of the arrays, each broadcast to the shape that they have together.

    >>> [a.shape for a in broadcast_arrays(np.ones(3), np.ones((2, 1)))]
    [(2, 3), (2, 3)]
    """
    shape = np.broadcast_shapes(*map(np.shape, args))
    return tuple(np.broadcast_to(a, shape) for a in args)


@op(symbol="astype", numpy=np.astype, tex=("g",), vjp=(lambda g, y, x: g if y.dtype.kind in "fc" else None,))
def astype(x: Array, dtype: Any, *, copy: bool = True, device: Any = None) -> Array:
    """Converted to another dtype; the gradient comes back in the first one, and none from integers.

    >>> astype(np.ones(2), np.float32).dtype
    dtype('float32')
    """
    return x.astype(dtype, copy=copy)


@op(symbol="flip", numpy=np.flip, tex=(r"\operatorname{flip}(g)",), vjp=(lambda g, y, m, *, axis: np.flip(g, axis),))
def flip(m: Array, axis: Any = None) -> Array:
    """The elements in reverse order along all axes, or along those that ``axis`` names.

    >>> flip(np.arange(3.0))
    array([2., 1., 0.])
    """
    return np.flip(m, axis)


@composed(numpy=np.fliplr)
def fliplr(m: Array) -> Array:
    """The columns (the second axis) in reverse order.

    >>> fliplr(np.array([[1, 2], [3, 4]]))
    array([[2, 1],
           [4, 3]])
    """
    return np.flip(m, 1)


@composed(numpy=np.flipud)
def flipud(m: Array) -> Array:
    """The rows (the first axis) in reverse order.

    >>> flipud(np.array([[1, 2], [3, 4]]))
    array([[3, 4],
           [1, 2]])
    """
    return np.flip(m, 0)


@composed(numpy=np.rot90)
def rot90(m: Array, k: int = 1, axes: Any = (0, 1)) -> Array:
    """Turned by ``k`` right angles in the plane of two axes, from the first towards the second.

    >>> rot90(np.array([[1, 2], [3, 4]]))
    array([[2, 4],
           [1, 3]])
    """
    first, second = axes
    ndim = np.ndim(m)
    if not (-ndim <= first < ndim and -ndim <= second < ndim) or first % ndim == second % ndim:
        raise ValueError(f"axes={axes} must be two of the {ndim} axes")
    if k % 4 == 2:
        return np.flip(m, (first, second))
    if k % 4 == 1:
        return np.swapaxes(np.flip(m, second), first, second)
    return np.flip(np.swapaxes(m, first, second), second) if k % 4 == 3 else as_array(m)


def _rolled_back(g: Array, y: Array, a: Array, *, shift: Any, axis: Any) -> Array:
    return np.roll(g, -shift if isinstance(shift, int) else [-int(s) for s in np.ravel(shift)], axis)


@op(symbol="roll", numpy=np.roll, tex=(r"\operatorname{roll}(g)",), vjp=(_rolled_back,))
def roll(a: Array, shift: Any, axis: Any = None) -> Array:
    """The elements moved on by ``shift`` places along an axis, or several; what falls off comes in again in front.

    >>> roll(np.arange(4.0), 1)
    array([3., 0., 1., 2.])
    """
    return np.roll(a, shift, axis)


@op(symbol="copy", numpy=np.copy, tex=("g",), vjp=(lambda g, y, a: g,))
def copy(a: Array, order: Any = "K", subok: Any = False) -> Array:
    """The same elements in an array of their own.

    >>> copy(np.ones(2))
    array([1., 1.])
    """
    return np.copy(a, order, subok)
