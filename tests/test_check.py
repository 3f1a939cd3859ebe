"""Central differences, and the checks that stand on them: they pass what is right and name what is wrong."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tinygraph as tg
from tinygraph.ask.check import gradient_check
from tinygraph.core.op import OPS


@pytest.fixture
def registry():
    """Ops that a test registers are gone after it."""
    before = dict(OPS)
    yield
    for name in set(OPS) - set(before):
        del OPS[name]


# --- numerical_gradient ------------------------------------------------------------------------------------------


def test_it_hands_the_array_itself_to_a_function_that_may_ignore_it():
    """As in the lecture, where loss_W = lambda W: self.loss(x, t) reads the weights from elsewhere."""
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    kept = x.copy()
    seen = []

    def f(argument):
        seen.append(argument is x)
        return (x ** 2).sum()

    gradient = tg.numerical_gradient(f, x)
    np.testing.assert_allclose(gradient, 2 * kept, rtol=1e-9)
    assert (type(gradient), gradient.dtype, gradient.shape) == (np.ndarray, np.float64, (2, 2))
    assert np.array_equal(x, kept)
    assert seen == [True] * 8


def test_a_tensor_is_changed_through_its_data():
    w = tg.tensor([1.0, 2.0], requires_grad=True, name="w")
    data = w.data
    gradient = tg.numerical_gradient(lambda _: (w ** 3).sum(), w)
    np.testing.assert_allclose(gradient, [3, 12], rtol=1e-7)
    assert type(gradient) is np.ndarray
    assert w.data is data
    assert data.tolist() == [1.0, 2.0]
    assert w.grad is None


def test_nothing_is_recorded():
    w = tg.tensor([1.0], requires_grad=True)
    recorded = []

    def f(argument):
        value = (argument * 2).sum()
        recorded.append(value.requires_grad)
        return value

    tg.numerical_gradient(f, w)
    assert recorded == [False, False]
    assert tg.is_grad_enabled()


@pytest.mark.parametrize("call", [1, 2, 3])
def test_the_element_is_put_back_when_the_function_raises(call):
    x, calls = np.array([1.0, 2.0]), []

    def f(argument):
        calls.append(0)
        if len(calls) == call:
            raise KeyError("mine")
        return argument.sum()

    with pytest.raises(KeyError, match="mine"):
        tg.numerical_gradient(f, x)
    assert x.tolist() == [1.0, 2.0]
    assert tg.is_grad_enabled()


@pytest.mark.parametrize("give", [
    float, np.float64, np.asarray, lambda v: np.reshape(v, (1, 1)), tg.tensor, lambda v: int(v), np.float32,
])
def test_a_single_number_in_any_wrapping_is_a_value(give):
    x = np.array([2.0])
    np.testing.assert_allclose(tg.numerical_gradient(lambda x: give(1e6 * x[0]), x, h=0.25), [1e6], rtol=1e-6)


@pytest.mark.parametrize(("f", "got"), [
    (lambda x: x, r"an array of shape \(2,\)"), (tg.tensor, r"an array of shape \(2,\)"), (lambda x: None, "None"),
    (lambda x: 1j * x[0], "1"), (lambda x: [1.0], r"\[1.0\]"), (lambda x: "1", "'1'"),
])
def test_anything_else_is_none(f, got):
    with pytest.raises(tg.GradientError, match=f"f must give one real number, and gave .*{got}"):
        tg.numerical_gradient(f, np.ones(2))


@pytest.mark.parametrize("x", [np.array([5, 15]), np.array([True]), [1, 2], 3, tg.tensor([1, 2])])
def test_integers_are_refused(x):
    with pytest.raises(tg.DTypeError, match=r"x has dtype \w+, which has no room for .* x\.astype\(float\) \(test_"):
        tg.numerical_gradient(lambda x: 0.0, x)


def test_a_read_only_array_is_refused():
    x = np.ones(3)
    x.flags.writeable = False
    for array in (x, np.broadcast_to(np.ones(1), 3), tg.tensor(x)):
        with pytest.raises(tg.ArgumentError, match=r"x is read-only.*x\.copy\(\)"):
            tg.numerical_gradient(lambda x: 0.0, array)


@pytest.mark.parametrize("x", [
    np.array(3.0), np.float64(3.0), 3.0, tg.tensor(3.0), np.arange(12.0).reshape(3, 4)[::-1, ::2], np.ones((3, 2)).T,
    np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.zeros((0, 3)), [[1.0, 2.0]],
], ids=str)
def test_any_layout_and_any_shape(x):
    gradient = tg.numerical_gradient(lambda x: (x * x).sum(), x)
    values = x.data if isinstance(x, tg.Tensor) else np.asarray(x)
    assert isinstance(gradient, np.ndarray)
    assert gradient.shape == values.shape
    np.testing.assert_allclose(gradient, 2 * values, rtol=1e-9, atol=1e-9)


def test_a_view_is_changed_where_it_looks_at():
    base = np.arange(6.0)
    gradient = tg.numerical_gradient(lambda _: (base ** 2).sum(), base[::2])
    np.testing.assert_allclose(gradient, [0, 4, 8], atol=1e-9)
    assert base.tolist() == [0, 1, 2, 3, 4, 5]


def test_float32_is_divided_by_the_step_that_rounding_left():
    x = np.array([1000.0], np.float32)  # neighbours are 6e-5 apart, so h = 1e-4 becomes 1.2e-4
    gradient = tg.numerical_gradient(lambda x: 3.0 * x[0].item(), x)
    assert gradient.dtype == np.float32
    np.testing.assert_allclose(gradient, [3], rtol=1e-6)


def test_a_step_that_is_lost_is_an_error():
    with pytest.raises(tg.ArgumentError, match=r"a step of h=0.0001 is lost beside 100000.0 in float32; give"):
        tg.numerical_gradient(lambda x: x.sum(), np.array([1e5], np.float32))


def test_complex_gradients_follow_the_engines_convention(rng):
    z = rng.normal(size=3) + 1j * rng.normal(size=3)
    numerical = tg.numerical_gradient(lambda z: (abs(z) ** 2).sum(), z)
    x = tg.tensor(z, requires_grad=True)
    (abs(x) ** 2).sum().backward()
    np.testing.assert_allclose(numerical, x.grad, rtol=1e-8)
    np.testing.assert_allclose(numerical, 2 * z.conj(), rtol=1e-8)


# --- check_grads -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("f", "args"), [
    (tg.tanh, np.array([0.5, -2.0])),
    (tg.tanh, tg.tensor([0.5, -2.0])),
    (tg.matmul, (np.ones((2, 3)), np.arange(6.0).reshape(3, 2))),
    (lambda x: x ** 3, 2.0),
    (lambda x: (x * x, tg.sin(x)), [np.array([1.0, 2.0])]),
    (lambda x, n, key: (x * n)[key], (np.ones(3), 2, slice(1, None))),
    (tg.softmax_with_loss, (np.array([[0.3, 2.9, 4.0]]), np.array([1]))),
    (lambda z: z * z, np.array([1 + 2j, -0.5j])),
    (lambda x: x * 1e6, np.array([1.0, 2.0])),
    (lambda x: tg.sum(x), np.zeros((0, 2))),
    (lambda x, y: x.reshape(1) * y.reshape(1), (np.float32(2), np.array(3.0))),
], ids=range(11))
def test_what_is_right_passes(f, args):
    assert tg.check_grads(f, args) is None
    assert tg.check_grads(f, args, 1) is None
    assert tg.check_grads(f, args, order=3) is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tolerances_go_with_the_dtype(dtype, rng):
    x, w = rng.normal(size=(20, 30)).astype(dtype), rng.normal(size=(30, 10)).astype(dtype)
    tg.check_grads(lambda x, w: tg.tanh(x @ w), (x, w))
    with pytest.raises(tg.GradientError):
        tg.check_grads(lambda x, w: tg.tanh(x @ w), (x, w), tol=1e-16, h=0.3)


def test_arguments_are_left_as_they_were(rng):
    x = rng.normal(size=3)
    kept = x.copy()

    def writes(x):
        x.data[...] = x.data * 2
        return x

    with pytest.raises(tg.GradientError):
        tg.check_grads(writes, x)
    assert np.array_equal(x, kept)


def test_a_wrong_rule_is_named_with_its_argument_and_element(registry):
    def bad(g, y, a, b):
        c = g * a
        return np.where(np.arange(c.size).reshape(c.shape) == 4, 1.01 * c, c)

    @tg.op(vjp=(lambda g, y, a, b: g * b, bad))
    def product(a, b):
        return a * b

    with pytest.raises(tg.GradientError) as caught:
        tg.check_grads(product, (np.ones((2, 3)), np.ones((2, 3))), order=1)
    found = re.fullmatch(r"check_grads: product: the gradient in argument 1 at \[1, 1\] is (\S+) by backprop and (\S+) "
                         r"by central differences \(test_check\.py:\d+\)", str(caught.value))
    assert found
    assert float(found[1]) == pytest.approx(1.01 * float(found[2]), rel=1e-6)


def test_of_a_single_number_the_error_gives_the_derivatives_themselves():
    with pytest.raises(tg.GradientError, match=r"<lambda>: the gradient in argument 0 at \[1\] is 3 by backprop and"):
        tg.check_grads(lambda x: (x * x.detach()).sum(), np.array([1.0, 3.0]))
    with pytest.raises(tg.GradientError, match=r"argument 0 is 3 by backprop and"):
        tg.check_grads(lambda x: x * x.detach(), 3.0)


def test_a_wrong_second_derivative_is_found_at_order_2(registry):
    """A value saved aside, untracked, is right to first order and silently wrong to second."""
    @tg.op(vjp=(lambda g, y, x: g * np.exp(x.data if isinstance(x, tg.Tensor) else x),))
    def exponential(x):
        return np.exp(x)

    x = np.array([0.5, 1.0])
    tg.check_grads(exponential, x, order=1)
    with pytest.raises(tg.GradientError, match="exponential, order 2: the gradient in argument 0 at "):
        tg.check_grads(exponential, x)


def test_a_gradient_of_nan_is_wrong():
    with pytest.raises(tg.GradientError, match="is nan by backprop"), np.errstate(all="ignore"):
        tg.check_grads(lambda x: tg.sqrt(x * x), np.array([0.0]), order=1)


def test_a_function_that_does_not_repeat_itself_is_named(rng):
    def dropout(x):
        return x * rng.integers(0, 2, 100)

    with pytest.raises(tg.GradientError, match="dropout gave two different values for the same arguments"):
        tg.check_grads(dropout, np.ones(100))


def test_without_anything_to_differentiate_it_says_so():
    with pytest.raises(tg.DTypeError, match="none of the arguments of <lambda> is a real or complex array"):
        tg.check_grads(lambda n: n * 2, (np.arange(3), 4))
    with pytest.raises(tg.ArgumentError, match=r"order is 1 .* not 0"):
        tg.check_grads(tg.exp, 1.0, order=0)


def test_weights_outside_the_function_may_require_a_gradient():
    w = tg.tensor([2.0, 3.0], requires_grad=True)
    tg.check_grads(lambda x: tg.tanh(w * x), np.array([0.1, 0.2]))
    assert w.grad is None


# --- its modes, and containers ----------------------------------------------------------------------------------------


def test_forward_mode_is_checked_too(registry):
    """A rule that is not linear in its cotangent, and right for the cotangent 1."""
    @tg.op(vjp=(lambda g, y, x: 2 * x * g * np.absolute(g),))
    def squared(x):
        return x * x

    def f(x):
        return squared(x).sum()
    x = np.array([1.0, 3.0])
    tg.check_grads(f, x, order=1)
    with pytest.raises(tg.GradientError, match=r"f: the gradient in argument 0 at \[1\] is 0 in forward mode and \d"):
        tg.check_grads(f, x, order=1, modes=("rev", "fwd"))


@pytest.mark.parametrize("modes", [("fwd",), ("rev", "fwd"), ["fwd", "rev"]])
@pytest.mark.parametrize(("f", "args"), [
    (np.tanh, np.array([0.5, -2.0])), (np.matmul, (np.ones((2, 3)), np.arange(6.0).reshape(3, 2))),
    (lambda z: z * np.conj(z) ** 2, np.array([1 + 2j, -0.5j])), (lambda x, z: x * z, (np.ones(2), np.array([1j, 2]))),
    (lambda x: (x * x, np.sin(x)), [np.array([1.0, 2.0])]), (lambda x: x.sum(), np.zeros((0, 2))),
    (lambda x: x ** 2, np.float32(2)),
], ids=range(7))
def test_what_is_right_passes_in_every_mode(f, args, modes):
    tg.check_grads(f, args, order=3, modes=modes)


def test_of_several_modes_the_error_says_which(registry):
    @tg.op(vjp=(lambda g, y, x: g * np.exp(x.data if isinstance(x, tg.Tensor) else x),))
    def exponential(x):
        return np.exp(x)
    with pytest.raises(tg.GradientError, match=r"exponential by rev, order 2: the gradient in argument 0 .*backprop"):
        tg.check_grads(exponential, np.array([0.5, 1.0]), modes=("rev", "fwd"))
    with pytest.raises(tg.GradientError, match=r"exponential, order 2: the gradient in argument 0 .* in forward mode"):
        tg.check_grads(exponential, np.array([0.5, 1.0]), modes=("fwd",))


def test_the_worst_element_of_a_complex_argument_in_forward_mode():
    """Re(i z²) has the derivative 2iz; with one factor detached, iz is left."""
    with pytest.raises(tg.GradientError, match=r"argument 0 at \[1\] is -?0\+2j in forward mode and \S+\+\S+j by"):
        tg.check_grads(lambda z: np.real(1j * z * z.detach()).sum(), np.array([1 + 0j, 2 + 0j]), 1, modes=("fwd",))


def test_containers_are_checked_and_named_by_path():
    def f(p, x, shape, bounds):
        return {"y": np.reshape(np.clip(p["w"][0] * x, *bounds), shape), "z": (p["b"] ** 2,)}
    args = ({"w": [np.array([0.1, 0.2])], "b": np.array(2.0)}, np.array([1.0, 2.0]), (2, 1), (-5.0, 5.0))
    tg.check_grads(f, args, order=2, modes=("rev", "fwd"))
    with pytest.raises(tg.GradientError, match=r"the gradient in argument 0\['w'\]\[0\] at \[\d\] is"):
        tg.check_grads(lambda *a: f(*a)["y"] * a[0]["w"][0].detach(), args)


def test_what_is_no_mode_is_named():
    for modes in ("rev", (), ("forward",)):
        with pytest.raises(tg.ArgumentError, match=r'modes are "rev", "fwd" or both, in a tuple, not'):
            tg.check_grads(tg.tanh, 1.0, modes=modes)


# --- gradient_check ----------------------------------------------------------------------------------------------


def test_the_table_of_a_model():
    w = tg.tensor([[1.0, 2.0]], requires_grad=True)
    b = tg.tensor(0.5, requires_grad=True)
    unused = tg.tensor([1.0], requires_grad=True)
    w.grad = np.array([[7.0, 7.0]])
    rows = gradient_check(lambda: (w ** 2).sum() * b, {"w": w, "b": b, "unused": unused})
    assert [(row.name, row.shape) for row in rows] == [("w", (1, 2)), ("b", ()), ("unused", (1,))]
    assert all(0 <= row.mean <= row.largest < 1e-9 for row in rows)
    assert (rows[1].backprop, rows[2].backprop, rows[2].numerical) == (5.0, 0.0, 0.0)
    assert rows[0].backprop == w.data[rows[0].index] == pytest.approx(rows[0].numerical)
    # Nothing is left behind.
    assert (w.grad.tolist(), b.grad, unused.grad) == ([[7.0, 7.0]], None, None)
    assert (w.data.tolist(), b.item()) == ([[1.0, 2.0]], 0.5)


def test_the_table_shows_where_backprop_is_wrong():
    w = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    row, = gradient_check(lambda: (w * np.array([1, 1, 2])).sum() + (w * w.detach())[1], {"w": w})
    assert row.index == (1,)
    assert (row.backprop, row.numerical, row.largest) == (3, pytest.approx(5), pytest.approx(2))
    assert row.mean == pytest.approx(2 / 3)


def test_what_the_table_cannot_be_made_of():
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(tg.GradientError, match="the weight 'v' does not require a gradient"):
        gradient_check(lambda: w.sum(), {"w": w, "v": tg.tensor([1.0])})
    with pytest.raises(tg.GradientError, match="the loss is a float and not a Tensor"):
        gradient_check(lambda: w.sum().item(), {"w": w})
    with pytest.raises(tg.GradientError, match=r"shape \(2,\)"):
        gradient_check(lambda: w * 2, {"w": w})
