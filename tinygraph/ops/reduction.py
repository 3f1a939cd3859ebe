"""Ops that make fewer numbers of many: sums, means, extremes, variances, products; and running sums and products.

The derivative of a product in one factor is the product of the others. Dividing the whole by that factor would lose
it where the factor is zero; here it is what stands before the factor times what stands behind it, which is exact to
any order.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygraph.core.op import Array, op


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


def _sum_da(g: Array, y: Array, a: Array, where: Any, *, axis: Any, keepdims: bool) -> Array:
    g = np.broadcast_to(spread(g, a, axis, keepdims), np.shape(a))
    return g if where is True else np.where(where, g, 0)


@op(symbol="Σ", numpy=np.sum, flops=_read, vjp={"a": _sum_da, "where": None},
    tex=(r"\frac{\partial L}{\partial Y}",))
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
        return np.size(a) / np.size(y) if np.size(y) else 0.0
    return np.sum(np.broadcast_to(where, np.shape(a)), axis=axis, keepdims=True)


def _mean_da(g: Array, y: Array, a: Array, where: Any, *, axis: Any, keepdims: bool) -> Array:
    g = np.broadcast_to(spread(g, a, axis, keepdims) / _counted(y, a, where, axis), np.shape(a))
    return g if where is True else np.where(where, g, 0)


@op(symbol="mean", numpy=np.mean, flops=_read, vjp={"a": _mean_da, "where": None},
    tex=(r"\frac{1}{N} \frac{\partial L}{\partial Y}",))
def mean(a: Array, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False, *,
         where: Any = True) -> Array:
    """Arithmetic mean of the elements, over all axes or those that ``axis`` names.

    >>> mean(np.array([1.0, 2.0, 6.0]))
    np.float64(3.0)
    """
    if where is True:
        return np.mean(a, axis, dtype, keepdims=keepdims)
    return np.mean(a, axis, dtype, keepdims=keepdims, where=where)


def _extreme_da(g: Array, y: Array, a: Array, where: Any, *, axis: Any, keepdims: bool) -> Array:
    ties = np.equal(a, spread(y, a, axis, keepdims))
    if where is not True:
        ties = ties & where
    shares = spread(g, a, axis, keepdims) / np.maximum(np.sum(ties, axis=axis, keepdims=True), 1)
    return np.where(ties, shares, 0)


@op(symbol="max", numpy=(np.max, np.amax), flops=_read, vjp={"a": _extreme_da, "where": None})
def max(a: Array, axis: Any = None, out: None = None, keepdims: bool = False, initial: Any = np._NoValue,
        where: Any = True) -> Array:
    """The largest element, over all axes or those that ``axis`` names; elements that tie share the gradient equally.

    >>> max(np.array([1.0, 3.0, 2.0]))
    np.float64(3.0)
    """
    return np.max(a, axis, keepdims=keepdims, initial=initial, where=where)


@op(symbol="min", numpy=(np.min, np.amin), flops=_read, vjp={"a": _extreme_da, "where": None})
def min(a: Array, axis: Any = None, out: None = None, keepdims: bool = False, initial: Any = np._NoValue,
        where: Any = True) -> Array:
    """The smallest element, over all axes or those that ``axis`` names; elements that tie share the gradient equally.

    >>> min(np.array([1.0, 3.0, 2.0]))
    np.float64(1.0)
    """
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


def _var_da(g: Array, y: Array, a: Array, where: Any, mean: Any, *, axis: Any, ddof: Any, keepdims: bool,
            correction: Any) -> Array:
    n = _freedom(y, a, where, axis, ddof, correction)
    return _deviation(a, where, mean, axis) * 2 / n * spread(g, a, axis, keepdims)


def _std_da(g: Array, y: Array, a: Array, where: Any, mean: Any, *, axis: Any, ddof: Any, keepdims: bool,
            correction: Any) -> Array:
    n = _freedom(y, a, where, axis, ddof, correction)
    return _deviation(a, where, mean, axis) / n * spread(g / np.where(y == 0, 1, y), a, axis, keepdims)


def _opposite(rule: Any) -> Any:
    """What is above the mean falls as the mean rises; the engine adds up over the elements."""
    def to_mean(g: Array, y: Array, a: Array, where: Any, mean: Any, *, axis: Any, ddof: Any, keepdims: bool,
                correction: Any) -> Array:
        return -rule(g, y, a, where, mean, axis=axis, ddof=ddof, keepdims=keepdims, correction=correction)
    return to_mean


def _given(**keywords: Any) -> dict[str, Any]:
    """The keywords that say something, for NumPy knows no default that could be written out."""
    return {name: value for name, value in keywords.items() if value is not None and value is not True}


@op(symbol="var", numpy=np.var, flops=lambda y, a, *inputs, **params: 3 * int(np.size(a)),
    vjp={"a": _var_da, "where": None, "mean": _opposite(_var_da)})
def var(a: Array, axis: Any = None, dtype: Any = None, out: None = None, ddof: Any = 0, keepdims: bool = False, *,
        where: Any = True, mean: Any = None, correction: Any = None) -> Array:
    """Variance, Σ |a - mean|² / (N - ddof), over all axes or those that ``axis`` names.

    ``correction`` is another name for ``ddof``; ``mean`` saves computing it, and has the reduced axes with size 1.

    >>> var(np.array([1.0, 3.0]))
    np.float64(1.0)
    """
    return np.var(a, axis, dtype, ddof=ddof, keepdims=keepdims, **_given(where=where, mean=mean, correction=correction))


@op(symbol="std", numpy=np.std, flops=lambda y, a, *inputs, **params: 3 * int(np.size(a)),
    vjp={"a": _std_da, "where": None, "mean": _opposite(_std_da)})
def std(a: Array, axis: Any = None, dtype: Any = None, out: None = None, ddof: Any = 0, keepdims: bool = False, *,
        where: Any = True, mean: Any = None, correction: Any = None) -> Array:
    """Standard deviation, the square root of `var`; where it is 0 its derivative is 0.

    >>> std(np.array([1.0, 3.0]))
    np.float64(1.0)
    """
    return np.std(a, axis, dtype, ddof=ddof, keepdims=keepdims, **_given(where=where, mean=mean, correction=correction))


def _logsumexp_da(g: Array, y: Array, a: Array, *, axis: Any, keepdims: bool) -> Array:
    y = np.where(y == -np.inf, 0, y)  # a sum without terms: each has no share in it
    return spread(g, a, axis, keepdims) * np.exp(a - spread(y, a, axis, keepdims))


@op(symbol="log Σ exp", flops=lambda y, a, **params: 4 * int(np.size(a)), vjp=(_logsumexp_da,))
def logsumexp(a: Array, axis: Any = None, *, keepdims: bool = False) -> Array:
    """log Σ exp(a), over all axes or those that ``axis`` names; finite for any finite a.

    >>> logsumexp(np.array([1000.0, -np.inf]))
    np.float64(1000.0)
    """
    top = np.max(a, axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):
        y = np.log(np.sum(np.exp(a - top), axis, keepdims=keepdims))
    return y + np.reshape(top, np.shape(y))


def _delayed(x: Array) -> Array:
    """Shifted by one place along the last axis, with a one coming in in front."""
    return np.concatenate([np.ones_like(x[..., :1]), x[..., :-1]], axis=-1)


def _others(x: Array) -> Array:
    """For each element the product of all others along the last axis."""
    before = np.cumprod(_delayed(x), axis=-1)
    behind = np.flip(np.cumprod(_delayed(np.flip(x, -1)), axis=-1), -1)
    return before * behind


def _prod_da(g: Array, y: Array, a: Array, where: Any, *, axis: Any, keepdims: bool, initial: Any) -> Array:
    shape = np.shape(a)
    ndim = len(shape)
    factors = a if where is True else np.where(where, a, 1)
    axes = range(ndim) if axis is None else [i % ndim for i in (axis if isinstance(axis, tuple) else (axis,))]
    order = [i for i in range(ndim) if i not in axes] + list(axes)
    turned = np.transpose(factors, order)
    kept = np.shape(turned)[:ndim - len(axes)]
    rows = np.reshape(turned, (*kept, int(np.size(a)) // (math.prod(kept) or 1)))
    others = np.transpose(np.reshape(_others(rows), np.shape(turned)), sorted(range(ndim), key=order.__getitem__))
    c = spread(g, a, axis, keepdims) * others
    c = c if type(initial) is int and initial == 1 else c * initial
    return c if where is True else np.where(where, c, 0)


@op(symbol="Π", numpy=np.prod, flops=lambda y, a, *inputs, **params: int(np.size(a)),
    vjp={"a": _prod_da, "where": None})
def prod(a: Array, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False, initial: Any = 1,
         where: Any = True) -> Array:
    """Product of the elements, over all axes or those that ``axis`` (an int or several) names.

    >>> import tinygraph as tg
    >>> tg.grad(prod)(np.array([0.0, 2.0, 3.0]))
    array([6., 0., 0.])
    """
    if where is True:
        return np.prod(a, axis, dtype, keepdims=keepdims, initial=initial)
    return np.prod(a, axis, dtype, keepdims=keepdims, initial=initial, where=where)


def _cumsum_da(g: Array, y: Array, a: Array, *, axis: Any) -> Array:
    if axis is None:
        return np.reshape(np.flip(np.cumsum(np.flip(g))), np.shape(a))
    return np.flip(np.cumsum(np.flip(g, axis), axis), axis)


@op(symbol="Σ…", numpy=np.cumsum, flops=lambda y, a, **params: int(np.size(a)), vjp=(_cumsum_da,))
def cumsum(a: Array, axis: Any = None, dtype: Any = None, out: None = None) -> Array:
    """Running sum along an axis; along all elements, in one axis, where ``axis`` is None.

    >>> cumsum(np.array([1.0, 2.0, 3.0]))
    array([1., 3., 6.])
    """
    return np.cumsum(a, axis, dtype)


def _weighted_rest(g: Array, x: Array) -> Array:
    """s with s[i] = g[i] + x[i + 1] s[i + 1] along the last axis.

    It is found by doubling (Hillis and Steele, "Data parallel algorithms", CACM 1986): after a round of step d,
    s[i] holds d further terms and ``factor[i]`` the product of the d next x, in n log n operations.
    """
    n = np.shape(x)[-1]
    total, factor = g, np.concatenate([x[..., 1:], np.zeros_like(x[..., :1])], axis=-1)
    step = 1
    while step < n:
        head = total[..., :-step] + factor[..., :-step] * total[..., step:]
        total = np.concatenate([head, total[..., -step:]], axis=-1)
        # What reaches past the end has met the zero that stands there.
        factor = np.concatenate([factor[..., :-step] * factor[..., step:], np.zeros_like(x[..., -step:])], axis=-1)
        step *= 2
    return total


def _cumprod_da(g: Array, y: Array, a: Array, *, axis: Any) -> Array:
    if not np.size(a) or not np.shape(a):
        return np.reshape(g, np.shape(a))
    x = np.reshape(a, (-1,)) if axis is None else np.moveaxis(a, axis, -1)
    rest = _weighted_rest(g if axis is None else np.moveaxis(g, axis, -1), x)
    c = np.cumprod(_delayed(x), axis=-1) * rest
    return np.reshape(c, np.shape(a)) if axis is None else np.moveaxis(c, -1, axis)


@op(symbol="Π…", numpy=np.cumprod, flops=lambda y, a, **params: int(np.size(a)), vjp=(_cumprod_da,))
def cumprod(a: Array, axis: Any = None, dtype: Any = None, out: None = None) -> Array:
    """Running product along an axis; along all elements, in one axis, where ``axis`` is None.

    >>> cumprod(np.array([1.0, 2.0, 3.0]))
    array([1., 2., 6.])
    """
    return np.cumprod(a, axis, dtype)
