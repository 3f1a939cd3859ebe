"""Calls: what a program calls besides NumPy's functions as they are, and which of those are of a kind of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def getitem(x: Any, index: Any) -> Any:
    """``x[index]`` as a call."""
    return x[index]


def astype(x: Any, dtype: Any) -> Any:
    """``x.astype(dtype)`` as a call; always a new array."""
    return x.astype(dtype)


def copy(x: Any) -> Any:
    """``x.copy()`` as a call."""
    return x.copy()


def setitem(x: Any, index: Any, v: Any) -> None:
    """``x[index] = v`` as a call."""
    x[index] = v


def into(x: Any, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """``function(*args, out=x, **kwargs)`` as a call that writes into ``x``."""
    function(*args, out=x, **kwargs)


def masked(mask: Any, x: Any) -> Any:
    """``np.where(mask, x, 0)`` of floats as a call that takes their bits as integers, which it multiplies by the mask.

    It gives the same bit for bit, without a branch an element, which an irregular mask makes the processor guess wrong.
    """
    return np.multiply(x.view(f"i{x.dtype.itemsize}"), mask).view(x.dtype)


def one_hot(table: Any, places: Any) -> Any:
    """``table.take(places, axis=0, mode="clip")`` as a call: a table's row for each place, its last beyond."""
    return table.take(places, axis=0, mode="clip")


def taken(x: Any, places: Any) -> Any:
    """``x.take(places, mode="clip")`` as a call: the elements at places that are in range, counted row by row."""
    return x.take(places, mode="clip")


STATIC = {np.shape, np.ndim, np.size, np.iscomplexobj, np.isrealobj, np.result_type, np.can_cast, np.common_type,
          np.einsum_path}
"""Functions that ask about shapes and dtypes alone: the same at every call, so answered and not recorded."""

BY_VALUE = {np.nonzero, np.flatnonzero, np.argwhere, np.unique, np.unique_all, np.unique_counts, np.unique_inverse,
            np.unique_values, np.compress, np.extract, np.bincount, np.trim_zeros, np.roots, np.poly, np.polydiv,
            np.union1d, np.intersect1d, np.setdiff1d, np.setxor1d, np.ediff1d, np.place}
"""Functions whose result's shape, or what they make of their arguments, depends on values."""

SHAPED_BY = {np.repeat: "repeats", np.delete: "obj", np.insert: "obj", np.tile: "reps", np.resize: "new_shape",
             np.histogram: "bins",
             **dict.fromkeys((np.split, np.array_split, np.vsplit, np.hsplit, np.dsplit), "indices_or_sections")}
"""Functions whose result's shape depends on the values of their second argument, and its name."""

WRITERS = {np.copyto, np.put, np.putmask, np.put_along_axis, np.fill_diagonal}
"""Functions that write into their first argument."""

MAYBE_VIEWS = {np.reshape, np.ravel, np.real, np.imag, np.real_if_close, np.asarray, np.asanyarray,
               np.ascontiguousarray, np.asfortranarray, np.require, np.array, np.einsum, np.diff, np.unwrap,
               np.nan_to_num, np.squeeze, np.diag, np.atleast_1d, np.atleast_2d, np.atleast_3d, np.expand_dims,
               np.rot90, np.unstack, np.split, np.array_split, np.hsplit, np.vsplit, np.dsplit, np.sort_complex,
               np.linalg.diagonal, np.linalg.matrix_transpose, np.diagonal, np.broadcast_to,
               np.lib.stride_tricks.sliding_window_view}
"""Functions that give a view of their first array or a copy, as its layout in memory has it (a scalar has none). A
program's arrays may lie otherwise than those of the recording, so it is to count on either."""

SEPARATE: dict[Any, Callable[..., list[tuple[Any, tuple[Any, ...]]]]] = {
    np.broadcast_arrays: lambda *arrays: [
        (np.broadcast_to, (a, np.broadcast_shapes(*map(np.shape, arrays)))) for a in arrays],
    np.ix_: lambda *arrays: [
        (np.nonzero, (a,)) if a.dtype == bool else
        (np.reshape, (a, (1,) * i + np.shape(a) + (1,) * (len(arrays) - i - 1))) for i, a in enumerate(arrays)],
    **{f: lambda *arrays, f=f: [(f, (a,)) for a in arrays] for f in (np.atleast_1d, np.atleast_2d, np.atleast_3d)},
}
"""Functions that look at several arrays at once, as calls that look at one each."""

WEAK = {np.add, np.subtract, np.multiply, np.divide, np.power, np.negative, np.floor_divide, np.remainder, np.absolute}
"""What Python does with two of its own numbers gives one of its own numbers."""
