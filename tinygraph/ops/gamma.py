"""SciPy's gamma and beta functions, whole and incomplete.

Rules stay within the family: the derivative of `gammaln` is `digamma`, that of `digamma` is ``polygamma(1, x)``, and so
on, so every order is there.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.card import imported
from tinygraph.core.kinds import composed
from tinygraph.core.op import op
from tinygraph.ops.special import xlog1py, xlogy


def _size(y: Array, *inputs: Array, **params: Any) -> int:
    """One operation an element."""
    return int(np.size(y))


def _zeta_dq(g: Array, y: Array, x: Array, q: Array) -> Array:
    return -g * (x * zeta(x + 1, q))


def _polygamma_dx(g: Array, y: Array, n: Array, x: Array) -> Array:
    return g * polygamma(n + 1, x)


@op(symbol="ζ", numpy=("scipy.special.zeta", "scipy.special._ufuncs._zeta"), flops=_size,
    tex=("", r"-g \odot X \zeta(X + 1, Q)"), vjp=(None, _zeta_dq))
def zeta(x: Array, q: Array = None) -> Array:
    """Hurwitz's zeta function, Σ (k + q)**-x over k = 0, 1, ..., elementwise; Riemann's without q. Differentiable in q.

    >>> zeta(2.0, 1.0).round(3)
    np.float64(1.645)
    """
    return imported("scipy.special.zeta")(x, q)


@op(symbol="ψ⁽ⁿ⁾", flops=_size, tex=("", r"g \odot \psi^{(N+1)}(X)"), vjp=(None, _polygamma_dx))
def polygamma(n: Array, x: Array) -> Array:
    """The n-th derivative of `digamma`, n = 0, 1, ..., elementwise: (-1)**(n + 1) n! ζ(n + 1, x); DLMF 5.15.1.

    >>> polygamma(1, 1.0).round(3)
    np.float64(1.645)
    """
    zeroth = imported("scipy.special.digamma")
    if type(n) is int:
        return (-1) ** (n + 1) * float(math.factorial(n)) * zeta(n + 1, x) if n else zeroth(x)
    factorial = imported("scipy.special.gamma")(n + 1.0)
    return np.where(n == 0, zeroth(x), (-1.0) ** (n + 1) * factorial * zeta(n + 1, x))


@op(symbol="ψ", numpy=("scipy.special.digamma", "scipy.special.psi"), flops=_size,
    tex=(r"g \odot \psi'(X)",), vjp=(lambda g, y, x: g * polygamma(1, x),))
def digamma(x: Array) -> Array:
    """ψ(x), the derivative of `gammaln`, elementwise. ``psi`` is another name for it.

    >>> digamma(1.0).round(3)
    np.float64(-0.577)
    """
    return imported("scipy.special.digamma")(x)


@op(symbol="Γ", numpy="scipy.special.gamma", flops=_size,
    tex=(r"g \odot Y \psi(X)",), vjp=(lambda g, y, x: g * (y * digamma(x)),))
def gamma(x: Array) -> Array:
    """Gamma function, elementwise: (x - 1)! for a positive integer x.

    >>> gamma(5.0)
    np.float64(24.0)
    """
    return imported("scipy.special.gamma")(x)


@op(symbol="1/Γ", numpy="scipy.special.rgamma", flops=_size,
    tex=(r"-g \odot Y \psi(X)",), vjp=(lambda g, y, x: -g * (y * digamma(x)),))
def rgamma(x: Array) -> Array:
    """Reciprocal of the gamma function, elementwise.

    >>> rgamma(3.0)
    np.float64(0.5)
    """
    return imported("scipy.special.rgamma")(x)


@op(symbol="log Γ", numpy="scipy.special.gammaln", flops=_size,
    tex=(r"g \odot \psi(X)",), vjp=(lambda g, y, x: g * digamma(x),))
def gammaln(x: Array) -> Array:
    """Logarithm of the gamma function's absolute value, elementwise.

    >>> gammaln(2.0)
    np.float64(0.0)
    """
    return imported("scipy.special.gammaln")(x)


@op(symbol="sgn Γ", numpy="scipy.special.gammasgn", flops=_size, vjp=(None,))
def gammasgn(x: Array) -> Array:
    """Sign of the gamma function, elementwise. Constant between its steps: no gradient flows.

    >>> gammasgn(-0.5)
    np.float64(-1.0)
    """
    return imported("scipy.special.gammasgn")(x)


@composed(name="multigammaln")
def multigammaln(a: Array, d: int) -> Array:
    """Logarithm of the multivariate gamma function of dimension d, elementwise: Σ gammaln(a - j/2) and a constant.

    >>> multigammaln(2.0, 1)
    np.float64(0.0)
    """
    terms = [gammaln(a - 0.5 * j) for j in range(d)]
    return sum(terms[1:], terms[0]) + 0.25 * d * (d - 1) * math.log(math.pi)


@op(symbol="B", numpy="scipy.special.beta", flops=_size,
    tex=(r"g \odot Y (\psi(A) - \psi(A + B))", r"g \odot Y (\psi(B) - \psi(A + B))"),
    vjp=(lambda g, y, a, b: g * (y * (digamma(a) - digamma(a + b))),
         lambda g, y, a, b: g * (y * (digamma(b) - digamma(a + b)))))
def beta(a: Array, b: Array) -> Array:
    """Beta function, elementwise: Γ(a) Γ(b) / Γ(a + b).

    >>> beta(2.0, 1.0)
    np.float64(0.5)
    """
    return imported("scipy.special.beta")(a, b)


@op(symbol="log B", numpy="scipy.special.betaln", flops=_size,
    tex=(r"g \odot (\psi(A) - \psi(A + B))", r"g \odot (\psi(B) - \psi(A + B))"),
    vjp=(lambda g, y, a, b: g * (digamma(a) - digamma(a + b)), lambda g, y, a, b: g * (digamma(b) - digamma(a + b))))
def betaln(a: Array, b: Array) -> Array:
    """Logarithm of the beta function's absolute value, elementwise.

    >>> betaln(1.0, 1.0)
    np.float64(0.0)
    """
    return imported("scipy.special.betaln")(a, b)


def _gamma_density(a: Array, x: Array) -> Array:
    return np.exp(xlogy(a - 1, x) - x - gammaln(a))


@op(symbol="P(a, x)", numpy="scipy.special.gammainc", flops=_size,
    tex=("", r"g \frac{X^{A-1} \exp(-X)}{\Gamma(A)}"), vjp=(None, lambda g, y, a, x: g * _gamma_density(a, x)))
def gammainc(a: Array, x: Array) -> Array:
    """Regularised lower incomplete gamma function, elementwise, for a > 0 and x >= 0; differentiable in x.

    >>> gammainc(1.0, 0.0)
    np.float64(0.0)
    """
    return imported("scipy.special.gammainc")(a, x)


@op(symbol="Q(a, x)", numpy="scipy.special.gammaincc", flops=_size,
    tex=("", r"-g \frac{X^{A-1} \exp(-X)}{\Gamma(A)}"), vjp=(None, lambda g, y, a, x: -g * _gamma_density(a, x)))
def gammaincc(a: Array, x: Array) -> Array:
    """1 - gammainc(a, x), elementwise, exact where it is small; differentiable in x.

    >>> gammaincc(1.0, 0.0)
    np.float64(1.0)
    """
    return imported("scipy.special.gammaincc")(a, x)


@op(symbol="Iₓ(a, b)", numpy="scipy.special.betainc", flops=_size,
    tex=("", "", r"g \frac{X^{A-1} (1 - X)^{B-1}}{\mathrm{B}(A, B)}"),
    vjp=(None, None, lambda g, y, a, b, x: g * np.exp(xlogy(a - 1, x) + xlog1py(b - 1, -x) - betaln(a, b))))
def betainc(a: Array, b: Array, x: Array) -> Array:
    """Regularised incomplete beta function, elementwise, for a, b > 0 and x in [0, 1]; differentiable in x.

    >>> betainc(1.0, 1.0, 0.25)
    np.float64(0.25)
    """
    return imported("scipy.special.betainc")(a, b, x)


def _student_density(df: Array, t: Array) -> Array:
    half = 0.5 * (df + 1)
    return np.exp(gammaln(half) - gammaln(0.5 * df) - half * np.log1p(t * t / df)) / np.sqrt(math.pi * df)


@op(symbol="T(t)", numpy="scipy.special.stdtr", flops=_size,
    tex=("", r"g \frac{\Gamma((D + 1) / 2)}{\sqrt{\pi D} \Gamma(D / 2)} (1 + T^2 / D)^{-(D + 1) / 2}"),
    vjp=(None, lambda g, y, df, t: g * _student_density(df, t)))
def stdtr(df: Array, t: Array) -> Array:
    """Student's t distribution function with df degrees of freedom, elementwise; differentiable in t.

    >>> stdtr(3.0, 0.0)
    np.float64(0.5)
    """
    return imported("scipy.special.stdtr")(df, t)
