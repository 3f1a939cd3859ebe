"""Matrices made of vectors and vectors made of matrices: diagonals, triangles, kron, cross, covariances."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.kinds import composed
from tinygraph.core.op import as_array, op
from tinygraph.ops.index import scatter_add

__all__ = ["corrcoef", "cov", "cross", "diag", "diagflat", "diagonal", "kron", "polyval", "trace", "tril", "triu",
           "vander"]


def _on_diagonal(g: Array, shape: tuple[int, ...], offset: int, axis1: int, axis2: int) -> Array:
    """Zeros of a shape with ``g``, whose last axis runs along the diagonal of two axes, upon that diagonal."""
    first, second = axis1 % len(shape), axis2 % len(shape)
    rows, columns, length = shape[first], shape[second], np.shape(g)[-1]
    rest = [n for axis, n in enumerate(shape) if axis not in (first, second)]
    # In a matrix laid out row by row the diagonal is a slice, which needs no list of places.
    start = offset if offset >= 0 else -offset * columns
    stop = start + (length - 1) * (columns + 1) + 1 if length else start
    flat = scatter_add(g, (..., slice(start, stop, columns + 1)), (*rest, rows * columns))
    return np.moveaxis(np.reshape(flat, (*rest, rows, columns)), (-2, -1), (first, second))


@op(symbol="diagonal", numpy=np.diagonal,
    tex=(r"\operatorname{diag}(g)",),
    vjp=(lambda g, y, a, *, offset, axis1, axis2: _on_diagonal(
    g, np.shape(a), offset, axis1, axis2),))
def diagonal(a: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """The diagonals of the matrices in two axes, along a new last axis; above the main one by ``offset``.

    >>> diagonal(np.arange(4.0).reshape(2, 2))
    array([0., 3.])
    """
    return np.diagonal(a, offset, axis1, axis2)


@op(symbol="diag", numpy=np.diag,
    tex=(r"\operatorname{diag}(g)",),
    vjp=(lambda g, y, v, *, k: np.diagonal(g, k) if len(np.shape(v)) == 1
                                       else _on_diagonal(g, np.shape(v), k, 0, 1),))
def diag(v: Array, k: int = 0) -> Array:
    """A matrix with a vector on its diagonal; of a matrix, the diagonal. Above the main one by ``k``.

    >>> diag(np.array([1.0, 2.0]))
    array([[1., 0.],
           [0., 2.]])
    """
    return np.diag(v, k)


@composed(numpy=np.diagflat)
def diagflat(v: Array, k: int = 0) -> Array:
    """A matrix with all the elements of an array on its diagonal, above the main one by ``k``.

    >>> diagflat([[1.0, 2.0]])
    array([[1., 0.],
           [0., 2.]])
    """
    return diag(np.ravel(v), k)


@composed(numpy=np.trace)
def trace(a: Array, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: None = None) -> Array:
    """The sum along the diagonal of two axes, above the main one by ``offset``.

    >>> trace(np.arange(4.0).reshape(2, 2))
    np.float64(3.0)
    """
    return np.sum(diagonal(a, offset, axis1, axis2), -1, dtype)


@op(symbol="tril", numpy=np.tril, tex=(r"\operatorname{tril}(g)",), vjp=(lambda g, y, m, *, k: np.tril(g, k),))
def tril(m: Array, k: int = 0) -> Array:
    """The lower triangles of the matrices in the last two axes, up to diagonal ``k``; zeros above.

    >>> tril(np.ones((2, 2)))
    array([[1., 0.],
           [1., 1.]])
    """
    return np.tril(m, k)


@op(symbol="triu", numpy=np.triu, tex=(r"\operatorname{triu}(g)",), vjp=(lambda g, y, m, *, k: np.triu(g, k),))
def triu(m: Array, k: int = 0) -> Array:
    """The upper triangles of the matrices in the last two axes, from diagonal ``k`` on; zeros below.

    >>> triu(np.ones((2, 2)))
    array([[1., 1.],
           [0., 1.]])
    """
    return np.triu(m, k)


@composed(numpy=np.kron)
def kron(a: Array, b: Array) -> Array:
    """The Kronecker product: a copy of b for each element of a, times that element.

    a: (m, n)   b: (p, q)  ->  (m p, n q); of other numbers of axes likewise

    >>> kron(np.array([1, 10]), np.array([1, 2]))
    array([ 1,  2, 10, 20])
    """
    ndim = max(np.ndim(a), np.ndim(b))
    left, right = ((1,) * (ndim - np.ndim(x)) + np.shape(x) for x in (a, b))
    spread_a = np.reshape(a, [n for size in left for n in (size, 1)])
    spread_b = np.reshape(b, [n for size in right for n in (1, size)])
    return np.reshape(spread_a * spread_b, [m * n for m, n in zip(left, right, strict=True)])


@composed(numpy=np.cross)
def cross(a: Array, b: Array, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Array:
    """The vector product of the vectors along an axis of each; of two in the plane, its third component alone.

    >>> cross(np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]))
    array([0., 0., 1.])
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(a, axisa, -1), np.moveaxis(b, axisb, -1)
    sizes = np.shape(a)[-1], np.shape(b)[-1]
    if not {*sizes} <= {2, 3}:
        raise ValueError(f"vectors of {sizes[0]} and {sizes[1]} components: there must be 2 or 3")
    third = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    if sizes == (2, 2):
        return third
    if sizes == (2, 3):
        parts = [a[..., 1] * b[..., 2], -a[..., 0] * b[..., 2], third]
    elif sizes == (3, 2):
        parts = [-a[..., 2] * b[..., 1], a[..., 2] * b[..., 0], third]
    else:
        parts = [a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1], a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2], third]
    return np.stack(parts, axisc)


@composed(numpy=np.vander)
def vander(x: Array, N: int | None = None, increasing: bool = False) -> Array:
    """The Vandermonde matrix: N powers of each element of a vector, falling unless ``increasing``.

    >>> vander(np.array([2.0, 3.0]), 3)
    array([[4., 2., 1.],
           [9., 3., 1.]])
    """
    x = as_array(x)
    if np.ndim(x) != 1:
        raise ValueError(f"x is a vector, and this has shape {np.shape(x)}")
    N = np.size(x) if N is None else N
    powers = np.arange(N, like=x) if increasing else np.arange(N - 1, -1, -1, like=x)
    return np.power(np.reshape(x, (-1, 1)), powers)


@composed(numpy=np.polyval)
def polyval(p: Array, x: Array) -> Array:
    """The polynomial with coefficients ``p``, that of the highest power first, at x, elementwise: by Horner's rule.

    >>> polyval(np.array([1.0, 0.0, -2.0]), np.array([2.0, 3.0]))
    array([2., 7.])
    """
    p, x = as_array(p), as_array(x)
    y = np.zeros_like(x)
    for i in range(np.shape(p)[0]):
        y = y * x + p[i]
    return y


def _variables(m: Array, rowvar: bool, dtype: Any) -> Array:
    """Observations with a row for each variable; one variable where ``m`` is a vector."""
    if np.ndim(m) > 2:
        raise ValueError(f"observations have at most 2 axes, and these have shape {np.shape(m)}")
    rows = np.reshape(m, (1,) * (2 - np.ndim(m)) + np.shape(m))
    rows = rows if rows.dtype == dtype else rows.astype(dtype)
    return rows if rowvar or np.shape(rows)[0] == 1 else np.transpose(rows)


def _weights(w: Any, name: str, n: int) -> Any:
    if w is not None and np.shape(w) != (n,):
        raise ValueError(f"{name} has shape {np.shape(w)}, and there are {n} observations")
    return None if w is None else as_array(w)


@composed(numpy=np.cov)
def cov(m: Array, y: Array | None = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None,
        fweights: Array | None = None, aweights: Array | None = None, *, dtype: Any = None) -> Array:
    """The covariance matrix of variables, a row each (a column where not ``rowvar``), from observations.

    Divides by N - 1, by N where ``bias``, by N - ddof where that is given; ``fweights`` says how often each
    observation was made, ``aweights`` how much it counts.

    >>> cov(np.array([[0.0, 2.0], [2.0, 0.0]]))
    array([[ 2., -2.],
           [-2.,  2.]])
    """
    both = [as_array(m)] if y is None else [as_array(m), as_array(y)]
    dtype = np.result_type(*both, np.float64) if dtype is None else dtype
    x = _variables(both[0], rowvar or np.ndim(m) == 1, dtype)
    if not np.shape(x)[0]:
        return np.reshape(x, (0, 0))
    if y is not None:
        x = np.concatenate([x, _variables(both[1], rowvar, dtype)])
    n = np.shape(x)[1]
    ddof = (0 if bias else 1) if ddof is None else ddof
    fweights, aweights = _weights(fweights, "fweights", n), _weights(aweights, "aweights", n)
    w = fweights if aweights is None else aweights if fweights is None else fweights * aweights
    if w is None:
        free = n - ddof if n > ddof else 0
        above = x - np.mean(x, 1, keepdims=True)
        weighted = above
    else:
        total = np.sum(w)
        free = total if ddof == 0 else total - ddof * (1 if aweights is None else np.sum(w * aweights) / total)
        above = x - np.sum(x * w, 1, keepdims=True) / total
        weighted = above * w
    return np.squeeze(np.dot(above, np.conj(np.transpose(weighted))) * np.true_divide(1, free))


@composed(numpy=np.corrcoef)
def corrcoef(x: Array, y: Array | None = None, rowvar: bool = True, *, dtype: Any = None) -> Array:
    """The correlation matrix: the covariances, each divided by the two standard deviations.

    >>> corrcoef(np.array([[0.0, 2.0], [2.0, 0.0]]))
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    c = cov(x, y, rowvar, dtype=dtype)
    if not np.ndim(c):
        return c / c
    deviation = np.sqrt(np.real(diag(c)))
    c = c / deviation[:, None] / deviation
    # Rounding must not take a correlation out of [-1, 1].
    if not np.iscomplexobj(c):
        return np.clip(c, -1, 1)
    return np.clip(np.real(c), -1, 1) + 1j * np.clip(np.imag(c), -1, 1)
