"""Determinants, whose derivatives are exact at singular matrices too.

d det(a) = Σ cof(a) da, with the matrix of cofactors, det(a) a⁻ᵀ where there is an inverse. Where there is none the
cofactors are as finite as ever, for they are polynomials. Up to 4 by 4 they are the determinants of the minors. A
larger matrix is first turned to its own singular vectors, held fast, where all that is not diagonal is zero in value;
then det(a) is the determinant of the part with the large singular values, which has an inverse, times that of the Schur
complement of the 4 smallest, by minors again. So derivatives of every order are right as long as the rank is n - 4 or
more; below that they are up to the third.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.kinds import Constant
from tinygraph.core.op import op
from tinygraph.ops.linalg import adjoint, named, turned
from tinygraph.ops.solving import inv

_BY_MINORS = 4


def _minors(a: Array) -> Array:
    """The matrix of cofactors, each the determinant of a minor with its sign."""
    n = np.shape(a)[-1]
    if n < 2:
        return np.ones_like(a)
    others = [[j for j in range(n) if j != i] for i in range(n)]
    minors = np.swapaxes(a[..., others, :][..., others], -3, -2)
    place = np.arange(n, like=a)
    odd = (np.expand_dims(place, 1) + place) % 2 == 1
    cofactors = np.linalg.det(minors)
    return np.where(odd, -cofactors, cofactors)


def _svd_and_place(a: Array) -> Any:
    return (*np.linalg.svd(a), a)


# A frame to compute in: any fixed one gives the same determinant, so nothing is lost by not differentiating it.
_frame: Constant[..., Any] = Constant(_svd_and_place, "The singular vectors and values of a matrix, and where it is.")


def _cofactors(a: Array) -> Array:
    n = np.shape(a)[-1]
    if n <= _BY_MINORS:
        return _minors(a)
    k = n - _BY_MINORS
    u, s, vh, place = _frame(a)
    moved = np.matmul(np.matmul(adjoint(u), a - place), adjoint(vh))
    index = np.arange(n, like=s)
    # Below rank n - 4 the Schur complement is zero to so high an order that the large part may be anything.
    s = np.where((index < k) & (s == 0), 1, s)
    b = moved + np.where(np.expand_dims(index, 1) == index, np.expand_dims(s, -1), 0)
    inverse = inv(b[..., :k, :k])
    above, left = np.matmul(inverse, b[..., :k, k:]), np.matmul(b[..., k:, :k], inverse)
    schur = b[..., k:, k:] - np.matmul(left, b[..., :k, k:])
    minors = _minors(schur)
    lower = np.concatenate([-np.matmul(minors, turned(above)), minors], axis=-1)
    corner = np.linalg.det(schur)[..., None, None] * turned(inverse)
    upper = np.concatenate([corner, np.zeros_like(b[..., :k, k:])], axis=-1) - np.matmul(turned(left), lower)
    size = (np.linalg.det(u) * np.linalg.det(vh) * np.linalg.det(b[..., :k, :k]))[..., None, None]
    return size * np.matmul(np.matmul(np.conj(u), np.concatenate([upper, lower], axis=-2)), np.conj(vh))


@op(symbol="det", numpy=np.linalg.det,
    tex=(r"g \operatorname{cof} A",),
    vjp=(lambda g, y, a: np.expand_dims(g, (-2, -1)) * _cofactors(a),),
    flops=lambda y, a: 2 * int(np.size(a)) * int(np.shape(a)[-1]) // 3)
def det(a: Array) -> Array:
    """Determinant of each matrix of a stack; its derivatives, the cofactors, are exact at singular matrices too.

    a: (..., n, n)  ->  (...)

    >>> import tinygraph as tg
    >>> tg.grad(det)(np.array([[1.0, 2.0], [2.0, 4.0]])).round(12)
    array([[ 4., -2.],
           [-2.,  1.]])
    """
    return np.linalg.det(a)


def _slogdet_da(g: Any, y: Any, a: Array) -> Array:
    (g_sign, g_log), sign = g, y[0]
    c = np.zeros_like(y[1]) if g_log is None else g_log
    if g_sign is not None and np.iscomplexobj(a):
        # The sign turns as the imaginary part of d log det says.
        c = c + np.imag(g_sign * sign) * 1j
    return np.expand_dims(c, (-2, -1)) * turned(inv(a))


@op(symbol="log|det|", numpy=np.linalg.slogdet, outputs=2,
    tex=(r"g_1 A^{-\top}",),
    vjp=(_slogdet_da,),
    result=named(np.linalg.slogdet), flops=lambda y, a: 2 * int(np.size(a)) * int(np.shape(a)[-1]) // 3)
def slogdet(a: Array) -> Any:
    """Sign (of size 1, or 0 for a singular matrix) and logarithm of the absolute value of the determinant.

    Raises LinAlgError in backward where a matrix is singular: there the logarithm has no derivative.

    a: (..., n, n)  ->  sign: (...)   logabsdet: (...), real

    >>> slogdet(np.diag([2.0, -0.5, 1.0])).logabsdet
    np.float64(0.0)
    """
    return tuple(np.linalg.slogdet(a))
