"""Ops that make fewer numbers of many: sums, means, extremes, products."""

from __future__ import annotations

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
