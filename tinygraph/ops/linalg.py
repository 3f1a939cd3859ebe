"""Products of vectors and matrices, the lecture's affine layer, and norms."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygraph.core.op import Array, op
from tinygraph.ops.reduction import spread


def _turned(w: Array) -> Array:
    return np.swapaxes(w, -1, -2)


def _matmul_dx(g: Array, y: Array, x: Array, w: Array) -> Array:
    nx, nw = len(x.shape), len(w.shape)
    if nx > 1 and nw > 1:
        return np.matmul(g, _turned(w))
    if nw == 1:
        return np.expand_dims(g, -1) * w if nx > 1 else g * w
    return np.matmul(np.expand_dims(g, -2), _turned(w))[..., 0, :]


def _matmul_dw(g: Array, y: Array, x: Array, w: Array) -> Array:
    nx, nw = len(x.shape), len(w.shape)
    if nx > 1 and nw > 1:
        return np.matmul(_turned(x), g)
    if nx == 1:
        return np.expand_dims(x, -1) * np.expand_dims(g, -2) if nw > 1 else g * x
    return np.matmul(_turned(x), np.expand_dims(g, -1))[..., 0]


def _matmul_mismatch(x: Array, w: Array, *bias: Array) -> str:
    xs, ws = x.shape, w.shape
    shapes = f"{xs} @ {ws}"
    if not xs or not ws:
        return f"{shapes}: a number is no matrix; multiply with *"
    if xs[-1] != ws[-2 if len(ws) > 1 else 0]:
        return f"{shapes}: inner axes {xs[-1]} and {ws[-2 if len(ws) > 1 else 0]} differ"
    if bias:
        return f"{shapes} + {np.shape(bias[0])}: a bias for this product has shape ({ws[-1]},)"
    return f"{shapes}: the leading axes do not broadcast"


_MATMUL_TEX = (r"\frac{\partial L}{\partial Y} \cdot W^\top", r"X^\top \cdot \frac{\partial L}{\partial Y}")


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
    if isinstance(axes, int):
        return list(range(na - axes, na)), list(range(axes))
    left, right = ([axis] if isinstance(axis, int) else list(axis) for axis in axes)
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


@op(symbol="dot", numpy=np.tensordot, vjp=(_tensordot_da, _tensordot_db),
    flops=lambda y, a, b, axes: 2 * int(np.size(y) * np.prod([np.shape(a)[i] for i in _paired(a, b, axes)[0]])))
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
    mismatch=_matmul_mismatch, tex=_MATMUL_TEX, vjp=(_dot_da, _dot_db))
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


@op(symbol="inner", numpy=np.inner, vjp=(_inner_da, _inner_db),
    flops=lambda y, a, b: 2 * int(np.size(y)) * (np.shape(a)[-1] if np.shape(a) else 1))
def inner(a: Array, b: Array) -> Array:
    """Sum of products over the last axis of both; numbers multiply.

    a: (..., k)   b: (..., k)  ->  the free axes of a, then those of b

    >>> inner(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    np.float64(11.0)
    """
    return np.inner(a, b)


@op(symbol="outer", numpy=np.outer, flops=lambda y, a, b, **params: int(np.size(y)),
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


@op(symbol="+", flops=lambda y, x, b: int(np.size(y)), vjp=(lambda g, y, x, b: g, lambda g, y, x, b: g),
    tex=(r"\frac{\partial L}{\partial Y}", r"\sum_N \frac{\partial L}{\partial Y}"))
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
    tex=(*_MATMUL_TEX, r"\sum_N \frac{\partial L}{\partial Y}"),
    vjp=(lambda g, y, x, w, b: _matmul_dx(g, y, x, w), lambda g, y, x, w, b: _matmul_dw(g, y, x, w),
         lambda g, y, x, w, b: g))
def affine(x: Array, w: Array, b: Array) -> Array:
    """The lecture's Affine layer (PyTorch's Linear, with w as the lecture stores it): x @ w + b, as one op.

    x: (N, D) or (D,)   w: (D, M)   b: (M,)  ->  (N, M) or (M,)

    >>> affine(np.ones((2, 3)), np.ones((3, 4)), np.zeros(4)).shape
    (2, 4)
    """
    return np.matmul(x, w) + b


def _norm_dx(g: Array, y: Array, x: Array, *, axis: Any, keepdims: bool) -> Array:
    y = spread(y, x, axis, keepdims)
    return spread(g, x, axis, keepdims) * (np.conj(x) / np.where(y == 0, 1, y))


@op(symbol="‖x‖", numpy=np.linalg.norm, flops=lambda y, x, **params: 2 * int(np.size(x)), vjp=(_norm_dx,))
def norm(x: Array, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    """Euclidean length of vectors, Frobenius norm of matrices: sqrt(Σ |x|²); its derivative at 0 is 0.

    ``ord`` may be None, "fro" for matrices and 2 for vectors, all of which are this one norm.

    >>> norm(np.array([3.0, 4.0]))
    np.float64(5.0)
    """
    vectors = isinstance(axis, int) or (axis is None and len(np.shape(x)) == 1)
    if not (ord is None or (ord == 2 and vectors) or (ord == "fro" and not vectors)):
        raise TypeError(f"ord={ord!r} has no derivative rule here; use None, 2 for vectors or 'fro' for matrices")
    return np.linalg.norm(x, axis=axis, keepdims=keepdims)
