"""Functions known at points: differences, slopes, linear interpolation, angles without jumps."""

from __future__ import annotations

import math
from typing import Any, Protocol, overload

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from tinygraph.core.arguments import Array, Handle, is_array
from tinygraph.core.errors import UnsupportedError
from tinygraph.core.kinds import composed
from tinygraph.core.messages import here
from tinygraph.core.op import as_array, op
from tinygraph.ops.index import scatter_add, take

__all__ = ["diff", "ediff1d", "gradient", "interp", "unwrap"]


def _beside(x: Array, value: Any, axis: int) -> Array:
    """What stands before or behind along an axis: an array, or a number in as many places as there are lines."""
    if is_array(value := as_array(value)) and np.ndim(value):
        return value
    shape = [*np.shape(x)]
    shape[axis] = 1
    if is_array(value):
        return np.broadcast_to(value, shape)
    return np.full_like(x, value, np.result_type(np.asarray(value)), shape=shape)


class Compared(Protocol):
    """What is no array and knows how it differs from another of its kind: a graph."""

    def diff(self, other: Any, *, rtol: float = ..., atol: float = ...) -> Any:
        """The difference."""


@overload
def diff(a: Compared, n: Any, /, *, rtol: float = ..., atol: float = ...) -> Any: ...
@overload
def diff(a: Array, n: int = ..., axis: int = ..., prepend: Any = ..., append: Any = ...) -> Array: ...
def diff(a: Any, n: Any = 1, *rest: Any, **named: Any) -> Any:
    """What each element is above the one before it, along an axis, n times over; of two graphs, what differs.

    Of arrays it is NumPy's, ``diff(a, n=1, axis=-1, prepend=<nothing>, append=<nothing>)``; what is given as
    ``prepend`` and ``append`` is put before and behind first. As NumPy's functions do, it leaves what is no array to
    that object's own method of this name: ``diff(tg.graph(before), tg.graph(after))`` is `tinygraph.diff_graphs`.

    >>> diff(np.array([1.0, 4.0, 9.0]))
    array([3., 5.])
    >>> import tinygraph as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    >>> found = diff(tg.graph(tg.tanh(x).sum()), tg.graph(tg.sin(x).sum()))
    >>> [change.facts for change in found.changed if change.origin]
    [(('op', 'tanh', 'sin'),)]
    """
    if hasattr(a, "diff") and not hasattr(a, "__array__"):
        return a.diff(n, *rest, **named)
    return _differences(a, n, *rest, **named)


@composed(numpy=np.diff, name="diff")
def _differences(a: Array, n: int = 1, axis: int = -1, prepend: Any = np._NoValue, append: Any = np._NoValue) -> Array:
    """What each element is above the one before it, along an axis; n times over."""
    if isinstance(n, Handle):
        raise UnsupportedError("diff: n, how many times to take differences, is a whole number and not a tensor; the "
                               f"graphs of two tensors are compared by tg.diff(tg.graph(a), tg.graph(b)){here()}")
    if n < 0:
        raise ValueError(f"n={n}: differences are taken 0 times or more")
    a = as_array(a)
    if n == 0:
        return a
    axis = normalize_axis_index(axis, np.ndim(a))
    parts = [a if given is None else _beside(a, given, axis)
             for given in (prepend, None, append) if given is not np._NoValue]
    a = np.concatenate(parts, axis) if len(parts) > 1 else a
    lines = (slice(None),) * axis
    for _ in range(n):
        later, earlier = a[(*lines, slice(1, None))], a[(*lines, slice(None, -1))]
        a = np.not_equal(later, earlier) if a.dtype == np.bool_ else later - earlier
    return a


@composed(numpy=np.ediff1d)
def ediff1d(ary: Array, to_end: Any = None, to_begin: Any = None) -> Array:
    """The differences of neighbours in the flattened array, between what is put before and behind.

    >>> ediff1d(np.array([1.0, 4.0, 9.0]), to_begin=0.0)
    array([0., 3., 5.])
    """
    a = np.ravel(ary)
    parts = [a[1:] - a[:-1]]
    for place, more in ((0, to_begin), (len(parts) + 1, to_end)):
        if more is not None:
            more = np.ravel(more)
            if not np.can_cast(more.dtype, a.dtype, "same_kind"):
                raise TypeError(f"{more.dtype} at an end does not fit among differences of {a.dtype}")
            parts.insert(place, more if more.dtype == a.dtype else more.astype(a.dtype))
    return np.concatenate(parts) if len(parts) > 1 else parts[0]


def _slopes(f: Array, step: Any, even: bool, edge_order: int) -> list[Array]:
    """The slopes along the first axis, in three parts: at the first point, within, at the last.

    Second-order accurate within: the slope of the parabola through three neighbours (Fornberg, "Generation of finite
    difference formulas on arbitrarily spaced grids", Math. Comp. 1988).
    """
    if even:
        within = (f[2:] - f[:-2]) / (2 * step)
        if edge_order == 1:
            return [(f[1:2] - f[:1]) / step, within, (f[-1:] - f[-2:-1]) / step]
        return [(-1.5 * f[:1] + 2 * f[1:2] - 0.5 * f[2:3]) / step, within,
                (0.5 * f[-3:-2] - 2 * f[-2:-1] + 1.5 * f[-1:]) / step]
    h = np.reshape(step, (-1,) + (1,) * (np.ndim(f) - 1))
    d = (f[1:] - f[:-1]) / h  # the slope of each chord
    before, behind = h[:-1], h[1:]
    within = (behind * d[:-1] + before * d[1:]) / (before + behind)
    if edge_order == 1:
        return [d[:1], within, d[-1:]]
    first = d[:1] + (d[:1] - d[1:2]) * h[:1] / (h[:1] + h[1:2])
    last = d[-1:] + (d[-1:] - d[-2:-1]) * h[-1:] / (h[-1:] + h[-2:-1])
    return [first, within, last]


@composed(numpy=np.gradient)
def gradient(f: Array, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """The slopes of a function known at points, along each axis: an array an axis, in a tuple where there are more.

    Args:
        f: The function's values.
        varargs: The distance of the points: one for all axes, or for each axis one or its points' coordinates.
        axis: The axis, or those, to go along; None for all.
        edge_order: 1 or 2, the order of accuracy at the two ends.

    >>> gradient(np.array([0.0, 1.0, 4.0]))
    array([1., 2., 3.])
    """
    f = as_array(f)
    ndim = np.ndim(f)
    along = range(ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = [normalize_axis_index(i, ndim) for i in along]
    steps = [as_array(step) for step in varargs] or [1.0]
    if len(steps) == 1 and np.ndim(steps[0]) == 0:
        steps *= len(axes)
    if len(steps) != len(axes):
        raise TypeError(f"{len(steps)} distances for {len(axes)} axes: give none, one number, or one for each axis")
    if edge_order not in (1, 2):
        raise ValueError(f"edge_order={edge_order} must be 1 or 2")
    f = f.astype(np.float64) if f.dtype.kind in "iu" else f
    slopes = []
    for i, step in zip(axes, steps, strict=True):
        n, even = np.shape(f)[i], np.ndim(step) == 0
        if n < edge_order + 1:
            raise ValueError(f"{n} points along axis {i}: edge_order={edge_order} needs {edge_order + 1}")
        if not even and np.shape(step) != (n,):
            raise ValueError(f"coordinates of shape {np.shape(step)} for the {n} points along axis {i}")
        parts = _slopes(np.moveaxis(f, i, 0), step if even else np.diff(step), even, edge_order)
        y = np.moveaxis(np.concatenate(parts), 0, i)
        slopes.append(y if y.dtype == f.dtype else y.astype(f.dtype))
    return slopes[0] if len(slopes) == 1 else tuple(slopes)


class _Pieces:
    """The pieces of a broken line that each x falls on: between knots j and j + 1, at the share t of the way."""

    def __init__(self, x: Array, xp: Array, fp: Array, period: Any) -> None:
        self.order = None
        if period is not None:
            x, turned = np.remainder(x, period), np.remainder(xp, period)
            self.order = np.argsort(turned)
            xp, fp = take(turned, self.order), take(fp, self.order)
            xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
            fp = np.concatenate([fp[-1:], fp, fp[:1]])
        self.n = n = np.shape(xp)[0]
        self.j = np.clip(np.searchsorted(xp, x, side="right") - 1, 0, max(n - 2, 0))
        self.next = np.minimum(self.j + 1, n - 1)
        start = take(xp, self.j)
        width = take(xp, self.next) - start if n > 1 else 1.0
        self.below, self.above = np.less(x, xp[0]), np.greater(x, xp[-1])
        self.t = np.clip((x - start) / width, 0, 1)
        self.slope = np.where(self.below | self.above, 0, (take(fp, self.next) - take(fp, self.j)) / width)

    def spread(self, at_start: Array, at_end: Array) -> Array:
        """What falls to the two knots of each piece, added up for each knot as it was given."""
        at_start, at_end, j, end = (np.reshape(v, (-1,)) for v in (at_start, at_end, self.j, self.next))
        c = scatter_add(at_start, j, (self.n,)) + scatter_add(at_end, end, (self.n,))
        if self.order is None:
            return c
        n = self.n - 2
        c = c[1:-1] + scatter_add(c[:1], slice(n - 1, n), (n,)) + scatter_add(c[-1:], slice(0, 1), (n,))
        return take(c, np.argsort(self.order))


def _interp_dx(g: Array, y: Array, x: Array, xp: Array, fp: Array, *ends: Any, period: Any) -> Array:
    return g * _Pieces(x, xp, fp, period).slope


def _interp_dxp(g: Array, y: Array, x: Array, xp: Array, fp: Array, *ends: Any, period: Any) -> Array:
    pieces = _Pieces(x, xp, fp, period)
    c = -g * pieces.slope
    return pieces.spread(c * (1 - pieces.t), c * pieces.t)


def _interp_dfp(g: Array, y: Array, x: Array, xp: Array, fp: Array, left: Any, right: Any, *, period: Any) -> Array:
    pieces = _Pieces(x, xp, fp, period)
    if period is None and left is not None:
        g = np.where(pieces.below, 0, g)
    if period is None and right is not None:
        g = np.where(pieces.above, 0, g)
    return pieces.spread(g * (1 - pieces.t), g * pieces.t)


def _interp_dleft(g: Array, y: Array, x: Array, xp: Array, *rest: Any, period: Any) -> Array | None:
    return np.where(np.less(x, xp[0]), g, 0) if period is None else None


def _interp_dright(g: Array, y: Array, x: Array, xp: Array, *rest: Any, period: Any) -> Array | None:
    return np.where(np.greater(x, xp[-1]), g, 0) if period is None else None


@op(symbol="interp", numpy=np.interp,
    tex=(r"g \odot m",
         r"-\operatorname{scatter}((1 - t) g \odot m, t g \odot m)",
         r"\operatorname{scatter}((1 - t) g, t g)",
         r"\sum g \odot [X < x_0]",
         r"\sum g \odot [X > x_n]"),
    vjp=(_interp_dx, _interp_dxp, _interp_dfp, _interp_dleft, _interp_dright))
def interp(x: Array, xp: Array, fp: Array, left: Array | None = None, right: Array | None = None,
           period: float | None = None) -> Array:
    """The broken line through the points (xp, fp) at x, where xp rises; constant beyond its ends.

    Differentiable in all of x, xp, fp, left and right; at a knot the slope in x is that of the piece to its right.

    Args:
        x: Where to look.
        xp: The knots' places, rising; of any order where there is a period.
        fp: The values there.
        left: The value below the first knot; None for that knot's.
        right: The value above the last knot; None for that knot's.
        period: The period of x, or None.

    >>> interp(1.5, [1.0, 2.0], [10.0, 20.0])
    np.float64(15.0)
    """
    return np.interp(x, xp, fp, left, right, period)


@op(symbol="unwrap", numpy=np.unwrap, tex=("g",), vjp=(lambda g, y, p: g,))
def unwrap(p: Array, discont: float | None = None, axis: int = -1, *, period: float = 2 * math.pi) -> Array:
    """Angles (radians) without jumps: whole periods are added, so that neighbours differ by half of one at most.

    >>> unwrap(np.array([0.0, 6.0]))
    array([ 0.        , -0.28318531])
    """
    return np.unwrap(p, discont, axis, period=period)
