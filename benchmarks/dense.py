"""One training step of a network of affine layers with ReLU between, softmax with loss and plain gradient descent.

Forward, backward and the update of the weights, as each library's user would write it; the workloads `lecture_step` and
`mlp`. Every library gets the labels in the form that suits it: as indices, or one-hot where it has no loss for those.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import tinygraph as tg
from benchmarks import peers
from benchmarks.harness import Answer, Side
from benchmarks.peers import AUTOGRAD, COMPILE, COMPILED, DEZERO, EAGER, JAX, LECTURE, MYGRAD, TINYGRAD, TORCH
from tests import lecture_layers

BY_HAND = "NumPy by hand"
PRODUCTS = "the bare matrix products"


@dataclass(frozen=True)
class Problem:
    """A network, a batch, and the first weights.

    Attributes:
        widths: Of the input, each hidden layer, and the classes.
        batch: How many samples.
        rate: The learning rate: small enough to go on for thousands of steps.
        scale: The standard deviation of the first weights; None for He's.
    """

    widths: tuple[int, ...]
    batch: int
    dtype: Any
    rate: float
    scale: float | None = None

    @property
    def x(self) -> np.ndarray:
        return np.random.default_rng(0).random((self.batch, self.widths[0])).astype(self.dtype)

    @property
    def labels(self) -> np.ndarray:
        return np.random.default_rng(1).integers(0, self.widths[-1], self.batch)

    @property
    def one_hot(self) -> np.ndarray:
        return np.eye(self.widths[-1], dtype=self.dtype)[self.labels]

    def weights(self) -> list[np.ndarray]:
        """Fresh arrays: W and b of each layer in turn."""
        rng = np.random.default_rng(2)
        made = []
        for n, m in zip(self.widths, self.widths[1:], strict=False):
            made += [((self.scale or np.sqrt(2 / n)) * rng.standard_normal((n, m))).astype(self.dtype),
                     np.zeros(m, self.dtype)]
        return made

    def answer(self, loss: Any, weights: Any) -> Answer:
        """The loss, and how far each weight has come: the sum of its gradients."""
        moved = {f"{'bW'[i % 2 == 0]}{i // 2 + 1}": np.asarray(w) - first
                 for i, (w, first) in enumerate(zip(weights, self.weights(), strict=True))}
        return {"loss": np.asarray(loss, self.dtype), **moved}


def layers(weights: Any) -> list[tuple[Any, Any]]:
    """The weights in pairs, W and b."""
    return list(zip(weights[::2], weights[1::2], strict=True))


def _tinygraph(p: Problem) -> tuple[dict[str, tg.Tensor], Callable[[Any, Any], Any], Any]:
    """Weights, loss and optimiser."""
    weights = [tg.tensor(w, requires_grad=True) for w in p.weights()]
    *hidden, (W_last, b_last) = layers(weights)

    def loss_of(x: Any, t: Any) -> Any:
        for W, b in hidden:
            x = tg.relu(tg.affine(x, W, b))
        return tg.softmax_with_loss(tg.affine(x, W_last, b_last), t)
    return weights, loss_of, tg.optim.SGD(weights, lr=p.rate)


def tinygraph(p: Problem) -> Side:
    weights, loss_of, optimizer = _tinygraph(p)
    x, t = p.x, p.labels

    def step() -> Any:
        optimizer.zero_grad()
        loss = loss_of(x, t)
        loss.backward(retain_graph=False)
        optimizer.step()
        return loss
    return Side(step, lambda loss: p.answer(loss.data, [w.data for w in weights]))


def compiled(p: Problem) -> Side:
    weights, loss_of, optimizer = _tinygraph(p)
    x, t = p.x, p.labels

    @tg.compile
    def step(x: Any, t: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_of(x, t)
        loss.backward()
        optimizer.step()
        return loss
    return Side(lambda: step(x, t), lambda loss: p.answer(loss.data, [w.data for w in weights]))


def lecture(p: Problem) -> Side:
    """The layers as they stand in the lecture, each with its forward and backward."""
    x, t, rate, weights = p.x, p.one_hot, p.dtype(p.rate), p.weights()
    stack: list[Any] = []
    for W, b in layers(weights):
        stack += [lecture_layers.Affine(W, b), lecture_layers.Relu()]
    stack[-1] = lecture_layers.SoftmaxWithLoss()

    def step() -> Any:
        y = x
        for layer in stack[:-1]:
            y = layer.forward(y)
        loss = stack[-1].forward(y, t)
        dout = stack[-1].backward(1)
        for layer in reversed(stack[:-1]):
            dout = layer.backward(dout)
        for layer in stack[:-1:2]:
            layer.W -= rate * layer.dW
            layer.b -= rate * layer.db
        return loss
    return Side(step, lambda loss: p.answer(loss, weights))


def by_hand(p: Problem) -> Side:
    """Every buffer kept, and no gradient that is thrown away: what a patient person writes in NumPy."""
    x, rows, labels, weights = p.x, np.arange(p.batch), p.labels, p.weights()
    outs = [np.empty((p.batch, m), p.dtype) for m in p.widths[1:]]
    backs = [np.empty_like(out) for out in outs[:-1]]
    masks = [np.empty(out.shape, bool) for out in backs]
    gradients = [np.empty_like(w) for w in weights]
    sums, ones = np.empty((p.batch, 1), p.dtype), np.ones(p.batch, p.dtype)
    share, rate = p.dtype(1 / p.batch), p.dtype(p.rate)
    pairs, last = layers(weights), len(outs) - 1

    def step() -> Any:
        y = x
        for i, (W, b) in enumerate(pairs):
            y = np.matmul(y, W, out=outs[i])
            np.add(y, b, out=y)
            if i < last:
                np.maximum(y, 0, out=y)
        np.subtract(y, np.maximum.reduce(y, axis=1, keepdims=True, out=sums), out=y)
        chosen = y[rows, labels]
        np.exp(y, out=y)
        np.add.reduce(y, axis=1, keepdims=True, out=sums)
        loss = (np.log(sums).sum() - chosen.sum()) * share
        np.divide(y, sums, out=y)
        y[rows, labels] -= 1
        g = np.multiply(y, share, out=y)
        for i in range(last, -1, -1):
            np.matmul((outs[i - 1] if i else x).T, g, out=gradients[2 * i])
            np.matmul(ones, g, out=gradients[2 * i + 1])
            if i:
                g = np.matmul(g, weights[2 * i].T, out=backs[i - 1])
                np.multiply(g, np.greater(outs[i - 1], 0, out=masks[i - 1]), out=g)
        for w, dw in zip(weights, gradients, strict=True):
            np.multiply(dw, rate, out=dw)
            np.subtract(w, dw, out=w)
        return loss
    return Side(step, lambda loss: p.answer(loss, weights))


def products(p: Problem) -> Side:
    """Those that no step can do without, into buffers that are there."""
    values = [p.x, *(np.ones((p.batch, m), p.dtype) for m in p.widths[1:])]
    calls = []
    for i, (W, _) in enumerate(layers(p.weights())):
        calls += [(values[i], W, np.empty_like(values[i + 1])), (values[i].T, values[i + 1], np.empty_like(W))]
        if i:
            calls.append((values[i + 1], W.T, np.empty_like(values[i])))

    def step() -> None:
        for a, b, out in calls:
            np.matmul(a, b, out=out)
    return Side(step)


def _rows(weights: Any) -> list[np.ndarray]:
    """Weights in the form of torch.nn.Linear, which has W transposed."""
    return [np.ascontiguousarray(w.T) for w in weights]


def pytorch(p: Problem) -> Side:
    torch = peers.torch()
    F = torch.nn.functional
    weights = [torch.tensor(w, requires_grad=True) for w in _rows(p.weights())]
    first, t = torch.tensor(p.x), torch.tensor(p.labels)
    *hidden, (W_last, b_last) = layers(weights)

    def step() -> Any:
        for w in weights:
            w.grad = None
        x = first
        for W, b in hidden:
            x = torch.relu(F.linear(x, W, b))
        loss = F.cross_entropy(F.linear(x, W_last, b_last), t)
        loss.backward()
        with torch.no_grad():  # leaner than torch.optim.SGD, fused or not
            for w in weights:
                w.add_(w.grad, alpha=-p.rate)
        return loss
    return Side(step, lambda loss: p.answer(loss.detach().numpy(), [w.detach().numpy().T for w in weights]))


def torch_compile(p: Problem) -> Side:
    """The whole step as one graph, which is faster than a compiled loss whose backward is called."""
    torch = peers.torch()
    F = torch.nn.functional
    x, t = torch.tensor(p.x), torch.tensor(p.labels)
    state = [torch.tensor(w) for w in _rows(p.weights())]

    def loss_of(weights: Any, x: Any, t: Any) -> Any:
        *hidden, (W_last, b_last) = layers(weights)
        for W, b in hidden:
            x = torch.relu(F.linear(x, W, b))
        return F.cross_entropy(F.linear(x, W_last, b_last), t)

    @torch.compile(fullgraph=True)
    def update(weights: Any, x: Any, t: Any) -> Any:
        gradients, loss = torch.func.grad_and_value(loss_of)(weights, x, t)
        return loss, [w - p.rate * g for w, g in zip(weights, gradients, strict=True)]

    def step() -> Any:
        nonlocal state
        with torch.no_grad():
            loss, state = update(state, x, t)
        return loss
    return Side(step, lambda loss: p.answer(loss.numpy(), [w.numpy().T for w in state]))


def jax(p: Problem) -> Side:
    jax = peers.jax()
    x, t = jax.numpy.asarray(p.x), jax.numpy.asarray(p.labels)
    state = [jax.numpy.asarray(w) for w in p.weights()]

    def loss_of(weights: Any, x: Any, t: Any) -> Any:
        *hidden, (W_last, b_last) = layers(weights)
        for W, b in hidden:
            x = jax.nn.relu(x @ W + b)
        logs = jax.nn.log_softmax(x @ W_last + b_last)
        return -jax.numpy.take_along_axis(logs, t[:, None], axis=1).mean()

    @functools.partial(jax.jit, donate_argnums=0)
    def update(weights: Any, x: Any, t: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_of)(weights, x, t)
        return loss, [w - p.rate * g for w, g in zip(weights, gradients, strict=True)]

    def step() -> Any:
        nonlocal state
        loss, state = jax.block_until_ready(update(state, x, t))
        return loss
    return Side(step, lambda loss: p.answer(loss, state))


def autograd(p: Problem) -> Side:
    library = peers.autograd()
    np_ = library.numpy
    first, t, rate, share = p.x, p.one_hot, p.dtype(p.rate), p.dtype(1 / p.batch)
    weights = p.weights()

    def loss_of(weights: Any) -> Any:
        x = first
        *hidden, (W_last, b_last) = layers(weights)
        for W, b in hidden:
            x = np_.maximum(np_.dot(x, W) + b, 0)
        z = np_.dot(x, W_last) + b_last
        z = z - np_.max(z, axis=1, keepdims=True)
        return (np_.sum(np_.log(np_.sum(np_.exp(z), axis=1))) - np_.sum(z * t)) * share
    derive = library.value_and_grad(loss_of)

    def step() -> Any:
        loss, gradients = derive(weights)
        for w, g in zip(weights, gradients, strict=True):
            w -= rate * g
        return loss
    return Side(step, lambda loss: p.answer(loss, weights))


def mygrad(p: Problem) -> Side:
    mg = peers.mygrad()
    from mygrad.nnet import relu, softmax_crossentropy
    first, t, rate = p.x, p.labels, p.dtype(p.rate)
    weights = [mg.tensor(w) for w in p.weights()]
    *hidden, (W_last, b_last) = layers(weights)

    def step() -> Any:
        x = first
        for W, b in hidden:
            x = relu(mg.matmul(x, W) + b)
        loss = softmax_crossentropy(mg.matmul(x, W_last) + b_last, t)
        loss.backward()
        for w in weights:
            w.data -= rate * w.grad
        return loss
    return Side(step, lambda loss: p.answer(loss.data, [w.data for w in weights]))


def dezero(p: Problem) -> Side:
    dz = peers.dezero()
    F = dz.functions
    first, t, rate = dz.Variable(p.x), dz.Variable(p.labels), p.dtype(p.rate)
    weights = [dz.Parameter(w) for w in p.weights()]
    *hidden, (W_last, b_last) = layers(weights)

    def step() -> Any:
        for w in weights:
            w.cleargrad()
        x = first
        for W, b in hidden:
            x = F.relu(F.linear(x, W, b))
        loss = F.softmax_cross_entropy(F.linear(x, W_last, b_last), t)
        loss.backward()
        for w in weights:
            w.data -= rate * w.grad.data
        return loss
    return Side(step, lambda loss: p.answer(loss.data, [w.data for w in weights]))


def tinygrad(p: Problem) -> Side:
    Tensor, jit = peers.tinygrad().Tensor, peers.tinygrad().TinyJit
    first, t = Tensor(p.x).realize(), Tensor(p.labels.astype(np.int32)).realize()
    weights = [Tensor(w).realize() for w in p.weights()]
    *hidden, (W_last, b_last) = layers(weights)

    @jit
    def update() -> Any:
        x = first
        for W, b in hidden:
            x = (x @ W + b).relu()
        loss = (x @ W_last + b_last).sparse_categorical_crossentropy(t)
        for w, g in zip(weights, loss.gradient(*weights), strict=True):
            w.assign(w - p.rate * g)
        return loss.realize(*weights)

    def step() -> Any:
        return update().item()
    return Side(step, lambda loss: p.answer(loss, [w.numpy() for w in weights]))


MAKERS: dict[str, Callable[[Problem], Side]] = {
    EAGER: tinygraph, COMPILED: compiled, PRODUCTS: products, BY_HAND: by_hand, LECTURE: lecture, TORCH: pytorch,
    COMPILE: torch_compile, JAX: jax, AUTOGRAD: autograd, MYGRAD: mygrad, DEZERO: dezero, TINYGRAD: tinygrad}


def sides(problem: Problem) -> dict[str, Callable[[], Side]]:
    """Every contender on this problem."""
    return {name: functools.partial(make, problem) for name, make in MAKERS.items()}
