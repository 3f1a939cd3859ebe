"""tg.check_graph: a wrong rule is named where it stands, a kink is told apart, what is right is found right."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from cases import CASES
from lecture_layers import Affine, Relu, SoftmaxWithLoss

import tinygraph as tg
from models.two_layer_net import TwoLayerNet
from tinygraph.core.arguments import Handle
from tinygraph.core.kinds import Constant
from tinygraph.core.op import COMPOSED, OPS, Op


def leaf(values, name=None, dtype=float):
    return tg.tensor(np.array(values, dtype), requires_grad=True, name=name)


def made(function, *rules, **card):
    """An op that is in no registry."""
    forward = function
    if isinstance(function, np.ufunc):
        forward = (lambda x: function(x)) if function.nin == 1 else (lambda a, b: function(a, b))
        forward.__name__ = function.__name__
    return Op(forward, vjp=rules, **card)


X = np.array([[0.5, -1.2, 2.0], [1.5, 0.3, -0.7]])


def on_x(function, rule, x=X):
    """A graph with a right op on either side of a doubtful one."""
    return lambda: (tg.tanh(made(function, rule)(leaf(x, "x") * 1.5)) * 2).sum()


def on_two(function, first, second, a=X, b=X[::-1] + 0.05):
    return lambda: (made(function, first, second)(leaf(a, "a"), leaf(b, "b")) * 2).sum()


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def scattered(g, y, x):
    c = np.zeros_like(x)
    c[[0, 0, 1]] = g  # the last of two stays, where both must be added
    return c


SQUARE = np.array([[1.0, 2.0], [3.0, 5.0]])
TIED = np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0])

# name: (the graph, the argument, part of what is said)
WRONG = {
    "wrong sign": (on_x(np.cos, lambda g, y, x: g * np.sin(x)), 0, "the sign is wrong"),
    "missing factor": (on_x(lambda x: x ** 2, lambda g, y, x: g * x), 0, "a factor of 2 is missing"),
    "too large": (on_x(lambda x: x.mean(0), lambda g, y, x: np.broadcast_to(g, x.shape)), 0, "a factor of 0.5"),
    "the other function's": (on_x(np.tanh, lambda g, y, x: g * (1 - y)), 0, ""),
    "output for input": (on_x(lambda x: np.log(x * x + 1), lambda g, y, x: g * 2 * x / (y + 1)), 0, ""),
    "missing sum": (on_x(softmax, lambda g, y, z: y * (g - 0)), 0, ""),
    "one row for the sum": (on_two(lambda a, b: a + b.sum(0), lambda g, y, a, b: g,
                                   lambda g, y, a, b: np.broadcast_to(g[0], b.shape)), 1, ""),
    "transposed matrix": (on_two(np.matmul, lambda g, y, x, w: g @ w, lambda g, y, x, w: x.T @ g, SQUARE, SQUARE + 1),
                          0, ""),
    "transposed result": (on_x(lambda x: x @ np.array([[1.0, 2.0], [3.0, 4.0]]),
                               lambda g, y, x: (g @ np.array([[1.0, 3.0], [2.0, 4.0]])).T, SQUARE), 0, "transposed"),
    "rules swapped": (on_two(np.subtract, lambda g, y, a, b: -g, lambda g, y, a, b: g), 0, "the sign is wrong"),
    "wrong branch": (on_x(lambda x: np.maximum(x, 0), lambda g, y, x: np.where(x < 0, g, 0)), 0, ""),
    "both at a tie": (on_two(np.maximum, lambda g, y, a, b: np.where(a >= b, g, 0),
                             lambda g, y, a, b: np.where(b >= a, g, 0), *TIED), 0, "2 of 3 results on a kink"),
    "neither at a tie": (on_two(np.maximum, lambda g, y, a, b: np.where(a > b, g, 0),
                                lambda g, y, a, b: np.where(b > a, g, 0), *TIED), 0, "inputs that tie are moved"),
    "too steep at a kink": (on_x(lambda x: np.maximum(x, 0), lambda g, y, x: g * np.where(x == 0, 2, x > 0),
                                 np.array([-1.0, 0.0, 2.0])), 0, "the slopes on the two sides"),
    "does not use g": (on_x(np.exp, lambda g, y, x: y), 0, "leaves g out"),
    "overwrites what repeats": (on_x(lambda x: x[[0, 0, 1]], scattered), 0, ""),
    "the wrong way round": (on_x(lambda x: np.cumsum(x, -1), lambda g, y, x: np.cumsum(g, -1)), 0, ""),
    "nothing": (on_x(np.sin, lambda g, y, x: None), 0, "gives 0 everywhere"),
    "a shape that does not fit": (on_x(lambda x: x.sum(0), lambda g, y, x: g[:2]), 0, "its rules raise GradientError"),
    "an error": (on_x(np.sin, lambda g, y, x: g * x.nothing), 0, "its rules raise AttributeError"),
    "off by a little": (on_x(np.sin, lambda g, y, x: g * np.cos(x) * 1.0001), 0, "a factor of 0.9999 is missing"),
    "clipped too far": (on_x(lambda x: np.clip(x, -1, 1), lambda g, y, x: np.where(x < 1, g, 0)), 0, ""),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_rule_is_named(fault):
    build, argument, told = WRONG[fault]
    report = tg.check_graph(build())
    assert {row.argument for row in report.wrong} >= {argument}
    row = next(row for row in report.wrong if row.argument == argument)
    assert row.op == "<lambda>" or row.op in ("cos", "tanh", "softmax", "matmul", "subtract", "maximum", "exp", "sin")
    assert told in row.reason
    assert not report.ok
    assert row.file == __file__
    assert row.index is not None or "its rules raise" in row.reason or "on a kink" in row.reason
    if row.index is not None:
        assert np.absolute(row.analytic - row.numeric) > 1e-5
    # Only the planted op is at fault, whatever its neighbours.
    assert len({row.id for row in report.wrong}) == 1
    assert {row.verdict for row in report.rows if row.op in ("multiply", "sum")} == {"right"}


def test_where_it_is_and_what_would_be_right():
    x = leaf([[0.5, 1.0], [2.0, 0.1]], "x")

    def rule(g, y, x):
        c = g * np.cos(x)
        return np.where(np.arange(2) == 1, 3 * c, c)
    line = sys._getframe().f_lineno + 1
    loss = made(np.sin, rule)(x).sum()
    report = tg.check_graph(loss)
    row, = report.wrong
    assert row.index == (1, 1)
    assert row.analytic == pytest.approx(3 * np.cos(0.1))
    assert row.numeric == pytest.approx(np.cos(0.1), rel=1e-8)
    assert (row.file, row.line) == (__file__, line)
    assert str(row).startswith(f"wrong: sin (test_check_graph.py:{line}), argument 0 at [1, 1]: the rule gives 2.98501")
    assert tg.graph(loss)[row.id].op == "sin"
    assert str(report).splitlines()[0] == "2 gradients checked: 1 right, 1 wrong"


def test_one_element_of_a_large_input():
    w = leaf(np.linspace(0.1, 2.0, 5000).reshape(50, 100), "w")

    def rule(g, y, w):
        c = g * 2 * w
        c[31, 7] = 0.0
        return c
    row, = tg.check_graph(made(np.square, rule)(w).sum()).wrong
    assert row.index == (31, 7)
    assert row.analytic == 0.0
    assert row.numeric == pytest.approx(2 * w.data[31, 7])


def test_each_use_of_a_tensor_is_its_own_argument():
    x = leaf([0.5, 2.0])
    times = made(np.multiply, lambda g, y, a, b: g * b, lambda g, y, a, b: g * b * 2)
    report = tg.check_graph(times(x, x).sum())
    assert [(row.op, row.argument, row.verdict) for row in report.rows] == [
        ("multiply", 0, "right"), ("multiply", 1, "wrong"), ("sum", 0, "right")]


def test_nothing_of_the_graph_is_changed():
    x = leaf([0.5, 0.0, -2.0])
    loss = (tg.relu(x) * 3).sum()
    loss.backward()
    values, grad = [node.value.copy() for node in tg.graph(loss)], x.grad
    tg.check_graph(loss)
    assert all(np.array_equal(node.value, value) for node, value in zip(tg.graph(loss), values, strict=True))
    assert x.grad is grad
    loss.backward()
    assert x.grad.tolist() == [6.0, 0.0, 0.0]


# --- kinks ----------------------------------------------------------------------------------------------------------

KINKS = {
    "relu at 0": lambda: tg.relu(leaf([-1.0, 0.0, 2.0])).sum(),
    "relu at 0 only": lambda: tg.relu(leaf([0.0, 0.0])).sum(),
    "absolute at 0": lambda: np.absolute(leaf([0.0, 3.0])).sum(),
    "maximum at a tie": lambda: np.maximum(leaf([1.0, 2.0]), leaf([1.0, 3.0])).sum(),
    "max with ties": lambda: np.max(leaf([[1.0, 3.0, 3.0], [2.0, 1.0, 0.0]]), axis=1).sum(),
    "clip at its bound": lambda: np.clip(leaf([0.0, 0.5, 1.0]), 0.0, 1.0).sum(),
    "a jump": lambda: (np.sign(leaf([0.0, 2.0])) * 2).sum(),
    "the end of a domain": lambda: np.sqrt(leaf([0.0, 4.0])).sum(),
    "a norm at 0": lambda: np.linalg.norm(leaf([0.0, 0.0])),
}


@pytest.mark.parametrize("kink", KINKS)
def test_a_point_without_a_derivative_is_no_wrong_rule(kink):
    with np.errstate(all="ignore"):
        report = tg.check_graph(KINKS[kink]())
    assert report.ok, str(report)
    assert {row.verdict for row in report.rows} <= {"kink", "right"}


@pytest.mark.parametrize("kink", ["relu at 0", "the end of a domain"])
def test_a_kink_is_told(kink):
    with np.errstate(all="ignore"):
        report = tg.check_graph(KINKS[kink]())
    assert [row.op for row in report.kinks] == ["relu" if kink.startswith("relu") else "sqrt"]
    assert "at a kink" in str(report)


def test_a_kink_nearer_than_the_step_does_not_matter():
    report = tg.check_graph(tg.relu(leaf([1e-9, -1e-9, 1e-7, 3.0])).sum())
    assert [row.verdict for row in report.rows] == ["right", "right"]


def test_the_first_of_those_that_tie_may_have_it_all():
    first = made(np.maximum, lambda g, y, a, b: np.where(a >= b, g, 0), lambda g, y, a, b: np.where(b > a, g, 0))
    report = tg.check_graph(first(leaf([1.0, 2.0]), leaf([1.0, 3.0])).sum())
    assert report.ok, str(report)
    assert report.kinks


def test_a_wrong_rule_beside_a_kink_is_still_wrong():
    wrong = made(lambda x: np.maximum(x, 0), lambda g, y, x: g * np.where(x > 0, 1.5, 0))
    row, = tg.check_graph(wrong(leaf([-1.0, 0.0, 2.0])).sum()).wrong
    assert row.index == (2,)
    assert (row.analytic, row.numeric) == (1.5, pytest.approx(1.0))


# --- what is checked, what is not -----------------------------------------------------------------------------------

def test_small_and_large_inputs_are_stepped_in_proportion():
    report = tg.check_graph((np.log(leaf([1e-8, 1.0, 1e8])) + np.sqrt(leaf([1e-12, 1.0, 1e12]))).sum())
    assert report.ok, str(report)


def test_float32_is_checked_in_double():
    x = leaf([0.5, 2.0], dtype=np.float32)
    off = made(np.sin, lambda g, y, x: g * np.cos(x) * np.float32(1.001))
    assert [row.op for row in tg.check_graph((off(x) * 2).sum()).wrong] == ["sin"]
    assert tg.check_graph((np.sin(x) * np.float32(2)).sum()).ok


def test_complex():
    z = leaf([1 + 2j, -0.5j], dtype=complex)
    assert tg.check_graph(np.real(np.exp(z) * z).sum()).ok
    conjugated = made(np.square, lambda g, y, z: g * 2 * np.conj(z))
    row, = tg.check_graph(np.real(conjugated(z)).sum()).wrong
    assert row.numeric == pytest.approx(2 * z.data[row.index])
    json.dumps(tg.check_graph(np.real(conjugated(z)).sum()).as_dict())


def test_several_outputs_and_hidden_ones():
    t = np.array([0, 2])
    assert tg.check_graph(tg.softmax_with_loss(leaf(X), t)).ok
    parts = made(lambda x: (np.sin(x), np.cos(x)), lambda g, y, x: (0 if g[0] is None else g[0] * y[1])
                 + (0 if g[1] is None else g[1] * y[0]), outputs=2)
    sine, cosine = parts(leaf([0.3, 0.5]))
    assert [row.op for row in tg.check_graph((sine * cosine).sum()).wrong] == ["<lambda>"]
    hides = made(lambda x: (np.sum(x * x), np.exp(x)), lambda g, y, x: g[0] * 2 * x, outputs=2, hidden=1)
    row, = tg.check_graph(hides(leaf([0.3, 0.5]))).wrong
    assert "hidden output" in row.reason


def test_what_is_skipped_says_why():
    x, rows = leaf([[1.0, 2.0], [3.0, 4.0]], "x"), tg.tensor(np.array([0, 1]))
    data = tg.tensor(np.ones(2))
    report = tg.check_graph((np.take(x, rows, axis=0) * data).sum())
    assert {(row.op, row.argument, row.reason) for row in report.skipped} == {
        ("take", 1, "integers carry no gradient"), ("multiply", 1, "the tensor requires no gradient")}
    assert report.ok
    assert "skipped 1: integers carry no gradient" in str(report)


def test_a_result_that_is_not_finite_is_skipped():
    with np.errstate(all="ignore"):
        report = tg.check_graph(np.log(leaf([0.0]) * 2).sum())
    assert {row.reason for row in report.skipped} == {"the result is NaN or infinite", "an input holds NaN or infinity"}


def test_infinities_that_a_mask_puts_in_are_no_mistake():
    scores, mask = leaf(X @ X.T, "scores"), np.tril(np.ones((2, 2), bool))
    report = tg.check_graph((tg.softmax(np.where(mask, scores, -np.inf)) ** 2).sum())
    assert {row.verdict for row in report.rows} == {"right", "skipped"}  # softmax is not: its input holds infinities
    wrong = made(lambda x: np.where(mask, x, -np.inf), lambda g, y, x: g * 2)
    row, = tg.check_graph(tg.softmax(wrong(scores))[1, 0]).wrong
    assert "a factor of 0.5 is missing" in row.reason


def test_an_op_that_does_not_repeat_itself_is_skipped():
    rng = np.random.default_rng(0)
    dropout = made(lambda x: x * (rng.random(x.shape) > 0.5), lambda g, y, x: g)
    row, = tg.check_graph(dropout(leaf(np.ones(50))).sum()).skipped
    assert row.reason == "the op gives another result each time"


def test_an_input_that_was_written_into_is_told():
    x = leaf([1.0, 2.0])
    loss = (x * x).sum()
    x.data[0] = 5.0
    report = tg.check_graph(loss)
    assert {row.reason.split(":")[0] for row in report.skipped} == {"an input was written into since"}


def test_wrapped_layers():
    class Wrong:
        def forward(self, x):
            self.x = x
            return x ** 2

        def backward(self, dout):
            return dout * self.x

    rng = np.random.default_rng(0)
    affine = tg.wrap_layer(Affine(rng.standard_normal((3, 4)), np.zeros(4)))
    x = leaf(X, "x")
    good = affine(x).sum()
    assert tg.check_graph(good).ok
    wrong = tg.wrap_layer(Wrong())
    loss = wrong(x).sum()
    report = tg.check_graph(loss)
    row, = report.wrong
    assert row.op == "Wrong"
    assert "the gradient of input 0" in row.reason
    loss.backward()  # the layer itself still has what its forward saved
    assert np.allclose(x.grad, X)


def test_the_lecture_relu_writes_into_dout():
    report = tg.check_graph(tg.wrap_layer(Relu())(leaf(X)).sum())
    assert [row.reason for row in report.wrong if "wrote into dout" in row.reason]


def test_the_lecture_softmax_with_loss_ignores_dout():
    report = tg.check_graph(tg.wrap_layer(SoftmaxWithLoss())(leaf(X), np.eye(3)[[0, 2]]))
    assert [row.reason for row in report.wrong if "ignored dout" in row.reason]


def test_nothing_to_check_is_an_error():
    with pytest.raises(tg.GradientError, match="requires a gradient"):
        tg.check_graph(tg.tensor(1.0) * 2)
    loss = (leaf([1.0]) * 2).sum()
    loss.backward(retain_graph=False)
    with pytest.raises(tg.GradientError, match="was freed"):
        tg.check_graph(loss)


def test_the_report_is_data():
    report = tg.check_graph(WRONG["wrong sign"][0]())
    facts = json.loads(json.dumps(report.as_dict()))
    assert facts["ok"] is False
    assert [row["op"] for row in facts["rows"] if row["verdict"] == "wrong"] == ["cos"]
    assert repr(report) == "<graph check: 4 right, 1 wrong>"


def test_it_may_be_asked_under_debug_and_no_grad():
    with tg.debug():
        loss = (leaf([0.5]) * 2).sum()
        assert tg.check_graph(loss).ok
        with tg.no_grad():
            assert tg.check_graph(loss).ok


# --- no false alarm -------------------------------------------------------------------------------------------------

def test_the_lecture_net_is_right():
    (x, t), _ = tg.data.load_digits()
    for dtype in (np.float64, np.float32):
        loss = TwoLayerNet(64, 20, 10, seed=0, dtype=dtype).loss(x[:30].astype(dtype), t[:30])
        report = tg.check_graph(loss)
        assert report.ok, str(report)
        assert len(report.rows) - len(report.skipped) == 7


def _results(value):
    if isinstance(value, Handle):
        yield value
    for part in value if isinstance(value, tuple | list) else ():
        yield from _results(part)


def test_every_op_of_the_suite_is_right():
    wrong, checked = [], 0
    for name, cases in CASES.items():
        op = OPS.get(name) or COMPOSED.get(name)
        for case in cases if op is not None and not isinstance(op, Constant) else ():
            if "first order" in case.skip:
                continue

            def given(a, case=case):
                a = a if case.prepare is None or a.dtype.kind not in "fc" else np.asarray(case.prepare(a))
                return leaf(a, dtype=a.dtype) if a.dtype.kind in "fc" else a
            with np.errstate(all="ignore"):
                value = case.called(op, given)
                for y in _results(case.reader(value) if case.reader else value):
                    if y.requires_grad:
                        report = tg.check_graph(y)
                        checked += len(report.rows) - len(report.skipped)
                        wrong += [f"{name}{case}: {row}" for row in report.wrong]
    assert wrong == [], '\n'.join(wrong)
    assert checked > 1000
