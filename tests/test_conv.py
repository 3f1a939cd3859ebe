"""conv2d and the pools beyond what the suite tries on every op: errors, ties, NaN, the order in memory, the model."""

from __future__ import annotations

import numpy as np
import pytest

import tinygraph as tg
from tinygraph.nn.functional import avg_pool2d, conv2d, max_pool2d
from tinygraph.ops.pool import spread_to_max


@pytest.mark.parametrize(("x", "w", "b", "params", "sentence"), [
    ((1, 1, 3, 3), (1, 2, 2, 2), None, {}, r"\(1, 1, 3, 3\) has 1 channels, and weights \(1, 2, 2, 2\) are for 2"),
    ((1, 3, 3), (1, 3, 2, 2), None, {}, r"images are \(N, C, H, W\) and .*, not \(1, 3, 3\) and .*; x\[None\]"),
    ((1, 4, 3, 3), (2, 1, 2, 2), None, {"groups": 2}, r"4 channels, and weights .* are for 2 in 2 groups"),
    ((1, 4, 3, 3), (2, 1, 2, 2), None, {"groups": 3}, r"groups=3 does not divide the 4 channels"),
    ((1, 1, 3, 3), (2, 1, 2, 2), (1,), {}, r"a bias for weights \(2, 1, 2, 2\) has shape \(2,\), not \(1,\)"),
    ((1, 1, 3, 3), (2, 1, 2, 5), None, {"padding": (1, 0)}, r"2 x 5 does not fit into images of 5 x 3, padding"),
    ((1, 1, 3, 3), (2, 1, 2, 2), None, {"stride": 0}, r"stride=0: give one whole number, or one for the height"),
    ((1, 1, 3, 3), (2, 1, 2, 2), None, {"dilation": (1, 2, 1)}, r"dilation=\(1, 2, 1\): give one whole number"),
    ((1, 1, 3, 3), (2, 1, 2, 2), None, {"padding": "full"}, r"padding='full': give 'same', 'valid'"),
    ((1, 1, 3, 3), (2, 1, 2, 2), None, {"padding": "same", "stride": 2}, r"padding='same' is for stride 1"),
])
def test_a_convolution_that_does_not_fit_says_why_and_where(x, w, b, params, sentence):
    with pytest.raises(tg.ShapeError, match=rf"^conv2d.*{sentence}.*test_conv\.py"):
        conv2d(tg.tensor(np.ones(x)), np.ones(w), None if b is None else np.ones(b), **params)


@pytest.mark.parametrize(("params", "sentence"), [
    ({"kernel_size": 5}, "a window of 5 x 5 does not fit into images of 4 x 4"),
    ({"kernel_size": 2, "padding": 2}, r"padding=\(2, 2\) is more than half of kernel_size=\(2, 2\)"),
    ({"kernel_size": 2.0}, "kernel_size=2.0: give one whole number"),
])
@pytest.mark.parametrize("pool", [max_pool2d, avg_pool2d])
def test_a_pooling_that_does_not_fit_says_why_and_where(pool, params, sentence):
    with pytest.raises(tg.ShapeError, match=rf"{sentence}.*test_conv\.py"):
        pool(tg.tensor(np.ones((1, 1, 4, 4))), **params)


def test_one_number_in_a_tuple_is_for_height_and_width(rng):
    x, w = rng.standard_normal((2, 3, 7, 8)), rng.standard_normal((4, 3, 2, 2))
    np.testing.assert_array_equal(conv2d(x, w, stride=(2,), padding=(1,)), conv2d(x, w, stride=2, padding=1))
    np.testing.assert_array_equal(max_pool2d(x, (3,), [2], (1,)), max_pool2d(x, 3, 2, 1))
    with pytest.raises(tg.ShapeError, match="give one whole number, or one for the height and one for the width"):
        conv2d(x, w, padding=())


@pytest.mark.parametrize("params", [{}, {"stride": 1}, {"padding": 1}])
def test_the_largest_that_tie_share_the_gradient_equally(params, rng):
    """By the fast way, where windows tile the images, and by the other; the whole of g arrives in both."""
    x = tg.tensor(np.ones((2, 3, 4, 4)), requires_grad=True)
    y = max_pool2d(x, 2, **params)
    g = rng.standard_normal(y.shape)
    y.backward(g)
    if not params:
        np.testing.assert_allclose(x.grad, np.repeat(np.repeat(g / 4, 2, 2), 2, 3))
    np.testing.assert_allclose(x.grad.sum(), g.sum())


def test_the_largest_of_a_window_with_nan_is_nan_and_has_no_gradient():
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    x[0, 0, 0, 0] = np.nan
    t = tg.tensor(x, requires_grad=True)
    y = max_pool2d(t, 2)
    y.backward(np.ones_like(y.data))
    np.testing.assert_equal(y.data[0, 0], [[np.nan, 7], [13, 15]])
    np.testing.assert_equal(t.grad[0, 0], [[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 1]])


def test_integers_are_pooled_with_their_own_least_number_around_them():
    assert max_pool2d(np.full((1, 1, 2, 2), -5), 2, 1, 1).tolist() == [[[[-5] * 3] * 3]]


def test_channels_lie_last_in_memory_from_the_convolution_to_its_gradient(rng):
    """No step between has to bring them into another order."""
    y = conv2d(rng.standard_normal((2, 3, 8, 8)), rng.standard_normal((4, 3, 3, 3)), padding=1)
    h = max_pool2d(tg.relu(y), 2)
    g = spread_to_max(np.ascontiguousarray(h), h, y, 2)
    for a in (y, h, g):
        assert np.transpose(a, (0, 2, 3, 1)).flags.c_contiguous


@pytest.mark.parametrize("shape", [(4, 1, 28, 28), (2, 1, 45, 41)])
def test_many_images_give_what_each_gives_alone(shape, rng):
    """With a few filters the product is made part by part, unless no few parts are equal, as of 2 * 41 * 37 windows."""
    x, w = rng.integers(-3, 4, shape).astype(float), rng.integers(-3, 4, (30, 1, 5, 5)).astype(float)
    b = rng.integers(-3, 4, 30).astype(float)

    def gradients(x):
        leaves = [tg.tensor(a, requires_grad=True) for a in (x, w, b)]
        y = tg.conv2d(*leaves)
        (y * y).sum().backward()
        return y.data, *(leaf.grad for leaf in leaves)
    together = gradients(x)
    alone = [gradients(x[n:n + 1]) for n in range(len(x))]
    for got, images in zip(together[:2], zip(*alone, strict=True), strict=False):
        np.testing.assert_array_equal(got, np.concatenate(images))
    for got, images in zip(together[2:], list(zip(*alone, strict=True))[2:], strict=True):
        np.testing.assert_array_equal(got, sum(images))


def test_no_gradient_is_computed_for_images_that_need_none(monkeypatch):
    called = []
    monkeypatch.setattr("tinygraph.ops.conv.col2im", lambda *args: called.append(args))
    w = tg.tensor(np.ones((1, 1, 2, 2)), requires_grad=True)
    conv2d(np.ones((1, 1, 3, 3)), w).sum().backward()
    assert w.grad.tolist() == [[[[4, 4], [4, 4]]]]
    assert not called


def test_a_float32_convolution_with_a_float64_bias_is_float64():
    y = conv2d(np.ones((1, 1, 2, 2), np.float32), np.ones((1, 1, 2, 2), np.float32), np.full(1, 1 / 3))
    assert y.dtype == np.float64
    assert y.item() == 4 + 1 / 3
