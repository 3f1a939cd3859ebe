"""The Hessian of the lecture's network's loss times a vector: 784-50-10, batch 100, float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import tinygraph as tg
from benchmarks import peers
from benchmarks.dense import Problem
from benchmarks.harness import Answer, Case, Side
from benchmarks.peers import AUTOGRAD, COMPILED, EAGER, JAX, TORCH

NAMES = ("W1", "b1", "W2", "b2")


def data() -> tuple[Problem, list[np.ndarray], list[np.ndarray]]:
    """The problem, the weights and the vector."""
    p = Problem((784, 50, 10), 100, np.float64, rate=0.0, scale=0.1)
    weights = p.weights()
    rng = np.random.default_rng(3)
    return p, weights, [rng.standard_normal(w.shape) for w in weights]


def _side(step: Callable[[], Any]) -> Side:
    def answer(result: Any) -> Answer:
        return {name: np.asarray(product) for name, product in zip(NAMES, result, strict=True)}
    return Side(step, answer)


def _tinygraph(compile: bool) -> Side:
    p, weights, vector = data()
    x, t = p.x, p.labels

    def loss_of(W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
        return tg.softmax_with_loss(tg.affine(tg.relu(tg.affine(x, W1, b1)), W2, b2), t)

    def work(weights: Any, vector: Any) -> Any:
        return tg.hvp(loss_of, weights, vector)
    if compile:
        work = tg.compile(work)
    return _side(lambda: work(weights, vector))


def pytorch() -> Side:
    """Backward twice, which is faster here than torch.func's jvp of grad."""
    torch = peers.torch()
    p, arrays, directions = data()
    F = torch.nn.functional
    x, t = torch.tensor(p.x), torch.tensor(p.labels)
    W1, b1, W2, b2 = weights = [torch.tensor(w, requires_grad=True) for w in arrays]
    vector = [torch.tensor(v) for v in directions]

    def step() -> Any:
        loss = F.cross_entropy(torch.addmm(b2, torch.relu(torch.addmm(b1, x, W1)), W2), t)
        gradients = torch.autograd.grad(loss, weights, create_graph=True)
        return torch.autograd.grad(gradients, weights, vector)
    return _side(step)


def jax() -> Side:
    """Forward over reverse, as its documentation recommends."""
    jax = peers.jax()
    p, arrays, directions = data()
    x, t = jax.numpy.asarray(p.x), jax.numpy.asarray(p.labels)
    weights, vector = ([jax.numpy.asarray(a) for a in some] for some in (arrays, directions))

    def loss_of(weights: Any) -> Any:
        W1, b1, W2, b2 = weights
        logs = jax.nn.log_softmax(jax.nn.relu(x @ W1 + b1) @ W2 + b2)
        return -jax.numpy.take_along_axis(logs, t[:, None], axis=1).mean()
    work = jax.jit(lambda w, v: jax.jvp(jax.grad(loss_of), (w,), (v,))[1])
    return _side(lambda: jax.block_until_ready(work(weights, vector)))


def autograd() -> Side:
    """Its hessian_vector_product takes one array."""
    library = peers.autograd()
    np_ = library.numpy
    p, weights, vector = data()
    x, one_hot = p.x, p.one_hot

    def loss_of(weights: Any) -> Any:
        W1, b1, W2, b2 = weights
        z = np_.dot(np_.maximum(np_.dot(x, W1) + b1, 0), W2) + b2
        z = z - np_.max(z, axis=1, keepdims=True)
        return (np_.sum(np_.log(np_.sum(np_.exp(z), axis=1))) - np_.sum(z * one_hot)) / len(x)
    gradient = library.grad(loss_of)

    def along(weights: Any) -> Any:
        return sum(np_.sum(g * v) for g, v in zip(gradient(weights), vector, strict=True))
    work = library.grad(along)
    return _side(lambda: work(weights))


def cases() -> Iterator[Case]:
    yield Case("hvp", "the Hessian of the lecture's network times a vector, batch 100, float64",
               {EAGER: lambda: _tinygraph(False), COMPILED: lambda: _tinygraph(True), TORCH: pytorch, JAX: jax,
                AUTOGRAD: autograd})
