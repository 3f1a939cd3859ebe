"""Ops that join arrays into one and part one into several, and that repeat one."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array, is_array
from tinygraph.core.errors import ArgumentError
from tinygraph.core.kinds import composed
from tinygraph.core.messages import here
from tinygraph.core.op import as_array, op
from tinygraph.ops.index import scatter_add
from tinygraph.ops.shape import atleast_3d

__all__ = ["append", "array_split", "block", "c_", "column_stack", "concatenate", "dsplit", "dstack", "hsplit",
           "hstack", "r_", "repeat", "split", "stack", "tile", "unstack", "vsplit", "vstack"]


def places_of(arrays: Any, path: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    """Where in a list, or in lists within it, the arrays stand; a number there is no input."""
    if is_array(arrays) or isinstance(arrays, np.generic):
        return [path]
    if not isinstance(arrays, list | tuple):
        return []
    return [place for i, item in enumerate(arrays) for place in places_of(item, (*path, i))]


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of an array, or of lists that hold arrays."""
    if isinstance(x, list | tuple):
        return len(x), *(shape_of(x[0]) if x else ())
    return np.shape(x)


def _joined(parted: Any) -> Any:
    """The rule of an op that joins a list of arrays; ``parted(g, shapes, axis)`` is what each of them filled of it.

    The parts are made once and shared by the rules of all the inputs, of which there may be thousands.
    """
    def rule(g: Array, y: Array, *inputs: Array, arrays: Any, axis: Any = 0, k: int, memo: dict[str, Any]) -> Array:
        if not memo:
            memo["places"] = places_of(arrays)
            shapes = [np.shape(arrays)[1:]] * np.shape(arrays)[0] if is_array(arrays) else list(map(shape_of, arrays))
            memo["parts"] = [np.reshape(part, shape) for part, shape in
                             zip(parted(g, shapes, axis), shapes, strict=True)]
        place, parts = memo["places"][k], memo["parts"]
        if not place:  # the arrays are the rows of one
            return np.stack(parts)
        part = parts[place[0]]
        return part[place[1:]] if len(place) > 1 else part
    return rule


def _cut(g: Array, shapes: list[tuple[int, ...]], axis: int | None) -> Any:
    if axis is None:
        g, sizes, axis = np.reshape(g, (-1,)), list(map(math.prod, shapes)), 0
    else:
        sizes = [shape[axis] if shape else 1 for shape in shapes]
    return np.split(g, np.cumsum(sizes[:-1], dtype=int).tolist(), axis)


def _unlike(*, arrays: Any, axis: int | None, **_: Any) -> str:
    """Which of the arrays' shapes cannot be joined, and where."""
    first, *others = map(shape_of, arrays) if len(arrays) else [()]
    if not len(arrays):
        return "no arrays: there must be at least one"
    for shape in others:
        if len(shape) != len(first):
            return f"{first} and {shape} have {len(first)} and {len(shape)} axes, and must have as many"
        for i, (n, m) in enumerate(zip(first, shape, strict=True)):
            if n != m and (axis is None or i != axis % len(first)):
                along = "all must be alike" if axis is None else f"only axis {axis}, along which they are joined, may"
                return f"{first} and {shape} differ along axis {i}, and {along}"
    return "numbers have no axis to be joined along" if not first else f"{first} cannot be joined along axis {axis}"


@op(symbol="concat", numpy=(np.concatenate, np.concat), nested="arrays", mismatch=_unlike,
    tex=(r"\operatorname{part}_k(g)",), vjp={"arrays": _joined(_cut)})
def concatenate(arrays: Any, axis: int | None = 0, out: None = None, *, dtype: Any = None,
                casting: Any = "same_kind") -> Array:
    """Arrays joined along an axis that they have; flattened first where ``axis`` is None.

    >>> concatenate([np.ones(2), np.zeros(1)])
    array([1., 1., 0.])
    """
    if dtype is None and casting == "same_kind":
        return np.concatenate(arrays, axis)  # Dask's takes neither
    return np.concatenate(arrays, axis, dtype=dtype, casting=casting)


def _layers(g: Array, shapes: list[tuple[int, ...]], axis: int) -> Any:
    return unstack(g, axis=axis)


@op(symbol="stack", numpy=np.stack, nested="arrays",
    mismatch=lambda arrays, **_: _unlike(arrays=arrays, axis=None), tex=("g[k]",), vjp={"arrays": _joined(_layers)})
def stack(arrays: Any, axis: int = 0, out: None = None, *, dtype: Any = None, casting: Any = "same_kind") -> Array:
    """Arrays of one shape joined along a new axis.

    >>> stack([np.ones(2), np.zeros(2)]).shape
    (2, 2)
    """
    if dtype is None and casting == "same_kind":
        return np.stack(arrays, axis)
    return np.stack(arrays, axis, dtype=dtype, casting=casting)


def _of_tuple(parted: Any) -> Any:
    """As `_joined`, for functions that call their list ``tup`` and choose the axis themselves."""
    joined = _joined(parted)

    def rule(g: Array, y: Array, *inputs: Array, tup: Any, k: int, memo: dict[str, Any]) -> Array:
        return joined(g, y, arrays=tup, k=k, memo=memo)
    return rule


@op(symbol="hstack", numpy=np.hstack, nested="tup",
    mismatch=lambda tup, **_: _unlike(arrays=tup, axis=min(len(shape_of(tup[0])) - 1, 1) if len(tup) else 0),
    tex=(r"\operatorname{part}_k(g)",),
    vjp={"tup": _of_tuple(lambda g, shapes, axis: _cut(g, shapes, min(len(g.shape) - 1, 1)))})
def hstack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Array:
    """Arrays joined along the second axis; vectors and numbers along the only one.

    >>> hstack([np.ones(2), np.zeros(1)])
    array([1., 1., 0.])
    """
    return np.hstack(tup, dtype=dtype, casting=casting)


def _rows(g: Array, shapes: list[tuple[int, ...]], axis: int) -> Any:
    return _cut(g, [shape if len(shape) > 1 else (1,) for shape in shapes], 0)


@op(symbol="vstack", numpy=np.vstack, nested="tup", mismatch=lambda tup, **_: _unlike(arrays=tup, axis=0),
    tex=(r"\operatorname{part}_k(g)",), vjp={"tup": _of_tuple(_rows)})
def vstack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Array:
    """Arrays joined along the first axis; a vector is a row.

    >>> vstack([np.ones(2), np.zeros((2, 2))]).shape
    (3, 2)
    """
    return np.vstack(tup, dtype=dtype, casting=casting)


@composed(numpy=np.dstack)
def dstack(tup: Any) -> Array:
    """Arrays joined along the third axis; a vector of n elements counts as (1, n, 1), a matrix (m, n) as (m, n, 1).

    >>> dstack([np.ones(2), np.zeros(2)]).shape
    (1, 2, 2)
    """
    return concatenate([atleast_3d(a) for a in tup], 2)


@composed(numpy=np.column_stack)
def column_stack(tup: Any) -> Array:
    """Vectors as the columns of a matrix; matrices are joined along the second axis as they are.

    >>> column_stack([np.array([1, 2]), np.array([3, 4])])
    array([[1, 3],
           [2, 4]])
    """
    columns = map(as_array, tup)
    return concatenate([a if np.ndim(a) > 1 else np.reshape(a, (-1, 1)) for a in columns], 1)


@composed(numpy=np.append)
def append(arr: Array, values: Array, axis: int | None = None) -> Array:
    """One array behind the other, along an axis; both flattened where that is None.

    >>> append(np.ones(2), 5.0)
    array([1., 1., 5.])
    """
    if axis is None:
        return concatenate([np.ravel(arr), np.ravel(values)])
    return concatenate([as_array(arr), as_array(values)], axis)


@composed(numpy=np.block)
def block(arrays: Any) -> Array:
    """An array of blocks: nested lists, the innermost joined along the last axis, the next along the one before.

    >>> block([[np.ones((1, 2)), np.zeros((1, 1))], [np.zeros((1, 3))]])
    array([[1., 1., 0.],
           [0., 0., 0.]])
    """
    def depth(item: Any) -> int:
        if isinstance(item, tuple):
            raise TypeError("blocks stand in lists, and this is a tuple")
        if not isinstance(item, list):
            return 0
        depths = {depth(part) for part in item}
        if len(depths) != 1:
            raise ValueError("blocks stand in lists that are nested equally deep, and none of them is empty")
        return 1 + depths.pop()

    def ndim(item: Any) -> int:
        return max(map(ndim, item)) if isinstance(item, list) else np.ndim(item)

    def joined(item: Any, axis: int) -> Array:
        if isinstance(item, list):
            return concatenate([joined(part, axis + 1) for part in item], axis)
        return np.reshape(item, (1,) * (axes - np.ndim(item)) + np.shape(item))
    levels = depth(arrays)
    axes = max(levels, ndim(arrays))
    return joined(arrays, -levels) if levels else np.copy(arrays)


def _split_back(g: Any, y: Any, ary: Array, *, axis: int) -> Array:
    # A part that nobody used has no cotangent.
    return np.concatenate([np.zeros_like(part) if c is None else c for c, part in zip(g, y, strict=True)], axis)


def _unequal(ary: Array, indices_or_sections: Any, axis: int) -> str:
    size = np.shape(ary)[axis] if np.shape(ary) else 0
    return (f"{np.shape(ary)} has {size} along axis {axis}, which makes no {indices_or_sections} equal parts; "
            "array_split makes unequal ones")


@op(symbol="split", numpy=np.split, mismatch=_unequal,
    tex=(r"\operatorname{concat}(g_0, g_1, \dots)",),
    vjp=(_split_back,), outputs=sys.maxsize, result=lambda *parts: list(parts))
def split(ary: Array, indices_or_sections: Any, axis: int = 0) -> Any:
    """A list of parts along an axis: so many equal ones, or cut before each of the given places.

    >>> split(np.arange(3.0), [1])
    [array([0.]), array([1., 2.])]
    """
    return tuple(np.split(ary, indices_or_sections, axis))


@composed(numpy=np.array_split)
def array_split(ary: Array, indices_or_sections: Any, axis: int = 0) -> Any:
    """As `split`, where so many parts need not be equal: the first ones are longer by one.

    >>> array_split(np.arange(3.0), 2)
    [array([0., 1.]), array([2.])]
    """
    if np.ndim(indices_or_sections):
        return np.split(ary, indices_or_sections, axis)
    parts = int(indices_or_sections)
    if parts < 1:
        raise ValueError(f"{parts} parts: there must be at least one")
    each, longer = divmod(np.shape(ary)[axis], parts)
    return np.split(ary, [i * each + min(i, longer) for i in range(1, parts)], axis)


def _split_along(ary: Array, indices_or_sections: Any, axis: int, least: int) -> Any:
    if np.ndim(ary) < least:
        raise ValueError(f"an array of shape {np.shape(ary)} has no axis {axis} to split along")
    return np.split(ary, indices_or_sections, axis)


@composed(numpy=np.hsplit)
def hsplit(ary: Array, indices_or_sections: Any) -> Any:
    """`split` along the second axis, of a vector along the only one.

    >>> hsplit(np.arange(4.0), 2)
    [array([0., 1.]), array([2., 3.])]
    """
    return _split_along(ary, indices_or_sections, 0 if np.ndim(ary) < 2 else 1, 1)


@composed(numpy=np.vsplit)
def vsplit(ary: Array, indices_or_sections: Any) -> Any:
    """`split` along the first axis of an array of two axes or more.

    >>> [part.shape for part in vsplit(np.ones((4, 3)), 2)]
    [(2, 3), (2, 3)]
    """
    return _split_along(ary, indices_or_sections, 0, 2)


@composed(numpy=np.dsplit)
def dsplit(ary: Array, indices_or_sections: Any) -> Any:
    """`split` along the third axis.

    >>> [part.shape for part in dsplit(np.ones((2, 3, 4)), [1])]
    [(2, 3, 1), (2, 3, 3)]
    """
    return _split_along(ary, indices_or_sections, 2, 3)


@op(symbol="unstack", numpy=getattr(np, "unstack", ()), outputs=sys.maxsize, result=lambda *parts: parts,
    tex=(r"\operatorname{stack}(g_0, g_1, \dots)",),
    vjp=(lambda g, y, x, *, axis: np.stack([np.zeros_like(part) if c is None else c
                                            for c, part in zip(g, y, strict=True)], axis),))
def unstack(x: Array, *, axis: int = 0) -> Any:
    """The tuple of an array's parts at each place of an axis; `stack` puts them together again.

    >>> unstack(np.array([[1, 2], [3, 4]]))
    (array([1, 2]), array([3, 4]))
    """
    if not np.shape(x):
        raise ValueError("a 0-d array has no axis to unstack along")
    moved = np.moveaxis(x, axis, 0)
    return tuple(moved[i] for i in range(np.shape(moved)[0]))


def _tile_back(g: Array, y: Array, A: Array, *, reps: Any) -> Array:
    copies, shape = tuple(int(n) for n in np.ravel(reps)), np.shape(A)
    ndim = max(len(copies), len(shape))
    copies, shape = (1,) * (ndim - len(copies)) + copies, (1,) * (ndim - len(shape)) + shape
    folded = np.reshape(g, [n for pair in zip(copies, shape, strict=True) for n in pair])
    return np.reshape(np.sum(folded, axis=tuple(range(0, 2 * ndim, 2))), np.shape(A))


@op(symbol="tile", numpy=np.tile, tex=(r"\sum_{\text{copies}} g",), vjp=(_tile_back,))
def tile(A: Array, reps: Any) -> Array:
    """Copies of the whole array side by side, so many along each axis.

    >>> tile(np.array([1, 2]), (2, 2))
    array([[1, 2, 1, 2],
           [1, 2, 1, 2]])
    """
    return np.tile(A, reps)


def _repeat_back(g: Array, y: Array, a: Array, repeats: Array, *, axis: int | None) -> Array:
    shape = np.shape(a)
    if axis is None:
        shape, axis = (int(np.size(a)),), 0
    axis %= len(shape) or 1
    n = shape[axis] if shape else 1
    before, after = shape[:axis], shape[axis + 1:]
    if np.size(repeats) < 2:
        g = np.sum(np.reshape(g, (*before, n, np.shape(y)[axis] // (n or 1), *after)), axis=axis + 1)
    else:
        places = np.repeat(np.arange(n, like=repeats), repeats)
        g = scatter_add(g, (slice(None),) * axis + (places,), shape)
    return np.reshape(g, np.shape(a))


@op(symbol="repeat", numpy=np.repeat, tex=(r"\sum_{\text{copies}} g",), vjp=(_repeat_back, None))
def repeat(a: Array, repeats: Any, axis: int | None = None) -> Array:
    """Each element so many times over, along an axis; of the flattened array where that is None.

    >>> repeat(np.array([1, 2]), [2, 1])
    array([1, 1, 2])
    """
    # An empty list is one of whole numbers, though as an array it would be of fractions.
    return np.repeat(a, repeats if np.size(repeats) else np.astype(repeats, int), axis)


class Joiner:
    """What `r_` and `c_` are: arrays, numbers and ranges between brackets, joined along an axis.

    A string in front, "axis, ndim, place", sets along which axis, how many axes each part gets at least, and before
    which of those its own stand.

    >>> r_[1:4, 0, np.array([5, 6])]
    array([1, 2, 3, 0, 5, 6])
    >>> c_[np.array([1, 2]), np.array([3, 4])]
    array([[1, 3],
           [2, 4]])
    """

    def __init__(self, axis: int, ndim: int, place: int) -> None:
        self.axis, self.ndim, self.place = axis, ndim, place

    def __getitem__(self, key: Any) -> Array:
        items = list(key) if isinstance(key, tuple) else [key]
        how = [self.axis, self.ndim, self.place]
        if isinstance(items[0], str):
            try:
                given = [int(number) for number in items[0].split(",")]
            except ValueError:
                raise ArgumentError(f"{items[0]!r} in front asks for a matrix, which no tensor is; 'axis,ndim,place', "
                                    f"in whole numbers, is understood{here()}") from None
            how, items = given + how[len(given):], items[1:]
        parts = [self._part(item, *how[1:]) for item in items]
        # A Python number takes the dtype of the arrays, as it does in arithmetic.
        dtype = np.result_type(*(item if isinstance(item, int | float | complex) else part.dtype
                                 for item, part in zip(items, parts, strict=True)))
        return concatenate(parts, how[0], dtype=dtype)

    def _part(self, item: Any, ndim: int, place: int) -> Array:
        if isinstance(item, slice):
            start, stop, step = 0 if item.start is None else item.start, item.stop, item.step
            if isinstance(step, complex):
                item = np.linspace(start, stop, int(abs(step)))
            else:
                item = np.arange(start, stop, step)
        item = as_array(item)
        missing = ndim - np.ndim(item)
        if missing <= 0:
            return item if np.shape(item) else np.reshape(item, (1,))
        before = place if place >= 0 else place + missing + 1
        return np.reshape(item, (1,) * before + np.shape(item) + (1,) * (missing - before))


r_, c_ = Joiner(0, 1, -1), Joiner(-1, 2, 0)
