"""Norms of vectors and matrices of every order, and the condition number.

A norm has a kink where it is zero, where several elements are largest, and, for order 1 and below, where an element is
zero. The rules: the gradient at norm 0 is 0, elements that tie share it equally, and a zero element has none.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.op import op
from tinygraph.ops.linalg import turned
from tinygraph.ops.reduction import spread


def _read(y: Array, x: Array, **params: Any) -> int:
    """Two operations for each element read."""
    return 2 * int(np.size(x))


def _direction(x: Array, size: Array) -> Array:
    """The derivative of |x|, which is 0 at 0."""
    return np.conj(x) / np.where(size == 0, np.inf, size) if np.iscomplexobj(x) else np.sign(x)


def _shares(hits: Array, axis: Any) -> Array:
    """What each of the elements that tie has of the gradient."""
    return hits / np.maximum(np.sum(hits, axis=axis, keepdims=True), 1)


def _vector_back(g: Array, y: Array, x: Array, ord: Any, axes: tuple[int, ...]) -> Array:
    """The rule of a vector norm over ``axes``, which g and y still have with size 1."""
    if ord is None or ord == 2:
        return g * (np.conj(x) / np.where(y == 0, np.inf, y))  # 0 / ∞ is 0 to every order
    if ord == 0:
        return np.zeros_like(x)  # a count
    size = np.absolute(x)
    slope = g * _direction(x, size)
    if ord == 1:
        return slope
    if math.isinf(ord):
        return slope * _shares(size == y, axes)
    nothing = (size == 0) | (y == 0)
    ratio = np.where(nothing, 1, size) / np.where(y == 0, 1, y)
    return slope * np.where(nothing, 0, ratio ** (ord - 1))


def _singular_back(g: Array, x: Array, ord: Any, axes: tuple[int, ...]) -> Array:
    """The rule of a norm made of singular values: u vᴴ of those that count, each with its share."""
    u, s, vh = np.linalg.svd(np.moveaxis(x, axes, (-2, -1)), full_matrices=False)
    largest = np.max(s, axis=-1, keepdims=True, initial=0)
    if ord == "nuc":
        weights = 1 * (s > largest * (max(np.shape(s)[-1], 1) * np.finfo(s.dtype).eps))
    elif ord > 0:
        weights = _shares(s == largest, -1)
    else:
        weights = _shares(s == s[..., -1:], -1)
    c = np.matmul(np.conj(u) * np.expand_dims(weights, -2), np.conj(vh))
    return g * np.moveaxis(c, (-2, -1), axes)


def _matrix_back(g: Array, y: Array, x: Array, ord: Any, axes: tuple[int, ...]) -> Array:
    """The rule of a matrix norm over two axes, which g and y still have with size 1."""
    if ord in (None, "fro", "f"):
        return _vector_back(g, y, x, 2, axes)
    if ord in ("nuc", 2, -2):
        return _singular_back(g, x, ord, axes)
    summed, compared = axes if abs(ord) == 1 else axes[::-1]
    size = np.absolute(x)
    hits = np.sum(size, axis=summed, keepdims=True) == y
    return g * _direction(x, size) * _shares(hits, compared)


def _norm_dx(g: Array, y: Array, x: Array, *, ord: Any, axis: Any, keepdims: bool) -> Array:
    ndim = len(np.shape(x))
    axes = tuple(range(ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    back = _matrix_back if len(axes) == 2 and ord is not None else _vector_back
    return back(spread(g, x, axis, keepdims), spread(y, x, axis, keepdims), x, ord, axes)


@op(symbol="‖x‖", numpy=np.linalg.norm, flops=_read, tex=(r"g \frac{\partial \|X\|}{\partial X}",), vjp=(_norm_dx,))
def norm(x: Array, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    """Norm of vectors (one axis) or of matrices (two); sqrt(Σ |x|²) over any axes where ``ord`` is None.

    Of a vector: (Σ |x|^ord)^(1/ord), for ``ord`` inf the largest |x|, for -inf the smallest, for 0 how many are not 0.
    Of a matrix: "fro" sqrt(Σ |x|²); 1 and -1 the largest and the smallest sum of a column, inf and -inf of a row; 2 and
    -2 the largest and the smallest singular value, "nuc" the sum of them.

    >>> norm(np.array([3.0, 4.0])), norm(np.array([[3.0, -4.0], [0.0, 1.0]]), 1)
    (np.float64(5.0), np.float64(5.0))
    """
    return np.linalg.norm(x, ord, axis, keepdims)


@op(symbol="‖x‖", numpy=np.linalg.vector_norm, flops=_read,
    tex=(r"g \odot \operatorname{sign} X \odot \left(\frac{|X|}{Y}\right)^{p-1}",),
    vjp=(lambda g, y, x, *, axis, keepdims, ord: _vector_back(
             spread(g, x, axis, keepdims), spread(y, x, axis, keepdims), x, ord, axis),))
def vector_norm(x: Array, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Array:
    """Norm of all elements as one vector, or of those along the axes that ``axis`` names; the orders are `norm`'s.

    >>> vector_norm(np.array([[3.0, 4.0], [0.0, 12.0]]))
    np.float64(13.0)
    """
    return np.linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=ord)


@op(symbol="‖X‖", numpy=np.linalg.matrix_norm, flops=_read,
    tex=(r"g \frac{\partial \|X\|}{\partial X}",),
    vjp=(lambda g, y, x, *, keepdims, ord: _matrix_back(
             spread(g, x, (-2, -1), keepdims), spread(y, x, (-2, -1), keepdims), x, ord, (-2, -1)),))
def matrix_norm(x: Array, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """Norm of each matrix of a stack; the orders are `norm`'s.

    x: (..., m, n)  ->  (...)

    >>> matrix_norm(np.ones((5, 2, 2)), ord=2).round(6)
    array([2., 2., 2., 2., 2.])
    """
    return np.linalg.matrix_norm(x, keepdims=keepdims, ord=ord)


def _cond_dx(g: Array, y: Array, x: Array, *, p: Any) -> Array:
    g, axes = np.expand_dims(g, (-2, -1)), (-2, -1)
    if p in (None, 2, -2):
        first = 2 if p is None else p
        a = np.linalg.norm(x, first, axes, keepdims=True)
        b = np.linalg.norm(x, -first, axes, keepdims=True)
        return _matrix_back(g / b, a, x, first, axes) - _matrix_back(g * a / (b * b), b, x, -first, axes)
    inverse = np.linalg.inv(x)
    a, b = np.linalg.norm(x, p, axes, keepdims=True), np.linalg.norm(inverse, p, axes, keepdims=True)
    c = turned(inverse)
    return (_matrix_back(g * b, a, x, p, axes)
            - np.matmul(np.matmul(c, _matrix_back(g * a, b, inverse, p, axes)), c))


@op(symbol="κ", numpy=np.linalg.cond, tex=(r"\frac{1}{\sigma_n} g (u_1 v_1^\top - Y u_n v_n^\top)",), vjp=(_cond_dx,))
def cond(x: Array, p: Any = None) -> Array:
    """Condition number of each matrix: ‖x‖ ‖x⁻¹‖ in the matrix norm of order p, of which None is 2.

    x: (..., n, n), for p None, 2 and -2 also (..., m, n)  ->  (...), 1 or more; infinite where x is singular

    >>> cond(np.diag([8.0, 2.0]))
    np.float64(4.0)
    """
    return np.linalg.cond(x, p)
