"""Inverses, and solutions of linear equations; stacks of them too.

Of y = a⁻¹ the derivative is dy = -y da y, and of x = a⁻¹ b it is dx = a⁻¹ (db - da x): the rules are their transposes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.kinds import composed
from tinygraph.core.op import op
from tinygraph.ops.linalg import adjoint, turned


def inv_back(g: Array, y: Array) -> Array:
    """The cotangent of a matrix, from that of its inverse y."""
    y = turned(y)
    return -np.matmul(np.matmul(y, g), y)


@op(symbol="A⁻¹", numpy=np.linalg.inv, flops=lambda y, a: 2 * int(np.size(a)) * np.shape(a)[-1],
    tex=(r"-Y^\top g Y^\top",), vjp=(lambda g, y, a: inv_back(g, y),))
def inv(a: Array) -> Array:
    """Inverse of each matrix of a stack.

    a: (..., n, n)  ->  (..., n, n)

    Raises LinAlgError where a matrix is singular or not square.

    >>> inv(np.array([[2.0, 0.0], [0.0, 4.0]]))
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    return np.linalg.inv(a)


def _solve_db(g: Array, y: Array, a: Array, b: Array, *, memo: dict[str, Array]) -> Array:
    if not memo:
        vector = len(np.shape(b)) == 1
        c = np.linalg.solve(turned(a), np.expand_dims(g, -1) if vector else g)
        memo["c"] = c[..., 0] if vector else c
    return memo["c"]


def _solve_da(g: Array, y: Array, a: Array, b: Array, *, memo: dict[str, Array]) -> Array:
    c = _solve_db(g, y, a, b, memo=memo)
    if len(np.shape(b)) == 1:
        return -np.expand_dims(c, -1) * np.expand_dims(y, -2)
    return -np.matmul(c, turned(y))


def _solve_mismatch(a: Array, b: Array) -> str:
    rows = np.shape(b)[-1 if len(np.shape(b)) < 2 else -2] if np.shape(b) else None
    if rows != np.shape(a)[-1]:
        return f"{np.shape(a)} x = {np.shape(b)}: {np.shape(a)[-1]} unknowns, and {rows} numbers on the right"
    return f"{np.shape(a)} x = {np.shape(b)}: the leading axes do not broadcast"


@op(symbol="A⁻¹b", numpy=np.linalg.solve, mismatch=_solve_mismatch,
    tex=(r"-A^{-\top} g Y^\top", r"A^{-\top} g"),
    vjp=(_solve_da, _solve_db),
    flops=lambda y, a, b: (2 * int(np.size(a)) // 3 + 2 * int(np.size(y))) * np.shape(a)[-1])
def solve(a: Array, b: Array) -> Array:
    """The x of a x = b; leading axes broadcast, and ``b`` is one vector if it has one axis, else a stack of matrices.

    a: (..., n, n)   b: (n,) or (..., n, k)  ->  (..., n) or (..., n, k)

    Raises LinAlgError where a matrix is singular or not square.

    >>> solve(np.array([[2.0, 0.0], [0.0, 4.0]]), np.array([1.0, 2.0]))
    array([0.5, 0.5])
    """
    return np.linalg.solve(a, b)


def pinv_back(g: Array, y: Array, a: Array) -> Array:
    """The cotangent of a matrix, from that of its pseudo-inverse y, as long as the rank stays what it is.

    dy = -y da y + y yᴴ daᴴ (1 - a y) + (1 - y a) daᴴ yᴴ y: Golub and Pereyra, "The differentiation of pseudo-inverses
    and nonlinear least squares problems whose variables separate", SIAM J. Numer. Anal. 10 (1973), equation 4.12.
    """
    gt, yh = turned(g), adjoint(y)
    first = np.matmul(np.matmul(gt, y), yh)
    second = np.matmul(np.matmul(yh, y), gt)
    first = first - np.matmul(a, np.matmul(y, first))
    second = second - np.matmul(np.matmul(second, y), a)
    return inv_back(g, y) + np.conj(first + second)


def _pinv_cost(y: Array, a: Array, *tolerances: Any, **params: Any) -> int:
    """16 m n² + 8 n³ for m by n numbers, m >= n: singular values and vectors, and a product (Golub and Van Loan)."""
    n, m = sorted(np.shape(a)[-2:])
    return int(np.size(a) * (16 * n + 8 * n * n // (m or 1)))


@op(symbol="A⁺", numpy=np.linalg.pinv, flops=_pinv_cost,
    tex=(r"-Y^\top g Y^\top + (1 - A Y) g^\top Y Y^\top + Y^\top Y g^\top (1 - Y A)",),
    vjp={"a": lambda g, y, a, *tolerances: pinv_back(g, y, a), "rcond": None, "rtol": None})
def pinv(a: Array, rcond: Any = None, hermitian: bool = False, *, rtol: Any = np._NoValue) -> Array:
    """Moore and Penrose's pseudo-inverse; singular values below ``rcond`` times the largest count as zero.

    The gradient is that of a matrix whose rank stays what it is. With ``hermitian`` one triangle of ``a`` is read, and
    the gradient is the one of any matrix. ``rtol`` is another name for ``rcond``.

    a: (..., m, n)  ->  (..., n, m)

    >>> pinv(np.array([[2.0, 0.0], [0.0, 0.0]]))
    array([[0.5, 0. ],
           [0. , 0. ]])
    """
    given = {name: value for name, value in (("rcond", rcond), ("rtol", rtol)) if value is not None}
    return np.linalg.pinv(a, hermitian=hermitian, **{k: v for k, v in given.items() if v is not np._NoValue})


def _lstsq_cost(y: Any, a: Array, b: Array, **params: Any) -> int:
    """4 m n² + 8 n³ for m by n numbers, m >= n, by singular values (Golub and Van Loan)."""
    n, m = sorted(np.shape(a)[-2:])
    return int(np.size(a) * (4 * n + 8 * n * n // (m or 1)))


def _columns(x: Array) -> Array:
    return np.expand_dims(x, -1) if len(np.shape(x)) == 1 else x


def _lstsq_pull(g: Any, y: Any, a: Array, b: Array, rcond: Any, memo: dict[str, Any]) -> tuple[Array, Array, Array]:
    """The pseudo-inverse, the cotangent of x, and that of the residual a x - b; each has columns."""
    if not memo:
        (gx, gr, *_), (x, squares, *_) = g, y
        if rcond is None or rcond == -1:
            rcond = float(np.finfo(x.dtype).eps) * (max(np.shape(a)) if rcond is None else 1)
        residual = np.matmul(a, _columns(x)) - _columns(b)
        # At the least squares the residual is orthogonal to all that x can do to it, so x does not count.
        pulled = np.zeros_like(residual) if gr is None or not np.size(squares) else 2 * gr * np.conj(residual)
        memo["all"] = np.linalg.pinv(a, rcond), np.zeros_like(_columns(x)) if gx is None else _columns(gx), pulled
    return memo["all"]  # type: ignore[no-any-return]


def _lstsq_da(g: Any, y: Any, a: Array, b: Array, *, rcond: Any, memo: dict[str, Any]) -> Array:
    p, gx, pulled = _lstsq_pull(g, y, a, b, rcond, memo)
    c = pinv_back(np.matmul(gx, turned(_columns(b))), p, a) + np.matmul(pulled, turned(_columns(y[0])))
    if g[3] is None:
        return c
    u, _, vh = np.linalg.svd(a, full_matrices=False)
    return c + np.matmul(np.conj(u) * g[3], np.conj(vh))


def _lstsq_db(g: Any, y: Any, a: Array, b: Array, *, rcond: Any, memo: dict[str, Any]) -> Array:
    p, gx, pulled = _lstsq_pull(g, y, a, b, rcond, memo)
    return np.reshape(np.matmul(turned(p), gx) - pulled, np.shape(b))


@op(symbol="min ‖Ax-b‖", numpy=np.linalg.lstsq, outputs=4, flops=_lstsq_cost,
    tex=(r"-(A^+)^\top g_0 Y_0^\top + (B - A Y_0) g_0^\top A^+ (A^+)^\top + \dots",
         r"(A^+)^\top g_0 + 2 (B - A Y_0) g_1"),
    vjp=(_lstsq_da, _lstsq_db))
def lstsq(a: Array, b: Array, rcond: Any = None) -> Any:
    """The x of the smallest ‖a x - b‖, and of those the shortest; each column of ``b`` is a problem of its own.

    Singular values below ``rcond`` times the largest count as zero. The gradient is that of a matrix whose rank stays
    what it is.

    a: (m, n)   b: (m,) or (m, k)  ->  x: (n,) or (n, k)   ‖a x - b‖²: (1,) or (k,), empty where the rank is below n or
        m <= n   the rank: an integer   singular values of a: (min(m, n),)

    >>> lstsq(np.array([[1.0], [1.0]]), np.array([1.0, 3.0]))[0]
    array([2.])
    """
    return tuple(np.linalg.lstsq(a, b, rcond))


@composed(numpy=np.linalg.tensorinv)
def tensorinv(a: Array, ind: int = 2) -> Array:
    """The inverse of `tensordot` with ``a``, whose first ``ind`` axes hold as many elements as the others.

    a: (*p, *q)  ->  (*q, *p)

    >>> tensorinv(np.reshape(2 * np.eye(6), (6, 2, 3)), ind=1).shape
    (2, 3, 6)
    """
    if ind <= 0:
        raise ValueError(f"ind={ind} must be at least 1")
    shape = np.shape(a)
    return np.reshape(np.linalg.inv(np.reshape(a, (math.prod(shape[:ind]), -1))), shape[ind:] + shape[:ind])


@composed(numpy=np.linalg.tensorsolve)
def tensorsolve(a: Array, b: Array, axes: Any = None) -> Array:
    """The x of tensordot(a, x, x.ndim) = b; ``axes`` of ``a`` are moved to its end first.

    a: (*p, *q)   b: p, with as many elements as q  ->  x: q

    >>> tensorsolve(np.reshape(2 * np.eye(6), (2, 3, 6)), np.ones((2, 3)))
    array([0.5, 0.5, 0.5, 0.5, 0.5, 0.5])
    """
    if axes is not None:
        moved = [axis % len(np.shape(a)) for axis in axes]
        a = np.transpose(a, [axis for axis in range(len(np.shape(a))) if axis not in moved] + moved)
    q = np.shape(a)[len(np.shape(b)):]
    if math.prod(q) ** 2 != math.prod(np.shape(a)):
        raise np.linalg.LinAlgError(f"a {np.shape(a)} has {math.prod(q)} unknowns and "
                                    f"{math.prod(np.shape(a)) // (math.prod(q) or 1)} equations")
    return np.reshape(np.linalg.solve(np.reshape(a, (-1, math.prod(q))), np.ravel(b)), q)
