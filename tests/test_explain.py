"""tg.explain: the shares of a gradient, the ways that it came, and why it is zero, not finite, or missing."""

from __future__ import annotations

import functools
import json
import operator
import re

import numpy as np
import pytest
from lecture_layers import Affine

import tinygraph as tg
from models.two_layer_net import TwoLayerNet


def leaf(values, name=None, dtype=float):
    return tg.tensor(np.array(values, dtype), requires_grad=True, name=name)


def added(explanation):
    """The shares, added up in their order."""
    return functools.reduce(operator.add, [share.gradient for share in explanation.shares])


def names(way):
    return [node.op.name if node.op else node.name for node in way.nodes if node.op is None or node.op.name != "pick"]


# --- shares and ways ------------------------------------------------------------------------------------------------

def test_the_share_of_each_use():
    x = leaf([1.0, 2.0], "x")
    loss = (np.sin(x) * 3 + x * x).sum()
    loss.backward()
    answer = tg.explain(x)
    assert {(use.node.op.name, use.position) for use in answer.shares} == {("sin", 0), ("multiply", 0), ("multiply", 1)}
    by_op = {use.node.op.name: use.gradient for use in answer.shares}
    assert np.allclose(by_op["sin"], 3 * np.cos(x.data))
    assert np.array_equal(by_op["multiply"], x.data)
    assert np.array_equal(added(answer), x.grad)
    assert answer.gradient is not x.grad
    assert sum(answer.part(use.gradient) for use in answer.shares) == pytest.approx(1)
    assert (answer.absent, answer.earlier, answer.rest, answer.number) == ("", None, None, 3)


@pytest.mark.parametrize("seed", range(5))
def test_shares_add_up_to_the_last_bit(seed):
    rng = np.random.default_rng(seed)
    x = leaf(rng.standard_normal((7, 5)), "x")
    h = x
    for _ in range(9):
        h = np.tanh(h * rng.standard_normal(5)) + np.sin(x) * rng.standard_normal() - x / 3
    loss = (h * h).mean()
    loss.backward()
    answer = tg.explain(x)
    assert np.array_equal(added(answer), x.grad)
    whole = sum(way.gradient for way in answer.ways) + answer.rest
    assert np.allclose(whole, x.grad, rtol=1e-13, atol=1e-16)


def test_the_ways_to_the_loss_largest_first():
    x = leaf(2.0, "x")
    loss = x * 100 + np.exp(x) * x + x
    loss.backward()
    answer = tg.explain(x, ways=2)
    assert [names(way) for way in answer.ways] == [["x", "multiply", "add", "add"],
                                                   ["x", "exp", "multiply", "add", "add"]]
    assert [float(way.gradient) for way in answer.ways] == pytest.approx([100, 2 * np.exp(2)])
    assert answer.number == 4
    assert float(answer.rest) == pytest.approx(np.exp(2) + 1)
    assert [line.split()[0] for line in str(answer).splitlines() if "other ways" in line] == ["6.8%"]


def test_a_diamond_of_a_million_billion_ways():
    x = leaf([0.5, 2.0], "x")
    h = x
    for _ in range(50):
        h = np.sin(h) + h * 0.75
    loss = h.sum()
    loss.backward()
    answer = tg.explain(x)
    assert answer.number == 2 ** 50
    assert len(answer.ways) == 5
    assert all(len(way.nodes) == 2 * 50 + 2 for way in answer.ways)
    assert np.array_equal(added(answer), x.grad)
    assert np.allclose(sum(way.gradient for way in answer.ways) + answer.rest, x.grad, rtol=1e-12)
    assert "1,125,899,906,842,619 other ways together" in str(answer)
    assert len(str(answer)) < 3000


@pytest.mark.parametrize(("depth", "told"), [(90, "1,237,940,039,285,380,274,899,124,224"),
                                             (300, "about 2e+90"), (1500, "more than 1e+308")])
def test_more_ways_than_numbers(depth, told):
    x = leaf([0.5], "x")
    h = x
    for _ in range(depth):
        h = h * 0.5 + h * 0.5
    loss = h.sum()
    loss.backward()
    answer = tg.explain(x)
    assert f"along {told} ways" in str(answer)
    assert np.array_equal(added(answer), x.grad)
    json.dumps(answer.as_dict(), allow_nan=False)


def test_a_long_chain():
    x = leaf([1.0, 2.0], "x")
    y = x
    for _ in range(20_000):
        y = y * 1.0
    loss = y.sum()
    loss.backward()
    answer = tg.explain(x)
    assert len(answer.ways[0].nodes) == 20_002
    assert "19,994 more" in str(answer)


def test_uses_beyond_the_first_few_are_summed():
    x = leaf([1.0], "x")
    total = x * 0.0
    for k in range(20):
        total = total + x * float(k)
    loss = total.sum()
    loss.backward()
    answer = tg.explain(x)
    assert len(answer.shares) == 21
    assert "13 other uses" in str(answer)
    assert added(answer).tolist() == x.grad.tolist() == [190.0]


def test_several_outputs_and_broadcasting():
    x, b = leaf(np.arange(6.0).reshape(3, 2), "x"), leaf([0.5, 1.0], "b")
    first, second = np.split((x + b) ** 2, [1])
    loss = first.sum() * 2 + second.mean() + tg.softmax_with_loss(x + b, np.array([0, 1, 1]))
    loss.backward()
    answer = tg.explain(b, ways=20)
    assert np.array_equal(added(answer), b.grad)
    assert np.allclose(sum(way.gradient for way in answer.ways), b.grad)
    assert answer.number == len(answer.ways) == 3
    assert answer.rest is None


def test_an_output_through_which_nothing_comes_back():
    w = leaf([1.0, 2.0, 3.0], "w")
    counted, edges = tg.histogram(np.array([0.1, 0.5, 0.9]), weights=w)
    loss = counted.sum() + edges.sum()
    loss.backward()
    answer = tg.explain(w)
    assert np.array_equal(added(answer), w.grad)
    assert [way.gradient.tolist() for way in answer.ways] == [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]


def test_the_lecture_net():
    (x, t), _ = tg.data.load_digits()
    net = TwoLayerNet(64, 20, 10, seed=0)
    loss = net.loss(x[:50], t[:50])
    loss.backward()
    for weight in net.params.values():
        answer = tg.explain(weight)
        assert np.array_equal(added(answer), weight.grad)
        assert answer.loss is loss.node
        assert re.search(r"100.0%  affine \(two_layer_net.py:\d+\), argument", str(answer))
    assert names(tg.explain(net.params["W1"]).ways[0]) == ["W1", "affine", "relu", "affine", "softmax_with_loss"]


def test_complex_and_a_given_cotangent():
    z = leaf([1 + 2j, 3j], "z", complex)
    y = z * z * 2
    y.backward(np.array([1.0 + 0j, 2j]))
    answer = tg.explain(z, y, grad=np.array([1.0 + 0j, 2j]))
    assert np.array_equal(added(answer), z.grad)
    assert sum(answer.part(use.gradient) for use in answer.shares) == pytest.approx(1)
    with pytest.raises(tg.GradientError, match="no single derivative"):
        tg.explain(z, y)


def test_a_wrapped_layer_keeps_its_own_gradients():
    layer = tg.wrap_layer(Affine(np.ones((2, 3)), np.zeros(3)))
    x = leaf([[1.0, 2.0]], "x")
    h = x * 2
    loss = (layer(h) + np.sum(h)).sum()
    loss.backward()
    kept = layer.layer.dW.copy()
    answer = tg.explain(x)
    assert np.array_equal(added(answer), x.grad)
    assert answer.number == 2
    assert np.allclose(sum(way.gradient for way in answer.ways), x.grad)
    assert np.array_equal(layer.layer.dW, kept)


# --- why it is zero -------------------------------------------------------------------------------------------------

def dead_relu():
    x = leaf([-1.0, -3.0], "x")
    return x, (tg.relu(x) * 2).sum()


def saturated_sigmoid():
    x = leaf([800.0, 900.0], "x")
    return x, tg.sigmoid(x * 2).sum()


def saturated_tanh():
    x = leaf([40.0, -50.0], "x")
    return x, (np.tanh(x) * np.array([1.0, 2.0])).sum()


def saturated_softmax():
    x = leaf([1000.0, 0.0], "x")
    return x, (tg.softmax(x) * np.array([3.0, 1.0])).sum()


def loss_at_its_minimum():
    x = leaf([[1000.0, 0.0]], "x")
    return x, tg.softmax_with_loss(x, np.array([0]))


def masked():
    x = leaf([1.0, 2.0], "x")
    return x, np.where(np.array([False, False]), x * x, 7.0).sum()


def clipped():
    x = leaf([5.0, 6.0], "x")
    return x, np.clip(x, -1.0, 1.0).sum()


def weights_all_zero():
    x = leaf([[1.0, 2.0]], "x")
    return x, (np.tanh(x) @ tg.tensor(np.zeros((2, 3)), requires_grad=True, name="W2")).sum()


def a_loss_without_weight():
    x = leaf([1.0, 2.0], "x")
    return x, np.sum(x * x) * 0.0


def not_the_largest():
    x = leaf([1.0, 2.0], "x")
    return x, np.maximum(x, 10.0).sum()


def overwritten():
    x = leaf([1.0, 2.0], "x")
    h = x * 3
    h[:] = 1.0
    return x, (h * h).sum()


def shares_cancel():
    x = leaf([1.0, 2.0], "x")
    return x, (x - x).sum()


def underflow():
    x = leaf([-800.0, -900.0], "x")
    return x, np.exp(x).sum()


def a_step():
    x = leaf([0.5, 2.0], "x")
    return x, (np.sign(x) * 3).sum()


ZERO = [
    (dead_relu, "relu", "a dead ReLU: none of these inputs is above 0 (the largest is -1)"),
    (saturated_sigmoid, "sigmoid", "saturated: its inputs are of size 1600 and more"),
    (saturated_tanh, "tanh", "saturated: its inputs are of size 40 and more"),
    (saturated_softmax, "softmax", "saturated: one probability of each row is 1"),
    (loss_at_its_minimum, "softmax_with_loss", "the loss is at its minimum"),
    (masked, "where", "masked: the condition holds nowhere"),
    (clipped, "clip", "clipped: these inputs lie outside the bounds"),
    (weights_all_zero, "matmul", "what it is multiplied by, argument 1, is 0"),
    (a_loss_without_weight, "multiply", "what it is multiplied by, argument 1, is 0"),
    (not_the_largest, "maximum", "the other argument is the larger one"),
    (overwritten, "setitem", "overwritten"),
    (shares_cancel, None, "the shares that meet here cancel"),
    (underflow, "exp", "exp underflows to 0: its inputs are -800 and less"),
    (a_step, "sign", "its derivative is 0"),
]


@pytest.mark.parametrize(("build", "op", "why"), ZERO, ids=lambda x: getattr(x, "__name__", ""))
def test_what_made_it_zero(build, op, why):
    x, loss = build()
    loss.backward()
    assert not np.any(x.grad)
    answer = tg.explain(x)
    stop, = answer.stops
    assert (stop.node.op.name if stop.node.op else None) == op
    assert why in stop.why
    assert stop.stopped == stop.size
    assert why in str(answer)
    line = next(line for line in str(answer).splitlines() if why in line)
    if op is not None:
        first = build.__code__.co_firstlineno
        assert first < int(re.search(r"test_explain.py:(\d+)", line)[1]) < first + 5


def test_a_gradient_that_is_zero_in_some_elements():
    x = leaf([-1.0, 2.0, -0.5, 3.0], "x")
    loss = tg.relu(x).sum()
    loss.backward()
    answer = tg.explain(x)
    stop, = answer.stops
    assert (stop.stopped, stop.size) == (2, 4)
    assert "relu" in str(answer)
    assert "passes nothing in 2 of 4 elements: closed: none of these inputs is above 0 (the largest is -0.5)" in \
        str(answer)


def test_inputs_that_are_zero_for_every_sample_leave_their_weights_without_a_gradient():
    x, w = np.array([[0.0, 1.0, 0.0], [0.0, 2.0, 3.0]]), leaf(np.ones((3, 2)), "W")
    loss = (tg.affine(x, w, np.zeros(2)) ** 2).sum()
    loss.backward()
    stop, = tg.explain(w).stops
    assert (stop.node.op.name, stop.position, stop.stopped, stop.size) == ("affine", 1, 2, 6)
    assert "passes nothing in 2 of 6 elements: 1 of 3 columns of argument 0 are all 0" in str(tg.explain(w))


def test_a_full_gradient_tells_of_no_stops():
    x = leaf([1.0, 2.0], "x")
    loss = (x * 3).sum()
    loss.backward()
    assert "passes nothing" not in str(tg.explain(x))


# --- why it is not finite -------------------------------------------------------------------------------------------

def test_a_rule_that_is_not_finite():
    with np.errstate(all="ignore"):
        x = leaf([0.0, 4.0], "x")
        loss = (np.sqrt(x) * 3).sum()
        loss.backward()
        answer = tg.explain(x)
    assert (answer.origin.node.op.name, answer.origin.position, answer.origin.forward) == ("sqrt", 0, None)
    assert "the derivative of a root at 0 is infinite" in str(answer)
    assert "argument 0: float64 (2,), from 0 to 4: 'x'" in str(answer)
    assert np.array_equal(added(answer), x.grad)


def test_a_value_that_is_not_finite():
    with np.errstate(all="ignore"):
        x = leaf([0.0, 2.0], "x")
        loss = np.sum(np.log(x - 1) * x)
        loss.backward()
        answer = tg.explain(x, loss)
    assert answer.origin.forward.op.name == "log"
    assert "it is not finite because a value was not: the result of log (test_explain.py:" in str(answer)
    assert "logarithm of a negative number" in str(answer)


def test_nan_in_the_data():
    data = tg.tensor(np.array([1.0, np.nan]), name="batch")
    w = leaf([1.0, 2.0], "w")
    loss = (w * data).sum()
    loss.backward()
    answer = tg.explain(w)
    assert answer.origin.forward is data.node
    assert "'batch'" in str(answer)


# --- why it is None -------------------------------------------------------------------------------------------------

def test_integers():
    assert "only real and complex numbers carry a gradient" in tg.explain(tg.tensor(np.array([1, 2]))).absent


def test_no_requires_grad():
    answer = tg.explain(tg.tensor([1.0, 2.0], name="x"))
    assert "made without requires_grad=True" in answer.absent
    assert str(answer).startswith("grad of 'x' is None: it does not require a gradient")
    with tg.no_grad():
        y = leaf([1.0]) * 2
    assert "no_grad()" in tg.explain(y).absent


def test_backward_was_not_called():
    x = leaf([1.0, 2.0], "x")
    loss = (x * x).sum()
    answer = tg.explain(x)
    assert "backward() was not called" in answer.absent
    assert answer.gradient.tolist() == [2.0, 4.0]
    loss.backward()
    assert tg.explain(x).absent == ""
    x.zero_grad()
    assert "zero_grad() has cleared it" in tg.explain(x).absent


def test_a_computed_tensor_keeps_none():
    x = leaf([1.0, 2.0], "x")
    h = x * 3
    loss = (h * h).sum()
    loss.backward()
    answer = tg.explain(h)
    assert "call retain_grad() on it before backward()" in answer.absent
    assert answer.gradient.tolist() == [6.0, 12.0]
    h.retain_grad()
    loss.backward()
    assert tg.explain(h).absent == ""


def test_a_loss_of_other_tensors():
    x, w = leaf([1.0], "x"), leaf([2.0], "w")
    answer = tg.explain(x, (w * w).sum())
    assert answer.absent == "the loss was not computed from it"
    assert answer.shares == []


@pytest.mark.parametrize("cut", [lambda h: h.detach(), lambda h: h.data], ids=["detach", "data"])
def test_a_detached_branch(cut):
    x, w = leaf([1.0, 2.0], "x"), leaf([3.0, 4.0], "w")
    h = x * 2
    loss = (w * cut(h)).sum()
    loss.backward()
    absent = tg.explain(x, loss).absent
    assert "the way was cut: the result of multiply (test_explain.py:" in absent
    assert "was detached" in absent
    assert "before it became argument 1 of multiply (test_explain.py:" in absent


def test_one_of_two_branches_is_detached():
    x = leaf([1.0, 2.0], "x")
    h = np.tanh(x)
    loss = (x * h.detach()).sum()
    loss.backward()
    answer = tg.explain(x)
    assert answer.absent == ""
    told = "another way was cut: the result of tanh (...) was detached, by detach() or .data, before it became " \
           "argument 1 of multiply (...)"
    assert told in re.sub(r"\(test_explain.py:\d+\)", "(...)", str(answer))
    whole = (x * h).sum()
    assert tg.explain(x, whole).detached == ""


def test_a_branch_that_was_computed_outside():
    x, w = leaf([1.0, 2.0], "x"), leaf([3.0, 4.0], "w")
    with tg.no_grad():
        h = np.tanh(x)
    loss = (w * h).sum()
    absent = tg.explain(x, loss).absent
    assert "no_grad() or a plain array" in absent
    assert "argument 1 of multiply (test_explain.py:" in absent


def test_a_gradient_from_another_loss():
    x, w = leaf([1.0], "x"), leaf([2.0], "w")
    first = (x * 3).sum()
    first.backward()
    answer = tg.explain(x, (w * w).sum())
    assert answer.absent == "the loss was not computed from it"
    assert str(answer) == ("no gradient of 'x' comes from this loss: the loss was not computed from it\n"
                           "  its grad holds float64 (1,), 3 from other calls of backward")


def test_only_through_an_argument_without_a_derivative():
    x = leaf([1.0, 0.0], "x")
    loss = tg.where(x, leaf([1.0, 2.0], "y"), 0.0).sum()
    answer = tg.explain(x, loss)
    assert "only through arguments without a derivative" in answer.absent
    assert "where (test_explain.py:" in str(answer)
    assert "has no derivative in argument 0" in str(answer)


def test_a_freed_graph():
    x = leaf([1.0, 2.0], "x")
    loss = (x * x).sum()
    loss.backward(retain_graph=False)
    with pytest.raises(tg.GradientError, match="no longer in memory; keep the loss in a variable"):
        tg.explain(x)
    x.zero_grad()
    assert "freed by backward(retain_graph=False)" in tg.explain(x, loss).absent
    assert "no loss was computed from it that is still in memory" in tg.explain(x).absent


# --- which loss -----------------------------------------------------------------------------------------------------

def test_of_several_losses_the_one_that_fits():
    x = leaf([1.0, 2.0], "x")
    first, second, _third = (x * x).sum(), (x * 3).sum(), (x * 5).mean()
    second.backward()
    assert tg.explain(x).loss is second.node
    assert tg.explain(x, first).gradient.tolist() == [2.0, 4.0]


def test_what_other_calls_left_is_told():
    x = leaf([1.0, 2.0], "x")
    (x * 3).sum().backward()
    loss = (x * x).sum()
    loss.backward()
    answer = tg.explain(x)
    assert answer.earlier.tolist() == [3.0, 3.0]
    assert (added(answer) + answer.earlier).tolist() == x.grad.tolist()
    assert "from other calls of backward" in str(answer)


def test_the_loss_itself():
    x = leaf(3.0, "x")
    loss = x * x
    loss.retain_grad()
    loss.backward()
    answer = tg.explain(loss)
    assert (answer.gradient, answer.shares, answer.number) == (1.0, [], 1)


# --- its manners ----------------------------------------------------------------------------------------------------

def test_nothing_is_changed():
    x = leaf([1.0, 2.0], "x")
    called = []
    x.register_hook(called.append)
    loss = (x * x).sum()
    loss.backward()
    grad = x.grad
    tg.explain(x)
    assert x.grad is grad
    assert len(called) == 1
    loss.backward()
    assert x.grad.tolist() == [4.0, 8.0]


def test_after_create_graph_and_under_debug():
    with tg.debug():
        x = leaf([1.0, 2.0], "x")
        loss = (x ** 3).sum()
        loss.backward(create_graph=True)
        answer = tg.explain(x, loss)
    assert np.array_equal(added(answer), x.grad.data)
    assert answer.earlier is None


def test_the_answer_is_data():
    with np.errstate(all="ignore"):
        x = leaf([0.0, -2.0], "x")
        loss = (tg.relu(x) * 3).sum() + np.sqrt(x * x).sum()
        loss.backward()
        answer = tg.explain(x)
        facts = json.loads(json.dumps(answer.as_dict()))
    graph = tg.graph(loss)
    assert [graph[share["id"]].op for share in facts["shares"]] == [use.node.op.name for use in answer.shares]
    assert graph[facts["ways"][0]["nodes"][0]].name == "x"
    assert graph[facts["ways"][0]["nodes"][-1]].op == "add"
    assert facts["origin"]["op"] == "sqrt"
    assert facts["tensor"]["name"] == "x"
    assert repr(answer).startswith("<explanation of 'x': 3 shares")
    with pytest.raises(tg.ArgumentError, match="at least 1"):
        tg.explain(x, ways=0)


def test_an_empty_tensor():
    x = leaf(np.zeros((0, 3)), "x")
    loss = (x * 2).sum()
    loss.backward()
    assert "along 1 way" in str(tg.explain(x, loss))
