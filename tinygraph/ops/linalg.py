"""Products of vectors and matrices, and the lecture's affine layer."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.op import op
from tinygraph.ops.join import places_of, shape_of

__all__ = ["add_bias", "affine", "dot", "inner", "matmul", "matvec", "outer", "tensordot", "vdot", "vecdot", "vecmat"]


def turned(a: Array) -> Array:
    """Each matrix of a stack transposed."""
    return a.T if type(a) is np.ndarray and a.ndim == 2 else np.swapaxes(a, -1, -2)


TALL = 1000
"""From how many rows a matrix of doubles counts as tall."""


def product(a: Array, b: Array) -> Array:
    """np.matmul; of two plain matrices their dot, which calls the same BLAS without looking for loops (0.6 µs).

    Where the inner axis is 1, matmul leaves BLAS and takes eight times as long. In doubles, a tall matrix times a
    narrow one is worked out the other way round: with OpenBLAS's kernels for AVX-512 60,000 rows of 784 times 50 take
    64 ms in place of 97, and with its others the same either way.
    """
    if type(a) is np.ndarray and type(b) is np.ndarray and a.ndim == 2 and b.ndim == 2:
        if len(a) >= TALL and a.dtype.char == "d" and a.flags.c_contiguous and 4 * b.shape[1] <= len(a):
            return b.T.dot(a.T).T
        return a.dot(b)
    return np.matmul(a, b)


def adjoint(a: Array) -> Array:
    """Each matrix of a stack transposed and conjugated."""
    return np.conj(turned(a)) if np.iscomplexobj(a) else turned(a)


@functools.cache
def _tuple_of(function: Callable[..., Any]) -> Callable[..., Any]:
    return type(function(np.eye(1)))


def named(function: Callable[..., Any]) -> Callable[..., Any]:
    """For a card's ``result``: the named tuple that a NumPy function gives, for which NumPy has no public name."""
    return lambda *parts: _tuple_of(function)(*parts) if len(parts) > 1 else parts[0]


def _matmul_dx(g: Array, y: Array, x: Array, w: Array) -> Array:
    nx, nw = len(x.shape), len(w.shape)
    if nx > 1 and nw > 1:
        return product(g, turned(w))
    if nw == 1:
        return np.expand_dims(g, -1) * w if nx > 1 else g * w
    return np.matmul(np.expand_dims(g, -2), turned(w))[..., 0, :]


def _matmul_dw(g: Array, y: Array, x: Array, w: Array) -> Array:
    nx, nw = len(x.shape), len(w.shape)
    if nx > 1 and nw > 1:
        return product(turned(x), g)
    if nx == 1:
        return np.expand_dims(x, -1) * np.expand_dims(g, -2) if nw > 1 else g * x
    return np.matmul(turned(x), np.expand_dims(g, -1))[..., 0]


def _matmul_mismatch(x: Array, w: Array, *bias: Array) -> str:
    xs, ws = np.shape(x), np.shape(w)
    shapes = f"{xs} @ {ws}"
    if not xs or not ws:
        return f"{shapes}: a number is no matrix; multiply with *"
    if xs[-1] != ws[-2 if len(ws) > 1 else 0]:
        return f"{shapes}: inner axes {xs[-1]} and {ws[-2 if len(ws) > 1 else 0]} differ"
    if bias:
        return f"{shapes} + {np.shape(bias[0])}: a bias for this product has shape ({ws[-1]},)"
    return f"{shapes}: the leading axes do not broadcast"


_MATMUL_TEX = (r"g \cdot W^\top", r"X^\top \cdot g")


@op(symbol="dot", numpy=np.matmul, flops=lambda y, x, w: 2 * int(np.size(y)) * int(x.shape[-1]),
    mismatch=_matmul_mismatch, tex=_MATMUL_TEX, vjp=(_matmul_dx, _matmul_dw))
def matmul(x: Array, w: Array) -> Array:
    """Matrix product over the last two axes; leading axes broadcast.

    x: (..., n, k)   w: (..., k, m)  ->  (..., n, m); a 1-D operand is a row on the left, a column on the right.

    >>> matmul(np.ones((2, 3)), np.ones((3, 4))).shape
    (2, 4)
    """
    return np.matmul(x, w)


def _paired(a: Array, b: Array, axes: Any) -> tuple[list[int], list[int]]:
    """The axes of a and of b that a tensordot sums over, as two lists of non-negative ints."""
    na, nb = len(np.shape(a)), len(np.shape(b))
    if not hasattr(axes, "__len__"):
        return list(range(na - axes, na)), list(range(axes))
    left, right = (list(axis) if hasattr(axis, "__len__") else [axis] for axis in axes)
    return [axis % na for axis in left], [axis % nb for axis in right]


def _contract_back(g: Array, ours: Array, others: Array, summed_ours: list[int], summed_others: list[int],
                   first: bool) -> Array:
    """The cotangent of one operand of a tensordot: g over the other's free axes, put into our axes' order."""
    n, m = len(np.shape(ours)), len(np.shape(others))
    free_ours = [axis for axis in range(n) if axis not in summed_ours]
    free_others = [axis for axis in range(m) if axis not in summed_others]
    split = len(free_ours) if first else len(free_others)
    g_axes = list(range(split, len(g.shape))) if first else list(range(split))
    c = np.tensordot(g, others, (g_axes, free_others))
    # c has our free axes, then the summed ones in the order in which they stand in the other operand.
    order = free_ours + [summed_ours[summed_others.index(axis)] for axis in sorted(summed_others)]
    return np.transpose(c, [order.index(axis) for axis in range(n)])


def _tensordot_da(g: Array, y: Array, a: Array, b: Array, *, axes: Any) -> Array:
    left, right = _paired(a, b, axes)
    return _contract_back(g, a, b, left, right, True)


def _tensordot_db(g: Array, y: Array, a: Array, b: Array, *, axes: Any) -> Array:
    left, right = _paired(a, b, axes)
    return _contract_back(g, b, a, right, left, False)


def _tensordot_cost(y: Array, a: Array, b: Array, *, axes: Any) -> int:
    """A multiplication and an addition for each element of the result and each pair that is summed over."""
    return 2 * int(np.size(y) * np.prod([np.shape(a)[i] for i in _paired(a, b, axes)[0]]))


def _tensordot_mismatch(a: Array, b: Array, axes: Any) -> str:
    left, right = _paired(a, b, axes)
    ours, others = ([np.shape(x)[i] for i in summed] for x, summed in ((a, left), (b, right)))
    return f"{np.shape(a)} and {np.shape(b)}: axes {left} and {right} are summed over, of sizes {ours} and {others}"


@op(symbol="dot", numpy=np.tensordot, flops=_tensordot_cost, mismatch=_tensordot_mismatch,
    tex=(r"g \cdot B^\top", r"A^\top \cdot g"), vjp=(_tensordot_da, _tensordot_db))
def tensordot(a: Array, b: Array, axes: Any = 2) -> Array:
    """Sum of products over pairs of axes: the last ``axes`` of a with the first of b, or two lists of axes.

    >>> tensordot(np.ones((2, 3, 4)), np.ones((4, 3)), ([1, 2], [1, 0])).shape
    (2,)
    """
    return np.tensordot(a, b, axes)


def _dot_axes(a: Array, b: Array) -> tuple[list[int], list[int]]:
    return [len(np.shape(a)) - 1], [max(len(np.shape(b)) - 2, 0)]


def _dot_da(g: Array, y: Array, a: Array, b: Array) -> Array:
    if not np.shape(a) or not np.shape(b):
        return g * b
    return _contract_back(g, a, b, *_dot_axes(a, b), True)


def _dot_db(g: Array, y: Array, a: Array, b: Array) -> Array:
    if not np.shape(a) or not np.shape(b):
        return g * a
    left, right = _dot_axes(a, b)
    return _contract_back(g, b, a, right, left, False)


@op(symbol="dot", numpy=np.dot, flops=lambda y, a, b: 2 * int(np.size(y)) * (np.shape(a)[-1] if np.shape(a) else 1),
    mismatch=_matmul_mismatch,
    tex=(r"g \cdot B^\top", r"A^\top \cdot g"), vjp=(_dot_da, _dot_db))
def dot(a: Array, b: Array) -> Array:
    """NumPy's dot: sum over the last axis of a and the second to last (or only) axis of b; numbers multiply.

    a: (..., k)   b: (..., k, m) or (k,)  ->  the free axes of a, then those of b

    >>> dot(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    np.float64(11.0)
    """
    return np.dot(a, b)


def _last(a: Array) -> list[int]:
    return [len(np.shape(a)) - 1]


def _inner_da(g: Array, y: Array, a: Array, b: Array) -> Array:
    return _contract_back(g, a, b, _last(a), _last(b), True) if np.shape(a) and np.shape(b) else g * b


def _inner_db(g: Array, y: Array, a: Array, b: Array) -> Array:
    return _contract_back(g, b, a, _last(b), _last(a), False) if np.shape(a) and np.shape(b) else g * a


def _ends_differ(a: Array, b: Array) -> str:
    return f"{np.shape(a)} and {np.shape(b)}: the last axes, {np.shape(a)[-1]} and {np.shape(b)[-1]}, differ"


@op(symbol="inner", numpy=np.inner, mismatch=_ends_differ,
    tex=(r"g \cdot B", r"g^\top \cdot A"),
    vjp=(_inner_da, _inner_db),
    flops=lambda y, a, b: 2 * int(np.size(y)) * (np.shape(a)[-1] if np.shape(a) else 1))
def inner(a: Array, b: Array) -> Array:
    """Sum of products over the last axis of both; numbers multiply.

    a: (..., k)   b: (..., k)  ->  the free axes of a, then those of b

    >>> inner(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    np.float64(11.0)
    """
    return np.inner(a, b)


@op(symbol="outer", numpy=np.outer, flops=lambda y, a, b, **params: int(np.size(y)),
    tex=(r"g \cdot B", r"g^\top \cdot A"),
    vjp=(lambda g, y, a, b: np.reshape(np.matmul(g, np.ravel(b)) if np.shape(b) else g * b, np.shape(a)),
         lambda g, y, a, b: np.reshape(np.matmul(np.ravel(a), g) if np.shape(a) else g * a, np.shape(b))))
def outer(a: Array, b: Array, out: None = None) -> Array:
    """Every product of an element of a and one of b; both are flattened first.

    a: (n,)   b: (m,)  ->  (n, m)

    >>> outer(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    array([[3., 4.],
           [6., 8.]])
    """
    return np.outer(a, b)


def _flat(a: Array) -> Array:
    return np.ravel(a) if np.shape(a) else a


@op(symbol="vdot", numpy=np.vdot, flops=lambda y, a, b: 2 * int(np.size(a)),
    tex=("(g B)^*", "g A^*"),
    vjp=(lambda g, y, a, b: np.reshape(np.conj(g * _flat(b)), np.shape(a)),
         lambda g, y, a, b: np.reshape(g * np.conj(_flat(a)), np.shape(b))))
def vdot(a: Array, b: Array) -> Array:
    """Sum of the products of conj(a) and b, both flattened first: the inner product of complex vectors.

    >>> vdot(np.array([1j, 2.0]), np.array([1j, 3.0]))
    np.complex128(7+0j)
    """
    return np.vdot(a, b)


def _vecdot_back(g: Array, ours: Array, others: Array, axis: int) -> Array:
    """g times the other operand, with the axis that was summed back in our place of it."""
    n, m = len(np.shape(ours)), len(np.shape(others))
    c = np.expand_dims(g, -1) * np.moveaxis(others, axis if axis < 0 else axis - m, -1)
    # Broadcasting aligns axes at their ends, so the place is counted from there.
    return np.moveaxis(c, -1, axis if axis < 0 else axis - n)


def _vecdot_mismatch(x1: Array, x2: Array, axis: int) -> str:
    shapes = f"{np.shape(x1)} and {np.shape(x2)}"
    if not np.shape(x1) or not np.shape(x2):
        return f"{shapes}: a number is no vector; multiply with *"
    n, m = np.shape(x1)[axis], np.shape(x2)[axis]
    return f"{shapes}: {n} and {m} along axis {axis} differ" if n != m else f"{shapes}: the other axes do not broadcast"


@op(symbol="vecdot", numpy=(np.vecdot, np.linalg.vecdot), mismatch=_vecdot_mismatch,
    flops=lambda y, x1, x2, axis: 2 * int(np.size(y)) * int(np.shape(x1)[axis]),
    tex=(r"(g \odot X_2)^*", r"g \odot X_1^*"),
    vjp=(lambda g, y, x1, x2, *, axis: np.conj(_vecdot_back(g, x1, x2, axis)),
         lambda g, y, x1, x2, *, axis: _vecdot_back(g, x2, np.conj(x1), axis)))
def vecdot(x1: Array, x2: Array, axis: int = -1) -> Array:
    """Sum of the products of conj(x1) and x2 over one axis of each; the other axes broadcast.

    x1: (..., n)   x2: (..., n)  ->  (...)

    >>> vecdot(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 10.0]))
    array([21., 43.])
    """
    return np.vecdot(x1, x2, axis=axis)  # type: ignore[call-overload]


@op(symbol="matvec", numpy=getattr(np, "matvec", ()), flops=lambda y, x1, x2: 2 * int(np.size(y)) * np.shape(x1)[-1],
    tex=(r"g \cdot X_2^\top", r"X_1^\top \cdot g"),
    vjp=(lambda g, y, x1, x2: np.expand_dims(g, -1) * np.expand_dims(x2, -2),
         lambda g, y, x1, x2: np.matmul(turned(x1), np.expand_dims(g, -1))[..., 0]))
def matvec(x1: Array, x2: Array) -> Array:
    """Product of matrices and vectors; the leading axes broadcast.

    x1: (..., m, n)   x2: (..., n)  ->  (..., m)

    >>> matvec(np.eye(2), np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])).shape
    (3, 2)
    """
    return np.matmul(x1, np.expand_dims(x2, -1))[..., 0]  # np.matvec came with NumPy 2.2


@op(symbol="vecmat", numpy=getattr(np, "vecmat", ()), flops=lambda y, x1, x2: 2 * int(np.size(y)) * np.shape(x1)[-1],
    tex=(r"(X_2 \cdot g)^*", r"X_1^* \cdot g^\top"),
    vjp=(lambda g, y, x1, x2: np.conj(np.matmul(x2, np.expand_dims(g, -1))[..., 0]),
         lambda g, y, x1, x2: np.conj(np.expand_dims(x1, -1)) * np.expand_dims(g, -2)))
def vecmat(x1: Array, x2: Array) -> Array:
    """Product of conjugated row vectors and matrices; the leading axes broadcast.

    x1: (..., n)   x2: (..., n, m)  ->  (..., m)

    >>> vecmat(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.eye(2)).shape
    (3, 2)
    """
    return np.matmul(np.expand_dims(np.conj(x1), -2), x2)[..., 0, :]  # np.vecmat came with NumPy 2.2


def _chained(arrays: list[Array], row: bool, column: bool) -> Array:
    """The product of several matrices; the first may be a vector that is a row, the last one that is a column."""
    head = np.expand_dims(arrays[0], 0) if row and len(np.shape(arrays[0])) == 1 else arrays[0]
    if len(arrays) == 1:
        return np.expand_dims(head, -1) if column and len(np.shape(head)) == 1 else head
    tail = np.expand_dims(arrays[-1], -1) if column and len(np.shape(arrays[-1])) == 1 else arrays[-1]
    return np.linalg.multi_dot([head, *arrays[1:-1], tail])


def _multi_dot_back(g: Array, y: Array, *inputs: Array, arrays: Any, k: int) -> Array:
    arrays = list(arrays)
    i, *within = places_of(arrays)[k]  # arrays may stand within a list that is a matrix
    first, last = shape_of(arrays[0]), shape_of(arrays[-1])
    c = np.reshape(g, (first[0] if len(first) > 1 else 1, last[-1] if len(last) > 1 else 1))
    if i > 0:
        c = np.matmul(turned(_chained(arrays[:i], True, False)), c)
    if i + 1 < len(arrays):
        c = np.matmul(c, turned(_chained(arrays[i + 1:], False, True)))
    c = np.reshape(c, shape_of(arrays[i]))
    return c[tuple(within)] if within else c


@op(symbol="dot", numpy=np.linalg.multi_dot, nested="arrays",
    tex=(r"(A_1 \cdots A_{k-1})^\top \cdot g \cdot (A_{k+1} \cdots A_n)^\top",), vjp={"arrays": _multi_dot_back})
def multi_dot(arrays: Any, *, out: None = None) -> Array:
    """Product of two or more matrices, in the order that costs least.

    The first may be a vector, which is a row then, and the last one, which is a column.

    >>> multi_dot([np.ones((2, 30)), np.ones((30, 4)), np.ones(4)])
    array([120., 120.])
    """
    return np.linalg.multi_dot(arrays)


@op(symbol="+", flops=lambda y, x, b: int(np.size(y)),
    tex=("g", r"\sum_N g"), vjp=(lambda g, y, x, b: g, lambda g, y, x, b: g))
def add_bias(x: Array, b: Array) -> Array:
    """The lecture's bias node: b added to each row; its gradient is the sum over the rows.

    x: (N, D) or (D,)   b: (D,)  ->  the shape of x

    >>> add_bias(np.zeros((2, 3)), np.arange(3.0))[1]
    array([0., 1., 2.])
    """
    if np.shape(b) != np.shape(x)[-1:]:
        raise ValueError(f"a bias for {np.shape(x)} has shape {np.shape(x)[-1:]}, not {np.shape(b)}")
    return np.add(x, b)


@op(symbol="Affine", mismatch=_matmul_mismatch,
    flops=lambda y, x, w, b: 2 * int(np.size(y)) * int(x.shape[-1]) + int(np.size(y)),
    tex=(*_MATMUL_TEX, r"\sum_N g"),
    vjp=(lambda g, y, x, w, b: _matmul_dx(g, y, x, w), lambda g, y, x, w, b: _matmul_dw(g, y, x, w),
         lambda g, y, x, w, b: g))
def affine(x: Array, w: Array, b: Array) -> Array:
    """The lecture's Affine layer (PyTorch's Linear, with w as the lecture stores it): x @ w + b, as one op.

    x: (N, D) or (D,)   w: (D, M)   b: (M,)  ->  (N, M) or (M,)

    >>> affine(np.ones((2, 3)), np.ones((3, 4)), np.zeros(4)).shape
    (2, 4)
    """
    return product(x, w) + b
