"""Reading and replacing parts of an array: ``t[index]``, ``t[index] = v``, and the scatter that undoes a reading."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from tinygraph.core.arguments import Array, Handle, is_array
from tinygraph.core.errors import DTypeError, TraceError
from tinygraph.core.kinds import composed
from tinygraph.core.op import as_array, op

__all__ = ["choose", "compress", "delete", "extract", "getitem", "insert", "resize", "scatter_add", "select", "setitem",
           "take", "take_along_axis"]


def _repeats(index: Any) -> bool:
    """Tell whether an index may name an element twice: it holds integer arrays or lists."""
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(part, list) or (is_array(part) and part.dtype.kind != "b" and part.shape) for part in parts)


def _in_order(index: Any) -> Any:
    """The index with its arrays laid out in order: NumPy writes in the order in which they lie in memory."""
    if isinstance(index, tuple):
        return tuple(map(_in_order, index))
    return np.copy(index, "C") if is_array(index) and index.shape else index


def _beside(x: Array, index: Any) -> Array:
    """A plain array as one of the kind of those in its index, which refuse to be read as plain ones: a recording's."""
    parts = index if isinstance(index, tuple) else (index,)
    kind = next((part for part in parts if is_array(part) and not isinstance(part, np.ndarray)), x)
    return np.asarray(x, like=kind) if type(x) is np.ndarray else x


def _scattered(g: Array, y: Array, x: Array, *_: Array, index: Any) -> Array:
    return scatter_add(g, index, np.shape(x))


@op(symbol="[ ]", nested="index", tex=(r"\operatorname{scatter}(g)",), vjp={"x": _scattered, "index": None})
def getitem(x: Array, index: Any) -> Array:
    """The elements that a NumPy index names: ints, slices, None, Ellipsis, masks, integer arrays with repeats.

    >>> getitem(np.array([1.0, 2.0, 3.0]), [0, 0, 2])
    array([1., 1., 3.])
    """
    try:
        return x[index]
    except TraceError:
        return _beside(x, index)[index]


@op(symbol="scatter", nested="index", tex=("g[i]",), vjp={"v": lambda g, y, v, *_, index: g[index], "index": None})
def scatter_add(v: Array, index: Any, shape: Any) -> Array:
    """Zeros of a shape, with ``v`` added where the index points; an element that is named twice gets both.

    >>> scatter_add(np.array([1.0, 1.0, 5.0]), [0, 0, 2], (3,))
    array([2., 0., 5.])
    """
    out = np.zeros(shape, v.dtype, like=v) if hasattr(v, "__array_function__") else np.zeros(shape, v.dtype)
    if _repeats(index):
        np.add.at(out, index, v)
    else:
        out[index] = v
    return out


def _kept(g: Array, y: Array, x: Array, v: Array, *_: Array, index: Any) -> Array:
    return setitem(g, index, 0)


def _written(g: Array, y: Array, x: Array, v: Array, *_: Array, index: Any) -> Array:
    g_read = g[index]
    if _repeats(index):
        # Where an element is written twice the last one stays, and it alone has a derivative: ask who that was.
        ticket = np.reshape(np.arange(np.size(g_read), like=g), np.shape(g_read))
        winner = setitem(np.zeros(np.shape(y), np.intp, like=g), index, ticket)
        g_read = np.where(getitem(winner, index) == ticket, g_read, 0)
    # NumPy takes a value with more axes than the place it goes to, if they have size 1.
    return np.reshape(g_read, (1,) * (np.ndim(v) - np.ndim(g_read)) + np.shape(g_read))


def fits(x: Array, v: Array, **_: Any) -> None:
    """Refuse what NumPy would only warn of: complex numbers into real ones. It cuts fractions off for integers."""
    if hasattr(v, "dtype") and v.dtype.kind == "c" and np.result_type(x).kind != "c":
        raise DTypeError(f"setitem: {v.dtype} does not fit into {np.result_type(x)}; convert one of them with astype")


@op(symbol="[ ] =", nested="index",
    tex=(r"g \odot [\text{not written}]", "g[i]"),
    vjp={"x": _kept, "v": _written, "index": None}, validate=fits)
def setitem(x: Array, index: Any, v: Array) -> Array:
    """A copy of x in which the elements that a NumPy index names are replaced by v.

    >>> setitem(np.zeros(3), slice(1, None), 2.0)
    array([0., 2., 2.])
    """
    out = np.copy(x)  # an array also where x is a NumPy scalar
    out[_in_order(index) if _repeats(index) else index] = v
    return out


def _take_back(g: Array, y: Array, a: Array, indices: Array, *, axis: int | None, mode: str) -> Array:
    shape = np.shape(a)
    n = int(np.size(a)) if axis is None else shape[axis]
    if mode != "raise":
        indices = np.remainder(indices, n) if mode == "wrap" else np.clip(indices, 0, n - 1)
    if axis is None:
        return np.reshape(scatter_add(g, indices, (n,)), shape)
    return scatter_add(g, (slice(None),) * (axis % len(shape)) + (indices,), shape)


@op(symbol="take", numpy=np.take, tex=(r"\operatorname{scatter}(g)",), vjp=(_take_back, None))
def take(a: Array, indices: Array, axis: int | None = None, out: None = None, mode: Any = "raise") -> Array:
    """The elements at integer places along an axis, or of all elements in order where ``axis`` is None.

    What lies outside is an IndexError, or is wrapped round or clipped to the end as ``mode`` says.

    >>> take(np.array([1.0, 2.0, 3.0]), [0, 0, 2])
    array([1., 1., 3.])
    """
    try:
        return np.take(a, indices, axis, mode=mode)
    except TraceError:
        return np.take(_beside(a, indices), indices, axis, mode=mode)


def _along(shape: tuple[int, ...], indices: Array, axis: int) -> tuple[Array, ...]:
    """The index that picks, for each line along an axis, the elements at that line's own places."""
    ndim = len(shape)
    grids = [np.reshape(np.arange(n, like=indices), (1,) * i + (n,) + (1,) * (ndim - i - 1))
             for i, n in enumerate(shape)]
    grids[axis] = indices
    return tuple(grids)


def _take_along_back(g: Array, y: Array, arr: Array, indices: Array, *, axis: int | None) -> Array:
    shape = np.shape(arr)
    if axis is None:
        return np.reshape(scatter_add(g, indices, (int(np.size(arr)),)), shape)
    return scatter_add(g, _along(shape, indices, axis), shape)


@op(symbol="take", numpy=np.take_along_axis, tex=(r"\operatorname{scatter}(g)",), vjp=(_take_along_back, None))
def take_along_axis(arr: Array, indices: Array, axis: int | None = -1) -> Array:
    """The elements at integer places along an axis, each line at its own places, as `argsort` gives them.

    >>> take_along_axis(np.array([[3.0, 1.0], [1.0, 2.0]]), np.array([[1, 0], [0, 1]]), 1)
    array([[1., 3.],
           [1., 2.]])
    """
    return np.take_along_axis(arr, indices, axis)


@composed(numpy=np.compress)
def compress(condition: Array, a: Array, axis: int | None = None, out: None = None) -> Array:
    """The parts along an axis, or the elements where that is None, at which a vector of truths holds.

    >>> compress([True, False, True], np.arange(3.0))
    array([0., 2.])
    """
    if np.ndim(condition) != 1:
        raise ValueError(f"the condition is a vector of truths, and this has shape {np.shape(condition)}")
    return np.take(a, np.flatnonzero(condition), axis)


@composed(numpy=np.extract)
def extract(condition: Array, arr: Array) -> Array:
    """The elements at which a condition of the array's shape holds, in one axis.

    >>> extract([[True, False], [False, True]], np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([1., 4.])
    """
    return np.take(arr, np.flatnonzero(condition))


def _chosen_back(g: Array, y: Array, a: Array, *inputs: Array, choices: Any, mode: str, k: int) -> Array:
    n = len(choices) if isinstance(choices, list | tuple) else np.shape(choices)[0]
    if mode != "raise":
        a = np.remainder(a, n) if mode == "wrap" else np.clip(a, 0, n - 1)
    if isinstance(choices, list | tuple):
        numbers = [i for i, choice in enumerate(choices) if is_array(choice) or isinstance(choice, np.generic)]
        return np.where(np.equal(a, numbers[k]), g, 0)
    number = np.reshape(np.arange(n, like=a), (n,) + (1,) * len(np.shape(y)))
    every = np.where(np.equal(a, number), g, 0)
    return np.sum(every, axis=tuple(range(1, 2 + len(np.shape(y)) - len(np.shape(choices)))))


@op(symbol="choose", numpy=np.choose, nested="choices",
    tex=("", r"g \odot [A = k]"), vjp={"a": None, "choices": _chosen_back})
def choose(a: Array, choices: Any, out: None = None, mode: Any = "raise") -> Array:
    """Elementwise one of several arrays: that whose number stands in ``a``; they broadcast together.

    >>> choose([0, 1, 0], [np.ones(3), np.zeros(3)])
    array([1., 0., 1.])
    """
    return np.choose(a, choices, mode=mode)


@composed(numpy=np.select)
def select(condlist: Any, choicelist: Any, default: Array = 0) -> Array:
    """Elementwise the choice that belongs to the first condition that holds, or the default.

    >>> x = np.arange(4.0)
    >>> select([x < 1, x < 3], [-x, 10 * x], 99.0)
    array([-0., 10., 20., 99.])
    """
    conditions, choices = list(condlist), list(choicelist)
    if len(conditions) != len(choices) or not conditions:
        raise ValueError(f"{len(conditions)} conditions and {len(choices)} choices: each condition has its choice, "
                         "and there is at least one")
    kinds = [np.result_type(as_array(condition)) for condition in conditions]
    if any(kind != np.bool_ for kind in kinds):
        raise TypeError(f"conditions are truths, and these are {', '.join(map(str, kinds))}")
    y = default
    for condition, choice in zip(reversed(conditions), reversed(choices), strict=True):
        y = np.where(condition, choice, y)
    return y


def _plain(obj: Any) -> Any:
    """Places that must be known as numbers: an index tensor's value."""
    return obj.node.value if isinstance(obj, Handle) else obj


@composed(numpy=np.insert)
def insert(arr: Array, obj: Any, values: Array, axis: int | None = None) -> Array:
    """Values put in before the given places along an axis, or of the flattened array where that is None.

    >>> insert(np.array([1.0, 2.0]), 1, 5.0)
    array([1., 5., 2.])
    """
    arr, values, obj = as_array(arr), as_array(values), _plain(obj)
    if axis is None:
        arr, axis = np.ravel(arr), 0
    shape = np.shape(arr)
    axis = normalize_axis_index(axis, len(shape))
    n = shape[axis]
    obj = np.arange(n)[obj] if isinstance(obj, slice) else np.asarray(obj)
    if obj.dtype == np.bool_:
        obj = np.flatnonzero(obj)
    count = int(np.size(obj))
    if count == 1 and np.ndim(values):  # one place takes in as many as there are values
        values = np.reshape(values, (1,) * (len(shape) - np.ndim(values)) + np.shape(values))
        values = values if np.ndim(obj) else np.moveaxis(values, 0, axis)
        count = np.shape(values)[axis]
    # NumPy's own function says where everything goes, on the elements' numbers in the elements' stead.
    places = np.insert(np.arange(n), obj.astype(int), np.arange(n, n + count))
    lines = (slice(None),) * axis
    y = np.zeros_like(arr, shape=(*shape[:axis], n + count, *shape[axis + 1:]))
    y = setitem(y, (*lines, np.flatnonzero(places < n).tolist()), arr)
    return setitem(y, (*lines, np.flatnonzero(places >= n)[np.argsort(places[places >= n])].tolist()), values)


@composed(numpy=np.delete)
def delete(arr: Array, obj: Any, axis: int | None = None) -> Array:
    """What is left without the given places along an axis, or of the flattened array where that is None.

    >>> delete(np.array([1.0, 2.0, 3.0]), [0, -1])
    array([2.])
    """
    arr = as_array(arr)
    if axis is None:
        arr, axis = np.ravel(arr), 0
    axis = normalize_axis_index(axis, np.ndim(arr))
    kept = np.delete(np.arange(np.shape(arr)[axis]), _plain(obj))
    return getitem(arr, (slice(None),) * axis + (kept.tolist(),))


@composed(numpy=np.resize)
def resize(a: Array, new_shape: Any) -> Array:
    """The elements in another shape, over again from the start where it has more of them.

    >>> resize(np.array([1, 2, 3]), (2, 2))
    array([[1, 2],
           [3, 1]])
    """
    shape = tuple(np.ravel(np.asarray(new_shape, int)).tolist())
    if any(n < 0 for n in shape):
        raise ValueError(f"a shape has no negative sizes, and this is {shape}")
    flat, wanted = np.ravel(a), math.prod(shape)
    n = int(np.size(flat))
    if not n:  # there is nothing to repeat, and NumPy gives zeros
        return np.reshape(scatter_add(flat, slice(0, 0), (wanted,)), shape)
    return np.reshape(np.tile(flat, -(-wanted // n))[:wanted], shape)
