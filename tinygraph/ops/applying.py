"""Functions of functions: one applied to each line of an array, to parts of it, to the places of a grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array, is_array
from tinygraph.core.kinds import composed
from tinygraph.core.op import as_array
from tinygraph.ops.index import getitem, setitem
from tinygraph.ops.join import stack, unstack

__all__ = ["apply_along_axis", "apply_over_axes", "fromfunction", "piecewise"]


@composed(numpy=np.apply_along_axis)
def apply_along_axis(func1d: Callable[..., Any], axis: int, arr: Array, *args: Any, **kwargs: Any) -> Array:
    """A function of vectors applied to each line of an array along an axis; the axes of what it gives stand there.

    >>> apply_along_axis(np.max, 1, np.array([[1.0, 2.0], [4.0, 3.0]]))
    array([2., 4.])
    """
    moved = np.moveaxis(arr, axis, -1)
    *outer, n = np.shape(moved)
    lines = unstack(np.reshape(moved, (-1, n)))
    if not lines:
        raise ValueError(f"an array of shape {np.shape(arr)} has no lines along axis {axis}")
    results = stack([as_array(func1d(line, *args, **kwargs)) for line in lines])
    inner = np.shape(results)[1:]
    axis %= len(outer) + 1
    return np.moveaxis(np.reshape(results, (*outer, *inner)), range(len(outer), len(outer) + len(inner)),
                       range(axis, axis + len(inner)))


@composed(numpy=np.apply_over_axes)
def apply_over_axes(func: Callable[..., Any], a: Array, axes: Any) -> Array:
    """``func(a, axis)`` over one axis after the other; an axis that it takes away is put back with size 1.

    >>> apply_over_axes(np.sum, np.ones((2, 3)), [0, 1])
    array([[6.]])
    """
    a = as_array(a)
    for axis in axes if np.ndim(axes) else (axes,):
        result = func(a, axis)
        a = result if np.ndim(result) == np.ndim(a) else np.expand_dims(result, axis)
    return a


@composed(numpy=np.piecewise)
def piecewise(x: Array, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Array:
    """Of each element what the function (or number) says whose condition holds; of the others what one more says, or 0.

    >>> piecewise(np.array([-1.0, 2.0]), [[True, False]], [lambda x: -x, 7.0])
    array([1., 7.])
    """
    x, conditions = as_array(x), as_array(condlist) if is_array(condlist) else condlist
    one = not isinstance(conditions, list | tuple) and np.ndim(conditions) <= min(np.ndim(x), 1)
    if one or (np.ndim(x) and not (isinstance(conditions[0], list) or is_array(conditions[0]))):
        conditions = [conditions]
    conditions = [np.reshape(as_array(condition), np.shape(x)) for condition in conditions]
    if len(funclist) == len(conditions) + 1:
        rest = np.logical_not(conditions[0])
        for condition in conditions[1:]:
            rest = rest & np.logical_not(condition)
        conditions.append(rest)
    if len(funclist) != len(conditions):
        raise ValueError(f"{len(funclist)} functions for {len(conditions)} conditions: there may be one more, "
                         "and no fewer")
    y = np.zeros_like(x)
    for condition, function in zip(conditions, funclist, strict=True):
        value = function(getitem(x, condition), *args, **kw) if callable(function) else function
        y = setitem(y, condition, value if is_array(value) else as_array(value))
    return y


@composed()
def fromfunction(function: Callable[..., Any], shape: Any, *, dtype: Any = float, like: Any = None,
                 **kwargs: Any) -> Any:
    """What a function gives for the arrays of places along each axis of a grid of a shape.

    >>> fromfunction(lambda i, j: 10 * i + j, (2, 2), dtype=int)
    array([[ 0,  1],
           [10, 11]])
    """
    return function(*np.indices(shape, dtype=dtype), **kwargs)
