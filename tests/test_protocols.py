"""A Tensor among NumPy's own: operators with anything on either side, np functions, dtypes, and leaving the graph."""

from __future__ import annotations

import operator
import re
import sys

import numpy as np
import pytest

import tinygraph as tg
from tinygraph.testing import StandIn

HERE = re.escape("test_protocols.py")
OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow]
COMPARISONS = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]
OTHERS = [2, 2.5, True, [1.5, 2.0, 0.5], (1.5, 2.0, 0.5), [[1.0], [2.0]], np.array([1.5, 2.0, 0.5]), np.array(2.0),
          np.float32(2.5), np.float64(2.5), np.int64(2), tg.tensor([1.5, 2.0, 0.5])]


def leaf(value, dtype=float):
    return tg.tensor(np.array(value, dtype), requires_grad=True)


def bare(x):
    return x.data if isinstance(x, tg.Tensor) else x


def line(offset=0):
    """The caller's line as an error names it."""
    return f"{HERE}:{sys._getframe(1).f_lineno + offset}"


# --- operators --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("other", OTHERS, ids=repr)
@pytest.mark.parametrize("apply", OPERATORS + COMPARISONS)
def test_operators_take_anything_on_either_side(apply, other):
    x = leaf([1.0, 3.0, 2.0])
    array = np.asarray(bare(other)) if isinstance(other, list | tuple) else bare(other)
    for got, wanted in ((apply(x, other), apply(x.data, array)), (apply(other, x), apply(array, x.data))):
        assert isinstance(got, tg.Tensor)
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got.data, wanted)


@pytest.mark.parametrize("apply", [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow])
def test_an_operator_differentiates_whichever_side_the_tensor_is_on(apply):
    h, other = 1e-6, np.array([1.5, 2.0, 0.5])
    for f in (lambda t: apply(t, other), lambda t: apply(other, t)):
        x = leaf([1.0, 3.0, 2.0])
        f(x).sum().backward()
        np.testing.assert_allclose(x.grad, (f(x.data + h) - f(x.data - h)) / (2 * h), rtol=1e-7)


@pytest.mark.parametrize("other", [np.arange(6.0).reshape(3, 2), [[1.0], [2.0], [3.0]], tg.tensor(np.eye(3))])
def test_matrix_products_take_arrays_and_lists_on_either_side(other):
    x = leaf(np.arange(9.0).reshape(3, 3))
    np.testing.assert_array_equal((x @ other).data, x.data @ np.asarray(bare(other)))
    left = np.asarray(bare(other)).T
    np.testing.assert_array_equal((left @ x).data, left @ x.data)
    np.testing.assert_array_equal((left.tolist() @ x).data, left @ x.data)


def test_unary_and_bitwise_operators():
    x = leaf([-1.0, 2.0])
    assert ((-x).tolist(), (+x).tolist(), abs(x).tolist()) == ([1, -2], [-1, 2], [1, 2])
    m = x > 0
    assert ((~m).tolist(), (m & True).tolist(), (m | True).tolist(), (m ^ m).tolist()) == (
        [True, False], [False, True], [True, True], [False, False])
    n = tg.tensor([1, 6])
    assert ((n << 2).tolist(), (n >> 1).tolist(), (1 << n).tolist(), (64 >> n).tolist()) == (
        [4, 24], [0, 3], [2, 64], [32, 1])
    n <<= 2
    n |= 1
    n ^= np.array([1, 0])
    n >>= 1
    n &= 14
    assert n.tolist() == [2, 12]
    with pytest.raises(tg.DTypeError, match="bitwise_or in place: int64 does not fit into bool"):
        m |= 2


@pytest.mark.parametrize("stranger", ["text", None, object(), {1: 2}])
def test_an_operand_that_is_no_number_is_pythons_own_error(stranger):
    x = leaf([1.0])
    for apply in (operator.sub, operator.truediv, operator.matmul, operator.lt):
        for operands in ((x, stranger), (stranger, x)):
            with pytest.raises(TypeError, match=r"unsupported operand|not supported between"):
                apply(*operands)


def test_another_class_may_take_over():
    class Greedy:
        def __radd__(self, other):
            return "mine"
    assert leaf([1.0]) + Greedy() == "mine"


# --- NumPy's functions ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("call", [
    lambda t: np.add(t, 1), lambda t: np.add(1, t), lambda t: np.exp(t), lambda t: np.sum(t, axis=0),
    lambda t: np.maximum(t, 1.5), lambda t: np.where(t > 1, t, 0), lambda t: np.matmul(t, t),
    lambda t: np.concatenate([t, np.ones((1, 2))]), lambda t: np.concatenate((np.ones((1, 2)), t)),
    lambda t: np.stack([t, t], axis=1), lambda t: np.reshape(t, -1), lambda t: np.reshape(t, shape=(4, 1)),
    lambda t: np.transpose(t), lambda t: np.linalg.norm(t, 2, 0), lambda t: np.tensordot(t, t, 1), lambda t: np.abs(t),
    lambda t: np.multiply(np.ones(2), t), lambda t: np.clip(t, 1, 2), lambda t: np.squeeze(t[None]),
    lambda t: np.prod(t), lambda t: np.vstack([t, t]), lambda t: np.hstack([t, t]), lambda t: np.split(t, 2)[0],
    lambda t: np.take(t, [0, 0], 1), lambda t: np.var(t, ddof=1), lambda t: np.std(t, 0), lambda t: np.cumsum(t, 1),
    lambda t: np.real(t * 1j), lambda t: np.dot(np.ones(2), t), lambda t: np.outer(t, [1, 2]), lambda t: np.amax(t, 1),
    lambda t: np.astype(t, float), lambda t: t.sum(0), lambda t: t.mean(axis=1, keepdims=True), lambda t: t.max(),
    lambda t: t.reshape(4), lambda t: t.reshape(1, -1), lambda t: t.T, lambda t: t.transpose(1, 0),
    lambda t: t.swapaxes(0, 1), lambda t: t.flatten(), lambda t: t.ravel(), lambda t: t.clip(1, 2),
    lambda t: t.astype(np.float64), lambda t: t.dot(t), lambda t: t.prod(1), lambda t: t.cumsum(),
    lambda t: t.cumprod(0), lambda t: t.var(), lambda t: t.std(1, ddof=1), lambda t: t.take([0]), lambda t: t.copy(),
    lambda t: t[0], lambda t: t[:, [0, 0]], lambda t: t[t > 1], lambda t: t.conj(),
])
def test_numpy_functions_and_methods_give_tensors_that_remember(call):
    t = leaf([[1.0, 2.0], [3.0, 4.0]])
    got = call(t)
    assert isinstance(got, tg.Tensor)
    assert got.requires_grad
    np.testing.assert_allclose(got.data, call(t.data), rtol=1e-15)
    got.sum().backward()
    assert t.grad.shape == (2, 2)


@pytest.mark.parametrize("call", [
    lambda t: np.add.reduce(t), lambda t: np.add.reduce(t, axis=None), lambda t: np.add.reduce(t, 1, keepdims=True),
    lambda t: np.multiply.reduce(t), lambda t: np.maximum.reduce(t, axis=1), lambda t: np.minimum.reduce(t),
    lambda t: np.add.accumulate(t), lambda t: np.multiply.accumulate(t, axis=1), lambda t: np.add.outer(t, [1.0, 2.0]),
    lambda t: np.multiply.outer([1.0, 2.0], t), lambda t: np.power.outer(t, 2.0),
])
def test_ufunc_methods(call):
    t = leaf([[1.0, 2.0], [3.0, 5.0]])
    got = call(t)
    assert got.requires_grad
    np.testing.assert_array_equal(got.data, call(t.data))


@pytest.mark.parametrize(("call", "named"), [
    (lambda t: np.add.at(t, 0, 1.0), r"np\.add\.at"), (lambda t: np.add.reduceat(t, [0]), r"np\.add\.reduceat"),
    (lambda t: np.hypot.reduce(t), r"np\.hypot\.reduce"),
    (lambda t: np.divide.accumulate(t), r"np\.divide\.accumulate"),
])
def test_a_ufunc_method_without_a_rule_is_named(call, named):
    with pytest.raises(tg.UnsupportedError, match=rf"{named} has no op .*{HERE}"):
        call(leaf([1.0, 2.0]))


def test_a_numpy_function_without_an_op_is_named_with_the_users_line():
    x = leaf([1.0, 2.0])
    with pytest.raises(tg.UnsupportedError, match=rf"np\.polyfit has no op.*compute on \.data.*@tg\.op.*{line(1)}"):
        np.polyfit(x, x, 1)
    with pytest.raises(tg.UnsupportedError, match=rf"np\.packbits has no op.*{line(1)}"):
        np.packbits(x)
    with pytest.raises(tg.UnsupportedError, match=rf"np\.isnat has no op.*{line(1)}"):
        np.isnat(x)


@pytest.mark.parametrize("call", [
    lambda a, t: np.add(a, t, out=a), lambda a, t: operator.iadd(a, t), lambda a, t: operator.imul(a, t),
    lambda a, t: np.add(t, t, out=t), lambda a, t: np.multiply(a, a, out=(t,)),
])
def test_an_array_cannot_take_a_tensor_in(call):
    with pytest.raises(tg.UnsupportedError, match=rf"out=.*assign the result to a name.*{HERE}"):
        call(np.ones(2), leaf([1.0, 2.0]))


def test_like_makes_plain_arrays():
    x = leaf([1.0])
    assert type(np.zeros(3, like=x)) is np.ndarray
    assert isinstance(np.zeros_like(x), tg.Tensor)
    assert type(np.shape(x)) is tuple
    assert np.ndim(x) == 1
    assert np.size(x) == 1


def test_predicates_give_tensors_or_plain_truths():
    x = leaf([1.0, np.nan])
    assert np.isnan(x).tolist() == [False, True]
    assert np.allclose(x[:1], 1.0) is True
    assert np.array_equal(x[:1], [1.0]) is True
    assert bool(np.any(np.isnan(x)))


# --- dtypes -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("apply", [
    lambda t: t * 2.0, lambda t: 2.0 * t, lambda t: t / 3, lambda t: 1 - t, lambda t: t ** 2, lambda t: 2.0 ** t,
    lambda t: t + np.float32(1), lambda t: np.maximum(t, 0.5), lambda t: np.where(t > 0, t, 0.0), lambda t: t % 2.0,
    lambda t: t.mean(), lambda t: tg.sigmoid(t), lambda t: tg.softmax(t), lambda t: t.var(ddof=1),
    lambda t: t.clip(0.0, 1.5),
])
def test_float32_stays_float32_beside_python_numbers(apply):
    x = leaf([1.0, 2.0], np.float32)
    y = apply(x)
    assert y.dtype == np.float32
    y.backward(np.ones(y.shape))
    assert x.grad.dtype == np.float32


def test_float32_beside_float64_is_numpys_float64_with_a_float32_gradient():
    x, w = leaf([1.0, 2.0], np.float32), leaf([1.0, 2.0])
    y = x * w
    assert y.dtype == np.float64
    y.sum().backward()
    assert (x.grad.dtype, w.grad.dtype) == (np.float32, np.float64)
    assert (x * np.float64(2)).dtype == (x.data * np.float64(2)).dtype


def test_integers_and_floats_mix_as_in_numpy():
    n, x = tg.tensor([1, 2]), leaf([1.5, 2.5])
    y = n * x
    y.sum().backward()
    assert x.grad.tolist() == [1, 2]
    assert n.grad is None
    assert (n / 2).dtype == float
    assert (n * 2).dtype == n.dtype


# --- leaving the graph ------------------------------------------------------------------------------------------------

def test_an_array_of_tensors_would_lose_their_past():
    t0, t1 = leaf(1.0), leaf(2.0)
    for leave in (lambda: np.array([t0, t1]), lambda: np.asarray(t0), lambda: np.array(t0, dtype=float)):
        with pytest.raises(tg.GradientError, match=rf"lose its past.*tg\.stack.*\.data.*{HERE}"):
            leave()
    assert np.array([t0.data, t1.data]).tolist() == [1, 2]
    with tg.no_grad():
        assert np.asarray(t0) == 1
    assert np.asarray(tg.tensor([1, 2])).tolist() == [1, 2]
    assert np.array(tg.tensor([1.0]), copy=True, dtype=np.float32).dtype == np.float32


def test_writing_a_tensor_into_an_array_would_lose_its_past():
    t, z = leaf(1.0), np.zeros(2)
    with pytest.raises(ValueError, match="setting an array element") as caught:
        z[0] = t
    assert isinstance(caught.value.__cause__, tg.GradientError)
    assert "tg.stack" in str(caught.value.__cause__)
    with pytest.raises(tg.GradientError, match=r"tg\.stack"):
        z[0:1] = t
    with pytest.raises(tg.GradientError, match=r"tg\.stack"):
        z[:] = leaf([1.0, 2.0])
    assert z.tolist() == [0, 0]
    z[0] = float(t)
    with tg.no_grad():
        z[1] = t
    assert z.tolist() == [1, 1]


def test_reading_the_value_is_allowed_everywhere():
    t = leaf(2.0)
    assert [float(t), t.item(), f"{t:.1f}", int(t)] == [2.0, 2.0, "2.0", 2]


# --- errors name the op, what was given and the user's line -----------------------------------------------------------

def test_the_line_is_the_users_own():
    x = leaf([1.0, 2.0])
    with pytest.raises(tg.ShapeError, match=line(1)):
        x + np.ones(3)


# --- other arrays -----------------------------------------------------------------------------------------------------

def test_a_foreign_array_stays_one_through_both_passes():
    w, x = tg.tensor(StandIn(np.ones((3, 2))), requires_grad=True), StandIn(np.arange(6.0).reshape(2, 3))
    hidden = np.tanh(x @ w) * 0.5 + 1
    (hidden * hidden).sum().backward()
    assert isinstance(hidden.data, StandIn)
    assert isinstance(w.grad, StandIn)
    plain = leaf(np.ones((3, 2)))
    h = np.tanh(np.arange(6.0).reshape(2, 3) @ plain) * 0.5 + 1
    (h * h).sum().backward()
    np.testing.assert_array_equal(w.grad._array, plain.grad)
