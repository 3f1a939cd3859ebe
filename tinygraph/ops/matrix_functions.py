"""Powers, exponential and square root of matrices, and solutions with triangular ones.

The derivative of a matrix function f in the direction e stands in a corner of f of a matrix of twice the size,

    f([[a, e], [0, a]]) = [[f(a), df(a; e)], [0, f(a)]]

(Mathias, "A chain rule for matrix functions and applications", SIAM J. Matrix Anal. Appl. 17 (1996), theorem 2.1), and
the transpose of df(a; ·) is df(aᵀ; ·). So a rule is the function itself, and every order follows. That of the square
root is a Sylvester equation, whose own rules are such equations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.card import imported
from tinygraph.core.op import op
from tinygraph.ops.linalg import adjoint, turned


def _scipy(name: str, *args: Any) -> Array:
    """Call a function of SciPy's that asks no protocol; an array that stands for others (a recording's) does it."""
    function = imported(f"scipy.linalg.{name}")
    stands_in = next((a for a in args if hasattr(a, "call_opaque")), None)
    return function(*args) if stands_in is None else stands_in.call_opaque(function, args)


def _corner(function: Callable[[Array], Array], a: Array, g: Array) -> Array:
    """The cotangent of a, from the cotangent g of a matrix function of it."""
    a = turned(a)
    n = np.shape(a)[-1]
    upper, lower = np.concatenate([a, g], axis=-1), np.concatenate([np.zeros_like(a), a], axis=-1)
    return function(np.concatenate([upper, lower], axis=-2))[..., :n, n:]


@op(symbol="Aⁿ", numpy=np.linalg.matrix_power,
    flops=lambda y, a, n: 2 * int(np.size(a)) * np.shape(a)[-1] * max(abs(n).bit_length() + abs(n).bit_count() - 2, 0),
    tex=(r"\sum_{k=1}^n (A^\top)^{k-1} g (A^\top)^{n-k}",),
    vjp=(lambda g, y, a, *, n: _corner(lambda m: np.linalg.matrix_power(m, n), a, g),))
def matrix_power(a: Array, n: int) -> Array:
    """Each matrix of a stack times itself n times; the inverse for n = -1, and its powers for n below.

    a: (..., m, m)  ->  (..., m, m)

    Raises LinAlgError where a matrix is not square, or n is negative and it is singular.

    >>> matrix_power(np.array([[1.0, 1.0], [0.0, 1.0]]), 5)
    array([[1., 5.],
           [0., 1.]])
    """
    return np.linalg.matrix_power(a, n)


def _expm_da(g: Array, y: Array, A: Array) -> Array:
    return _corner(expm, A, g)


@op(symbol="exp", opaque=True, tex=(r"\int_0^1 e^{t A^\top} g e^{(1 - t) A^\top} \mathrm{dt}",), vjp=(_expm_da,))
def expm(A: Array) -> Array:
    """Matrix exponential, Σ Aᵏ / k!, of each matrix of a stack; by SciPy.

    A: (..., n, n)  ->  (..., n, n)

    >>> expm(np.array([[0.0, 1.0], [0.0, 0.0]]))
    array([[1., 1.],
           [0., 1.]])
    """
    return _scipy("expm", A)


def _sylvester_dq(g: Array, x: Array, a: Array, b: Array, q: Array, *, memo: dict[str, Array]) -> Array:
    if not memo:
        memo["c"] = solve_sylvester(turned(a), turned(b), g)
    return memo["c"]


def _sylvester_da(g: Array, x: Array, a: Array, b: Array, q: Array, *, memo: dict[str, Array]) -> Array:
    return -np.matmul(_sylvester_dq(g, x, a, b, q, memo=memo), turned(x))


def _sylvester_db(g: Array, x: Array, a: Array, b: Array, q: Array, *, memo: dict[str, Array]) -> Array:
    return -np.matmul(turned(x), _sylvester_dq(g, x, a, b, q, memo=memo))


_SYLVESTER = r"\int_0^\infty e^{-t A^\top} g e^{-t B^\top} \mathrm{dt}"


@op(symbol="AX + XB", opaque=True, tex=(rf"-{_SYLVESTER} \cdot Y^\top", rf"-Y^\top \cdot {_SYLVESTER}", _SYLVESTER),
    vjp=(_sylvester_da, _sylvester_db, _sylvester_dq))
def solve_sylvester(a: Array, b: Array, q: Array) -> Array:
    """The x of a x + x b = q; by SciPy.

    a: (m, m)   b: (n, n)   q: (m, n)  ->  (m, n)

    >>> solve_sylvester(np.array([[1.0]]), np.array([[3.0]]), np.array([[8.0]]))
    array([[2.]])
    """
    return _scipy("solve_sylvester", a, b, q)


def _sqrtm_da(g: Array, y: Array, A: Array) -> Array:
    # dY Y + Y dY = dA. The corner of a larger root would lie on either side of the cut below a negative eigenvalue.
    y = turned(y)
    return solve_sylvester(y, y, g)


@op(symbol="√", opaque=True, tex=(r"\int_0^\infty e^{-t Y^\top} g e^{-t Y^\top} \mathrm{dt}",), vjp=(_sqrtm_da,))
def sqrtm(A: Array) -> Array:
    """The principal square root Y of a matrix, Y Y = A, whose eigenvalues have positive real parts; by SciPy.

    A: (n, n), without the eigenvalue 0 if there is to be a gradient  ->  (n, n); complex where a real A has a negative
        eigenvalue

    >>> sqrtm(np.array([[5.0, 4.0], [4.0, 5.0]])).round(12)
    array([[2., 1.],
           [1., 2.]])
    """
    return _scipy("sqrtm", A)


_TURNED = {"N": 0, "T": 1, "C": 2}


def _triangular_db(g: Array, y: Array, a: Array, b: Array, *, trans: Any, lower: bool, unit_diagonal: bool,
                   memo: dict[str, Array]) -> Array:
    if not memo:
        # The transpose of aᴴ is the conjugate of a.
        trans = _TURNED.get(trans, trans)
        a = np.conj(a) if trans == 2 else a
        memo["c"] = solve_triangular(a, g, 0 if trans else 1, lower, unit_diagonal)
    return memo["c"]


def _triangular_da(g: Array, y: Array, a: Array, b: Array, *, trans: Any, lower: bool, unit_diagonal: bool,
                   memo: dict[str, Array]) -> Array:
    c = _triangular_db(g, y, a, b, trans=trans, lower=lower, unit_diagonal=unit_diagonal, memo=memo)
    if len(np.shape(b)) == 1:
        c, y = np.expand_dims(c, -1), np.expand_dims(y, -1)
    c = -np.matmul(c, turned(y))
    c = (c, turned(c), adjoint(c))[_TURNED.get(trans, trans)]
    return np.tril(c, -1 if unit_diagonal else 0) if lower else np.triu(c, 1 if unit_diagonal else 0)


@op(symbol="A⁻¹b", opaque=True,
    tex=(r"-\operatorname{tri}(A^{-\top} g Y^\top)", r"A^{-\top} g"),
    vjp=(_triangular_da, _triangular_db),
    flops=lambda y, a, b, **params: int(np.size(y)) * int(np.shape(a)[-1]))
def solve_triangular(a: Array, b: Array, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False,
                     overwrite_b: bool = False, check_finite: bool = True) -> Array:
    """The x of a x = b for a triangular a, upper or ``lower``, whose other triangle is not looked at; by SciPy.

    With ``trans`` 1 or "T" of aᵀ x = b, with 2 or "C" of aᴴ x = b. ``unit_diagonal`` takes the diagonal for ones,
    without looking. ``overwrite_b`` does nothing: the graph may need ``b``.

    a: (n, n)   b: (n,) or (n, k)  ->  the shape of b

    Raises LinAlgError where a has a zero on its diagonal.

    >>> solve_triangular(np.array([[2.0, 1.0], [0.0, 4.0]]), np.array([4.0, 8.0]))
    array([1., 2.])
    """
    return _scipy("solve_triangular", a, b, trans, lower, unit_diagonal, False, check_finite)
