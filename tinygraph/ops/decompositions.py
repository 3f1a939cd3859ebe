"""Factors of matrices: Cholesky, QR, eigenvalues and eigenvectors, singular values and vectors; stacks of them too.

Two things hold throughout. A function of a Hermitian matrix reads one of its triangles; its gradient is that of the
Hermitian matrix, shared equally by both triangles. And vectors are defined up to their sign or phase, those of equal
values up to a rotation: the gradient is that of a function which does not depend on it. So where two eigenvalues or
singular values are equal to rounding, the pair is left out of the vectors' gradient, which else would be infinite; the
gradient of the values is exact there too.

With dY = f(dA) and a cotangent g, the rules below solve Re Σ g dY = Re Σ c dA for c. The derivations follow Giles,
"Collected matrix derivative results for forward and reverse mode algorithmic differentiation" (2008); for complex
matrices see Boeddeker et al., "On the computation of complex-valued gradients" (arXiv:1701.00392, eig), and Wan and
Zhang, "Automatic differentiation for complex valued SVD" (arXiv:1909.02659). The costs are those of the usual
algorithms as Golub and Van Loan count them, "Matrix Computations", 4th edition (2013).
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.op import op
from tinygraph.ops.linalg import adjoint, named, turned
from tinygraph.ops.solving import solve


def _by_both_triangles(c: Array) -> Array:
    """What a Hermitian matrix sees of a cotangent."""
    return (c + adjoint(c)) / 2


def _half_lower(x: Array) -> Array:
    """The lower triangle, with half of the diagonal."""
    return (np.tril(x) + np.tril(x, -1)) / 2


def _inverse_gaps(w: Array) -> Array:
    """1 / (w_j - w_i) at i, j; 0 where the two are equal to rounding."""
    n = np.shape(w)[-1]
    gap = np.expand_dims(w, -2) - np.expand_dims(w, -1)
    largest = np.max(np.absolute(w), axis=-1, keepdims=True, initial=0)
    equal = np.absolute(gap) <= np.expand_dims(largest, -1) * (n * float(np.finfo(w.dtype).eps))
    return np.where(equal, 0, 1 / np.where(equal, 1, gap))


def _cholesky_da(g: Array, y: Array, a: Array, *, upper: bool) -> Array:
    l, g = (adjoint(y), np.conj(turned(g))) if upper else (y, g)  # noqa: E741
    phi = _half_lower(np.matmul(turned(l), g))
    # l⁻ᵀ Φ(lᵀ g) conj(l⁻¹), by two solutions.
    left = solve(turned(l), phi)
    return _by_both_triangles(turned(solve(adjoint(l), turned(left))))


@op(symbol="LLᵀ", numpy=np.linalg.cholesky,
    tex=(r"\operatorname{sym}(Y^{-\top} \Phi(Y^\top g) Y^{-1})",),
    vjp=(_cholesky_da,),
    flops=lambda y, a, **params: int(np.size(a)) * np.shape(a)[-1] // 3)
def cholesky(a: Array, *, upper: bool = False) -> Array:
    """The lower triangular l, with a positive diagonal, of a = l lᴴ; with ``upper`` the u of a = uᴴ u.

    Only one triangle of ``a`` is read; the gradient is shared equally by both.

    a: (..., n, n), Hermitian and positive definite  ->  (..., n, n)

    Raises LinAlgError where a is not positive definite.

    >>> cholesky(np.array([[4.0, 2.0], [2.0, 10.0]]))
    array([[2., 0.],
           [1., 3.]])
    """
    return np.linalg.cholesky(a, upper=upper) if upper else np.linalg.cholesky(a)


def _qr_da(g: Any, y: Any, a: Array, *, mode: str) -> Array:
    q, r = np.linalg.qr(a) if mode == "r" else y
    gq, gr = (None, g[0]) if mode == "r" else g
    gq = np.zeros_like(q) if gq is None else gq
    gr = np.zeros_like(r) if gr is None else gr
    m, n = np.shape(a)[-2:]
    k = min(m, n)
    if np.shape(q)[-1] > k:
        gq, q, r, gr = _within(gq, q, k), q[..., :k], r[..., :k, :], gr[..., :k, :]
    # The columns of a beyond the square are only multiplied: r = qᴴ a there.
    rest, gr_rest = a[..., k:], gr[..., k:]
    r, gr = r[..., :k], gr[..., :k]
    gq = gq + np.matmul(np.conj(rest), adjoint(gr_rest)) if n > k else gq
    x = turned(_half_lower(turned(np.matmul(gr, turned(r)) - np.matmul(turned(q), gq))))
    c = turned(solve(r, turned(gq + np.matmul(np.conj(q), x + adjoint(x)))))
    return np.concatenate([c, np.matmul(np.conj(q), gr_rest)], axis=-1) if n > k else c


def _within(g: Array, q: Array, k: int) -> Array:
    """The cotangent of the first k columns of a unitary matrix, the others expressed by them.

    The others turn so that all stay orthogonal, dq₂ = -q₁ dq₁ᴴ q₂, and need not turn among themselves.
    """
    q1, q2, g1, g2 = q[..., :k], q[..., k:], g[..., :k], g[..., k:]
    return g1 - np.matmul(np.matmul(np.conj(q2), adjoint(g2)), np.conj(q1))


@op(symbol="QR", numpy=np.linalg.qr,
    tex=(r"(g_0 + Y_0 \operatorname{copyltu}(Y_1 g_1^\top - g_0^\top Y_0)) Y_1^{-\top}",),
    vjp=(_qr_da,), outputs=sys.maxsize, result=named(np.linalg.qr),
    flops=lambda y, a, **params: 2 * int(np.size(a)) * min(np.shape(a)[-2:]))
def qr(a: Array, mode: Any = "reduced") -> Any:
    """a = q r with orthonormal columns in q and r upper triangular; ``mode`` "r" gives r alone.

    With k = min(m, n), the first k columns of ``a`` must be independent for there to be a gradient. ``mode`` "complete"
    makes q square; the gradient then is that of functions which do not depend on how the columns that are added are
    turned among themselves.

    a: (..., m, n)  ->  q: (..., m, k)   r: (..., k, n); complete: (..., m, m) and (..., m, n)

    >>> q, r = qr(np.array([[3.0, 1.0], [4.0, 2.0]]))
    >>> np.absolute(r).round(6)
    array([[5. , 2.2],
           [0. , 0.4]])
    """
    if mode not in ("reduced", "complete", "r"):
        raise TypeError(f"mode={mode!r} has no derivative rule; use 'reduced', 'complete' or 'r'")
    factors = np.linalg.qr(a, mode)
    return (factors,) if mode == "r" else tuple(factors)


def _eigh_da(g: Any, y: Any, a: Array) -> Array:
    (gw, gv), (w, v) = g, y
    inner = np.zeros_like(v) if gw is None else np.conj(v) * np.expand_dims(gw, -2)
    if gv is not None:
        inner = inner + np.matmul(np.conj(v), _inverse_gaps(w) * np.matmul(turned(v), gv))
    return _by_both_triangles(np.matmul(inner, turned(v)))


@op(symbol="eigh", numpy=np.linalg.eigh, outputs=2, result=named(np.linalg.eigh),
    flops=lambda y, a, **params: 9 * int(np.size(a)) * np.shape(a)[-1],
    tex=(r"Y_1 (\operatorname{diag} g_0 + F \odot (Y_1^\top g_1)) Y_1^\top",), vjp=(_eigh_da,))
def eigh(a: Array, UPLO: Any = "L") -> Any:
    """Eigenvalues, rising, and orthonormal eigenvectors, as columns, of a Hermitian matrix: a v = v diag(w).

    Only the triangle that ``UPLO`` names (lower "L" or upper "U") is read; the gradient is shared equally by both.
    Where eigenvalues are equal, theirs is exact, and the eigenvectors' leaves out what would be infinite.

    a: (..., n, n)  ->  eigenvalues: (..., n), real   eigenvectors: (..., n, n)

    >>> eigh(np.array([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    array([1., 2.])
    """
    return tuple(np.linalg.eigh(a, UPLO))


@op(symbol="eigvalsh", numpy=np.linalg.eigvalsh,
    flops=lambda y, a, **params: 4 * int(np.size(a)) * np.shape(a)[-1] // 3,
    tex=(r"V \operatorname{diag}(g) V^\top",),
    vjp=(lambda g, y, a, *, UPLO: _eigh_da((g, None), np.linalg.eigh(a, UPLO), a),))
def eigvalsh(a: Array, UPLO: Any = "L") -> Array:
    """Eigenvalues of a Hermitian matrix, rising; see `eigh`.

    >>> eigvalsh(np.array([[2.0, 0.0], [0.0, 1.0]]))
    array([1., 2.])
    """
    return np.linalg.eigvalsh(a, UPLO)


def _eig_da(g: Any, y: Any, a: Array) -> Array:
    (gw, gv), (w, v) = g, y
    inner = np.zeros_like(v) if gw is None else np.expand_dims(gw, -1) * turned(v)
    if gv is not None:
        along = np.matmul(turned(v), gv)
        # Each column keeps its length 1.
        stretch = np.real(np.sum(v * gv, axis=-2, keepdims=True))
        turning = _inverse_gaps(w) * (along - np.matmul(turned(v), np.conj(v)) * stretch)
        inner = inner + np.matmul(turning, turned(v))
    return solve(turned(v), inner)


@op(symbol="eig", numpy=np.linalg.eig, outputs=2, result=named(np.linalg.eig),
    flops=lambda y, a: 25 * int(np.size(a)) * np.shape(a)[-1],
    tex=(r"V^{-\top} (\operatorname{diag} g_0 + F \odot (V^\top (g_1 - V s))) V^\top",), vjp=(_eig_da,))
def eig(a: Array) -> Any:
    """Eigenvalues and eigenvectors, as columns of length 1, of any square matrix: a v = v diag(w).

    The gradient is that of functions which do not depend on the phase of an eigenvector. Raises LinAlgError in
    backward where the eigenvectors do not span the space.

    a: (..., n, n)  ->  eigenvalues: (..., n)   eigenvectors: (..., n, n); both complex, or real where NumPy's are

    >>> eig(np.array([[2.0, 1.0], [0.0, 1.0]])).eigenvalues
    array([2., 1.])
    """
    return tuple(np.linalg.eig(a))


@op(symbol="eigvals", numpy=np.linalg.eigvals, flops=lambda y, a: 10 * int(np.size(a)) * np.shape(a)[-1],
    tex=(r"V^{-\top} \operatorname{diag}(g) V^\top",), vjp=(lambda g, y, a: _eig_da((g, None), np.linalg.eig(a), a),))
def eigvals(a: Array) -> Array:
    """Eigenvalues of a square matrix; see `eig`.

    >>> eigvals(np.array([[2.0, 1.0], [0.0, 1.0]]))
    array([2., 1.])
    """
    return np.linalg.eigvals(a)


def _svd_back(g: Any, y: Any) -> Array:
    (gu, gs, gvh), (u, s, vh) = g, y
    k = np.shape(s)[-1]
    if gu is not None:
        gu = _within(gu, u, k) if np.shape(u)[-1] > k else gu
    if gvh is not None:
        gvh = turned(_within(turned(gvh), turned(vh), k)) if np.shape(vh)[-2] > k else gvh
    u, vh = u[..., :k], vh[..., :k, :]
    left, right = np.conj(u), np.conj(vh)
    c = np.zeros_like(left) if gs is None else left * np.expand_dims(gs, -2)
    row, column = np.expand_dims(s, -2), np.expand_dims(s, -1)
    outside = 0
    if gu is not None or gvh is not None:
        gaps = _inverse_gaps(s) / np.where(row + column == 0, 1, row + column)  # 1 / (s_j² - s_i²)
        inverse = np.where(s == 0, 0, 1 / np.where(s == 0, 1, s))
    if gu is not None:
        p = np.matmul(turned(u), gu)
        turning = gaps * p
        c = c + np.matmul(left, (turning + adjoint(turning)) * row) + _phase(left, p, inverse)
        if np.shape(u)[-2] > k:
            outside = outside + np.matmul((gu - np.matmul(left, p)) * np.expand_dims(inverse, -2), right)
    if gvh is not None:
        p = np.matmul(gvh, turned(vh))
        turning = gaps * p
        c = c - np.matmul(left, column * (turning + adjoint(turning))) + _phase(left, p, inverse)
        if np.shape(vh)[-1] > k:
            outside = outside + np.matmul(left * np.expand_dims(inverse, -2), gvh - np.matmul(p, right))
    return np.matmul(c, right) + outside


def _phase(left: Array, p: Array, inverse: Array) -> Array:
    """What turns the phases of a pair of vectors against each other; each has half of it, and real ones none."""
    if not np.iscomplexobj(p):
        return 0
    return left * np.expand_dims(np.imag(np.einsum("...ii->...i", p)) * inverse * 0.5j, -2)


def _svd_da(g: Any, y: Any, a: Array, *, compute_uv: bool, hermitian: bool) -> Array:
    if not compute_uv:
        g, y = (None, g[0], None), np.linalg.svd(a, False, True, hermitian)
    c = _svd_back(g, y)
    return _by_both_triangles(c) if hermitian else c


def _svd_cost(y: Any, a: Array, compute_uv: Any = False, **params: Any) -> int:
    """14 m n² + 8 n³ for vectors and values of m by n numbers, m >= n; 4 m n² for the values alone."""
    n, m = sorted(np.shape(a)[-2:])
    return int(np.size(a) * (14 * n + 8 * n * n // (m or 1) if compute_uv else 4 * n))


@op(symbol="SVD", numpy=np.linalg.svd, outputs=3, result=named(np.linalg.svd), flops=_svd_cost,
    tex=(r"U (\operatorname{diag} g_1 + 2 (F \odot \operatorname{skew}(U^\top g_0)) S + \dots) V^\top",),
    vjp=(_svd_da,))
def svd(a: Array, full_matrices: bool = True, compute_uv: Any = True, hermitian: bool = False) -> Any:
    """Singular values s, falling, and vectors: a = u[..., :k] diag(s) vh[..., :k, :], with k = min(m, n).

    The gradient is that of functions which do not depend on the phase of a pair of vectors, nor, with
    ``full_matrices``, on how the vectors that are added are turned among themselves. ``compute_uv=False`` gives s
    alone; ``hermitian`` says that ``a`` is, of which then one triangle is read.

    a: (..., m, n)  ->  u: (..., m, m) or (..., m, k)   s: (..., k)   vh: (..., n, n) or (..., k, n)

    >>> svd(np.array([[0.0, 2.0], [1.0, 0.0]])).S
    array([2., 1.])
    """
    parts = np.linalg.svd(a, full_matrices, compute_uv, hermitian)
    return tuple(parts) if compute_uv else (parts,)


@op(symbol="σ", numpy=np.linalg.svdvals, flops=_svd_cost,
    tex=(r"U \operatorname{diag}(g) V^\top",),
    vjp=(lambda g, y, x: _svd_back((None, g, None), np.linalg.svd(x, full_matrices=False)),))
def svdvals(x: Array) -> Array:
    """Singular values, falling; see `svd`.

    x: (..., m, n)  ->  (..., min(m, n))

    >>> svdvals(np.array([[0.0, 2.0], [1.0, 0.0]]))
    array([2., 1.])
    """
    return np.linalg.svdvals(x)
