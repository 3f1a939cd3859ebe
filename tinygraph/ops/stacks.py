"""The names that np.linalg has beside np's own: the same functions, of the last two axes of a stack of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.kinds import composed, constant
from tinygraph.ops import linalg

matrix_rank = constant(np.linalg.matrix_rank, "How many singular values of a matrix are not zero to rounding.")


@composed(name="linalg.matmul", numpy=np.linalg.matmul)
def matmul(x1: Array, x2: Array) -> Array:
    """Matrix product over the last two axes: see `tinygraph.matmul`.

    >>> matmul(np.ones((2, 3)), np.ones((3, 4))).shape
    (2, 4)
    """
    return linalg.matmul(x1, x2)


@composed(name="linalg.outer", numpy=np.linalg.outer)
def outer(x1: Array, x2: Array) -> Array:
    """Every product of an element of one vector and one of another: see `tinygraph.outer`.

    x1: (n,)   x2: (m,)  ->  (n, m)

    >>> outer(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    array([[3., 4.],
           [6., 8.]])
    """
    if len(np.shape(x1)) != 1 or len(np.shape(x2)) != 1:
        raise ValueError(f"both must have one axis, and have shapes {np.shape(x1)} and {np.shape(x2)}")
    return linalg.outer(x1, x2)


@composed(name="linalg.tensordot", numpy=np.linalg.tensordot)
def tensordot(x1: Array, x2: Array, *, axes: Any = 2) -> Array:
    """Sum of products over pairs of axes: see `tinygraph.tensordot`.

    >>> tensordot(np.ones((2, 3)), np.ones((3, 4)), axes=1).shape
    (2, 4)
    """
    return linalg.tensordot(x1, x2, axes)


@composed(name="linalg.trace", numpy=np.linalg.trace)
def trace(x: Array, *, offset: int = 0, dtype: Any = None) -> Array:
    """Sum of the diagonal of each matrix of a stack.

    x: (..., m, n)  ->  (...)

    >>> trace(np.ones((4, 2, 3)))
    array([2., 2., 2., 2.])
    """
    return np.trace(x, offset, -2, -1, dtype)


@composed(name="linalg.diagonal", numpy=np.linalg.diagonal)
def diagonal(x: Array, *, offset: int = 0) -> Array:
    """The diagonal of each matrix of a stack.

    x: (..., m, n)  ->  (..., k)

    >>> diagonal(np.ones((4, 2, 3))).shape
    (4, 2)
    """
    return np.diagonal(x, offset, -2, -1)


@composed(name="linalg.cross", numpy=np.linalg.cross)
def cross(x1: Array, x2: Array, *, axis: int = -1) -> Array:
    """Vector product of vectors of three elements, along an axis: see `tinygraph.cross`.

    >>> cross(np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]))
    array([0., 0., 1.])
    """
    if np.shape(x1)[axis] != 3 or np.shape(x2)[axis] != 3:
        raise ValueError(f"both must have 3 elements along axis {axis}, and have {np.shape(x1)[axis]} and "
                         f"{np.shape(x2)[axis]}")
    return np.cross(x1, x2, axis=axis)


@composed(name="linalg.matrix_transpose", numpy=np.linalg.matrix_transpose)
def matrix_transpose(x: Array) -> Array:
    """Each matrix of a stack transposed.

    x: (..., m, n)  ->  (..., n, m)

    >>> matrix_transpose(np.ones((4, 2, 3))).shape
    (4, 3, 2)
    """
    if len(np.shape(x)) < 2:
        raise ValueError(f"a matrix has at least 2 axes, and this has shape {np.shape(x)}")
    return linalg.turned(x)
