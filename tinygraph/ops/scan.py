"""Running sums and products along an axis, and those that pass over what is not a number."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.errors import ArgumentError
from tinygraph.core.kinds import composed
from tinygraph.core.op import as_array, op

__all__ = ["cumprod", "cumsum", "cumulative_prod", "cumulative_sum", "nancumprod", "nancumsum"]


def delayed(x: Array) -> Array:
    """Shifted by one place along the last axis, with a one coming in in front."""
    return np.concatenate([np.ones_like(x[..., :1]), x[..., :-1]], axis=-1)


def _cumsum_da(g: Array, y: Array, a: Array, *, axis: Any) -> Array:
    if axis is None:
        return np.reshape(np.flip(np.cumsum(np.flip(g))), np.shape(a))
    return np.flip(np.cumsum(np.flip(g, axis), axis), axis)


@op(symbol="Σ…", numpy=np.cumsum, flops=lambda y, a, **params: int(np.size(a)),
    tex=(r"\sum_{j \ge i} g_j",), vjp=(_cumsum_da,))
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
    c = np.cumprod(delayed(x), axis=-1) * rest
    return np.reshape(c, np.shape(a)) if axis is None else np.moveaxis(c, -1, axis)


@op(symbol="Π…", numpy=np.cumprod, flops=lambda y, a, **params: int(np.size(a)),
    tex=(r"\sum_{j \ge i} g_j \frac{Y_j}{A_i}",), vjp=(_cumprod_da,))
def cumprod(a: Array, axis: Any = None, dtype: Any = None, out: None = None) -> Array:
    """Running product along an axis; along all elements, in one axis, where ``axis`` is None.

    >>> cumprod(np.array([1.0, 2.0, 3.0]))
    array([1., 2., 6.])
    """
    return np.cumprod(a, axis, dtype)


@op(symbol="Σ…", numpy=np.nancumsum, flops=lambda y, a, **params: int(np.size(a)),
    tex=(r"[A \neq \text{NaN}] \odot \sum_{j \ge i} g_j",),
    vjp=(lambda g, y, a, *, axis: np.where(np.isnan(a), 0, _cumsum_da(g, y, a, axis=axis)),))
def nancumsum(a: Array, axis: Any = None, dtype: Any = None, out: None = None) -> Array:
    """`cumsum` with zeros in the place of NaN.

    >>> nancumsum(np.array([1.0, np.nan, 3.0]))
    array([1., 1., 4.])
    """
    return np.nancumsum(a, axis, dtype)


def _nancumprod_da(g: Array, y: Array, a: Array, *, axis: Any) -> Array:
    missing = np.isnan(a)
    return np.where(missing, 0, _cumprod_da(g, y, np.where(missing, 1, a), axis=axis))


@op(symbol="Π…", numpy=np.nancumprod, flops=lambda y, a, **params: int(np.size(a)),
    tex=(r"[A \neq \text{NaN}] \odot \sum_{j \ge i} g_j \frac{Y_j}{A_i}",), vjp=(_nancumprod_da,))
def nancumprod(a: Array, axis: Any = None, dtype: Any = None, out: None = None) -> Array:
    """`cumprod` with ones in the place of NaN.

    >>> nancumprod(np.array([2.0, np.nan, 3.0]))
    array([2., 2., 6.])
    """
    return np.nancumprod(a, axis, dtype)


def _cumulated(running: Any, first: int, x: Array, axis: Any, dtype: Any, include_initial: bool) -> Array:
    x = np.reshape(x, (1,)) if not np.shape(x) else as_array(x)
    shape = list(np.shape(x))
    if axis is None:
        if len(shape) > 1:
            raise ArgumentError(f"an array of shape {tuple(shape)} has several axes, so axis= must name one of them")
        axis = 0
    y = running(x, axis, dtype)
    if not include_initial:
        return y
    shape[axis] = 1
    return np.concatenate([np.full_like(y, first, shape=shape), y], axis)


@composed(numpy=getattr(np, "cumulative_sum", ()))
def cumulative_sum(x: Array, /, *, axis: Any = None, dtype: Any = None, out: None = None,
                   include_initial: bool = False) -> Array:
    """Running sum along an axis, which may be left out where there is one; on request with a zero in front.

    >>> cumulative_sum(np.array([1.0, 2.0, 3.0]), include_initial=True)
    array([0., 1., 3., 6.])
    """
    return _cumulated(cumsum, 0, x, axis, dtype, include_initial)


@composed(numpy=getattr(np, "cumulative_prod", ()))
def cumulative_prod(x: Array, /, *, axis: Any = None, dtype: Any = None, out: None = None,
                    include_initial: bool = False) -> Array:
    """Running product along an axis, which may be left out where there is one; on request with a one in front.

    >>> cumulative_prod(np.array([1.0, 2.0, 3.0]), include_initial=True)
    array([1., 1., 2., 6.])
    """
    return _cumulated(cumprod, 1, x, axis, dtype, include_initial)
