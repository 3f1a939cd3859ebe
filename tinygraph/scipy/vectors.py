"""SciPy's distributions of vectors: the multivariate normal one and Dirichlet's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.errors import ShapeError
from tinygraph.core.messages import here
from tinygraph.core.op import as_array
from tinygraph.ops.gamma import gammaln
from tinygraph.ops.special import xlogy

LOG_2_PI = math.log(2 * math.pi)


class MultivariateNormal:
    """The normal distribution of vectors: exp(-½ (x - mean)ᵀ cov⁻¹ (x - mean)) / sqrt((2π)ᵈ det cov).

    x: (..., D)   mean: (D,)   cov: (D, D), symmetric and positive definite; (D,), its diagonal; or one number

    >>> multivariate_normal.logpdf(np.zeros(2), np.zeros(2), np.eye(2)).round(4)
    np.float64(-1.8379)
    """

    def __repr__(self) -> str:
        return "<distribution multivariate_normal(mean, cov)>"

    def logpdf(self, x: Array, mean: Array = None, cov: Array = 1, allow_singular: bool = False) -> Array:
        """Logarithm of the density at each x, which lies along the last axis."""
        dim, mean, cov = self._sized(mean, cov)
        x = as_array(x)
        if len(np.shape(x)) < 2:
            x = np.reshape(x, (-1, 1) if dim == 1 else (1, -1))
        if np.shape(x)[-1] != dim:
            raise ShapeError(f"multivariate_normal: x of shape {np.shape(x)} in {dim} dimensions{here()}")
        deviations = np.reshape(x - mean, (-1, dim))
        if allow_singular:
            y = _log_density_where_there_is_room(deviations, cov * np.eye(dim) if len(np.shape(cov)) < 2 else cov)
        else:
            log_det, whiten = self._factored(dim, cov)
            white = whiten(deviations)
            y = -0.5 * (np.sum(white * white, axis=-1) + log_det + dim * LOG_2_PI)
        return np.squeeze(np.reshape(y, np.shape(x)[:-1]))

    def pdf(self, x: Array, mean: Array = None, cov: Array = 1, allow_singular: bool = False) -> Array:
        """Density at each x, which lies along the last axis."""
        return np.exp(self.logpdf(x, mean, cov, allow_singular))

    def entropy(self, mean: Array = None, cov: Array = 1) -> Array:
        """Differential entropy (in nats), which does not depend on the mean."""
        dim, _, cov = self._sized(mean, cov)
        return 0.5 * (dim * (1 + LOG_2_PI) + self._factored(dim, cov)[0])

    def _sized(self, mean: Array, cov: Array) -> tuple[int, Array, Array]:
        """How many dimensions there are, and the parameters in them."""
        cov = as_array(1 if cov is None else cov)
        shape = np.shape(cov)
        dim = int(np.size(as_array(mean))) if mean is not None else shape[0] if len(shape) == 2 else 1
        if shape not in ((), (1,), (dim,), (dim, dim)):
            raise ShapeError(f"multivariate_normal: cov of shape {shape} in {dim} dimensions; ({dim}, {dim}), ({dim},) "
                             f"and () are right{here()}")
        return dim, 0 if mean is None else np.reshape(as_array(mean), (dim,)), cov

    def _factored(self, dim: int, cov: Array) -> tuple[Array, Any]:
        """log det cov, and the function that makes deviations standard normal ones."""
        if len(np.shape(cov)) < 2:
            log_variance = np.log(cov)
            log_det = np.sum(log_variance) * (dim // (int(np.size(cov)) or 1))
            return log_det, lambda deviations: deviations / np.sqrt(cov)
        root = np.linalg.cholesky(cov)
        log_det = 2 * np.sum(np.log(np.diagonal(root)))
        return log_det, lambda deviations: np.transpose(np.linalg.solve(root, np.transpose(deviations)))


def _log_density_where_there_is_room(deviations: Array, cov: Array) -> Array:
    """Of a covariance of any rank: the density on the subspace that it spans, and none beside it.

    As SciPy has it, an eigenvalue below 10⁶ ε (float32: 10³ ε) of the largest is none.
    """
    w, v = np.linalg.eigh(cov)
    least = np.max(np.absolute(w)) * float(np.finfo(w.dtype).eps) * (1e6 if w.dtype.itemsize > 4 else 1e3)
    none = w <= least
    log_det, rank = np.sum(np.log(np.where(none, 1, w))), np.sum(~none)
    white = np.matmul(deviations, v * np.where(none, 0, 1 / np.sqrt(np.where(none, 1, w))))
    beside = np.linalg.norm(np.matmul(deviations, np.where(none, v, 0)), axis=-1) >= 1e3 * least
    return np.where(beside, -np.inf, -0.5 * (np.sum(white * white, axis=-1) + log_det + rank * LOG_2_PI))


class Dirichlet:
    """Dirichlet's distribution of shares that sum to one: Π x ** (alpha - 1) / B(alpha).

    x: (K,) or (K, N), or without the last share, (K - 1,) or (K - 1, N); not checked to sum to one   alpha: (K,)

    >>> dirichlet.pdf(np.array([0.5, 0.5]), np.array([2.0, 2.0])).round(2)
    np.float64(1.5)
    """

    def __repr__(self) -> str:
        return "<distribution dirichlet(alpha)>"

    def logpdf(self, x: Array, alpha: Array) -> Array:
        """Logarithm of the density at the shares x, which lie along the first axis."""
        x, alpha = as_array(x), as_array(alpha)
        k = int(np.size(alpha))
        if np.shape(x)[0] == k - 1:
            x = np.concatenate([x, 1 - np.sum(x, axis=0, keepdims=True)], axis=0)
        if np.shape(x)[0] != k:
            raise ShapeError(f"dirichlet: {np.shape(x)[0]} shares for {k} alphas; {k} or {k - 1} are right{here()}")
        log_beta = np.sum(gammaln(alpha)) - gammaln(np.sum(alpha))
        powers = np.reshape(alpha - 1, (k,) + (1,) * (len(np.shape(x)) - 1))
        return np.sum(xlogy(powers, x), axis=0) - log_beta

    def pdf(self, x: Array, alpha: Array) -> Array:
        """Density at the shares x, which lie along the first axis."""
        return np.exp(self.logpdf(x, alpha))


multivariate_normal = MultivariateNormal()
dirichlet = Dirichlet()
