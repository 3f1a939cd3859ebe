"""pad: an array with more elements around it, by each of NumPy's modes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array, is_array
from tinygraph.core.errors import UnsupportedError
from tinygraph.core.kinds import composed
from tinygraph.core.op import as_array
from tinygraph.ops.index import getitem, scatter_add

__all__ = ["pad"]

Pairs = list[tuple[Any, Any]]
"""What goes before and behind, for each axis."""

_STATISTICS: dict[str, Callable[..., Array]] = {
    "maximum": np.max, "minimum": np.min, "mean": np.mean, "median": np.median}
_KEYWORDS = {"constant": "constant_values", "linear_ramp": "end_values", "reflect": "reflect_type",
             "symmetric": "reflect_type", **dict.fromkeys(_STATISTICS, "stat_length"), "edge": "", "wrap": "",
             "empty": ""}
"""The one keyword of each mode."""


def _pairs(given: Any, ndim: int) -> Pairs:
    """One pair an axis of what NumPy takes as a number, a pair, or a pair an axis."""
    if isinstance(given, dict):
        pairs: Pairs = [(0, 0)] * ndim
        for axis, width in given.items():
            pairs[axis] = (width, width) if np.ndim(width) == 0 else tuple(width)
        return pairs
    if not ndim:
        return []
    shape = np.shape(given) if is_array(given) else _shape(given)
    if shape in ((), (1,), (1, 1)):
        for _ in shape:
            given = given[0]
        return [(given, given)] * ndim
    if shape in ((2,), (1, 2)):
        pair = given if len(shape) == 1 else given[0]
        return [(pair[0], pair[1])] * ndim
    if shape == (ndim, 1):
        return [(given[i][0], given[i][0]) for i in range(ndim)]
    if shape != (ndim, 2):
        raise ValueError(f"{given!r}: for {ndim} axes give a number, (before, after), or one such pair an axis")
    return [(given[i][0], given[i][1]) for i in range(ndim)]


def _shape(given: Any) -> tuple[int, ...]:
    return (len(given), *_shape(given[0])) if isinstance(given, list | tuple) and len(given) else np.shape(given)


def _along(x: Array, axis: int, part: Any) -> Array:
    return getitem(x, (slice(None),) * axis + (part,))


def _line(x: Array, value: Any, width: int, axis: int) -> Array:
    """One value in the shape that goes before or behind."""
    shape = [*np.shape(x)]
    shape[axis] = width
    return np.full_like(x, value, shape=shape)


def _with_constants(x: Array, widths: tuple[int, int], axis: int, values: tuple[Any, Any]) -> Array:
    return np.concatenate([_line(x, values[0], widths[0], axis), x, _line(x, values[1], widths[1], axis)], axis)


def _with_ramps(x: Array, widths: tuple[int, int], axis: int, ends: tuple[Any, Any]) -> Array:
    first, last = _along(x, axis, 0), _along(x, axis, -1)
    # As arrays, since Python's numbers would have a float32 ramp computed in single precision.
    start, stop = (end if is_array(end) else np.array(end)[()] for end in ends)
    before = np.linspace(start, first, widths[0], endpoint=False, dtype=x.dtype, axis=axis)
    behind = np.linspace(stop, last, widths[1], endpoint=False, dtype=x.dtype, axis=axis)
    return np.concatenate([before, x, np.flip(behind, axis)], axis)


def _with_statistics(x: Array, widths: tuple[int, int], axis: int, lengths: tuple[Any, Any], mode: str) -> Array:
    n = np.shape(x)[axis]
    parts = []
    for length, width, of in zip(lengths, widths, ("first", "last"), strict=True):
        length = n if length is None else min(int(length), n)
        part = _along(x, axis, slice(0, length) if of == "first" else slice(n - length, n))
        value = _STATISTICS[mode](part, axis=axis, keepdims=True)
        if x.dtype.kind in "iu":
            value = np.round(value)
        value = value if value.dtype == x.dtype else value.astype(x.dtype)
        shape = [*np.shape(x)]
        shape[axis] = width
        parts.append(np.broadcast_to(value, shape))
    return np.concatenate([parts[0], x, parts[1]], axis)


def _reflected_oddly(x: Array, widths: tuple[int, int], axis: int, overlap: int) -> Array:
    """Mirrored in the edge values too: 2 edge - x. ``overlap`` is 1 where the edge itself is not repeated."""
    before, behind = widths
    n = np.shape(x)[axis]
    if n == 1 and overlap:
        return _along(x, axis, [0] * (before + n + behind))
    while before or behind:
        # One round mirrors as much as there was to begin with, less the edge where that is not repeated.
        now_before, now_behind = min(before, n - overlap), min(behind, n - overlap)
        head = np.flip(_along(x, axis, slice(overlap, overlap + now_before)), axis)
        size = np.shape(x)[axis]
        tail = np.flip(_along(x, axis, slice(size - overlap - now_behind, size - overlap)), axis)
        head = 2 * _along(x, axis, slice(0, 1)) - head
        tail = 2 * _along(x, axis, slice(size - 1, size)) - tail
        x = np.concatenate([head, x, tail], axis)
        before, behind = before - now_before, behind - now_behind
        n = np.shape(x)[axis]
    return x


@composed(numpy=np.pad)
def pad(array: Array, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Array:
    """The array with so many elements more at each end of each axis.

    Args:
        array: What is padded.
        pad_width: How many: one number, (before, after), a pair for each axis, or a dict of axes.
        mode: "constant" (``constant_values``, differentiable), "edge", "linear_ramp" (``end_values``), "maximum",
            "mean", "median", "minimum" (``stat_length``), "reflect", "symmetric" (``reflect_type``), "wrap", "empty".
        kwargs: The mode's keyword; one value, a pair, or a pair for each axis.

    >>> pad(np.array([1.0, 2.0]), (1, 2), "edge")
    array([1., 1., 2., 2., 2.])
    """
    if callable(mode):
        raise UnsupportedError("a function as mode= writes into the array, which a graph cannot hold; join the parts "
                               "with np.concatenate")
    if mode not in _KEYWORDS:
        raise ValueError(f"mode={mode!r} is none of {', '.join(_KEYWORDS)}")
    if unknown := set(kwargs) - {_KEYWORDS[mode]}:
        raise ValueError(f"mode {mode!r} takes {_KEYWORDS[mode] or 'no keyword'}, not {', '.join(sorted(unknown))}")
    x = as_array(array)
    shape = np.shape(x)
    widths = [(int(before), int(behind)) for before, behind in _pairs(pad_width, len(shape))]
    if any(width < 0 for pair in widths for width in pair):
        raise ValueError(f"pad_width={pad_width!r}: no width is negative")
    option = kwargs.get(_KEYWORDS[mode])
    if mode == "empty" or (mode == "constant" and (option is None or (not is_array(option) and option == 0))):
        whole = tuple(before + n + behind for n, (before, behind) in zip(shape, widths, strict=True))
        inner = tuple(slice(before, before + n) for n, (before, _) in zip(shape, widths, strict=True))
        return scatter_add(x, inner, whole)
    odd = option == "odd" if _KEYWORDS[mode] == "reflect_type" else False
    options = _pairs(0 if option is None and mode == "linear_ramp" else option, len(shape))
    for axis, pair in enumerate(widths):
        if mode == "constant":
            x = _with_constants(x, pair, axis, options[axis])
        elif pair == (0, 0):
            continue
        elif not shape[axis]:
            raise ValueError(f"axis {axis} is empty and cannot be extended by mode {mode!r}")
        elif mode == "linear_ramp":
            x = _with_ramps(x, pair, axis, options[axis])
        elif mode in _STATISTICS:
            x = _with_statistics(x, pair, axis, options[axis], mode)
        elif odd:
            x = _reflected_oddly(x, pair, axis, 1 if mode == "reflect" else 0)
        else:
            # NumPy's own function says where each element comes from, on numbers in the elements' stead.
            x = _along(x, axis, np.pad(np.arange(shape[axis]), pair, mode).tolist())
    return x
