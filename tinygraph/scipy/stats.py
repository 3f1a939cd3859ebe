"""SciPy's distributions with derivatives: log densities, densities and distribution functions.

Each is a composition of ops with SciPy's signature: x, the shapes, then ``loc`` and ``scale``. As in SciPy, what lies
outside the support has density 0, and a shape or a scale that is not above 0 gives NaN. Log densities are
differentiable in every argument; distribution functions in x, ``loc`` and ``scale``, and poisson's in ``mu``.

>>> import tinygraph as tg
>>> tg.grad(lambda loc: tg.scipy.stats.norm.logpdf(3.0, loc, 2.0))(1.0)
np.float64(0.5)
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.errors import UnsupportedError
from tinygraph.core.messages import here
from tinygraph.core.op import as_array
from tinygraph.ops.gamma import betainc, betaln, gammainc, gammaincc, gammaln, stdtr
from tinygraph.ops.special import log_ndtr, ndtr, xlog1py, xlogy
from tinygraph.scipy.vectors import dirichlet, multivariate_normal

__all__ = ["beta", "chi2", "dirichlet", "gamma", "multivariate_normal", "norm", "poisson", "t"]


def _positive(x: Array) -> Array:
    """x, with NaN in the place of what is not above 0."""
    if hasattr(x, "shape"):
        return np.where(x > 0, x, np.nan)
    return x if x > 0 else math.nan


class Distribution:
    """A distribution of one variable: its name and the names of its arguments after x."""

    def __init__(self, name: str, arguments: str) -> None:
        self.name, self.arguments = name, arguments.split()

    def __repr__(self) -> str:
        return f"<distribution {self.name}({', '.join(self.arguments)})>"

    def sort(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> list[Array]:
        """The arguments after x in order, however they were given; ``loc`` is 0 and ``scale`` 1 where they are not.

        >>> t.sort((3.0,), {"scale": 2.0})
        [3.0, 0, 2.0]
        """
        by_position = dict(zip(self.arguments, args, strict=False))
        given = {"loc": 0, "scale": 1, **by_position, **keywords}
        twice, unknown = by_position.keys() & keywords, keywords.keys() - set(self.arguments)
        if len(args) > len(self.arguments) or twice or unknown or set(self.arguments) - given.keys():
            raise UnsupportedError(f"{self.name} takes ({', '.join(self.arguments)}) after x, and was given "
                                   f"{len(args)} by position and {sorted(keywords)} by name{here()}")
        return [as_array(given[name]) if name == "loc" else _positive(as_array(given[name])) for name in self.arguments]


class Continuous(Distribution):
    """A distribution of a real variable, moved by ``loc`` and stretched by ``scale``.

    ``log_density(z, *shapes)`` and ``distribution(z, *shapes)`` are those of the standard one, which is supported on
    ``support``.

    >>> norm.pdf(0.0, scale=2.0).round(4)
    np.float64(0.1995)
    """

    def __init__(self, name: str, shapes: str, log_density: Any, distribution: Any, survival: Any = None,
                 support: tuple[float, float] | None = None) -> None:
        super().__init__(name, f"{shapes} loc scale")
        self.log_density, self.distribution, self.support = log_density, distribution, support
        self.survival = survival or (lambda z, *shapes: 1 - distribution(z, *shapes))

    def _standardised(self, x: Array, args: tuple[Any, ...],
                      keywords: dict[str, Any]) -> tuple[Array, list[Array], Array]:
        *shapes, loc, scale = self.sort(args, keywords)
        return (as_array(x) - loc) / scale, shapes, scale

    def logpdf(self, x: Array, *args: Array, **keywords: Array) -> Array:
        """Logarithm of the density at x; -inf outside the support."""
        z, shapes, scale = self._standardised(x, args, keywords)
        if self.support is None:
            return self.log_density(z, *shapes) - np.log(scale)
        within = (z >= self.support[0]) & (z <= self.support[1])
        safe = np.where(within, z, 0.5)  # what is not asked for must not raise a warning
        return np.where(within, self.log_density(safe, *shapes), -np.inf) - np.log(scale)

    def pdf(self, x: Array, *args: Array, **keywords: Array) -> Array:
        """Density at x."""
        return np.exp(self.logpdf(x, *args, **keywords))

    def cdf(self, x: Array, *args: Array, **keywords: Array) -> Array:
        """Probability of at most x."""
        z, shapes, _ = self._standardised(x, args, keywords)
        return self.distribution(z if self.support is None else np.clip(z, *self.support), *shapes)

    def sf(self, x: Array, *args: Array, **keywords: Array) -> Array:
        """Probability of more than x."""
        z, shapes, _ = self._standardised(x, args, keywords)
        return self.survival(z if self.support is None else np.clip(z, *self.support), *shapes)

    def logcdf(self, x: Array, *args: Array, **keywords: Array) -> Array:
        """Logarithm of the probability of at most x."""
        return np.log(self.cdf(x, *args, **keywords))

    def logsf(self, x: Array, *args: Array, **keywords: Array) -> Array:
        """Logarithm of the probability of more than x."""
        return np.log(self.sf(x, *args, **keywords))


class Normal(Continuous):
    """The normal distribution, whose tails have logarithms of their own.

    >>> norm.logsf(40.0).round(2)
    np.float64(-804.61)
    """

    def logcdf(self, x: Array, *args: Array, **keywords: Array) -> Array:
        """Logarithm of the probability of at most x, finite far into the tail."""
        z, _, _ = self._standardised(x, args, keywords)
        return log_ndtr(z)

    def logsf(self, x: Array, *args: Array, **keywords: Array) -> Array:
        """Logarithm of the probability of more than x, finite far into the tail."""
        z, _, _ = self._standardised(x, args, keywords)
        return log_ndtr(-z)


class Poisson(Distribution):
    """The number of rare events where ``mu`` are expected, moved by ``loc``.

    >>> poisson.pmf(2, 1.0).round(4)
    np.float64(0.1839)
    """

    def logpmf(self, k: Array, *args: Array, **keywords: Array) -> Array:
        """Logarithm of the probability of k; -inf where k is not 0, 1, 2, ... from ``loc`` on."""
        mu, loc = self.sort(args, keywords)
        k = as_array(k) - loc
        possible = (k >= 0) & (k == np.floor(k))
        k = np.where(possible, k, 0)
        return np.where(possible, xlogy(k, mu) - gammaln(k + 1) - mu, -np.inf)

    def pmf(self, k: Array, *args: Array, **keywords: Array) -> Array:
        """Probability of k."""
        return np.exp(self.logpmf(k, *args, **keywords))

    def cdf(self, k: Array, *args: Array, **keywords: Array) -> Array:
        """Probability of at most k; differentiable in ``mu``."""
        mu, loc = self.sort(args, keywords)
        k = np.floor(as_array(k) - loc)
        return np.where(k >= 0, gammaincc(np.maximum(k, 0) + 1, mu), 0)

    def logcdf(self, k: Array, *args: Array, **keywords: Array) -> Array:
        """Logarithm of the probability of at most k."""
        return np.log(self.cdf(k, *args, **keywords))


def _log_student(z: Array, df: Array) -> Array:
    half = 0.5 * (df + 1)
    return gammaln(half) - gammaln(0.5 * df) - 0.5 * np.log(math.pi * df) - half * np.log1p(z * z / df)


norm = Normal("norm", "", lambda z: -0.5 * (z * z) - 0.5 * math.log(2 * math.pi), ndtr, lambda z: ndtr(-z))
t = Continuous("t", "df", _log_student, lambda z, df: stdtr(df, z), lambda z, df: stdtr(df, -z))
gamma = Continuous("gamma", "a", lambda z, a: xlogy(a - 1, z) - z - gammaln(a), lambda z, a: gammainc(a, z),
                   lambda z, a: gammaincc(a, z), (0, math.inf))
beta = Continuous("beta", "a b", lambda z, a, b: xlogy(a - 1, z) + xlog1py(b - 1, -z) - betaln(a, b),
                  lambda z, a, b: betainc(a, b, z), lambda z, a, b: betainc(b, a, 1 - z), (0, 1))
chi2 = Continuous("chi2", "df",
                  lambda z, df: xlogy(0.5 * df - 1, z) - 0.5 * (z + math.log(2) * df) - gammaln(0.5 * df),
                  lambda z, df: gammainc(0.5 * df, 0.5 * z), lambda z, df: gammaincc(0.5 * df, 0.5 * z), (0, math.inf))
poisson = Poisson("poisson", "mu loc")
