"""models/simple_convnet.py: gradients, data that is no image, training, the same compiled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tinygraph as tg
from tinygraph.training import load_script, train

SCRIPT = load_script(Path(__file__).parents[1] / "models" / "simple_convnet.py")


def made(classes=10, **options):
    """A small net on the digits' 8 x 8 pixels."""
    kind = type(SCRIPT.model(64, 10))
    return kind(8, classes, filters=3, filter_size=3, hidden_size=6, seed=0, **options)


def test_gradients_are_those_of_central_differences(rng):
    net = made(classes=3)
    x, t = rng.random((4, 64)), np.array([0, 2, 1, 2])
    numerical = net.numerical_gradient(x, t)
    for name, g in net.gradient(x, t).items():
        np.testing.assert_allclose(g, numerical[name], atol=1e-8)


@pytest.mark.parametrize("size", [2, 25, 65])
def test_data_that_is_no_image_is_refused(size):
    with pytest.raises(tg.TinygraphError, match=f"samples of {size} numbers are no square images of at least 6 x 6"):
        SCRIPT.model(size, 3)


def test_it_learns_the_digits():
    digits = tg.data.load("digits", dtype=np.float32)
    net = SCRIPT.model(64, 10, seed=0, dtype=np.float32)
    train(net, digits, tg.optim.SGD(net.params, lr=0.05, momentum=0.9), iters=100, seed=0)
    assert net.accuracy(digits.x_test, digits.t_test) > 0.85


def test_compiled_steps_are_the_eager_ones(rng):
    nets = [made(), made()]

    def stepping(net):
        optimizer = tg.optim.SGD(net.params, lr=0.5, momentum=0.9)

        def step(x, t):
            optimizer.zero_grad()
            loss = net.loss(x, t)
            loss.backward()
            optimizer.step()
            return loss
        return step
    eager, compiled = stepping(nets[0]), tg.compile(stepping(nets[1]))
    for _ in range(8):
        x, t = rng.random((5, 64)), rng.integers(0, 10, 5)
        np.testing.assert_allclose(compiled(x, t).item(), eager(x, t).item(), rtol=1e-12)
    for one, other in zip(*(net.params.values() for net in nets), strict=True):
        np.testing.assert_allclose(one.data, other.data, rtol=1e-10, atol=1e-13)


@pytest.mark.long
@pytest.mark.needs_mnist
def test_two_epochs_of_mnist_are_985_in_1000():
    mnist = tg.data.load("mnist", dtype=np.float32)
    net = SCRIPT.model(784, 10, seed=0, dtype=np.float32)
    train(net, mnist, tg.optim.SGD(net.params, lr=0.03, momentum=0.9), iters=2400, batch_size=50, seed=0)
    assert np.mean([net.accuracy(mnist.x_test[i:i + 1000], mnist.t_test[i:i + 1000])
                    for i in range(0, 10_000, 1000)]) >= 0.985
