"""Making arrays. What is made of no Tensor is a plain array; what is made of a Tensor is one, and remembers it.

So `tinygraph.zeros` gives an ndarray, which works together with tensors, and `tinygraph.array([t0, t1])` a Tensor. A
leaf that backward leaves a gradient on is made by `tinygraph.tensor`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array, Handle, is_array
from tinygraph.core.kinds import composed, constant
from tinygraph.core.op import op
from tinygraph.ops.join import stack

__all__ = ["arange", "array", "asanyarray", "asarray", "ascontiguousarray", "broadcast_shapes", "empty", "eye", "full",
           "full_like", "geomspace", "identity", "indices", "ix_", "linspace", "logspace", "meshgrid", "ones", "tri",
           "zeros"]

zeros = constant(np.zeros, "An ndarray of zeros of a shape.")
ones = constant(np.ones, "An ndarray of ones of a shape.")
empty = constant(np.empty, "An ndarray of a shape that is not filled.")
eye = constant(np.eye, "An ndarray with ones on a diagonal and zeros elsewhere.")
identity = constant(np.identity, "The square identity matrix, an ndarray.")
arange = constant(np.arange, "Evenly spaced numbers up to, and without, an end, by a given step; an ndarray.")
tri = constant(np.tri, "An ndarray with ones at and below a diagonal and zeros above.")
indices = constant(np.indices, "The index of each element along each axis, for a grid of a shape; an ndarray.")
ix_ = constant(np.ix_, "An index that names every combination of places along several axes.")
broadcast_shapes = constant(np.broadcast_shapes, "The shape that shapes have together, a tuple.")


def _holds_a_tensor(x: Any) -> bool:
    """Whether there is an array here, or in lists, that does not become an ndarray: a Tensor, or a foreign one."""
    if isinstance(x, list | tuple):
        return any(map(_holds_a_tensor, x))
    return is_array(x) and not isinstance(x, np.ndarray)


def _stacked(x: Any) -> Array:
    """Nested lists that hold tensors as one tensor."""
    if not isinstance(x, list | tuple):
        return x
    return stack([_stacked(item) for item in x]) if _holds_a_tensor(x) else np.array(x)


@composed()
def array(object: Any, dtype: Any = None, *, copy: bool | None = True, order: Any = "K", subok: bool = False,
          ndmin: int = 0, like: Any = None) -> Array:
    """An array of a number, an array or nested lists: with a Tensor anywhere among them a Tensor, else an ndarray.

    >>> import tinygraph as tg
    >>> x = tg.tensor(2.0, requires_grad=True)
    >>> y = array([[x, 1.0], [0.0, x * x]])
    >>> y.sum().backward()
    >>> x.grad
    array(5.)
    """
    if not _holds_a_tensor(object):
        return np.array(object, dtype, copy=copy, order=order, subok=subok, ndmin=ndmin,
                        **({} if like is None else {"like": like}))
    y = _stacked(object)
    y = np.copy(y) if copy and y is object else y
    y = y if dtype is None or y.dtype == dtype else y.astype(dtype)
    return np.reshape(y, (1,) * (ndmin - np.ndim(y)) + np.shape(y)) if ndmin > np.ndim(y) else y


@composed()
def asarray(a: Any, dtype: Any = None, order: Any = None, *, device: Any = None, copy: bool | None = None,
            like: Any = None) -> Array:
    """As `array`, without a copy where none is needed: a Tensor of the dtype asked for comes back as it is.

    >>> asarray([1.0, 2.0])
    array([1., 2.])
    """
    if not _holds_a_tensor(a):
        known = {"device": device, "copy": copy, "like": like}
        return np.asarray(a, dtype, order, **{name: value for name, value in known.items() if value is not None})
    return array(a, dtype, copy=bool(copy))


asanyarray = ascontiguousarray = asarray


@composed()
def full(shape: Any, fill_value: Array, dtype: Any = None, order: Any = "C", *, device: Any = None,
         like: Any = None) -> Array:
    """One value repeated in a new array of a shape: a Tensor where the value is one, else an ndarray.

    >>> full((2, 2), 7.0)
    array([[7., 7.],
           [7., 7.]])
    """
    if not _holds_a_tensor(fill_value):
        return np.full(shape, fill_value, dtype, order, **({} if like is None else {"like": like}))
    y = np.broadcast_to(_stacked(fill_value), shape)
    return y if dtype is None or y.dtype == dtype else y.astype(dtype)


def _filled_back(g: Array, y: Array, a: Array, fill_value: Array) -> Array | None:
    return g if y.dtype.kind in "fc" else None


@op(symbol="full", numpy=np.full_like, tex=("", r"\sum g"), vjp=(None, _filled_back))
def full_like(a: Array, fill_value: Array, dtype: Any = None, order: Any = "K", subok: bool = True, shape: Any = None,
              *, device: Any = None) -> Array:
    """One value, which may be a Tensor, repeated in another array's shape and dtype.

    >>> full_like(np.zeros(2), 7.0)
    array([7., 7.])
    """
    y = np.empty_like(a, dtype, order, subok, shape)  # np.full_like does not take a foreign array to fill in
    y[...] = fill_value
    return y


def _shares(g: Array, num: int, endpoint: bool) -> Array:
    """How far each of ``num`` numbers is on the way from start to stop, along the first axis of ``g``."""
    steps = (num - 1 if endpoint else num) or 1
    return np.reshape(np.arange(num, like=g) / steps, (-1,) + (1,) * (len(np.shape(g)) - 1))


def _ends(of_start: Callable[..., Array], of_stop: Callable[..., Array]) -> Any:
    """The rules in start and stop: what each number made has of its end, summed over the numbers."""
    def summed(of: Callable[..., Array]) -> Any:
        def rule(g: Array, y: Array, start: Array, stop: Array, *base: Array, num: int, endpoint: bool,
                 axis: int) -> Array:
            g, y = np.moveaxis(g, axis, 0), np.moveaxis(y, axis, 0)
            return np.sum(g * of(_shares(g, num, endpoint), y, start, stop, *base), axis=0)
        return rule
    return summed(of_start), summed(of_stop)


@op(symbol="linspace",
    tex=(r"\sum_k (1 - w_k) g_k", r"\sum_k w_k g_k"),
    vjp=_ends(lambda w, y, start, stop: 1 - w, lambda w, y, start, stop: w))
def spaced(start: Array, stop: Array, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Array:
    """`linspace` without its step.

    >>> spaced(0.0, 1.0, 3)
    array([0. , 0.5, 1. ])
    """
    return np.linspace(start, stop, num, endpoint, False, dtype, axis)


@composed(numpy=np.linspace)
def linspace(start: Array, stop: Array, num: int = 50, endpoint: bool = True, retstep: bool = False,
             dtype: Any = None, axis: int = 0, *, device: Any = None) -> Any:
    """Evenly spaced numbers from start to stop, which may be arrays, along a new axis; differentiable in both.

    With ``endpoint`` the last is stop. ``retstep`` gives the distance as well.

    >>> linspace(0.0, 1.0, 3)
    array([0. , 0.5, 1. ])
    """
    num = int(num)
    y = spaced(start, stop, num, endpoint, dtype, axis)
    steps = num - 1 if endpoint else num
    if not retstep:
        return y
    return y, (np.subtract(stop, start) / steps if steps > 0 else np.nan)


def _logspace_dbase(g: Array, y: Array, start: Array, stop: Array, base: Array, *, num: int, endpoint: bool,
                    axis: int) -> Array:
    exponents = spaced(start, stop, num, endpoint, axis=axis)
    if not np.ndim(base):
        return np.sum(g * y * exponents) / base
    if np.ndim(exponents) == 1:
        exponents = np.moveaxis(np.reshape(exponents, (-1,) + (1,) * np.ndim(base)), 0, axis)
    return np.sum(g * y * exponents, axis=axis) / base


_logspace_dstart, _logspace_dstop = _ends(lambda w, y, start, stop, base: (1 - w) * y * np.log(base),
                                          lambda w, y, start, stop, base: w * y * np.log(base))


@op(symbol="logspace", numpy=np.logspace,
    tex=(r"\log B \sum_k (1 - w_k) g_k Y_k", r"\log B \sum_k w_k g_k Y_k", r"\frac{1}{B} \sum_k g_k Y_k \log_B Y_k"),
    vjp={"start": _logspace_dstart, "stop": _logspace_dstop, "base": _logspace_dbase})
def logspace(start: Array, stop: Array, num: int = 50, endpoint: bool = True, base: Array = 10.0, dtype: Any = None,
             axis: int = 0) -> Array:
    """Powers of a base with evenly spaced exponents from start to stop.

    >>> logspace(0.0, 2.0, 3)
    array([  1.,  10., 100.])
    """
    return np.logspace(start, stop, num, endpoint, base, dtype, axis)


@op(symbol="geomspace", numpy=np.geomspace,
    tex=(r"\frac{1}{\text{start}} \sum_k (1 - w_k) g_k Y_k", r"\frac{1}{\text{stop}} \sum_k w_k g_k Y_k"),
    vjp=_ends(lambda w, y, start, stop: (1 - w) * y / start,
                                                      lambda w, y, start, stop: w * y / stop))
def geomspace(start: Array, stop: Array, num: int = 50, endpoint: bool = True, dtype: Any = None,
              axis: int = 0) -> Array:
    """Numbers from start to stop each of which is the one before times the same factor.

    >>> geomspace(1.0, 100.0, 3)
    array([  1.,  10., 100.])
    """
    return np.geomspace(start, stop, num, endpoint, dtype, axis)


@composed(numpy=np.meshgrid)
def meshgrid(*xi: Array, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Array, ...]:
    """The coordinates of every point of the grid that vectors span, an array for each vector.

    The vectors' axes stand in order where ``indexing`` is "ij"; "xy" exchanges the first two. ``sparse`` leaves the
    other axes at size 1, to broadcast.

    >>> [x.tolist() for x in meshgrid([1, 2], [3, 4])]
    [[[1, 2], [1, 2]], [[3, 3], [4, 4]]]
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"indexing={indexing!r} must be 'xy' or 'ij'")
    places = list(range(len(xi)))
    if indexing == "xy" and len(xi) > 1:
        places[:2] = [1, 0]
    grids = [np.reshape(x, (1,) * place + (-1,) + (1,) * (len(xi) - place - 1))
             for x, place in zip(xi, places, strict=True)]
    if not sparse:
        shape = np.broadcast_shapes(*(np.shape(grid) for grid in grids))
        grids = [np.broadcast_to(grid, shape) for grid in grids]
    # A plain array is the caller's own, to write into; nobody writes into a tensor's.
    return tuple(np.copy(grid) if copy and not isinstance(grid, Handle) else grid for grid in grids)
