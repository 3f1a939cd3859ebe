"""The lecture's classifier end: softmax, cross entropy, and both fused.

Labels are told apart by dtype and shape, never by size: integers of shape (N,) or (N, 1) are class indices, also
where there is one class; any other (N, C) is a distribution a row, one-hot or soft, that sums to one. Logits of one
sample, (C,), take one index, () or (1,), or one distribution, (C,).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.errors import ArgumentError, DTypeError, ShapeError
from tinygraph.core.op import op
from tinygraph.core.plain import is_matrix, ones

__all__ = ["cross_entropy_error", "log_softmax", "softmax", "softmax_with_loss"]


@op(symbol="softmax", flops=lambda y, z, axis: 5 * np.size(y),
    tex=(r"Y \odot \left(g - \sum g \odot Y\right)",),
    vjp=(lambda g, y, z, *, axis: y * (g - np.sum(g * y, axis=axis, keepdims=True)),))
def softmax(z: Array, axis: int = -1) -> Array:
    """exp(z) scaled to sum to one along an axis; finite for any finite z, since the largest is taken off first.

    PyTorch's softmax.

    z: (..., C) logits  ->  (..., C), each in [0, 1]

    >>> softmax(np.array([0.0, 0.0]))
    array([0.5, 0.5])
    """
    e = np.exp(z - np.max(z, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


@op(symbol="log softmax", flops=lambda y, z, axis: 5 * np.size(y),
    tex=(r"g - \exp(Y) \sum g",), vjp=(lambda g, y, z, *, axis: g - np.exp(y) * np.sum(g, axis=axis, keepdims=True),))
def log_softmax(z: Array, axis: int = -1) -> Array:
    """log(softmax(z)), without the overflow and the log of zero that the two would meet. PyTorch's log_softmax.

    z: (..., C) logits  ->  (..., C), each at most 0

    >>> log_softmax(np.array([0.0, -1e4]))
    array([     0., -10000.])
    """
    z = z - np.max(z, axis=axis, keepdims=True)
    return z - np.log(np.sum(np.exp(z), axis=axis, keepdims=True))


def _reduced(ufunc: np.ufunc, function: Callable[..., Any], x: Array, axis: int | None = None,
             keepdims: bool = False) -> Array:
    """function(x), say np.sum; of a plain array by the ufunc's own reduce, to which np.sum comes after 1.5 µs."""
    if type(x) is np.ndarray:
        return ufunc.reduce(x, axis, keepdims=keepdims)
    return function(x, axis=axis, keepdims=keepdims)


def are_indices(z: Array, t: Array) -> bool:
    """Tell whether labels of this dtype and shape are class indices (else they are distributions)."""
    if not hasattr(t, "shape"):
        return isinstance(t, int) and len(z.shape) == 1
    if t.dtype.kind not in "iu":
        return False
    ndim, shape = len(z.shape), t.shape
    return len(shape) == ndim - 1 or (len(shape) == ndim and shape[-1] == 1)


def one_hot(z: Array, t: Array) -> Array:
    """Labels as one distribution a row; of indices, a boolean one."""
    if not are_indices(z, t):
        # Integers would make float64 of float32 logits.
        return t.astype(z.dtype) if t.dtype.kind in "iu" else t
    column = t if len(np.shape(t)) == len(z.shape) else np.expand_dims(t, -1)
    return np.equal(column, np.arange(z.shape[-1], like=z))


CLASSES = 1 << 10
"""A table of more unit vectors than this is not kept."""


def _are_plain(z: Array, t: Array) -> bool:
    """Whether these are plain logits, (N, C), and plain indices, (N,), for which NumPy has quicker calls."""
    return (type(t) is np.ndarray and t.ndim == 1 and t.dtype == np.intp and is_matrix(z) and z.shape[1] <= CLASSES
            and z.size > 0)


@functools.lru_cache(maxsize=16)
def _starts(rows: int, columns: int) -> Array:
    """The places where the rows of a matrix begin."""
    return np.arange(0, rows * columns, columns)


@functools.lru_cache(maxsize=16)
def _units(classes: int, dtype: np.dtype[Any]) -> Array:
    """Of each class the distribution that is 1 there."""
    return np.eye(classes, dtype=dtype)


UNSIGNED = {np.dtype(f"{kind}{size}"): np.dtype(f"u{size}") for kind in "iu" for size in (1, 2, 4, 8)}
"""Unsigned integers as wide as another, in this machine's order of bytes."""


def check_labels(z: Array, t: Array) -> None:
    """Raise one clear sentence unless the labels fit the logits (or probabilities) ``z``."""
    zs, ts = z.shape, np.shape(t)
    # Read as unsigned, a negative index is a large one, and one look is enough where all is well.
    unsigned = UNSIGNED.get(t.dtype) if type(t) is np.ndarray else None
    if unsigned is not None and len(zs) == 2 and ts == zs[:1] and t.size and _largest(t.view(unsigned)) < zs[1]:
        return
    if len(zs) not in (1, 2):
        raise ShapeError(f"logits must be (N, C) or (C,), not {zs}")
    if are_indices(z, t):
        if len(zs) == 2 and ts[0] != zs[0]:
            raise ShapeError(f"{ts[0]} labels for {zs[0]} rows of logits {zs}")
        if 0 in ts or _is_lazy(t):
            return
        low, high = np.min(t), np.max(t)
        if low < 0 or high >= zs[-1]:
            raise ArgumentError(f"labels from {low} to {high} for logits {zs}: class indices go from 0 to {zs[-1] - 1}")
        return
    kind = t.dtype.kind if hasattr(t, "dtype") else "f"
    if ts != zs:
        if kind == "f" and (len(ts) == len(zs) - 1 or ts == (*zs[:-1], 1)):
            raise DTypeError(f"labels of shape {ts} and a float dtype for logits {zs}: class indices are "
                             "integers, t.astype(int); a distribution has the logits' own shape")
        raise ShapeError(f"labels {ts} do not fit logits {zs}: give class indices {zs[:-1]} (integers) or a "
                         f"distribution a row {zs}")
    if kind not in "fiub":
        raise DTypeError(f"labels of dtype {t.dtype}: give integer class indices or real distributions")
    if _is_lazy(t) or 0 in ts[:-1]:
        return
    tolerance = 1e-3 if t.dtype.itemsize < 8 else 1e-6
    worst = _largest(np.absolute(_reduced(np.add, np.sum, t, -1) - 1))
    if not worst <= tolerance:
        raise ArgumentError(f"labels {ts} are read as one distribution a row, and a row's sum is off one by "
                            f"{worst:.3g}; class indices would be integers of shape {zs[:-1]}")


def _largest(x: Array) -> Any:
    return x.item(x.argmax()) if type(x) is np.ndarray else np.max(x)  # at a fifth of a reduction's cost


def _is_lazy(t: Array) -> bool:
    """Whether a look at the values would compute them here and now, as of a Dask array."""
    return hasattr(t, "__dask_graph__")


def _rows(z: Array) -> int:
    return int(z.shape[0]) if len(z.shape) == 2 else 1


def weighted(t: Array, logp: Array) -> Array:
    """t log p, with 0 log 0 = 0 for a boolean t."""
    return np.where(t, logp, 0) if t.dtype.kind == "b" else t * logp


def _cross_entropy_dy(g: Array, value: Array, y: Array, t: Array) -> Array:
    return -g / _rows(y) * weighted(one_hot(y, t), 1 / (y + _guard(y)))


def _cross_entropy_dt(g: Array, value: Array, y: Array, t: Array) -> Array:
    return -g / _rows(y) * np.log(y + _guard(y))


def _guard(y: Array) -> float:
    """The smallest normal number: log(0) becomes about -708 (float64), and no probability in reach changes."""
    return float(np.finfo(y.dtype).tiny)


@op(symbol="CE", validate=check_labels, flops=lambda value, y, t: 3 * np.size(y),
    tex=(r"-\frac{1}{N} \frac{T}{Y} \frac{\partial L}{\partial L}",
         r"-\frac{1}{N} \log Y \frac{\partial L}{\partial L}"),
    vjp=(_cross_entropy_dy, _cross_entropy_dt))
def cross_entropy_error(y: Array, t: Array) -> Array:
    """Mean cross entropy of probabilities against labels: -(1/N) Σ t log y.

    The smallest normal number is added to y, so that a probability of 0 costs much and not infinitely much.

    y: (N, C) or (C,) probabilities   t: labels, see this module  ->  () in nats

    >>> cross_entropy_error(np.array([[0.25, 0.75]]), np.array([1])).round(4)
    np.float64(0.2877)
    """
    return -np.sum(weighted(one_hot(y, t), np.log(y + _guard(y)))) / _rows(y)


def _swl_dz(g: Any, y: Any, z: Array, t: Array) -> Array:
    (g_loss, g_p), (_, p) = g, y
    d = 0
    if g_loss is not None and _are_plain(p, t):
        d = (p - _units(p.shape[1], p.dtype).take(t, 0)) * (g_loss / len(p))
    elif g_loss is not None:
        t = one_hot(z, t)
        total = p if t.dtype.kind == "b" else p * _reduced(np.add, np.sum, t, -1, True)
        d = (total - t) / _rows(z) * g_loss
    if g_p is not None:  # the second derivative comes this way
        d = d + p * (g_p - np.sum(g_p * p, axis=-1, keepdims=True))
    return d


def _swl_dt(g: Any, y: Any, z: Array, t: Array) -> Array:
    return None if g[0] is None else log_softmax(z) * (-g[0] / _rows(z))


@op(symbol="softmax\nwith loss", validate=check_labels, outputs=2, hidden=1,
    tex=(r"\frac{1}{N} (Y - T)", r"-\frac{1}{N} \log Y"),
    vjp=(_swl_dz, _swl_dt),
    flops=lambda y, z, t: 8 * np.size(z))
def softmax_with_loss(z: Array, t: Array) -> Array:
    """Mean cross entropy of softmax(z) against labels, as one op: its derivative in z is (softmax(z) - t) / N.

    PyTorch's cross_entropy.

    z: (N, C) or (C,) logits   t: labels, see this module  ->  () in nats

    >>> z = np.array([[0.3, 2.9, 4.0]])
    >>> softmax_with_loss(z, np.array([1])).round(3)
    np.float64(1.406)
    """
    if _are_plain(z, t):
        return _of_indices(z, t)
    shifted = z - _reduced(np.maximum, np.max, z, -1, True)
    e = np.exp(shifted)
    total = _reduced(np.add, np.sum, e, -1, True)
    loss = -_reduced(np.add, np.sum, weighted(one_hot(z, t), shifted - np.log(total))) / _rows(z)
    return loss, e / total


def _of_indices(z: Array, t: Array) -> tuple[Array, Array]:
    """The same for plain logits and indices, by what NumPy does at the least cost, a half of the general way's.

    The largest of each row is taken from its place, and short rows are added up by BLAS: NumPy's reductions are slow at
    many short runs.
    """
    rows, columns = z.shape
    starts = _starts(rows, columns)
    shifted = z - z.take(z.argmax(1) + starts)[:, None]
    e = np.exp(shifted)
    total = e.dot(ones(columns, e.dtype))
    losses = np.log(total) - shifted.take(t + starts)
    return np.add.reduce(losses) / rows, e / total[:, None]
