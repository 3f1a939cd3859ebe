"""The compiler's passes for images: transposes out of the way, relu and bias after max-pool."""

from __future__ import annotations

import numpy as np
import pytest
from test_compiler_passes import names, same_results

import tinygraph as tg
from tinygraph.compiler import passes
from tinygraph.ops.pool import max_pool2d

RNG = np.random.default_rng(3)
X = RNG.standard_normal((2, 3, 4, 5))


def test_transposes_go_behind_elementwise_calls_and_cancel():
    def f(x):
        y = np.transpose(x, (0, 2, 3, 1))
        return np.transpose(np.where(np.exp(y) * y > 0.5, y, 0) + 1.0, (0, 3, 1, 2))
    plan = same_results(f, X, passes_=[passes.transposes, passes.dead_code])
    assert names(plan) == ["exp", "multiply", "greater", "where", "add"]


def test_transposes_one_after_the_other_are_one():
    def f(x):
        return np.exp(np.swapaxes(np.transpose(x, (1, 0, 3, 2)), 0, -1))
    plan = same_results(f, X, passes_=[passes.transposes, passes.dead_code])
    assert names(plan) == ["exp", "transpose"]
    assert plan.steps[1].args[1] == (2, 0, 3, 1)


@pytest.mark.parametrize("f", [
    lambda x: np.transpose(x[..., :4], (0, 2, 3, 1)) + np.transpose(x[..., :4], (0, 3, 2, 1)),  # two orders
    lambda x: np.transpose(x, (0, 2, 3, 1)) * np.arange(3.0, like=x),  # what broadcasts lies in the order after it
    lambda x: np.transpose(x, (0, 2, 3, 1)) + np.transpose(x, (0, 2, 3, 1))[:1],
    lambda x: np.cumsum(np.transpose(x, (0, 2, 3, 1)), axis=1),
    lambda x: np.exp(x[0, 0].T),
])
def test_transposes_stay_where_a_call_needs_them(f):
    plan = same_results(f, X, passes_=[passes.transposes, passes.dead_code])
    assert "transpose" in names(plan)


@pytest.mark.parametrize(("f", "wanted"), [
    (lambda x: np.reshape(np.transpose(x, (0, 2, 3, 1)), (-1, 3)), ["transpose", "copy", "reshape"]),
    (lambda x: np.reshape(np.transpose(x, (0, 1, 2, 3)[::-1]).T, (-1, 5)), ["transpose", "transpose", "reshape"]),
    (lambda x: np.reshape(np.swapaxes(x[:, :, :1], 1, 2), (2, -1)), ["getitem", "swapaxes", "reshape"]),
    (lambda x: np.copy(np.transpose(x, (0, 2, 3, 1)), "C"), ["transpose", "copy"]),
])
def test_a_reshape_that_has_to_copy_copies_into_a_buffer(f, wanted):
    plan = same_results(f, X, passes_=[passes.copies])
    assert names(plan) == wanted


def test_windows_side_by_side_as_rows_lie_in_a_buffer():
    compiled = tg.compile(lambda x: tg.conv2d(x, FILTERS).sum())
    for _ in range(3):
        compiled(IMAGES)
    assert "copy[...] = transpose" in compiled.source


def test_what_is_written_into_is_not_turned_round():
    def f(x):
        y = np.transpose(x, (0, 2, 3, 1)) + 1.0
        y[0] = 2.0
        return np.transpose(y, (0, 3, 1, 2)), np.exp(y)
    same_results(f, X)


# --- after max-pool ---------------------------------------------------------------------------------------------------

def both(f, *arrays):
    """The gradients of Σ f² in all arguments, eager and compiled, and the compiled source."""
    def gradients(*given):
        return tg.vjp(lambda *a: (f(*a) ** 2).sum(), *given)[1](1.0)
    compiled = tg.compile(gradients)
    for _ in range(3):
        got = compiled(*arrays)
    return [np.asarray(g) for g in gradients(*arrays)], [np.asarray(g) for g in got], compiled.source


def convolved(x, w, b):
    return max_pool2d(tg.relu(tg.conv2d(x, w, b)), 2)


IMAGES, FILTERS, BIAS = (RNG.integers(-2, 3, shape).astype(float) for shape in ((3, 2, 7, 5), (4, 2, 2, 2), (4,)))


@pytest.mark.parametrize("f", [
    convolved,
    lambda x, w, b: max_pool2d(tg.relu(tg.conv2d(x, w, b)), (3, 2)),
    lambda x, w, b: max_pool2d(tg.relu(tg.conv2d(x, w, b)), 2, 1),  # windows that overlap
    lambda x, w, b: max_pool2d(tg.conv2d(x, w, b), 2),
    lambda x, w, b: max_pool2d(tg.relu(tg.conv2d(x, w)), 2) + b[:, None, None],
    lambda x, w, b: convolved(x, w, b) + tg.relu(tg.conv2d(x, w, b)).sum(),  # relu is looked at elsewhere
    lambda x, w, b: max_pool2d(tg.relu(x + w[0, 0, 0, 0] + b[:1]), 2),
    lambda x, w, b: max_pool2d(x[:, :, :4, :4] + b, 2) * w[0, 0, 0, 0],  # what is added differs within a window
])
def test_the_same_gradients_with_ties_and_zeros(f):
    """Of whole numbers, so that ties abound and every sum is exact."""
    wanted, got, _ = both(f, IMAGES, FILTERS, BIAS)
    for a, b in zip(wanted, got, strict=True):
        np.testing.assert_array_equal(a, b)


def chooses(source):
    """Whether the gradient of relu is chosen element by element, np.where(x > 0, g, 0)."""
    return any("backward of relu" in line and ("where(" in line or "masked" in line) for line in source.splitlines())


def test_relu_and_bias_stand_behind_the_largest_forward_and_backward():
    _, _, source = both(convolved, IMAGES, FILTERS, BIAS)
    body = [line for line in source.splitlines() if "#" in line]
    pooled = max(i for i, line in enumerate(body) if "np.maximum(getitem" in line or "np.maximum(maximum" in line)
    at = {op: next(i for i, line in enumerate(body) if f"# {op}," in line and call in line)
          for op, call in (("relu", "np.maximum("), ("conv2d", "np.add("))}
    assert min(at.values()) >= pooled - 1
    assert not chooses(source)


def test_relu_stays_before_the_largest_where_it_is_looked_at():
    _, _, source = both(lambda x, w, b: convolved(x, w, b) + tg.relu(tg.conv2d(x, w, b)).sum(), IMAGES, FILTERS, BIAS)
    assert chooses(source)


def test_without_a_gradient_too():
    compiled = tg.compile(lambda x: max_pool2d(tg.relu(x) + 0.0, 2))
    for _ in range(3):
        y = compiled(IMAGES[:, :, :4, :4])
    np.testing.assert_array_equal(np.asarray(y), max_pool2d(np.maximum(IMAGES[:, :, :4, :4], 0), 2))


def test_nan_stays_where_it_was():
    x = IMAGES[:, :, :4, :4].copy()
    x[0, 0, 0, 0] = np.nan
    with np.errstate(invalid="ignore"):
        wanted, got, _ = both(lambda x, b: max_pool2d(tg.relu(x), 2)[1:] + b[0], x, BIAS)
    for a, b in zip(wanted, got, strict=True):
        np.testing.assert_array_equal(a, b)
