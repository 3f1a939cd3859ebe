"""One op of forward and backward on single numbers, as in micrograd: an expression of two leaves and 141 operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import tinygraph as tg
from benchmarks import peers
from benchmarks.harness import Answer, Case, Side
from benchmarks.peers import AUTOGRAD, COMPILED, DEZERO, EAGER, JAX, MICROGRAD, MYGRAD, TORCH

A, B = 0.75, -1.25
ROUNDS = 20
OPERATIONS = 1 + 7 * ROUNDS


def expression(a: Any, b: Any, relu: Callable[[Any], Any]) -> Any:
    """Sums, products, powers and relu, in any library."""
    y = a * b
    for _ in range(ROUNDS):
        u = y * a + b ** 2
        y = relu(u) * 0.5 + u * 0.125
    return y


def _side(step: Callable[[], Any]) -> Side:
    def answer(result: Any) -> Answer:
        return {name: np.float64(value) for name, value in zip(("y", "da", "db"), result, strict=True)}
    return Side(step, answer, per=OPERATIONS)


def tinygraph() -> Side:
    def step() -> Any:
        a, b = tg.tensor(A, requires_grad=True), tg.tensor(B, requires_grad=True)
        y = expression(a, b, tg.relu)
        y.backward(retain_graph=False)
        return y.data, a.grad, b.grad
    return _side(step)


def compiled() -> Side:
    a, b = tg.tensor(A, requires_grad=True), tg.tensor(B, requires_grad=True)

    @tg.compile
    def step() -> Any:
        a.zero_grad()
        b.zero_grad()
        y = expression(a, b, tg.relu)
        y.backward()
        return y, a.grad, b.grad
    return _side(step)


def micrograd() -> Side:
    Value = peers.micrograd().Value

    def step() -> Any:
        a, b = Value(A), Value(B)
        y = expression(a, b, Value.relu)
        y.backward()
        return y.data, a.grad, b.grad
    return _side(step)


def pytorch() -> Side:
    torch = peers.torch()

    def step() -> Any:
        a = torch.tensor(A, dtype=torch.float64, requires_grad=True)
        b = torch.tensor(B, dtype=torch.float64, requires_grad=True)
        y = expression(a, b, torch.relu)
        y.backward()
        return y.detach(), a.grad, b.grad
    return _side(step)


def jax() -> Side:
    jax = peers.jax()
    work = jax.jit(jax.value_and_grad(lambda a, b: expression(a, b, jax.nn.relu), argnums=(0, 1)))
    a, b = jax.numpy.asarray(A), jax.numpy.asarray(B)

    def step() -> Any:
        y, (da, db) = jax.block_until_ready(work(a, b))
        return y, da, db
    return _side(step)


def autograd() -> Side:
    library = peers.autograd()
    derive = library.value_and_grad(lambda ab: expression(*ab, lambda x: library.numpy.maximum(x, 0)))

    def step() -> Any:
        y, (da, db) = derive((A, B))
        return y, da, db
    return _side(step)


def mygrad() -> Side:
    mg = peers.mygrad()
    from mygrad.nnet import relu

    def step() -> Any:
        a, b = mg.tensor(A), mg.tensor(B)
        y = expression(a, b, relu)
        y.backward()
        return y.data, a.grad, b.grad
    return _side(step)


def dezero() -> Side:
    dz = peers.dezero()

    def step() -> Any:
        a, b = dz.Variable(np.array(A)), dz.Variable(np.array(B))
        y = expression(a, b, dz.functions.relu)
        y.backward()
        return y.data, a.grad.data, b.grad.data
    return _side(step)


def cases() -> Iterator[Case]:
    yield Case("scalars", "one op, forward and backward, in an expression of single numbers",
               {EAGER: tinygraph, COMPILED: compiled, MICROGRAD: micrograd, TORCH: pytorch, JAX: jax,
                AUTOGRAD: autograd, MYGRAD: mygrad, DEZERO: dezero})
