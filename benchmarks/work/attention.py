"""Loss and gradients of a block of self-attention: batch 8, 64 positions, 128 features, 4 heads, float32.

Queries, keys and values by one product, softmax(q kᵀ / √d) v by head, an output product, and the input added. The loss
is the mean square. Source: A. Vaswani et al., Attention is all you need, 2017, section 3.2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import tinygraph as tg
from benchmarks import peers
from benchmarks.harness import Answer, Case, Side
from benchmarks.peers import AUTOGRAD, COMPILE, COMPILED, EAGER, JAX, MYGRAD, TORCH

N, T, D, HEADS = 8, 64, 128, 4
NAMES = ("W_qkv", "W_out")


def data() -> tuple[np.ndarray, list[np.ndarray]]:
    rng = np.random.default_rng(0)
    shapes = ((D, 3 * D), (D, D))
    return (rng.standard_normal((N, T, D)).astype(np.float32),
            [(rng.standard_normal(shape) / np.sqrt(D)).astype(np.float32) for shape in shapes])


def block(np_: Any, softmax: Callable[[Any], Any]) -> Callable[..., Any]:
    """The loss, by a library that has NumPy's functions."""
    scale = np.float32(1 / math.sqrt(D // HEADS))

    def loss_of(weights: Any, x: Any) -> Any:
        W_qkv, W_out = weights
        heads = np_.transpose(np_.reshape(np_.matmul(x, W_qkv), (N, T, 3, HEADS, D // HEADS)), (2, 0, 3, 1, 4))
        q, k, v = heads[0], heads[1], heads[2]
        shares = softmax(np_.matmul(q * scale, np_.swapaxes(k, -1, -2)))
        mixed = np_.reshape(np_.transpose(np_.matmul(shares, v), (0, 2, 1, 3)), (N, T, D))
        return np_.mean((x + np_.matmul(mixed, W_out)) ** 2)
    return loss_of


def _side(step: Callable[[], Any]) -> Side:
    def answer(result: Any) -> Answer:
        loss, gradients = result
        return {"loss": np.asarray(loss), **{n: np.asarray(g) for n, g in zip(NAMES, gradients, strict=True)}}
    return Side(step, answer)


def _tinygraph(compile: bool) -> Side:
    x, arrays = data()
    weights = [tg.tensor(w, requires_grad=True) for w in arrays]
    loss_of = block(np, tg.softmax)

    def step() -> Any:
        for w in weights:
            w.zero_grad()
        loss = loss_of(weights, x)
        loss.backward(retain_graph=False)
        return loss, [w.grad for w in weights]
    if compile:
        return _side(tg.compile(step))

    def eager() -> Any:
        loss, gradients = step()
        return loss.data, gradients
    return _side(eager)


def _torch_loss(torch: Any, W_qkv: Any, W_out: Any, x: Any) -> Any:
    """With the library's own attention, which is one op."""
    q, k, v = (x @ W_qkv).view(N, T, 3, HEADS, D // HEADS).permute(2, 0, 3, 1, 4)
    mixed = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    return ((x + mixed.transpose(1, 2).reshape(N, T, D) @ W_out) ** 2).mean()


def pytorch() -> Side:
    torch = peers.torch()
    x, arrays = data()
    weights, inputs = [torch.tensor(w, requires_grad=True) for w in arrays], torch.tensor(x)

    def step() -> Any:
        for w in weights:
            w.grad = None
        loss = _torch_loss(torch, *weights, inputs)
        loss.backward()
        return loss.detach(), [w.grad for w in weights]
    return _side(step)


def torch_compile() -> Side:
    torch = peers.torch()
    x, arrays = data()
    weights, inputs = [torch.tensor(w, requires_grad=True) for w in arrays], torch.tensor(x)
    loss_of = torch.compile(lambda *given: _torch_loss(torch, *given), fullgraph=True)

    def step() -> Any:
        for w in weights:
            w.grad = None
        loss = loss_of(*weights, inputs)
        loss.backward()
        return loss.detach(), [w.grad for w in weights]
    return _side(step)


def jax() -> Side:
    jax = peers.jax()
    x, arrays = data()
    inputs, weights = jax.numpy.asarray(x), [jax.numpy.asarray(w) for w in arrays]
    work = jax.jit(jax.value_and_grad(block(jax.numpy, jax.nn.softmax)))
    return _side(lambda: jax.block_until_ready(work(weights, inputs)))


def autograd() -> Side:
    library = peers.autograd()
    np_ = library.numpy
    x, weights = data()

    def softmax(z: Any) -> Any:
        e = np_.exp(z - np_.max(z, axis=-1, keepdims=True))
        return e / np_.sum(e, axis=-1, keepdims=True)
    derive = library.value_and_grad(block(np_, softmax))
    return _side(lambda: derive(weights, x))


def mygrad() -> Side:
    mg = peers.mygrad()
    from mygrad.nnet import softmax
    x, arrays = data()
    weights = [mg.tensor(w) for w in arrays]
    loss_of = block(mg, softmax)

    def step() -> Any:
        loss = loss_of(weights, x)
        loss.backward()
        return loss.data, [w.grad for w in weights]
    return _side(step)


def cases() -> Iterator[Case]:
    yield Case("attention", f"self-attention, batch {N}, {T} positions, {D} features, {HEADS} heads, float32",
               {EAGER: lambda: _tinygraph(False), COMPILED: lambda: _tinygraph(True), TORCH: pytorch,
                COMPILE: torch_compile, JAX: jax, AUTOGRAD: autograd, MYGRAD: mygrad},
               dtype=np.float32)
