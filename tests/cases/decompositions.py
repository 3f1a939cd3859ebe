"""Inverses, solutions, determinants, factors of matrices and functions of them.

What is defined up to a sign, a phase or a rotation is read as what is not: a product of factors, the projection upon
the vectors. An op that reads one triangle is moved along Hermitian matrices alone.
"""

from __future__ import annotations

import numpy as np

from cases.samples import apart, cplx, empty, real, regular
from tinygraph.testing import Case


def adjoint(a):
    return np.conj(np.swapaxes(a, -1, -2))


def hermitian(a):
    return (a + adjoint(a)) / 2


def definite(a):
    return np.matmul(a, adjoint(a)) + np.eye(a.shape[-1], dtype=a.dtype, like=a)


def leading(*shape, of=real):
    """Matrices whose first columns, as many as there are rows at most, are far from dependent."""
    while True:
        a = of(*shape)
        if np.max(np.linalg.cond(a[..., :min(shape[-2:])])) < 20:
            return a


def square(*batch):
    return apart(*batch, 3, 3)


def weights(n, like):
    """Different weights for n columns, so that to exchange two is seen."""
    return np.arange(1, n + 1, like=like) * 0.5


def projections(v):
    """Σ_k weight_k v_k v_kᴴ over the columns of v: what is left without their phases."""
    return np.matmul(v * weights(v.shape[-1], v), adjoint(v))


def values_and_projections(parts):
    return parts[0], projections(parts[1])


def whole(k):
    """Of an SVD: the values, the product of both sides' vectors, and the projections upon those that were added."""
    def read(parts):
        u, s, vh = parts
        middle = np.matmul(u[..., :k] * weights(k, u), vh[..., :k, :])
        added = [np.matmul(x, adjoint(x)) for x in (u[..., k:], adjoint(vh)[..., k:])]
        return (s, middle, *added)
    return read


def completed(k):
    def read(parts):
        q, r = parts
        return q[..., :k], r, np.matmul(q[..., k:], adjoint(q[..., k:]))
    return read


def powers(v):
    """Eigenvalues without their order, which two that are conjugate may exchange."""
    return np.sum(v, -1), np.sum(v * v, -1), np.sum(v * v * v, -1)


def of_eig(parts):
    w, v = parts
    size = np.absolute(v)
    return np.sum(w * np.sum(size ** 4, -2), -1), np.sum(w * w, -1)


def singular(n, rank):
    a = np.linalg.qr(real(n, n))[0]
    return (a[:, :rank] * np.arange(1.0, rank + 1)) @ np.linalg.qr(real(n, n))[0][:rank]


def series(a):
    """exp by its series: slow, and nobody's code."""
    total = term = np.eye(a.shape[-1], dtype=a.dtype) + 0 * a
    for k in range(1, 60):
        term = term @ a / k
        total = total + term
    return total


def root(a):
    """The square root by eigenvectors."""
    w, v = np.linalg.eig(a)
    y = (v * np.sqrt(w + 0j)) @ np.linalg.inv(v)
    return y if np.iscomplexobj(a) or (w.real < 0).any() else y.real


def triangular(a, b, trans=0, lower=False, unit_diagonal=False, **_):
    a = np.tril(a) if lower else np.triu(a)
    if unit_diagonal:
        a = a - np.diag(np.diag(a)) + np.eye(len(a))
    return np.linalg.solve({0: a, 1: a.T, 2: a.conj().T}[{"N": 0, "T": 1, "C": 2}.get(trans, trans)], b)


def sylvester(a, b, q):
    m, n = q.shape
    return np.linalg.solve(np.kron(a, np.eye(n)) + np.kron(np.eye(m), b.T), q.ravel()).reshape(m, n)


SYMMETRIC = [*(Case(a).on(hermitian) for a in (square(), square(2), cplx(3, 3), real(1, 1), empty(0, 0)))]

CASES = {
    "inv": [Case(square()), Case(square(2)), Case(regular(3, 3, of=cplx)), Case(real(1, 1)), Case(empty(0, 0)),
            Case(empty(0, 2, 2))],
    "solve": [Case(square(), real(3)), Case(square(), real(3, 2)), Case(square(2), real(3)),
              Case(square(2), real(3, 4)), Case(square(2), real(2, 3, 1)), Case(square(), real(2, 3, 2)),
              Case(regular(3, 3, of=cplx), cplx(3)), Case(regular(2, 3, 3, of=cplx), real(3, 2)),
              Case(square(5, 1), real(2, 3, 2)),
              Case(empty(0, 0), empty(0)), Case(empty(0, 0), empty(0, 2)), Case(square(), empty(3, 0))],
    "pinv": [Case(regular(3, 3)), Case(regular(4, 2)), Case(regular(2, 4)), Case(regular(2, 4, 3)), Case(cplx(4, 2)),
             Case(cplx(2, 2, 3)), Case(real(4, 2), 1e-10), Case(real(2, 3, 2), np.array([1e-10, 1e-12])),
             Case(real(3, 2), rtol=1e-10), Case(square(), hermitian=True).on(hermitian), Case(empty(0, 3)),
             # The rank is 2 and stays so; in float32 what rounding adds would count.
             Case(real(4, 4), 1e-10).on(lambda a: np.matmul(a[:, :2], a[:2, :])).without("float32")],
    "lstsq": [Case(a, b).read(lambda parts: (*parts[:2], parts[3])) for a, b in [
        (regular(5, 3), real(5)), (regular(5, 3), real(5, 2)), (regular(3, 5), real(3)), (regular(3, 5), real(3, 2)),
        (regular(3, 3), real(3)), (cplx(4, 2), cplx(4)), (cplx(4, 2), real(4, 3)), (cplx(2, 3), cplx(2))]]
        + [Case(real(5, 2), real(5), rcond=r).read(lambda parts: parts[0]) for r in (-1, 1e-10)],
    "tensorinv": [Case(regular(6, 6).reshape(6, 2, 3), ind=1), Case(regular(6, 6).reshape(2, 3, 6)),
                  Case(regular(4, 4).reshape(2, 2, 4)), Case(regular(4, 4, of=cplx).reshape(2, 2, 2, 2))],
    "tensorsolve": [Case(regular(6, 6).reshape(2, 3, 6), real(2, 3)),
                    Case(regular(12, 12).reshape(2, 2, 3, 3, 4), real(2, 2, 3)),
                    Case(regular(6, 6).reshape(6, 2, 3), real(6)),
                    Case(np.moveaxis(regular(6, 6).reshape(6, 2, 3), 0, 1), real(6), axes=(0, 2)),
                    Case(regular(4, 4, of=cplx).reshape(2, 2, 2, 2), real(2, 2))],
    "det": [*(Case(regular(n, n)) for n in (1, 2, 3, 4, 5, 7)), Case(regular(2, 3, 3)),
            Case(regular(3, 3, of=cplx)), Case(regular(2, 6, 6, of=cplx)),
            Case(empty(0, 0)), Case(empty(0, 2, 2)),
            *(Case(singular(n, rank)) for n, rank in ((2, 1), (3, 2), (3, 1), (4, 2), (6, 5), (6, 4), (7, 3), (8, 4))),
            Case(np.zeros((3, 3))), Case(np.zeros((7, 7))), Case(singular(8, 2))],
    "slogdet": [Case(regular(3, 3)), Case(regular(2, 5, 5)), Case(regular(3, 3, of=cplx)),
                Case(regular(2, 2, 2, of=cplx)), Case(real(1, 1)), Case(empty(0, 0))],
    "cholesky": [Case(a, **k).on(definite) for a in (real(3, 3), real(2, 3, 3), cplx(3, 3), real(1, 1), empty(0, 0))
                 for k in ({}, {"upper": True})],
    "qr": [*(Case(a) for a in (leading(3, 3), leading(5, 3), leading(3, 5), leading(2, 4, 2), leading(2, 2, 3),
                               leading(3, 3, of=cplx), leading(4, 2, of=cplx), leading(2, 2, 3, of=cplx), empty(3, 0),
                               empty(0, 3))),
           *(Case(a, "r") for a in (leading(3, 3), leading(4, 2), leading(2, 4), leading(4, 2, of=cplx))),
           *(Case(a, mode="complete").read(completed(k)) for a, k in (
               (leading(3, 3), 3), (leading(5, 3), 3), (leading(3, 5), 3), (leading(4, 2, of=cplx), 2),
               (leading(2, 4, 2), 2)))],
    "eigh": [*(Case(*c.args).on(hermitian).read(values_and_projections) for c in SYMMETRIC),
             Case(square(), "U").on(hermitian).read(values_and_projections),
             Case(cplx(2, 3, 3), UPLO="U").on(hermitian).read(values_and_projections),
             # Signs of real vectors stay what they are.
             Case(square()).on(hermitian)],
    "eigvalsh": [*SYMMETRIC, Case(cplx(2, 3, 3), "U").on(hermitian)],
    # Of real matrices too LAPACK turns the sign of a vector now and then.
    "eig": [Case(real(1, 1)), Case(empty(0, 0)),
            *(Case(a).read(of_eig) for a in (square(), square(2), cplx(3, 3), cplx(2, 3, 3),
                                             np.array([[1.0, -2.0], [3.0, 0.5]])))],
    "eigvals": [Case(square()), Case(square(2)), Case(cplx(3, 3)), Case(empty(0, 0)),
                Case(np.array([[1.0, -2.0], [3.0, 0.5]])).read(powers)],
    "svd": [*(Case(a, full).read(whole(min(a.shape[-2:]))) for full in (False, True) for a in (
                square(), apart(4, 2), apart(2, 4), apart(2, 4, 3), cplx(3, 3), cplx(4, 2), cplx(2, 2, 3))),
            Case(apart(4, 2), full_matrices=False), Case(apart(4, 2), compute_uv=False),
            Case(cplx(2, 4), compute_uv=False), Case(square(), hermitian=True).on(hermitian).read(whole(3)),
            Case(square(), compute_uv=False, hermitian=True).on(hermitian), Case(empty(0, 3), False),
            Case(empty(2, 0))],
    "svdvals": [Case(square()), Case(apart(4, 2)), Case(apart(2, 2, 4)), Case(cplx(3, 2)), Case(empty(0, 3))],
    "matrix_rank": [Case(apart(3, 3)), Case(apart(2, 3, 2)), Case(singular(4, 2))],
    "matrix_power": [*(Case(square(), n) for n in (0, 1, 2, 3, 5, -1, -3)), Case(square(2), 3), Case(cplx(2, 2), 4),
                     Case(cplx(2, 2), -2), Case(empty(0, 0), 2)],
    "expm": [Case(a).against(series) for a in (real(3, 3), real(2, 2, 2), cplx(3, 3), real(1, 1), 3 * real(2, 2))],
    "sqrtm": [Case(a).on(definite).against(root) for a in (real(3, 3), real(1, 1))]
        + [Case(square()).against(root), Case(cplx(3, 3)).on(definite).against(root),
           # Its root is complex, and imaginary in part.
           Case(np.array([[0.2, 1.0, 0.3], [1.0, -2.0, 0.5], [0.3, 0.5, 1.5]])).on(hermitian).against(root)],
    "solve_sylvester": [Case(a, b, q).against(sylvester) for a, b, q in (
        (square(), square(), real(3, 3)), (square(), real(1, 1) ** 2, real(3, 1)), (cplx(2, 2), square(), cplx(2, 3)))],
    "solve_triangular": [
        *(Case(square(), real(3), trans, lower).against(triangular) for trans in (0, 1, 2) for lower in (False, True)),
        Case(square(), real(3, 2), lower=True, unit_diagonal=True).against(triangular),
        Case(square(), real(3, 2), "T", unit_diagonal=True).against(triangular),
        *(Case(cplx(3, 3), cplx(3, 2), trans, lower).against(triangular)
          for trans in ("N", "T", "C") for lower in (False, True))],
}
