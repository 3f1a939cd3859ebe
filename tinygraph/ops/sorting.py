"""Sorting and counting: where elements stand among others. The places have no derivative, the values keep theirs."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.kinds import constant
from tinygraph.core.op import op
from tinygraph.ops.index import take_along_axis

__all__ = ["argpartition", "argwhere", "bincount", "digitize", "flatnonzero", "histogram", "histogram_bin_edges",
           "intersect1d", "isin", "lexsort", "partition", "ravel_multi_index", "setdiff1d", "setxor1d", "sort",
           "union1d", "unique", "unique_all", "unique_counts", "unique_inverse", "unique_values", "unravel_index"]

argpartition = constant(np.argpartition, "Places that put the kth smallest where it would be sorted, along an axis.")
lexsort = constant(np.lexsort, "The places in rising order of the last key, of the one before where that ties.")
digitize = constant(np.digitize, "The number of the bin that each element falls into.")
unique = constant(np.unique, "The elements without repeats, in rising order; their derivatives are lost.")
unique_values = constant(np.unique_values, "The elements without repeats.")
unique_counts = constant(np.unique_counts, "The elements without repeats, and how often each occurs.")
unique_inverse = constant(np.unique_inverse, "The elements without repeats, and which of them stands at each place.")
unique_all = constant(np.unique_all, "The elements without repeats, their first places, inverse places and counts.")
union1d = constant(np.union1d, "The elements that are in either, in rising order.")
intersect1d = constant(np.intersect1d, "The elements that are in both, in rising order.")
setdiff1d = constant(np.setdiff1d, "The elements that are in the first and not in the second, in rising order.")
setxor1d = constant(np.setxor1d, "The elements that are in exactly one of two, in rising order.")
isin = constant(np.isin, "Whether each element is among others.")
flatnonzero = constant(np.flatnonzero, "The places, in the flattened array, of the elements that are not zero.")
argwhere = constant(np.argwhere, "The places of the elements that are not zero, a row each.")
unravel_index = constant(np.unravel_index, "Places in the flattened array as places along each axis.")
ravel_multi_index = constant(np.ravel_multi_index, "Places along each axis as places in the flattened array.")
histogram_bin_edges = constant(np.histogram_bin_edges, "The edges of the bins that a histogram counts in.")


def _sort_cost(y: Any, a: Array, **params: Any) -> int:
    """Comparisons of a sort: n log n."""
    n = int(np.size(a))
    return n * n.bit_length()


def _back_in_place(g: Any, y: Any, a: Array, *, axis: int | None) -> Array:
    """The cotangent of each element that was moved, from the place that it went to."""
    moved, places = g[0], y[1]
    if axis is None:
        return np.reshape(np.take(moved, np.argsort(places)), np.shape(a))
    return take_along_axis(moved, np.argsort(places, axis=axis), axis)


@op(symbol="sort", numpy=np.sort, flops=_sort_cost,
    tex=(r"\operatorname{unsort}(g_0)",),
    vjp=(_back_in_place,), outputs=2, hidden=1)
def sort(a: Array, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: bool | None = None) -> Any:
    """The elements in rising order along an axis; of the flattened array where that is None.

    The gradient goes back to the places that `argsort` names, so that of two that tie each has its own.

    >>> import tinygraph as tg
    >>> tg.grad(lambda x: sort(x)[0])(np.array([3.0, 1.0, 2.0]))
    array([0., 1., 0.])
    """
    a = np.ravel(a) if axis is None else a
    axis = 0 if axis is None else axis
    places = np.argsort(a, axis, kind, order, stable=stable)
    return np.take_along_axis(a, places, axis), places


@op(symbol="partition", numpy=np.partition, flops=lambda y, a, **params: 2 * int(np.size(a)),
    tex=(r"\operatorname{unsort}(g_0)",),
    vjp=(_back_in_place,), outputs=2, hidden=1)
def partition(a: Array, kth: Any, axis: int | None = -1, kind: Any = "introselect", order: Any = None) -> Any:
    """Moved so that the kth smallest is where it would be sorted, none larger before and none smaller behind it.

    >>> partition(np.array([3.0, 1.0, 2.0]), 1)
    array([1., 2., 3.])
    """
    a = np.ravel(a) if axis is None else a
    axis = 0 if axis is None else axis
    places = np.argpartition(a, kth, axis, kind, order)
    return np.take_along_axis(a, places, axis), places


@op(symbol="count", numpy=np.bincount, tex=("", "g[X]"), vjp=(None, lambda g, y, x, weights: np.take(g, x)))
def bincount(x: Array, weights: Array | None = None, minlength: int = 0) -> Array:
    """How often each whole number from 0 on occurs, or the sum of the weights that stand where it does.

    >>> bincount([0, 1, 1], [0.5, 1.0, 2.0])
    array([0.5, 3. ])
    """
    return np.bincount(x, weights, minlength)


def _histogram_dweights(g: Any, y: Any, a: Array, bins: Any, weights: Array, *, density: bool | None) -> Array | None:
    counted, (heights, edges) = g[0], y
    if counted is None:
        return None
    a, n = np.reshape(a, (-1,)), np.shape(heights)[0]
    above: Any = np.searchsorted(edges, a, side="right") - 1
    place: Any = np.where(np.equal(a, edges[-1]), n - 1, above)  # the last bin holds its right edge too
    inside = (place >= 0) & (place < n)
    place = np.where(inside, place, 0)
    if density:
        counted = counted / np.diff(edges)
        total = np.sum(np.where(inside, np.reshape(weights, (-1,)), 0))
        c = (np.take(counted, place) - np.sum(counted * heights * np.diff(edges))) / total
    else:
        c = np.take(counted, place)
    return np.reshape(np.where(inside, c, 0), np.shape(weights))


@op(symbol="histogram", numpy=np.histogram, outputs=2,
    tex=("", "", r"g_0[\text{bin}]"), vjp={"a": None, "bins": None, "weights": _histogram_dweights})
def histogram(a: Array, bins: Any = 10, range: Any = None, density: bool | None = None,
              weights: Array | None = None) -> Any:
    """How many elements fall into each bin, or the sum of their weights, and the edges of the bins.

    Differentiable in the weights alone. ``density`` divides by the sum and by each bin's width.

    >>> histogram([1.0, 2.0, 2.5], bins=[1, 2, 3])
    (array([1, 2]), array([1, 2, 3]))
    """
    return np.histogram(a, bins, range, density, weights)
