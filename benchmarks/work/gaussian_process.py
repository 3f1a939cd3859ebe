"""The log marginal likelihood of a Gaussian process on 500 points, with its gradient: float64.

With K = s² exp(-d² / 2l²) + n² I and its Cholesky factor L, it is -½ |L⁻¹y|² - Σ log L_ii - N/2 log 2π. Source: C. E.
Rasmussen, C. K. I. Williams, Gaussian processes for machine learning, 2006, algorithm 2.1.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import tinygraph as tg
from benchmarks import peers
from benchmarks.harness import Answer, Case, Missing, Side
from benchmarks.peers import AUTOGRAD, COMPILED, EAGER, JAX, TORCH

POINTS = 500
LOGS = np.log([1.5, 0.3, 0.1])
"""Of the amplitude s, the length l and the noise n."""


def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Squared distances, the unit matrix, and what was observed."""
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(-3, 3, POINTS))
    return (x[:, None] - x) ** 2, np.eye(POINTS), np.sin(2 * x) + 0.1 * rng.standard_normal(POINTS)


def likelihood(exp: Any, log: Any, cholesky: Any, solve: Any, diagonal: Any) -> Callable[..., Any]:
    """The formula by any library's functions; ``solve`` is for a lower triangle."""
    def loss_of(logs: Any, distances: Any, unit: Any, y: Any) -> Any:
        amplitude, length, noise = (exp(2 * logs[i]) for i in range(3))
        L = cholesky(amplitude * exp(distances * (-0.5 / length)) + noise * unit)
        z = solve(L, y)
        return -0.5 * (z * z).sum() - log(diagonal(L)).sum() - 0.5 * POINTS * math.log(2 * math.pi)
    return loss_of


def _side(step: Callable[[], Any]) -> Side:
    def answer(result: Any) -> Answer:
        value, gradient = result
        return {"log likelihood": np.asarray(value), "gradient": np.asarray(gradient)}
    return Side(step, answer)


def _scipy() -> None:
    if importlib.util.find_spec("scipy") is None:
        raise Missing("needs SciPy")


def _tinygraph(compile: bool) -> Side:
    _scipy()

    def solve(L: Any, y: Any) -> Any:
        return tg.scipy.linalg.solve_triangular(L, y, lower=True)
    derive = tg.value_and_grad(likelihood(np.exp, np.log, np.linalg.cholesky, solve, np.diag))
    given = data()
    if compile:
        derive = tg.compile(derive)
    return _side(lambda: derive(LOGS, *given))


def pytorch() -> Side:
    torch = peers.torch()
    logs = torch.tensor(LOGS, requires_grad=True)
    distances, unit, y = (torch.tensor(array) for array in data())

    def solve(L: Any, y: Any) -> Any:
        return torch.linalg.solve_triangular(L, y[:, None], upper=False)
    loss_of = likelihood(torch.exp, torch.log, torch.linalg.cholesky, solve, torch.diagonal)

    def step() -> Any:
        logs.grad = None
        value = loss_of(logs, distances, unit, y)
        value.backward()
        return value.detach(), logs.grad
    return _side(step)


def jax() -> Side:
    jax = peers.jax()
    given = [jax.numpy.asarray(array) for array in (LOGS, *data())]

    def solve(L: Any, y: Any) -> Any:
        return jax.scipy.linalg.solve_triangular(L, y, lower=True)
    work = jax.jit(jax.value_and_grad(likelihood(jax.numpy.exp, jax.numpy.log, jax.numpy.linalg.cholesky, solve,
                                                 jax.numpy.diagonal)))
    return _side(lambda: jax.block_until_ready(work(*given)))


def autograd() -> Side:
    np_ = peers.autograd().numpy
    _scipy()
    from autograd.scipy.linalg import solve_triangular

    def solve(L: Any, y: Any) -> Any:
        return solve_triangular(L, y, lower=True)
    derive = peers.autograd().value_and_grad(likelihood(np_.exp, np_.log, np_.linalg.cholesky, solve, np_.diag))
    given = data()
    return _side(lambda: derive(LOGS, *given))


def cases() -> Iterator[Case]:
    yield Case("gaussian_process", f"the marginal likelihood of a Gaussian process on {POINTS} points, float64",
               {EAGER: lambda: _tinygraph(False), COMPILED: lambda: _tinygraph(True), TORCH: pytorch, JAX: jax,
                AUTOGRAD: autograd})
