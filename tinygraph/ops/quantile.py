"""Medians, quantiles and percentiles.

A quantile lies between two elements of the sorted array, and is their mean by its distance from each; so its gradient
goes to these two, by the same weights. Among elements that tie it goes to the first of them. In q it is the slope from
the one element to the other; where q falls on an element, towards the next one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.op import Rule, op
from tinygraph.ops.index import scatter_add
from tinygraph.ops.reduction import lined_up

__all__ = ["median", "nanmedian", "nanpercentile", "nanquantile", "percentile", "quantile"]

# Hyndman and Fan, "Sample quantiles in statistical packages", The American Statistician 1996: the place of a quantile
# among n sorted elements, counted from 0, is n q + α + q (1 - α - β) - 1.
_CONTINUOUS = {"linear": (1, 1), "hazen": (0.5, 0.5), "weibull": (0, 0), "median_unbiased": (1 / 3, 1 / 3),
               "normal_unbiased": (3 / 8, 3 / 8), "interpolated_inverted_cdf": (0, 1)}


def _sort_cost(y: Array, a: Array, *inputs: Array, **params: Any) -> int:
    """Comparisons of a sort: n log n."""
    n = int(np.size(a))
    return n * n.bit_length()


def _place(n: Array, q: Array, method: str) -> Array:
    """Where the quantile lies among n sorted elements, before it is clipped to them; whole numbers are elements."""
    if method in _CONTINUOUS:
        alpha, beta = _CONTINUOUS[method]
        return (n - 1) * q if method == "linear" else n * q + (alpha + q * (1 - alpha - beta)) - 1
    if method == "closest_observation":
        place = n * q - 1.5
        return np.where((np.floor(place) == place) & (np.remainder(place, 2) == 1), place, np.floor(place) + 1)
    if method in ("inverted_cdf", "averaged_inverted_cdf"):
        place = n * q - 1
        return np.where((np.ceil(place) == place) & (method != "inverted_cdf"), place + 0.5, np.ceil(place))
    place = (n - 1) * q
    if method == "midpoint":
        return 0.5 * (np.floor(place) + np.ceil(place))
    return {"lower": np.floor, "higher": np.ceil, "nearest": np.rint}[method](place)


def _slope(n: Array, method: str) -> Array:
    """How many elements a quantile moves by as q goes from 0 to 1."""
    if method not in _CONTINUOUS:
        return 0 * n
    alpha, beta = _CONTINUOUS[method]
    return n + 1 - alpha - beta


class _Neighbours:
    """For each row of an array, and each q, the places of the two elements that the quantile lies between."""

    def __init__(self, a: Array, q: Array, axis: Any, method: str, skip_nan: bool) -> None:
        lines, self.back = lined_up(a, axis)
        self.lines_shape = np.shape(lines)
        self.n = self.lines_shape[-1]
        self.count = int(np.size(a)) // (self.n or 1)
        self.rows = rows = np.reshape(lines, (self.count, self.n))
        self.row = np.reshape(np.arange(self.count, like=rows), (self.count, 1))
        self.numbers: Array = self.n
        if skip_nan:
            self.numbers = np.maximum(np.sum(~np.isnan(rows), axis=-1, keepdims=True), 1)
        self.q_shape = np.shape(q)
        q = np.reshape(q, (1, -1)) if self.q_shape else q
        one_each = np.ones_like(np.isnan(rows[:, :1]), dtype=float)
        self.place = _place(self.numbers, q, method) * one_each
        clipped = np.clip(self.place, 0, self.numbers - 1)
        low = np.clip(np.floor(clipped), 0, np.maximum(self.numbers - 2, 0)).astype(int)
        high = np.minimum(low + 1, self.numbers - 1)
        self.share = clipped - low
        order = np.argsort(rows, axis=-1, kind="stable")  # NaN comes last
        self.low, self.high = order[self.row, low], order[self.row, high]

    def in_rows(self, g: Array) -> Array:
        """A quantile, or its cotangent, with one row for each of the array's and one column for each q."""
        return np.transpose(np.reshape(g, (-1, self.count)))

    def scattered(self, g: Array) -> Array:
        """The cotangent of the array."""
        g = self.in_rows(g)
        shape = (self.count, self.n)
        c = scatter_add(g * (1 - self.share), (self.row, self.low), shape)
        c = c + scatter_add(g * self.share, (self.row, self.high), shape)
        return self.back(np.reshape(c, self.lines_shape))

    def slope(self, method: str) -> Array:
        """The derivative of each quantile in its q."""
        step = self.rows[self.row, self.high] - self.rows[self.row, self.low]
        inside = (self.place >= 0) & (self.place <= self.numbers - 1)
        return np.where(inside, step * _slope(self.numbers, method), 0)


def _equal(g: Array, y: Array, a: Array, axis: Any) -> Array:
    """What weights choose is one of the elements: those that are equal to it share its cotangent."""
    lines, back = lined_up(a, axis)
    each_q = (-1, *np.shape(lines)[:-1], 1)
    ties = lines == np.reshape(y, each_q)
    shares = np.reshape(g, each_q) / np.maximum(np.sum(ties, axis=-1, keepdims=True), 1)
    return back(np.sum(np.where(ties, shares, 0), axis=0))


def _rules(whole: float = 1, skip_nan: bool = False) -> dict[str, Rule | None]:
    """The rules of a quantile that is given in parts of ``whole``."""
    def to_array(g: Array, y: Array, a: Array, q: Array, weights: Array, *, axis: Any, method: str) -> Array:
        if not math.prod(np.shape(a)):
            return np.zeros_like(a)
        if weights is not None:
            return _equal(g, y, a, axis)
        c = _Neighbours(a, q / whole, axis, method, skip_nan).scattered(g)
        return np.where(np.isnan(a), 0, c) if skip_nan else c

    def to_q(g: Array, y: Array, a: Array, q: Array, weights: Array, *, axis: Any, method: str) -> Array:
        if weights is not None or not math.prod(np.shape(a)):
            return np.zeros_like(q)
        pair = _Neighbours(a, q / whole, axis, method, skip_nan)
        return np.reshape(np.sum(pair.in_rows(g) * pair.slope(method) / whole, axis=0), np.shape(q))

    return {"a": to_array, "q": to_q, "weights": None}


def _median_rule(skip_nan: bool) -> Rule:
    quantile_rule = _rules(skip_nan=skip_nan)["a"]
    assert quantile_rule is not None

    def to_array(g: Array, y: Array, a: Array, *, axis: Any) -> Array:
        return quantile_rule(g, y, a, 0.5, None, axis=axis, method="linear")
    return to_array


@op(symbol="median", numpy=np.median, flops=_sort_cost,
    tex=(r"\operatorname{scatter}((1 - t) g, t g)",), vjp=(_median_rule(False),))
def median(a: Array, axis: Any = None, out: None = None, overwrite_input: bool = False,
           keepdims: bool = False) -> Array:
    """The middle element, or the mean of the two, over all axes or those that ``axis`` names.

    >>> median(np.array([1.0, 9.0, 2.0]))
    np.float64(2.0)
    """
    return np.median(a, axis, keepdims=keepdims)


@op(symbol="median", numpy=np.nanmedian, flops=_sort_cost,
    tex=(r"\operatorname{scatter}((1 - t) g, t g)",), vjp=(_median_rule(True),))
def nanmedian(a: Array, axis: Any = None, out: None = None, overwrite_input: bool = False,
              keepdims: bool = False) -> Array:
    """`median` of the elements that are not NaN.

    >>> nanmedian(np.array([1.0, np.nan, 2.0]))
    np.float64(1.5)
    """
    return np.nanmedian(a, axis, keepdims=keepdims)


@op(symbol="quantile", numpy=np.quantile, flops=_sort_cost,
    tex=(r"\operatorname{scatter}((1 - t) g, t g)", r"g \frac{\partial Y}{\partial Q}"), vjp=_rules())
def quantile(a: Array, q: Array, axis: Any = None, out: None = None, overwrite_input: bool = False,
             method: Any = "linear", keepdims: bool = False, *, weights: Array = None) -> Array:
    """What a share q of the elements lie below, over all axes or those that ``axis`` names.

    q: in [0, 1]; an array of them puts its axes in front. ``method`` says what to do between two elements; with
    ``weights``, which NumPy takes for "inverted_cdf" alone, it is always one of the elements.

    >>> quantile(np.array([1.0, 2.0, 4.0]), [0.25, 0.5])
    array([1.5, 2. ])
    """
    return np.quantile(a, q, axis, method=method, keepdims=keepdims, weights=weights)


@op(symbol="quantile", numpy=np.nanquantile, flops=_sort_cost,
    tex=(r"\operatorname{scatter}((1 - t) g, t g)", r"g \frac{\partial Y}{\partial Q}"), vjp=_rules(skip_nan=True))
def nanquantile(a: Array, q: Array, axis: Any = None, out: None = None, overwrite_input: bool = False,
                method: Any = "linear", keepdims: bool = False, *, weights: Array = None) -> Array:
    """`quantile` of the elements that are not NaN.

    >>> nanquantile(np.array([1.0, np.nan, 2.0]), 0.5)
    np.float64(1.5)
    """
    return np.nanquantile(a, q, axis, method=method, keepdims=keepdims, weights=weights)


@op(symbol="percentile", numpy=np.percentile, flops=_sort_cost,
    tex=(r"\operatorname{scatter}((1 - t) g, t g)", r"g \frac{\partial Y}{\partial Q}"), vjp=_rules(100))
def percentile(a: Array, q: Array, axis: Any = None, out: None = None, overwrite_input: bool = False,
               method: Any = "linear", keepdims: bool = False, *, weights: Array = None) -> Array:
    """`quantile` with q in percent.

    >>> percentile(np.array([1.0, 2.0, 4.0]), 25)
    np.float64(1.5)
    """
    return np.percentile(a, q, axis, method=method, keepdims=keepdims, weights=weights)


@op(symbol="percentile", numpy=np.nanpercentile, flops=_sort_cost,
    tex=(r"\operatorname{scatter}((1 - t) g, t g)", r"g \frac{\partial Y}{\partial Q}"), vjp=_rules(100, skip_nan=True))
def nanpercentile(a: Array, q: Array, axis: Any = None, out: None = None, overwrite_input: bool = False,
                  method: Any = "linear", keepdims: bool = False, *, weights: Array = None) -> Array:
    """`nanquantile` with q in percent.

    >>> nanpercentile(np.array([1.0, np.nan, 2.0]), 50)
    np.float64(1.5)
    """
    return np.nanpercentile(a, q, axis, method=method, keepdims=keepdims, weights=weights)
