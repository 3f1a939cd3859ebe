"""tg.shadow: where digits are lost and where a value overflows, by a replay in higher precision."""

from __future__ import annotations

import json

import numpy as np
import pytest
from lecture_layers import Affine

import tinygraph as tg
from models.two_layer_net import TwoLayerNet
from tinygraph.core.op import Op

# On some machines longdouble is float64; graphs in float32 have a shadow everywhere.
wide = pytest.mark.skipif(np.finfo(np.longdouble).eps >= np.finfo(float).eps, reason="longdouble is float64 here")


@pytest.fixture(autouse=True)
def quiet_numpy():
    with np.errstate(all="ignore"):
        yield


def leaf(values, name=None, dtype=np.float32):
    return tg.tensor(np.array(values, dtype), requires_grad=True, name=name)


def variance():
    x = leaf([1e4, 1e4 + 1], "x")
    return np.mean(x * x) - np.mean(x) ** 2


def one_minus_cosine():
    x = leaf(1e-4, "x")
    return (1 - np.cos(x)) / (x * x)


def small_step():
    f = leaf(1e4, "f")
    return ((f + np.float32(1e-3)) - f) / np.float32(1e-3)


def quadratic_root():
    b = leaf(1e4, "b")
    return -b + np.sqrt(b * b - 4)


def log_of_one_plus():
    return np.log(leaf(1e-8) + 1)


LOSSES = [(variance, "subtract"), (one_minus_cosine, "subtract"), (small_step, "subtract"), (quadratic_root, "add"),
          (log_of_one_plus, "log")]


@pytest.mark.parametrize(("build", "op"), LOSSES, ids=lambda x: getattr(x, "__name__", ""))
def test_the_op_at_which_digits_are_lost(build, op):
    answer = tg.shadow(build(), np.float64)
    first = answer.ranked[0]
    assert first.op == op
    assert first.lost > 3
    assert answer.digits < 4 < answer.working
    assert first.line in range(build.__code__.co_firstlineno, build.__code__.co_firstlineno + 4)
    assert f"{op} (test_shadow.py:{first.line})" in str(answer)
    assert answer.overflow is None


def test_what_was_recorded_and_what_is_exact():
    row = tg.shadow(variance(), np.float64).ranked[0]
    assert float(row.exact) == 0.25
    assert float(row.recorded) == float(variance().data)
    assert row.index == ()


def test_digits_are_counted():
    x = leaf([1.0, 2.0, 3.0])
    answer = tg.shadow(x * np.float32(1.0), np.float64)
    assert answer.nodes[0].digits == pytest.approx(-np.log10(np.finfo(np.float32).eps))
    assert "no op loses as much as half a digit" in str(answer)
    third = tg.shadow(leaf(1.0) / 3, np.float64).nodes[0]
    error = abs(np.float64(np.float32(1) / np.float32(3)) * 3 - 1)
    assert third.digits == pytest.approx(min(-np.log10(error), -np.log10(np.finfo(np.float32).eps)))


def overflowing_exp():
    e = np.exp(leaf([1.0, 100.0], "z"))
    return (e / e.sum()).sum()


def overflowing_matmul():
    x = leaf([[1e25, 1.0]], "x")
    return (x @ np.array([[1e25], [1.0]], np.float32)).sum()


def overflowing_sum():
    return np.sqrt(np.sum(leaf([3e38, 3e38]) * 1))


@pytest.mark.parametrize(("build", "op", "exact"), [
    (overflowing_exp, "exp", np.exp(100.0)), (overflowing_matmul, "matmul", 1e50), (overflowing_sum, "sum", 6e38)])
def test_the_first_that_overflows(build, op, exact):
    answer = tg.shadow(build(), np.float64)
    assert answer.overflow.op == op
    assert float(answer.overflow.exact) == pytest.approx(exact, rel=1e-6)
    assert np.isinf(answer.overflow.recorded)
    assert f"the first to overflow: {op} (test_shadow.py:" in str(answer)
    assert [node.op for node in answer.nodes if node.overflows] == [op]


def test_what_overflows_in_the_shadow_too():
    answer = tg.shadow(np.exp(leaf([1.0, 1000.0])).sum(), np.float64)
    assert answer.overflow.op == "exp"
    assert "inf at [1] is inf in the shadow too" in str(answer)


def test_what_underflows_has_no_digit_left():
    row = tg.shadow(np.log(np.exp(leaf([-200.0]))).sum(), np.float64).ranked[0]
    assert (row.op, row.digits, float(row.recorded)) == ("exp", 0.0, 0.0)
    assert float(row.exact) == pytest.approx(np.exp(-200.0))


@wide
def test_float64_beside_longdouble():
    x = leaf([1e8, 1e8 + 1], "x", float)
    answer = tg.shadow(np.mean(x * x) - np.mean(x) ** 2)
    assert answer.dtype == np.longdouble
    assert answer.ranked[0].op == "subtract"
    assert float(answer.ranked[0].exact) == 0.25
    assert answer.working == pytest.approx(15.65, abs=0.01)


@wide
def test_an_op_that_knows_no_longdouble_says_so():
    answer = tg.shadow(np.linalg.det(leaf([[2.0, 1.0], [1.0, 3.0]], dtype=float)) * 2)
    row = next(node for node in answer.nodes if node.note)
    assert "it cannot compute in" in row.note
    assert row.digits > 15
    assert "less is known of 1 node: " in str(answer)


def test_several_outputs_params_and_indices():
    z = leaf([[0.5, 2.0, -1.0], [0.0, 0.1, 0.2]], "z")
    first, second = np.split(z, [1])
    loss = (tg.softmax_with_loss(z, np.array([0, 2])) + np.sum(first[:, [0, 0]]) + np.mean(second, dtype=np.float32)
            + np.sum(z.astype(np.float32), axis=1)[0])
    answer = tg.shadow(loss, np.float64)
    assert answer.digits > 6
    assert all(node.note == "" for node in answer.nodes)
    assert len(answer.nodes) == len([node for node in tg.graph(loss) if node.op])


def test_complex():
    z = leaf([1 + 2j, 3 - 1j], dtype=np.complex64)
    answer = tg.shadow(np.real(np.exp(z) * z).sum(), np.float64)
    assert answer.digits > 5
    assert {np.asarray(node.exact).dtype.kind for node in answer.nodes} == {"c", "f"}


def test_a_wrapped_layer_is_replayed_on_a_copy():
    layer = tg.wrap_layer(Affine(np.ones((2, 3), np.float32), np.zeros(3, np.float32)))
    x = leaf([[1.0, 2.0]], "x")
    loss = (layer(x) / 3).sum()
    answer = tg.shadow(loss, np.float64)
    assert answer.digits > 6
    assert layer.layer.W.dtype == np.float32
    loss.backward()
    assert x.grad.tolist() == [[1.0, 1.0]]


def test_an_op_that_does_not_repeat_itself():
    rng = np.random.default_rng(0)
    noise = Op(lambda x: x * rng.random(x.shape).astype(x.dtype), vjp=(lambda g, y, x: g,))
    row = tg.shadow(noise(leaf([1.0, 2.0])).sum(), np.float64).nodes[0]
    assert "another result now" in row.note
    assert row.lost == 0


def test_nothing_is_changed_and_debug_may_be_on():
    with tg.debug():
        loss = variance()
        before = [np.array(node.value) for node in tg.graph(loss)]
        tg.shadow(loss, np.float64)
    assert all(np.array_equal(node.value, value) for node, value in zip(tg.graph(loss), before, strict=True))


def test_the_answer_is_data():
    loss = overflowing_exp()
    answer = tg.shadow(loss, np.float64)
    facts = json.loads(json.dumps(answer.as_dict()))
    graph = tg.graph(loss)
    assert graph[facts["overflow"]].op == "exp"
    assert [graph[node["id"]].op for node in facts["nodes"]] == [node.op for node in answer.nodes]
    assert facts["dtype"] == "float64"
    assert repr(answer).startswith("<shadow in float64 of 4 nodes")


def test_what_cannot_be_shadowed_is_an_error():
    with pytest.raises(tg.ArgumentError, match="float64 is no more precise than the graph, in which 'x' is float64"):
        tg.shadow(leaf(1.0, "x", float) * 2, np.float64)
    with pytest.raises(tg.ArgumentError, match="a real floating type"):
        tg.shadow(leaf(1.0) * 2, np.complex128)
    loss = leaf(1.0) * 2
    loss.backward(retain_graph=False)
    with pytest.raises(tg.GradientError, match="was freed"):
        tg.shadow(loss, np.float64)


def test_the_lecture_net_loses_nothing():
    (x, t), _ = tg.data.load_digits()
    loss = TwoLayerNet(64, 20, 10, seed=0, dtype=np.float32).loss(x[:50].astype(np.float32), t[:50])
    answer = tg.shadow(loss, np.float64)
    assert answer.digits > 6
    assert answer.overflow is None
    assert max(node.lost for node in answer.nodes) < 1
