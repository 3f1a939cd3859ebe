"""One op of forward and backward, in a chain of 2,000 on ten floats: times a number and plus a tensor in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import tinygraph as tg
from benchmarks import peers
from benchmarks.harness import Answer, Case, Goal, Side
from benchmarks.peers import AUTOGRAD, COMPILED, DEZERO, EAGER, JAX, MYGRAD, TORCH

LENGTH = 2_000
START = np.linspace(0.1, 1.0, 10)
ONES = np.ones(10)


def chain(x: Any) -> Any:
    """The chain, in any library."""
    y = x
    for _ in range(LENGTH // 2):
        y = y * 1.0001
        y = y + x
    return y


def _side(step: Callable[[], Any]) -> Side:
    def answer(result: Any) -> Answer:
        y, gradient = result
        return {"y": np.asarray(y), "gradient": np.asarray(gradient)}
    return Side(step, answer, per=LENGTH)


def tinygraph() -> Side:
    def step() -> Any:
        x = tg.tensor(START, requires_grad=True)
        y = chain(x)
        y.backward(ONES, retain_graph=False)
        return y.data, x.grad
    return _side(step)


def compiled() -> Side:
    x = tg.tensor(START, requires_grad=True)

    @tg.compile
    def step() -> Any:
        x.zero_grad()
        y = chain(x)
        y.backward(ONES)
        return y, x.grad
    return _side(step)


def pytorch() -> Side:
    torch = peers.torch()
    x, ones = torch.tensor(START, requires_grad=True), torch.tensor(ONES)

    def step() -> Any:
        x.grad = None
        y = chain(x)
        y.backward(ones)
        return y.detach(), x.grad
    return _side(step)


def jax() -> Side:
    """As a loop, which is how one writes it there: XLA wants more than 8 GB of memory for the chain written out."""
    jax = peers.jax()
    x, ones = jax.numpy.asarray(START), jax.numpy.asarray(ONES)

    def chain(x: Any) -> Any:
        return jax.lax.scan(lambda y, _: (y * 1.0001 + x, None), x, length=LENGTH // 2)[0]

    @jax.jit
    def work(x: Any, ones: Any) -> Any:
        y, back = jax.vjp(chain, x)
        return y, back(ones)[0]
    return _side(lambda: jax.block_until_ready(work(x, ones)))


def autograd() -> Side:
    peers.autograd()
    from autograd import make_vjp
    derive = make_vjp(chain)

    def step() -> Any:
        back, y = derive(START)
        return y, back(ONES)
    return _side(step)


def mygrad() -> Side:
    mg = peers.mygrad()

    def step() -> Any:
        x = mg.tensor(START)
        y = chain(x)
        y.backward(ONES)
        return y.data, x.grad
    return _side(step)


def dezero() -> Side:
    dz = peers.dezero()

    def step() -> Any:
        x = dz.Variable(START)
        y = chain(x)
        y.grad = dz.Variable(ONES)
        y.backward()
        return y.data, x.grad.data
    return _side(step)


def cases() -> Iterator[Case]:
    yield Case("op_chain", f"one op, forward and backward, in a chain of {LENGTH:,} on ten floats",
               {EAGER: tinygraph, COMPILED: compiled, TORCH: pytorch, JAX: jax, AUTOGRAD: autograd, MYGRAD: mygrad,
                DEZERO: dezero},
               (Goal(EAGER, (TORCH,), at_most=0.7), Goal(EAGER, (AUTOGRAD,), at_most=0.35),
                Goal(EAGER, (MYGRAD,), at_most=0.12), Goal(COMPILED, (TORCH,), at_most=0.2)))
