"""Reductions that pass over what is not a number: each has the rule of the plain one, under a mask."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.op import Rule, op
from tinygraph.ops.reduction import extreme_da, given, mean_da, opposite, prod_da, std_da, sum_da, var_da

__all__ = ["nanmax", "nanmean", "nanmin", "nanprod", "nanstd", "nansum", "nanvar"]


def _read(y: Array, a: Array, *inputs: Array, **params: Any) -> int:
    """One operation for each element read."""
    return int(np.size(a))


def numbers(a: Array, where: Any) -> Array:
    """Where a number stands that counts."""
    return ~np.isnan(a) if where is True else ~np.isnan(a) & where


def _masked(rule: Any) -> Rule:
    """The rule of a sum, a mean or an extreme, for the numbers alone."""
    def masked(g: Array, y: Array, a: Array, where: Any, *, axis: Any, keepdims: bool) -> Array:
        return rule(g, y, a, numbers(a, where), axis=axis, keepdims=keepdims)
    return masked


def _masked_spread(rule: Any) -> Rule:
    """The rule of a variance or a standard deviation, for the numbers alone."""
    def masked(g: Array, y: Array, a: Array, where: Any, mean: Any, *, axis: Any, ddof: Any, keepdims: bool,
               correction: Any) -> Array:
        return rule(g, y, a, numbers(a, where), mean, axis=axis, ddof=ddof, keepdims=keepdims, correction=correction)
    return masked


@op(symbol="Σ", numpy=np.nansum, flops=_read,
    tex=(r"g \odot [A \neq \text{NaN}]",), vjp={"a": _masked(sum_da), "where": None})
def nansum(a: Array, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False,
           initial: Any = 0, where: Any = True) -> Array:
    """`sum` of the elements that are not NaN.

    >>> nansum(np.array([1.0, np.nan, 3.0]))
    np.float64(4.0)
    """
    return np.nansum(a, axis, dtype, keepdims=keepdims, initial=initial, where=where)


def _nanprod_da(g: Array, y: Array, a: Array, where: Any, *, axis: Any, keepdims: bool, initial: Any) -> Array:
    return prod_da(g, y, a, numbers(a, where), axis=axis, keepdims=keepdims, initial=initial)


@op(symbol="Π", numpy=np.nanprod, flops=_read,
    tex=(r"g \odot [A \neq \text{NaN}] \prod_{j \neq i} A_j",), vjp={"a": _nanprod_da, "where": None})
def nanprod(a: Array, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False,
            initial: Any = 1, where: Any = True) -> Array:
    """`prod` of the elements that are not NaN.

    >>> nanprod(np.array([2.0, np.nan, 3.0]))
    np.float64(6.0)
    """
    return np.nanprod(a, axis, dtype, keepdims=keepdims, initial=initial, where=where)


@op(symbol="mean", numpy=np.nanmean, flops=_read,
    tex=(r"\frac{1}{N} g \odot [A \neq \text{NaN}]",), vjp={"a": _masked(mean_da), "where": None})
def nanmean(a: Array, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False, *,
            where: Any = True) -> Array:
    """`mean` of the elements that are not NaN.

    >>> nanmean(np.array([1.0, np.nan, 3.0]))
    np.float64(2.0)
    """
    return np.nanmean(a, axis, dtype, keepdims=keepdims, where=where)


@op(symbol="max", numpy=np.nanmax, flops=_read,
    tex=(r"g \odot \frac{[A = Y]}{\sum [A = Y]}",), vjp={"a": _masked(extreme_da), "where": None})
def nanmax(a: Array, axis: Any = None, out: None = None, keepdims: bool = False, initial: Any = np._NoValue,
           where: Any = True) -> Array:
    """`max` of the elements that are not NaN.

    >>> nanmax(np.array([1.0, np.nan, 3.0]))
    np.float64(3.0)
    """
    return np.nanmax(a, axis, keepdims=keepdims, initial=initial, where=where)


@op(symbol="min", numpy=np.nanmin, flops=_read,
    tex=(r"g \odot \frac{[A = Y]}{\sum [A = Y]}",), vjp={"a": _masked(extreme_da), "where": None})
def nanmin(a: Array, axis: Any = None, out: None = None, keepdims: bool = False, initial: Any = np._NoValue,
           where: Any = True) -> Array:
    """`min` of the elements that are not NaN.

    >>> nanmin(np.array([1.0, np.nan, 3.0]))
    np.float64(1.0)
    """
    return np.nanmin(a, axis, keepdims=keepdims, initial=initial, where=where)


@op(symbol="var", numpy=np.nanvar, flops=_read,
    tex=(r"\frac{2}{N} g \odot (A - \mu) \odot [A \neq \text{NaN}]",
         "",
         r"-\frac{2}{N} \sum g \odot (A - \mu) \odot [A \neq \text{NaN}]"),
    vjp={"a": _masked_spread(var_da), "where": None, "mean": opposite(_masked_spread(var_da))})
def nanvar(a: Array, axis: Any = None, dtype: Any = None, out: None = None, ddof: Any = 0, keepdims: bool = False, *,
           where: Any = True, mean: Any = None, correction: Any = None) -> Array:
    """`var` of the elements that are not NaN.

    >>> nanvar(np.array([1.0, np.nan, 3.0]))
    np.float64(1.0)
    """
    keywords = given(where=where, mean=mean, correction=correction)
    return np.nanvar(a, axis, dtype, ddof=ddof, keepdims=keepdims, **keywords)


@op(symbol="std", numpy=np.nanstd, flops=_read,
    tex=(r"\frac{1}{N} g \odot \frac{A - \mu}{Y} \odot [A \neq \text{NaN}]",
         "",
         r"-\frac{1}{N} \sum g \odot \frac{A - \mu}{Y} \odot [A \neq \text{NaN}]"),
    vjp={"a": _masked_spread(std_da), "where": None, "mean": opposite(_masked_spread(std_da))})
def nanstd(a: Array, axis: Any = None, dtype: Any = None, out: None = None, ddof: Any = 0, keepdims: bool = False, *,
           where: Any = True, mean: Any = None, correction: Any = None) -> Array:
    """`std` of the elements that are not NaN; where it is 0 its derivative is 0.

    >>> nanstd(np.array([1.0, np.nan, 3.0]))
    np.float64(1.0)
    """
    keywords = given(where=where, mean=mean, correction=correction)
    return np.nanstd(a, axis, dtype, ddof=ddof, keepdims=keepdims, **keywords)
