"""Dask arrays, chunked along the batch: the lecture's training step builds their graph and gives NumPy's numbers."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import tinygraph as tg

dask = pytest.importorskip("dask", reason="Dask is not installed: pip install 'tinygraph[dask]'")
da = pytest.importorskip("dask.array")

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
from two_layer_net import TwoLayerNet  # noqa: E402

LABELS = {"indices": lambda t: t, "column": lambda t: t[:, None], "one-hot": lambda t: np.eye(10)[t],
          "soft": lambda t: 0.9 * np.eye(10)[t] + 0.01}


def refused(*args, **kwargs):
    raise AssertionError("computed, where only a graph should be built")


@pytest.fixture
def lazily():
    """Whatever is computed inside is an error."""
    with dask.config.set(scheduler=refused):
        yield


@pytest.fixture
def batch(rng):
    return rng.normal(size=(100, 30)), rng.integers(0, 10, 100)


def chunked(a):
    return da.from_array(a, chunks=(25, *a.shape[1:]))


def test_a_tensor_shares_a_dask_array_and_knows_its_shape(lazily):
    a = da.ones((6, 4), chunks=(3, 4))
    x = tg.tensor(a, requires_grad=True)
    assert x.data is a
    assert (x.shape, x.dtype, x.ndim, x.size) == ((6, 4), np.float64, 2, 24)
    y = np.exp(x).sum(axis=1)
    assert isinstance(y.data, da.Array)
    assert y.shape == (6,)
    assert "dask.array" in repr(x)


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_lectures_step_on_chunks_of_the_batch(batch, labels, dtype):
    x, t = batch[0].astype(dtype), LABELS[labels](batch[1])
    net = TwoLayerNet(30, 50, 10, seed=0, weight_init_std=0.1, dtype=dtype)
    wanted_loss, wanted = net.loss(x, t), net.gradient(x, t)
    with dask.config.set(scheduler=refused):
        loss = net.loss(chunked(x), chunked(t))
        gradients = net.gradient(chunked(x), chunked(t))
    assert isinstance(loss.data, da.Array)
    assert float(loss) == pytest.approx(float(wanted_loss), rel=1e-14 if dtype is np.float64 else 1e-6)
    for name, gradient in gradients.items():
        assert isinstance(gradient, da.Array)
        assert (gradient.shape, gradient.dtype) == (net.params[name].shape, dtype)
        np.testing.assert_allclose(gradient.compute(), wanted[name], rtol=1e-12 if dtype is np.float64 else 1e-4,
                                   atol=1e-16 if dtype is np.float64 else 1e-8)


def test_training_on_chunks_goes_where_training_on_arrays_goes(batch):
    x, t = batch
    nets = [TwoLayerNet(30, 20, 10, seed=0, weight_init_std=0.1) for _ in range(2)]
    for _ in range(5):
        for net, (a, b) in zip(nets, [(x, t), (chunked(x), chunked(t))], strict=True):
            gradients = net.gradient(a, b)
            for name, gradient in zip(gradients, dask.compute(*gradients.values()), strict=True):
                net.params[name].data -= 0.1 * gradient
    for name in nets[0].params:
        np.testing.assert_allclose(nets[1].params[name].data, nets[0].params[name].data, rtol=1e-12, atol=1e-15)


def test_the_weights_may_be_dask_arrays_too(batch, lazily):
    net = TwoLayerNet(30, 50, 10, seed=0)
    for weight in net.params.values():
        weight.data = da.from_array(weight.data)
    assert all(isinstance(g, da.Array) for g in net.gradient(*map(chunked, batch)).values())


TRANSFORMS = {
    "grad": lambda f, w: tg.grad(f)(w),
    "jvp": lambda f, w: tg.jvp(f, (w,), (w,))[1],
    "hvp": lambda f, w: tg.hvp(f, (w,), (w,))[0],
    "jacobian of the gradient's sums": lambda f, w: tg.jacobian(lambda w: tg.grad(f)(w).sum(axis=0))(w),
    "checkpoint": lambda f, w: tg.grad(tg.checkpoint(f))(w),
}


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_transforms_build_graphs_too(batch, transform):
    def loss(x, t):
        def f(w):
            e = np.exp(np.tanh(np.matmul(x, w)))
            p = e / np.sum(e, axis=1, keepdims=True)
            return tg.cross_entropy_error(p, t) + np.mean(np.maximum(w, 0)) + np.var(np.matmul(x, w), axis=0).sum()
        return f
    x, t = batch
    w = x[:30, :10] / 10
    wanted = TRANSFORMS[transform](loss(x, t), w)
    with dask.config.set(scheduler=refused):
        found = TRANSFORMS[transform](loss(chunked(x), chunked(t)), w)
    assert isinstance(found, da.Array)
    np.testing.assert_allclose(found.compute(), wanted, rtol=1e-11, atol=1e-14)


SHAPES = {
    "reshape": lambda x: np.reshape(x, (24,)), "ravel": np.ravel, "transpose": np.transpose, "max": np.max,
    "prod": np.prod, "cumsum": lambda x: np.cumsum(x, axis=0), "slices": lambda x: x[1:, ::2], "norm": np.linalg.norm,
    "where": lambda x: np.where(x > 1, x, 2 * x), "einsum": lambda x: np.einsum("ij,kj->ik", x, x),
    "std": lambda x: np.std(x, axis=0), "logsumexp": lambda x: tg.logsumexp(x, axis=1),
    "stack": lambda x: np.stack([x, 2 * x]),
}


@pytest.mark.parametrize("name", SHAPES)
def test_other_ops_on_chunks(name, rng):
    x = rng.uniform(0.5, 1.5, (6, 4))
    f = SHAPES[name]
    with dask.config.set(scheduler=refused):
        found = tg.grad(lambda x: (f(x) ** 2).sum())(da.from_array(x, chunks=(2, 4)))
    np.testing.assert_allclose(found.compute(), tg.grad(lambda x: (f(x) ** 2).sum())(x), rtol=1e-12)


def test_reading_the_value_computes_it():
    loss = (tg.tensor(da.ones(4, chunks=2), requires_grad=True) ** 2).sum()
    assert float(loss) == loss.item() == 4
    assert f"{loss:.1f}" == "4.0"
