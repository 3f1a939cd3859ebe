"""Loss and gradients of an LSTM over 50 steps: batch 32, 64 features, 128 hidden, float32.

PyTorch and JAX take the products with the inputs for all steps at once. Where the steps are written out one takes them
step by step, since the gradient of ``z[t]`` is an array as large as ``z``. The loss is the mean square of the last
hidden state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import tinygraph as tg
from benchmarks import peers
from benchmarks.harness import Answer, Case, Side
from benchmarks.peers import AUTOGRAD, COMPILED, DEZERO, EAGER, JAX, MYGRAD, TORCH

T, N, D, H = 50, 32, 64, 128
NAMES = ("Wx", "Wh", "b")
SHAPES = ((D, 4 * H), (H, 4 * H), (4 * H,))


def data() -> tuple[np.ndarray, list[np.ndarray]]:
    """The inputs, time first, and the weights; the gates' columns are input, forget, output, candidate."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((T, N, D)).astype(np.float32)
    return x, [(rng.standard_normal(shape) / np.sqrt(H)).astype(np.float32) for shape in SHAPES]


def zeros() -> np.ndarray:
    return np.zeros((N, H), np.float32)


def unrolled(product: Any, sigmoid: Any, tanh: Any) -> Callable[..., Any]:
    """The last hidden state, by the operations of any library."""
    def last(xs: Any, Wx: Any, Wh: Any, b: Any, h: Any, c: Any) -> Any:
        for x in xs:
            zt = product(x, Wx) + product(h, Wh) + b
            gates = sigmoid(zt[:, :3 * H])
            c = gates[:, H:2 * H] * c + gates[:, :H] * tanh(zt[:, 3 * H:])
            h = gates[:, 2 * H:] * tanh(c)
        return h
    return last


def _side(step: Callable[[], Any]) -> Side:
    def answer(result: Any) -> Answer:
        loss, gradients = result
        return {"loss": np.asarray(loss), **{n: np.asarray(g) for n, g in zip(NAMES, gradients, strict=True)}}
    return Side(step, answer)


def _tinygraph(compile: bool) -> Side:
    x, arrays = data()
    Wx, Wh, b = weights = [tg.tensor(w, requires_grad=True) for w in arrays]
    last, h, c = unrolled(np.matmul, tg.sigmoid, np.tanh), zeros(), zeros()

    def step() -> Any:
        for w in weights:
            w.zero_grad()
        loss = (last(x, Wx, Wh, b, h, c) ** 2).mean()
        loss.backward(retain_graph=False)
        return loss, [w.grad for w in weights]
    if compile:
        return _side(tg.compile(step))

    def eager() -> Any:
        loss, gradients = step()
        return loss.data, gradients
    return _side(eager)


def pytorch() -> Side:
    """torch.nn.LSTM, whose columns are input, forget, candidate, output, and whose weights are transposed."""
    torch = peers.torch()
    x, (Wx, Wh, b) = data()
    columns = np.r_[0:2 * H, 3 * H:4 * H, 2 * H:3 * H]
    layer = torch.nn.LSTM(D, H)
    with torch.no_grad():
        for weight, array in ((layer.weight_ih_l0, Wx.T), (layer.weight_hh_l0, Wh.T), (layer.bias_ih_l0, b)):
            weight.copy_(torch.tensor(array[columns]))
        layer.bias_hh_l0.zero_().requires_grad_(False)
    weights, inputs = [layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0], torch.tensor(x)

    def step() -> Any:
        for w in weights:
            w.grad = None
        loss = (layer(inputs)[1][0][0] ** 2).mean()
        loss.backward()
        return loss.detach(), [w.grad.mT if w.ndim > 1 else w.grad for w in weights]
    side = _side(step)

    def answer(result: Any) -> Answer:
        loss, gradients = result
        assert side.answer is not None
        return side.answer((loss, [np.asarray(g)[..., columns] for g in gradients]))
    return Side(step, answer)


def jax() -> Side:
    """The steps as a scan."""
    jax = peers.jax()
    x, weights = data()
    inputs, given = jax.numpy.asarray(x), [jax.numpy.asarray(w) for w in weights]
    start = (jax.numpy.zeros((N, H), np.float32),) * 2

    def loss_of(weights: Any, x: Any) -> Any:
        Wx, Wh, b = weights

        def one(state: Any, zt: Any) -> Any:
            h, c = state
            zt = zt + h @ Wh
            gates = jax.nn.sigmoid(zt[:, :3 * H])
            c = gates[:, H:2 * H] * c + gates[:, :H] * jax.numpy.tanh(zt[:, 3 * H:])
            return (gates[:, 2 * H:] * jax.numpy.tanh(c), c), None
        (h, _), _ = jax.lax.scan(one, start, x @ Wx + b)
        return (h ** 2).mean()
    work = jax.jit(jax.value_and_grad(loss_of))
    return _side(lambda: jax.block_until_ready(work(given, inputs)))


def autograd() -> Side:
    library = peers.autograd()
    np_ = library.numpy
    x, weights = data()
    last = unrolled(np_.dot, lambda z: 1 / (1 + np_.exp(-z)), np_.tanh)

    def loss_of(weights: Any) -> Any:
        return np_.mean(last(x, *weights, zeros(), zeros()) ** 2)
    derive = library.value_and_grad(loss_of)
    return _side(lambda: derive(weights))


def mygrad() -> Side:
    mg = peers.mygrad()
    from mygrad.nnet import sigmoid
    x, arrays = data()
    weights = [mg.tensor(w) for w in arrays]
    last = unrolled(mg.matmul, sigmoid, mg.tanh)

    def step() -> Any:
        loss = (last(x, *weights, zeros(), zeros()) ** 2).mean()
        loss.backward()
        return loss.data, [w.grad for w in weights]
    return _side(step)


def dezero() -> Side:
    dz = peers.dezero()
    F = dz.functions
    x, arrays = data()
    weights = [dz.Parameter(w) for w in arrays]
    last = unrolled(F.matmul, F.sigmoid, F.tanh)

    def step() -> Any:
        for w in weights:
            w.cleargrad()
        h = last(x, *weights, dz.Variable(zeros()), dz.Variable(zeros()))
        loss = F.sum(h ** 2) * np.float32(1 / (N * H))
        loss.backward()
        return loss.data, [w.grad.data for w in weights]
    return _side(step)


def cases() -> Iterator[Case]:
    yield Case("lstm", f"an LSTM over {T} steps, batch {N}, {D} features, {H} hidden, float32",
               {EAGER: lambda: _tinygraph(False), COMPILED: lambda: _tinygraph(True), TORCH: pytorch, JAX: jax,
                AUTOGRAD: autograd, MYGRAD: mygrad, DEZERO: dezero}, dtype=np.float32)
