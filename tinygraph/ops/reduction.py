"""Ops that make fewer numbers of many: sums, means, extremes, variances, products.

The derivative of a product in one factor is the product of the others. Dividing the whole by that factor would lose
it where the factor is zero; here it is what stands before the factor times what stands behind it, which is exact to
any order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.errors import ArgumentError, ShapeError
from tinygraph.core.kinds import composed
from tinygraph.core.op import as_array, op
from tinygraph.ops.scan import delayed

__all__ = ["amax", "amin", "average", "logsumexp", "max", "mean", "min", "prod", "ptp", "std", "sum", "trapezoid",
           "var"]


def _read(y: Array, a: Array, *inputs: Array, **params: Any) -> int:
    """One operation for each element read."""
    return int(np.size(a))


def spread(reduced: Array, a: Array, axis: Any, keepdims: bool) -> Array:
    """A reduction's result (or its cotangent) with the reduced axes put back, ready to broadcast with ``a``."""
    if keepdims is True or not np.shape(a):
        return reduced
    if axis is None:
        return np.reshape(reduced, (1,) * len(np.shape(a)))
    return np.expand_dims(reduced, axis)


def sum_da(g: Array, y: Array, a: Array, where: Any, *, axis: Any, keepdims: bool) -> Array:
    """Each element's share of a sum."""
    g = np.broadcast_to(spread(g, a, axis, keepdims), np.shape(a))
    return g if where is True else np.where(where, g, 0)


@op(symbol="Σ", numpy=np.sum, flops=_read, tex=("g",), vjp={"a": sum_da, "where": None})
def sum(a: Array, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False,
        initial: Any = 0, where: Any = True) -> Array:
    """Sum of the elements, over all axes or those that ``axis`` (an int or several) names.

    >>> sum(np.ones((2, 3)), axis=0)
    array([2., 2., 2.])
    """
    if where is True and type(initial) is int and initial == 0:
        return np.sum(a, axis, dtype, keepdims=keepdims)
    return np.sum(a, axis, dtype, keepdims=keepdims, initial=initial, where=where)


def _counted(y: Array, a: Array, where: Any, axis: Any) -> Array:
    """How many elements went into each result."""
    if where is True:
        # Of shapes, since Dask has no np.size.
        count = math.prod(np.shape(y))
        return math.prod(np.shape(a)) / count if count else 0.0
    return np.sum(np.broadcast_to(where, np.shape(a)), axis=axis, keepdims=True)


def mean_da(g: Array, y: Array, a: Array, where: Any, *, axis: Any, keepdims: bool) -> Array:
    """Each element's share of a mean."""
    n = _counted(y, a, where, axis)
    n = n if where is True else np.maximum(n, 1)
    g = np.broadcast_to(spread(g, a, axis, keepdims) / n, np.shape(a))
    return g if where is True else np.where(where, g, 0)


@op(symbol="mean", numpy=np.mean, flops=_read, tex=(r"\frac{1}{N} g",), vjp={"a": mean_da, "where": None})
def mean(a: Array, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False, *,
         where: Any = True) -> Array:
    """Arithmetic mean of the elements, over all axes or those that ``axis`` names.

    >>> mean(np.array([1.0, 2.0, 6.0]))
    np.float64(3.0)
    """
    if where is True:
        return np.mean(a, axis, dtype, keepdims=keepdims)
    return np.mean(a, axis, dtype, keepdims=keepdims, where=where)


def extreme_da(g: Array, y: Array, a: Array, where: Any, *, axis: Any, keepdims: bool) -> Array:
    """The elements that are as large as the largest, or as small as the smallest, share its cotangent."""
    ties = np.equal(a, spread(y, a, axis, keepdims))
    if where is not True:
        ties = ties & where
    shares = spread(g, a, axis, keepdims) / np.maximum(np.sum(ties, axis=axis, keepdims=True), 1)
    return np.where(ties, shares, 0)


@op(symbol="max", numpy=(np.max, np.amax), flops=_read,
    tex=(r"g \odot \frac{[A = Y]}{\sum [A = Y]}",), vjp={"a": extreme_da, "where": None})
def max(a: Array, axis: Any = None, out: None = None, keepdims: bool = False, initial: Any = np._NoValue,
        where: Any = True) -> Array:
    """The largest element, over all axes or those that ``axis`` names; elements that tie share the gradient equally.

    >>> max(np.array([1.0, 3.0, 2.0]))
    np.float64(3.0)
    """
    if where is True and initial is np._NoValue:
        return np.max(a, axis, keepdims=keepdims)
    return np.max(a, axis, keepdims=keepdims, initial=initial, where=where)


@op(symbol="min", numpy=(np.min, np.amin), flops=_read,
    tex=(r"g \odot \frac{[A = Y]}{\sum [A = Y]}",), vjp={"a": extreme_da, "where": None})
def min(a: Array, axis: Any = None, out: None = None, keepdims: bool = False, initial: Any = np._NoValue,
        where: Any = True) -> Array:
    """The smallest element, over all axes or those that ``axis`` names; elements that tie share the gradient equally.

    >>> min(np.array([1.0, 3.0, 2.0]))
    np.float64(1.0)
    """
    if where is True and initial is np._NoValue:
        return np.min(a, axis, keepdims=keepdims)
    return np.min(a, axis, keepdims=keepdims, initial=initial, where=where)


def _deviation(a: Array, where: Any, mean: Any, axis: Any) -> Array:
    """Conjugate of what each element is above the mean, zero where it does not count."""
    if mean is None:
        mean = np.mean(a, axis=axis, keepdims=True) if where is True else np.mean(a, axis, keepdims=True, where=where)
    above = a - mean
    above = np.conj(above) if np.iscomplexobj(a) else above
    return above if where is True else np.where(where, above, 0)


def _freedom(y: Array, a: Array, where: Any, axis: Any, ddof: Any, correction: Any) -> Any:
    """How many numbers a variance divides by: N - ddof, never below 0."""
    n = _counted(y, a, where, axis) - (ddof if correction is None else correction)
    return np.maximum(n, 0) if hasattr(n, "shape") else n if n > 0 else 0


def var_da(g: Array, y: Array, a: Array, where: Any, mean: Any, *, axis: Any, ddof: Any, keepdims: bool,
            correction: Any) -> Array:
    """What a variance gains as an element grows."""
    n = _freedom(y, a, where, axis, ddof, correction)
    return _deviation(a, where, mean, axis) * 2 / n * spread(g, a, axis, keepdims)


def std_da(g: Array, y: Array, a: Array, where: Any, mean: Any, *, axis: Any, ddof: Any, keepdims: bool,
            correction: Any) -> Array:
    """What a standard deviation gains as an element grows."""
    n = _freedom(y, a, where, axis, ddof, correction)
    return _deviation(a, where, mean, axis) / n * spread(g / np.where(y == 0, np.inf, y), a, axis, keepdims)


def opposite(rule: Any) -> Any:
    """What is above the mean falls as the mean rises; the engine adds up over the elements."""
    def to_mean(g: Array, y: Array, a: Array, where: Any, mean: Any, *, axis: Any, ddof: Any, keepdims: bool,
                correction: Any) -> Array:
        return -rule(g, y, a, where, mean, axis=axis, ddof=ddof, keepdims=keepdims, correction=correction)
    return to_mean


def given(**keywords: Any) -> dict[str, Any]:
    """The keywords that say something, for NumPy knows no default that could be written out."""
    return {name: value for name, value in keywords.items() if value is not None and value is not True}


@op(symbol="var", numpy=np.var, flops=lambda y, a, *inputs, **params: 3 * int(np.size(a)),
    tex=(r"\frac{2}{N} g \odot (A - \mu)", "", r"-\frac{2}{N} \sum g \odot (A - \mu)"),
    vjp={"a": var_da, "where": None, "mean": opposite(var_da)})
def var(a: Array, axis: Any = None, dtype: Any = None, out: None = None, ddof: Any = 0, keepdims: bool = False, *,
        where: Any = True, mean: Any = None, correction: Any = None) -> Array:
    """Variance, Σ |a - mean|² / (N - ddof), over all axes or those that ``axis`` names.

    ``correction`` is another name for ``ddof``; ``mean`` saves computing it, and has the reduced axes with size 1.

    >>> var(np.array([1.0, 3.0]))
    np.float64(1.0)
    """
    return np.var(a, axis, dtype, ddof=ddof, keepdims=keepdims, **given(where=where, mean=mean, correction=correction))


@op(symbol="std", numpy=np.std, flops=lambda y, a, *inputs, **params: 3 * int(np.size(a)),
    tex=(r"\frac{1}{N} g \odot \frac{A - \mu}{Y}", "", r"-\frac{1}{N} \sum g \odot \frac{A - \mu}{Y}"),
    vjp={"a": std_da, "where": None, "mean": opposite(std_da)})
def std(a: Array, axis: Any = None, dtype: Any = None, out: None = None, ddof: Any = 0, keepdims: bool = False, *,
        where: Any = True, mean: Any = None, correction: Any = None) -> Array:
    """Standard deviation, the square root of `var`; where it is 0 its derivative is 0.

    >>> std(np.array([1.0, 3.0]))
    np.float64(1.0)
    """
    return np.std(a, axis, dtype, ddof=ddof, keepdims=keepdims, **given(where=where, mean=mean, correction=correction))


def _logsumexp_da(g: Array, y: Array, a: Array, *, axis: Any, keepdims: bool) -> Array:
    y = np.where(y == -np.inf, 0, y)  # a sum without terms: each has no share in it
    return spread(g, a, axis, keepdims) * np.exp(a - spread(y, a, axis, keepdims))


@op(symbol="log Σ exp", flops=lambda y, a, **params: 4 * int(np.size(a)),
    tex=(r"g \odot \exp(A - Y)",), vjp=(_logsumexp_da,))
def logsumexp(a: Array, axis: Any = None, *, keepdims: bool = False) -> Array:
    """log Σ exp(a), over all axes or those that ``axis`` names; finite for any finite a.

    >>> logsumexp(np.array([1000.0, -np.inf]))
    np.float64(1000.0)
    """
    top = np.max(np.real(a), axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):
        y = np.log(np.sum(np.exp(a - top), axis, keepdims=keepdims))
    return y + np.reshape(top, np.shape(y))


def _others(x: Array) -> Array:
    """For each element the product of all others along the last axis."""
    before = np.cumprod(delayed(x), axis=-1)
    behind = np.flip(np.cumprod(delayed(np.flip(x, -1)), axis=-1), -1)
    return before * behind


def lined_up(a: Array, axis: Any) -> tuple[Array, Callable[[Array], Array]]:
    """An array with the reduced axes last and as one; and the way back from that shape."""
    ndim = len(np.shape(a))
    if axis is None or not ndim:  # of a number NumPy takes axis=0 and -1 too
        axes: Any = range(ndim)
    else:
        axes = [i % ndim for i in (axis if isinstance(axis, tuple) else (axis,))]
    order = [i for i in range(ndim) if i not in axes] + list(axes)
    turned = np.transpose(a, order)
    shape = np.shape(turned)
    kept = shape[:ndim - len(axes)]

    def back(lines: Array) -> Array:
        return np.transpose(np.reshape(lines, shape), sorted(range(ndim), key=order.__getitem__))
    return np.reshape(turned, (*kept, math.prod(shape[len(kept):]))), back


def prod_da(g: Array, y: Array, a: Array, where: Any, *, axis: Any, keepdims: bool, initial: Any) -> Array:
    """The product of the other elements."""
    lines, back = lined_up(a if where is True else np.where(where, a, 1), axis)
    c = spread(g, a, axis, keepdims) * back(_others(lines))
    c = c if type(initial) is int and initial == 1 else c * initial
    return c if where is True else np.where(where, c, 0)


@op(symbol="Π", numpy=np.prod, flops=lambda y, a, *inputs, **params: int(np.size(a)),
    tex=(r"g \prod_{j \neq i} A_j",), vjp={"a": prod_da, "where": None})
def prod(a: Array, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False, initial: Any = 1,
         where: Any = True) -> Array:
    """Product of the elements, over all axes or those that ``axis`` (an int or several) names.

    >>> import tinygraph as tg
    >>> tg.grad(prod)(np.array([0.0, 2.0, 3.0]))
    array([6., 0., 0.])
    """
    if where is True and type(initial) is int and initial == 1:
        return np.prod(a, axis, dtype, keepdims=keepdims)
    return np.prod(a, axis, dtype, keepdims=keepdims, initial=initial, where=where)


# --- averages, ranges, integrals --------------------------------------------------------------------------------------

def _sum_to_something(a: Array, weights: Array, axis: Any, keepdims: bool) -> None:
    total = np.sum(np.broadcast_to(weights, np.shape(a)), axis=axis)
    if isinstance(total, np.ndarray | np.generic) and np.any(total == 0):  # no other array may be asked
        raise ArgumentError("average: the weights sum to zero, so nothing can be divided by their sum")


def _total(a: Array, weights: Array, axis: Any) -> Array:
    return np.sum(np.broadcast_to(weights, np.shape(a)), axis=axis, keepdims=True)


def _share(g: Array, a: Array, weights: Array, axis: Any, keepdims: bool) -> Array:
    return np.broadcast_to(spread(g, a, axis, keepdims) / _total(a, weights, axis), np.shape(a))


@op(symbol="mean", flops=lambda y, a, *inputs, **params: 3 * int(np.size(a)), validate=_sum_to_something,
    tex=(r"g \odot \frac{W}{\sum W}", r"g \odot \frac{A - Y}{\sum W}"),
    vjp=(lambda g, y, a, weights, *, axis, keepdims: _share(g, a, weights, axis, keepdims) * weights,
         lambda g, y, a, weights, *, axis, keepdims: _share(g, a, weights, axis, keepdims) * (
             a - spread(y, a, axis, keepdims))))
def weighted_mean(a: Array, weights: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """Σ w a / Σ w, over all axes or those that ``axis`` names; the weights broadcast with a.

    Raises ArgumentError where the weights sum to zero.

    >>> weighted_mean(np.array([1.0, 5.0]), np.array([3.0, 1.0]))
    np.float64(2.0)
    """
    total = np.sum(np.broadcast_to(weights, np.shape(a)), axis=axis, keepdims=keepdims)
    return np.sum(a * weights, axis=axis, keepdims=keepdims) / total


def _broadcasting(weights: Array, a: Array, axis: Any) -> Array:
    """Weights of the reduced axes, in the order in which ``axis`` names them, ready to broadcast with ``a``."""
    shape = np.shape(a)
    if np.shape(weights) == shape:
        return weights
    axes = () if axis is None else tuple(i % len(shape) for i in (axis if isinstance(axis, tuple) else (axis,)))
    wanted = tuple(shape[i] for i in axes)
    if np.shape(weights) != wanted:
        given = f"weights of shape {np.shape(weights)} for an array of shape {shape}"
        raise ShapeError(f"{given} and axis={axis}: {wanted} would fit" if axes else f"{given} need an axis")
    weights = np.transpose(weights, sorted(range(len(axes)), key=axes.__getitem__))
    return np.reshape(weights, [n if i in axes else 1 for i, n in enumerate(shape)])


@composed(numpy=np.average)
def average(a: Array, axis: Any = None, weights: Array = None, returned: bool = False, *,
            keepdims: bool = False) -> Any:
    """Mean of the elements, each counted by its weight: Σ w a / Σ w; with the sum of the weights on request.

    ``weights`` have a's shape, or that of the axes reduced. Raises ArgumentError where they sum to zero.

    >>> average(np.array([1.0, 5.0]), weights=[3, 1], returned=True)
    (np.float64(2.0), np.float64(4.0))
    """
    a = as_array(a)
    if weights is None:
        y = mean(a, axis, keepdims=keepdims)
        return (y, np.full_like(y, np.size(a) / (np.size(y) or 1))) if returned else y
    weights = _broadcasting(as_array(weights), a, axis)
    y = weighted_mean(a, weights, axis, keepdims=keepdims)
    if not returned:
        return y
    return y, sum(np.broadcast_to(weights, np.shape(a)), axis, dtype=y.dtype, keepdims=keepdims)


@composed(numpy=np.ptp)
def ptp(a: Array, axis: Any = None, out: None = None, keepdims: bool = False) -> Array:
    """The largest element less the smallest, over all axes or those that ``axis`` names.

    >>> ptp(np.array([1.0, 5.0, 2.0]))
    np.float64(4.0)
    """
    return max(a, axis, keepdims=keepdims) - min(a, axis, keepdims=keepdims)


@composed(numpy=np.trapezoid)
def trapezoid(y: Array, x: Array = None, dx: Array = 1.0, axis: int = -1) -> Array:
    """Integral of y along an axis by the trapezoidal rule, at the places x or at equal steps dx.

    >>> trapezoid(np.array([1.0, 2.0, 3.0]), x=[0, 1, 3])
    np.float64(6.5)
    """
    y = np.moveaxis(as_array(y), axis, -1)
    if x is not None:
        x = as_array(x)
        x = x if len(np.shape(x)) == 1 else np.moveaxis(x, axis, -1)
        dx = x[..., 1:] - x[..., :-1]
    return sum(dx * (y[..., 1:] + y[..., :-1]) / 2.0, -1)


amax, amin = max, min
