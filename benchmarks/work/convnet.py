"""One training step of the book's SimpleConvNet: batch 100 of 28 x 28, float32.

A convolution with 30 filters of 5 x 5, ReLU, 2 x 2 max pooling, 100 hidden, 10 classes, plain gradient descent.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import tinygraph as tg
from benchmarks import peers
from benchmarks.harness import Answer, Case, Goal, Side
from benchmarks.peers import COMPILE, COMPILED, DEZERO, EAGER, JAX, MYGRAD, TINYGRAD, TORCH
from models.simple_convnet import SimpleConvNet

N, SIZE, FILTERS, FILTER, HIDDEN, CLASSES = 100, 28, 30, 5, 100, 10
MAPS, POOLED = SIZE - FILTER + 1, (SIZE - FILTER + 1) // 2
NAMES = ("W1", "b1", "W2", "b2", "W3", "b3")
RATE = 0.01
BY_HAND = "NumPy by hand"


def data() -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 1, 28, 28) and labels (N,)."""
    rng = np.random.default_rng(0)
    return rng.random((N, 1, SIZE, SIZE)).astype(np.float32), rng.integers(0, CLASSES, N)


def net() -> SimpleConvNet:
    """With larger first weights than the book's, so that gradients are well above rounding."""
    return SimpleConvNet(SIZE, CLASSES, FILTERS, FILTER, HIDDEN, weight_init_std=0.05, seed=0, dtype=np.float32)


def first() -> list[np.ndarray]:
    """The first weights."""
    return [weight.data for weight in net().params.values()]


def answer(loss: Any, weights: Any) -> Answer:
    moved = {name: np.asarray(w) - w0 for name, w, w0 in zip(NAMES, weights, first(), strict=True)}
    return {"loss": np.asarray(loss, np.float32), **moved}


def _tinygraph(compile: bool) -> Side:
    x, t = data()
    model = net()
    optimizer = tg.optim.SGD(model.params, lr=RATE)

    def step(x: Any, t: Any) -> Any:
        optimizer.zero_grad()
        loss = model.loss(x, t)
        loss.backward(retain_graph=False)
        optimizer.step()
        return loss
    work = tg.compile(step) if compile else step
    return Side(lambda: work(x, t), lambda loss: answer(loss.data, [w.data for w in model.params.values()]))


def by_hand() -> Side:
    """Channels last, the patches in a kept buffer, ReLU after the pooling, where a quarter is left."""
    x, t = data()
    W1, b1, W2, b2, W3, b3 = first()
    W1 = np.ascontiguousarray(W1.reshape(FILTERS, -1).T)
    W2 = np.ascontiguousarray(W2.reshape(FILTERS, POOLED, POOLED, HIDDEN).transpose(1, 2, 0, 3)).reshape(-1, HIDDEN)
    windows = np.lib.stride_tricks.sliding_window_view(x[:, 0], (FILTER, FILTER), axis=(1, 2))
    patches = np.empty((N * MAPS * MAPS, FILTER * FILTER), np.float32)
    maps = np.empty((N * MAPS * MAPS, FILTERS), np.float32)
    by_window = maps.reshape(N, POOLED, 2, POOLED, 2, FILTERS)
    largest = np.empty((N, POOLED, 1, POOLED, 1, FILTERS), np.float32)
    dmaps = np.empty_like(by_window)
    rows, ones, rate = np.arange(N), np.ones(N, np.float32), np.float32(RATE)
    places, share = np.ones(N * POOLED * POOLED, np.float32), np.float32(1 / N)

    def step() -> Any:
        np.copyto(patches.reshape(windows.shape), windows)
        np.matmul(patches, W1, out=maps)
        np.maximum(np.maximum(by_window[:, :, :1, :, :1], by_window[:, :, 1:, :, :1]),
                   np.maximum(by_window[:, :, :1, :, 1:], by_window[:, :, 1:, :, 1:]), out=largest)
        h = largest.reshape(-1, FILTERS) + b1  # the bias is the same for all of a window
        np.maximum(h, 0, out=h)
        h = h.reshape(N, -1)
        a = h @ W2 + b2
        np.maximum(a, 0, out=a)
        z = a @ W3 + b3
        z -= z.max(axis=1, keepdims=True)
        chosen = z[rows, t].sum()
        np.exp(z, out=z)
        sums = z.sum(axis=1, keepdims=True)
        loss = (np.log(sums).sum() - chosen) * share
        z /= sums
        z[rows, t] -= 1
        z *= share
        dW3, db3 = a.T @ z, ones @ z
        da = z @ W3.T
        da *= a > 0
        dW2, db2 = h.T @ da, ones @ da
        dh = da @ W2.T
        dh *= h > 0
        db1 = places @ dh.reshape(-1, FILTERS)
        np.multiply(by_window == largest, dh.reshape(largest.shape), out=dmaps)
        dW1 = patches.T @ dmaps.reshape(-1, FILTERS)
        for w, g in ((W1, dW1), (b1, db1), (W2, dW2), (b2, db2), (W3, dW3), (b3, db3)):
            g *= rate
            w -= g
        return loss

    def weights() -> list[np.ndarray]:
        dense = W2.reshape(POOLED, POOLED, FILTERS, HIDDEN).transpose(2, 0, 1, 3).reshape(-1, HIDDEN)
        return [W1.T.reshape(FILTERS, 1, FILTER, FILTER), b1, dense, b2, W3, b3]
    return Side(step, lambda loss: answer(loss, weights()))


def _torch_loss(torch: Any, weights: Any, x: Any, t: Any) -> Any:
    F = torch.nn.functional
    W1, b1, W2, b2, W3, b3 = weights
    h = F.max_pool2d(torch.relu(F.conv2d(x, W1, b1)), 2).flatten(1)
    return F.cross_entropy(torch.addmm(b3, torch.relu(torch.addmm(b2, h, W2)), W3), t)


def pytorch() -> Side:
    torch = peers.torch()
    x, t = (torch.tensor(array) for array in data())
    weights = [torch.tensor(w, requires_grad=True) for w in first()]

    def step() -> Any:
        for w in weights:
            w.grad = None
        loss = _torch_loss(torch, weights, x, t)
        loss.backward()
        with torch.no_grad():
            for w in weights:
                w.add_(w.grad, alpha=-RATE)
        return loss
    return Side(step, lambda loss: answer(loss.detach().numpy(), [w.detach().numpy() for w in weights]))


def torch_compile() -> Side:
    torch = peers.torch()
    x, t = (torch.tensor(array) for array in data())
    state = [torch.tensor(w) for w in first()]

    @torch.compile(fullgraph=True)
    def update(weights: Any, x: Any, t: Any) -> Any:
        gradients, loss = torch.func.grad_and_value(lambda weights: _torch_loss(torch, weights, x, t))(weights)
        return loss, [w - RATE * g for w, g in zip(weights, gradients, strict=True)]

    def step() -> Any:
        nonlocal state
        with torch.no_grad():
            loss, state = update(state, x, t)
        return loss
    return Side(step, lambda loss: answer(loss.numpy(), [w.numpy() for w in state]))


def jax() -> Side:
    """Channels last, which is faster here than first."""
    jax = peers.jax()
    images, labels = data()
    x, t = jax.numpy.asarray(images.transpose(0, 2, 3, 1)), jax.numpy.asarray(labels)
    W1, b1, W2, b2, W3, b3 = first()
    dense = W2.reshape(FILTERS, POOLED, POOLED, HIDDEN).transpose(1, 2, 0, 3).reshape(-1, HIDDEN)
    state = [jax.numpy.asarray(w) for w in (W1.transpose(2, 3, 1, 0), b1, dense, b2, W3, b3)]

    def loss_of(weights: Any, x: Any, t: Any) -> Any:
        W1, b1, W2, b2, W3, b3 = weights
        maps = jax.lax.conv_general_dilated(x, W1, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        h = jax.nn.relu(maps + b1)
        h = jax.lax.reduce_window(h, -jax.numpy.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        logs = jax.nn.log_softmax(jax.nn.relu(h.reshape(N, -1) @ W2 + b2) @ W3 + b3)
        return -jax.numpy.take_along_axis(logs, t[:, None], axis=1).mean()

    @functools.partial(jax.jit, donate_argnums=0)
    def update(weights: Any, x: Any, t: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_of)(weights, x, t)
        return loss, [w - RATE * g for w, g in zip(weights, gradients, strict=True)]

    def step() -> Any:
        nonlocal state
        loss, state = jax.block_until_ready(update(state, x, t))
        return loss

    def weights() -> list[np.ndarray]:
        W1, b1, W2, b2, W3, b3 = map(np.asarray, state)
        dense = W2.reshape(POOLED, POOLED, FILTERS, HIDDEN).transpose(2, 0, 1, 3).reshape(-1, HIDDEN)
        return [W1.transpose(3, 2, 0, 1), b1, dense, b2, W3, b3]
    return Side(step, lambda loss: answer(loss, weights()))


def dezero() -> Side:
    dz = peers.dezero()
    F = dz.functions
    x, t = (dz.Variable(array) for array in data())
    W1, b1, W2, b2, W3, b3 = weights = [dz.Parameter(w) for w in first()]
    rate = np.float32(RATE)

    def step() -> Any:
        for w in weights:
            w.cleargrad()
        h = F.pooling(F.relu(F.conv2d(x, W1, b1)), 2, 2)
        h = F.relu(F.linear(F.reshape(h, (N, -1)), W2, b2))
        loss = F.softmax_cross_entropy(F.linear(h, W3, b3), t)
        loss.backward()
        for w in weights:
            w.data -= rate * w.grad.data
        return loss
    return Side(step, lambda loss: answer(loss.data, [w.data for w in weights]))


def mygrad() -> Side:
    mg = peers.mygrad()
    from mygrad.nnet import conv_nd, max_pool, relu, softmax_crossentropy
    x, t = data()
    W1, b1, W2, b2, W3, b3 = weights = [mg.tensor(w) for w in first()]
    rate = np.float32(RATE)

    def step() -> Any:
        h = max_pool(relu(conv_nd(x, W1, stride=1) + b1.reshape(1, -1, 1, 1)), (2, 2), 2)
        h = relu(mg.matmul(h.reshape(N, -1), W2) + b2)
        loss = softmax_crossentropy(mg.matmul(h, W3) + b3, t)
        loss.backward()
        for w in weights:
            w.data -= rate * w.grad
        return loss
    return Side(step, lambda loss: answer(loss.data, [w.data for w in weights]))


def tinygrad() -> Side:
    Tensor, jit = peers.tinygrad().Tensor, peers.tinygrad().TinyJit
    images, labels = data()
    x, t = Tensor(images).realize(), Tensor(labels.astype(np.int32)).realize()
    W1, b1, W2, b2, W3, b3 = weights = [Tensor(w).realize() for w in first()]

    @jit
    def update() -> Any:
        h = x.conv2d(W1, b1).relu().max_pool2d((2, 2)).flatten(1)
        loss = ((h @ W2 + b2).relu() @ W3 + b3).sparse_categorical_crossentropy(t)
        for w, g in zip(weights, loss.gradient(*weights), strict=True):
            w.assign(w - RATE * g)
        return loss.realize(*weights)

    def step() -> Any:
        return update().item()
    return Side(step, lambda loss: answer(loss, [w.numpy() for w in weights]))


MAKERS: dict[str, Callable[[], Side]] = {
    EAGER: lambda: _tinygraph(False), COMPILED: lambda: _tinygraph(True), BY_HAND: by_hand, TORCH: pytorch,
    COMPILE: torch_compile, JAX: jax, MYGRAD: mygrad, DEZERO: dezero, TINYGRAD: tinygrad}


def cases() -> Iterator[Case]:
    yield Case("convnet", f"SimpleConvNet's step, batch {N}, float32", MAKERS,
               (Goal(EAGER, (TORCH,), at_least=1.0), Goal(COMPILED, (TORCH, JAX), at_least=2.0)), np.float32)
