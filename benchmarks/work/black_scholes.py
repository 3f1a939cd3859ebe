"""European calls by Black and Scholes's formula, a million of them in float64, with all their Greeks.

Delta, dual delta, theta, rho and vega are the first derivatives of the price, and gamma the derivative of delta, so
everything goes back twice. Source: F. Black, M. Scholes, The pricing of options and corporate liabilities, 1973.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import tinygraph as tg
from benchmarks import peers
from benchmarks.harness import Answer, Case, Goal, Missing, Side
from benchmarks.peers import AUTOGRAD, COMPILE, COMPILED, EAGER, JAX, TORCH

OPTIONS = 1_000_000
GREEKS = ("delta", "dual delta", "theta", "rho", "vega")
BY_HAND = "SciPy by hand"


@functools.cache
def options() -> tuple[np.ndarray, ...]:
    """Spot, strike, time (years), rate and volatility (a year)."""
    rng = np.random.default_rng(0)
    return tuple(rng.uniform(low, high, OPTIONS) for low, high in
                 ((80.0, 120.0), (80.0, 120.0), (0.2, 2.0), (0.0, 0.05), (0.1, 0.4)))


def pricing(log: Any, sqrt: Any, exp: Any, ndtr: Any) -> Callable[..., Any]:
    """The formula with the functions of any library; ``ndtr`` is the normal distribution function."""
    def price(S: Any, K: Any, T: Any, r: Any, sigma: Any) -> Any:
        deviation = sigma * sqrt(T)
        d1 = log(S / K) / deviation + r * T / deviation + 0.5 * deviation
        return S * ndtr(d1) - K * exp(-r * T) * ndtr(d1 - deviation)
    return price


def answer(result: Any) -> Answer:
    gamma, (price, *first) = result
    return {name: np.asarray(array) for name, array in
            zip(("gamma", "price", *GREEKS), (gamma, price, *first), strict=True)}


def _ndtr() -> Any:
    try:
        from scipy.special import ndtr
    except ImportError as error:
        raise Missing("needs SciPy") from error
    return ndtr


def _tinygraph() -> Callable[..., Any]:
    _ndtr()
    price = pricing(np.log, np.sqrt, np.exp, tg.scipy.special.ndtr)

    def delta(S: Any, *others: Any) -> Any:
        value, pull = tg.vjp(price, S, *others)
        greeks = pull(np.ones(S.shape))
        return greeks[0].sum(), (value, *greeks)
    return lambda *given: tg.grad(delta, has_aux=True)(*given)


def tinygraph() -> Side:
    work, given = _tinygraph(), options()
    return Side(lambda: work(*given), answer)


def compiled() -> Side:
    work, given = tg.compile(_tinygraph()), options()
    return Side(lambda: work(*given), answer)


def by_hand() -> Side:
    """The textbook's closed forms, each term computed once."""
    ndtr = _ndtr()
    S, K, T, r, sigma = options()

    def step() -> Any:
        root = np.sqrt(T)
        deviation = sigma * root
        d1 = (np.log(S / K) + r * T) / deviation + 0.5 * deviation
        d2 = d1 - deviation
        N1, N2, discount = ndtr(d1), ndtr(d2), np.exp(-r * T)
        density = np.exp(-0.5 * d1 * d1) / math.sqrt(2 * math.pi)
        held = K * discount * N2
        vega = S * density * root
        return density / (S * deviation), (S * N1 - held, N1, -discount * N2, 0.5 * vega * sigma / T + r * held,
                                           T * held, vega)
    return Side(step, answer)


def pytorch() -> Side:
    torch = peers.torch()
    price = pricing(torch.log, torch.sqrt, torch.exp, torch.special.ndtr)
    given = [torch.tensor(array, requires_grad=True) for array in options()]

    def step() -> Any:
        value = price(*given)
        greeks = torch.autograd.grad(value.sum(), given, create_graph=True)
        gamma, = torch.autograd.grad(greeks[0].sum(), given[:1])
        return gamma, (value.detach(), *(greek.detach() for greek in greeks))
    return Side(step, answer)


def torch_compile() -> Side:
    torch = peers.torch()
    price = pricing(torch.log, torch.sqrt, torch.exp, torch.special.ndtr)
    given = [torch.tensor(array) for array in options()]

    def total(*given: Any) -> Any:
        value = price(*given)
        return value.sum(), value

    def delta(*given: Any) -> Any:
        greeks, value = torch.func.grad(total, argnums=(0, 1, 2, 3, 4), has_aux=True)(*given)
        return greeks[0].sum(), (value, *greeks)
    work = torch.compile(torch.func.grad(delta, has_aux=True), fullgraph=True)

    def step() -> Any:
        with torch.no_grad():
            return work(*given)
    return Side(step, answer)


def jax() -> Side:
    jax = peers.jax()
    price = pricing(jax.numpy.log, jax.numpy.sqrt, jax.numpy.exp, jax.scipy.special.ndtr)
    given = [jax.numpy.asarray(array) for array in options()]

    def delta(S: Any, *others: Any) -> Any:
        value, pull = jax.vjp(price, S, *others)
        greeks = pull(jax.numpy.ones_like(S))
        return greeks[0].sum(), (value, *greeks)
    work = jax.jit(jax.grad(delta, has_aux=True))
    return Side(lambda: jax.block_until_ready(work(*given)), answer)


def autograd() -> Side:
    library = peers.autograd()
    _ndtr()
    from autograd.builtins import tuple as together
    from autograd.scipy.stats import norm
    np_ = library.numpy
    price = pricing(np_.log, np_.sqrt, np_.exp, norm.cdf)
    given = options()
    ones = np.ones(OPTIONS)

    def delta(S: Any) -> Any:
        pull, value = library.make_vjp(lambda given: price(*given))(together((S, *given[1:])))
        greeks = pull(ones)
        return np_.sum(greeks[0]), together((value, *greeks))
    derive = library.grad_and_aux(delta)
    return Side(lambda: derive(given[0]), answer)


def cases() -> Iterator[Case]:
    yield Case("black_scholes", f"Black-Scholes with all Greeks, {OPTIONS:,} options, float64",
               {EAGER: tinygraph, COMPILED: compiled, BY_HAND: by_hand, TORCH: pytorch, COMPILE: torch_compile,
                JAX: jax, AUTOGRAD: autograd},
               (Goal(EAGER, (AUTOGRAD,), at_least=1.0), Goal(COMPILED, (JAX,), at_least=1.0)))
