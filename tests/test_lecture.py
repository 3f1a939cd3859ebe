"""The lecture, end to end: the same numbers as its hand-written layers, its gradient check, its fourth figure."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import lecture_layers
import numpy as np
import pytest

import tinygraph as tg
from tinygraph.ask.check import gradient_check
from tinygraph.data import load

DATA = ["digits", pytest.param("mnist", marks=pytest.mark.needs_mnist)]


@pytest.fixture(scope="module")
def two_layer_net():
    path = Path(__file__).parents[1] / "models" / "two_layer_net.py"
    spec = importlib.util.spec_from_file_location("two_layer_net", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.TwoLayerNet


@pytest.mark.parametrize("name", DATA)
def test_500_steps_equal_the_hand_written_layers(two_layer_net, name):
    data = load(name, one_hot_label=True, dtype=np.float64)
    ours = two_layer_net(data.input_size, 50, data.classes, seed=0)
    theirs = lecture_layers.TwoLayerNet({key: weight.data.copy() for key, weight in ours.params.items()})
    rng = np.random.default_rng(0)
    losses = []
    for _ in range(500):
        rows = rng.choice(len(data.x_train), 100)
        x, t = data.x_train[rows], data.t_train[rows]
        gradient = ours.gradient(x, t)
        with tg.no_grad():
            for key, weight in ours.params.items():
                weight -= 0.1 * gradient[key]
        gradient = theirs.gradient(x, t)
        for key, weight in theirs.params.items():
            weight -= 0.1 * gradient[key]
        losses.append((ours.loss(x, t).item(), theirs.loss(x, t)))
    np.testing.assert_allclose(*np.transpose(losses), rtol=1e-12, atol=0)
    assert losses[-1][0] < losses[0][0] / 2
    for key, wanted in theirs.params.items():
        np.testing.assert_allclose(ours.params[key].data, wanted, rtol=1e-12, atol=0)
    assert ours.accuracy(data.x_test, data.t_test) == theirs.accuracy(data.x_test, data.t_test) > 0.8


@pytest.mark.parametrize("name", DATA)
def test_the_gradient_check_of_the_first_three_images(two_layer_net, name):
    data = load(name, one_hot_label=True, dtype=np.float64)
    net = two_layer_net(data.input_size, 50, data.classes, seed=0)
    x, t = data.x_train[:3], data.t_train[:3]
    backprop, numerical = net.gradient(x, t), net.numerical_gradient(x, t)
    assert list(backprop) == list(numerical) == ["W1", "b1", "W2", "b2"]
    for key, gradient in backprop.items():
        assert gradient.any()
        assert type(numerical[key]) is np.ndarray
        assert np.abs(gradient - numerical[key]).mean() < 1e-9


def test_the_table_of_the_gradient_check_has_the_same_numbers(two_layer_net):
    data = load("digits", one_hot_label=True, dtype=np.float64)
    net = two_layer_net(data.input_size, 20, data.classes, seed=0)
    x, t = data.x_train[:3], data.t_train[:3]
    backprop, numerical = net.gradient(x, t), net.numerical_gradient(x, t)
    for row in gradient_check(lambda: net.loss(x, t), net.params):
        difference = np.abs(backprop[row.name] - numerical[row.name])
        assert row.shape == difference.shape
        assert (row.mean, row.largest) == (difference.mean(), difference.max())
        assert row.backprop == backprop[row.name][row.index]


def test_the_methods_of_the_net_are_the_lectures(two_layer_net):
    net = two_layer_net(input_size=4, hidden_size=3, output_size=2, weight_init_std=0.5, seed=1, dtype=np.float32)
    x, t = np.ones((5, 4), np.float32), np.array([0, 1, 0, 1, 0])
    assert {key: (weight.shape, str(weight.dtype)) for key, weight in net.params.items()} == {
        "W1": ((4, 3), "float32"), "b1": ((3,), "float32"), "W2": ((3, 2), "float32"), "b2": ((2,), "float32")}
    assert net.predict(x).shape == (5, 2)
    assert net.loss(x, t).dtype == np.float32
    assert net.accuracy(x, t) == net.accuracy(x, np.eye(2)[t]) in (0.4, 0.6)
    assert {key: (type(g), g.dtype) for key, g in net.gradient(x, t).items()} == {
        key: (np.ndarray, np.dtype("float32")) for key in ("W1", "b1", "W2", "b2")}
    same = two_layer_net(4, 3, 2, 0.5, seed=1, dtype=np.float32)
    assert np.array_equal(same.predict(x).data, net.predict(x).data)
    assert np.std(two_layer_net(100, 100, 10).params["W1"].data) == pytest.approx(0.01, rel=0.05)


def test_a_batch_given_as_tensors_counts_too(two_layer_net):
    net = two_layer_net(4, 3, 2, seed=1)
    x, t = np.random.default_rng(0).random((5, 4)), np.array([0, 1, 0, 1, 0])
    assert net.accuracy(tg.tensor(x), tg.tensor(t)) == net.accuracy(x, t)


def composed(a, t):
    """The lecture's fourth figure: softmax with loss taken apart into exp, +, /, x, log, x, +, x."""
    e = tg.exp(a)
    y = e * (1 / tg.sum(e))
    return -tg.sum(t * tg.log(y))


def test_the_fourth_figure():
    """Its numbers: a = (0.3, 2.9, 4.0), t = (0, 1, 0), and backward gives y - t = (0.0182, -0.755, 0.737)."""
    t = np.array([0, 1, 0])
    gradients = []
    for loss in (composed, tg.softmax_with_loss):
        a = tg.tensor([0.3, 2.9, 4.0], requires_grad=True)
        loss(a, t).backward()
        gradients.append(a.grad)
    np.testing.assert_allclose(gradients[0], [0.0182, -0.755, 0.737], atol=5e-4)
    np.testing.assert_allclose(gradients[0], gradients[1], rtol=1e-13)
    np.testing.assert_allclose(gradients[1], lecture_layers.softmax(a.data) - t, rtol=1e-13)


def test_fused_and_composed_agree_to_second_order(rng):
    z, v = rng.normal(size=(5, 4)), rng.normal(size=(5, 4))
    t = rng.dirichlet(np.ones(4), 5)
    values, gradients, seconds = [], [], []

    def apart(z):
        return sum(composed(z[i], t[i]) for i in range(5)) / 5

    for loss in (apart, lambda z: tg.softmax_with_loss(z, t), lambda z: tg.cross_entropy_error(tg.softmax(z), t)):
        values.append(loss(tg.tensor(z)).item())
        gradients.append(tg.grad(loss)(z))
        seconds.append(tg.grad(lambda z, loss=loss: (tg.grad(loss)(z) * v).sum())(z))
    for found in (values, gradients, seconds):
        np.testing.assert_allclose(found[1:], [found[0]] * 2, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logits_of_ten_thousand(dtype):
    z = tg.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]], dtype=dtype, requires_grad=True)
    t = np.array([0, 0])
    loss = tg.softmax_with_loss(z, t)
    loss.backward()
    # The first row is right beyond doubt; in the second two classes share what should be the first's.
    assert loss.item() == pytest.approx((0 + 2e4 + np.log(2)) / 2, rel=1e-6)
    np.testing.assert_allclose(z.grad, [[0, 0, 0], [-0.5, 0.25, 0.25]], atol=1e-7)
    assert z.grad.dtype == dtype
    np.testing.assert_allclose(tg.softmax(z).data, [[1, 0, 0], [0, 0.5, 0.5]])
    np.testing.assert_allclose(tg.log_softmax(z).data[0], [0, -2e4, -1e4])


def test_cross_entropy_of_a_probability_of_zero_is_large_and_finite():
    y = tg.tensor([[1.0, 0.0]], requires_grad=True)
    loss = tg.cross_entropy_error(y, np.array([1]))
    loss.backward()
    assert 700 < loss.item() < 750
    assert np.isfinite(y.grad).all()
