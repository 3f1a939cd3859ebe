"""The linter: for every rule a graph that it must speak of and one that it must let be."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import tinygraph as tg
from tinygraph.ask import lint as linter
from tinygraph.ask.lint.rule import load_plugins

ROOT = Path(__file__).parents[1]

FIRES = {}
QUIET = {}


def fires(id):
    """Register a graph that the rule must speak of, and nothing else about it than that."""
    def add(make):
        FIRES.setdefault(id, []).append(make)
        return make
    return add


def quiet(id):
    """Register a graph close to a mistake, which the rule must let be."""
    def add(make):
        QUIET.setdefault(id, []).append(make)
        return make
    return add


def no_rule_for_the_first(a, b):
    return a * b


@contextmanager
def registered(function):
    try:
        yield tg.op(vjp=(None, lambda g, y, a, b: g * a))(function)
    finally:
        del tg.OPS[function.__name__]


def param(*shape, name="w", dtype=float, low=-1.0):
    size = int(np.prod(shape))
    return tg.tensor(np.linspace(low, 1, size).reshape(shape), requires_grad=True, name=name, dtype=dtype)


def logits():
    return tg.tensor([[1.0, 2.0, 0.5], [0.1, 0.2, 0.3]], requires_grad=True, name="z")


# --- numbers ----------------------------------------------------------------------------------------------------------


@fires("TG101")
def log_of_the_op():
    return -np.log(tg.softmax(logits())).mean()


@fires("TG101")
def log_of_the_chosen_probabilities():
    return -np.log(tg.softmax(logits())[np.arange(2), [0, 1]]).mean()


@fires("TG101")
def log_of_a_softmax_by_hand_that_lost_something():
    e = np.exp(40 * logits())
    return -np.log(e / e.sum(axis=1, keepdims=True)).mean()


@quiet("TG101")
def the_lectures_softmax_by_hand():
    a = tg.tensor([0.3, 2.9, 4.0], requires_grad=True)
    e = np.exp(a)
    return -(np.array([0.0, 1.0, 0.0]) * np.log(e / e.sum())).sum()


@quiet("TG101")
def log_softmax():
    return -tg.log_softmax(logits()).mean()


@fires("TG102")
def exp_of_a_large_number():
    return np.exp(tg.tensor([1.0, 400.0], requires_grad=True)).sum()


@fires("TG102")
def exp_in_float32_reaches_less_far():
    return np.exp(tg.tensor(np.float32([1.0, 50.0]), requires_grad=True)).sum()


@fires("TG102")
def exp_that_has_overflowed():
    with np.errstate(over="ignore"):
        return np.exp(tg.tensor([1000.0], requires_grad=True)).sum()


@quiet("TG102")
def exp_with_its_largest_taken_off():
    z = tg.tensor([1.0, 400.0], requires_grad=True)
    return np.exp(z - np.max(z.data)).sum()


@quiet("TG102")
def exp_of_what_is_far_below_zero():
    return np.exp(tg.tensor([-400.0, -1e5], requires_grad=True)).sum()


@fires("TG103")
def division_by_a_zero():
    with np.errstate(divide="ignore"):
        return (1.0 / tg.tensor([1.0, 0.0], requires_grad=True)).sum()


@fires("TG103")
def division_by_a_norm():
    x = param(3)
    return (x / np.linalg.norm(x)).sum()


@fires("TG103")
def division_by_a_deviation():
    x = param(4)
    return ((x - x.mean()) / np.sqrt(np.var(x))).sum()


@fires("TG103")
def log_of_a_zero():
    with np.errstate(divide="ignore"):
        return np.log(tg.relu(tg.tensor([-1.0, 1.0], requires_grad=True))).sum()


@fires("TG103")
def root_of_a_zero():
    x = tg.tensor([3.0, 4.0], requires_grad=True)
    return np.sqrt(((x - np.array([3.0, 4.0])) ** 2).sum())


@quiet("TG103")
def division_by_a_deviation_and_a_little():
    x = param(4)
    return ((x - x.mean()) / np.sqrt(np.var(x) + 1e-5)).sum()


@quiet("TG103")
def division_by_a_sum_of_exponentials():
    e = np.exp(param(3))
    return (e / e.sum()).max()


@quiet("TG103")
def division_by_data_that_is_not_zero():
    return (param(3) / np.array([1.0, 2.0, -3.0])).sum()


@fires("TG104")
def root_in_a_branch_that_is_not_taken():
    x = tg.tensor([-1.0, 4.0], requires_grad=True)
    with np.errstate(invalid="ignore"):
        return np.where(x.data > 0, np.sqrt(x), 0.0).sum()


@fires("TG104")
def root_of_zero_in_a_branch_that_is_not_taken():
    x = tg.tensor([0.0, 4.0], requires_grad=True)
    return np.where(x.data > 0, np.sqrt(x), 0.0).sum()


@fires("TG104")
def division_in_the_other_branch():
    x = tg.tensor([0.0, 4.0], requires_grad=True)
    with np.errstate(divide="ignore"):
        return np.where(x.data == 0, 1.0, 1 / x).sum()


@quiet("TG104")
def an_argument_made_valid_first():
    x = tg.tensor([-1.0, 0.0, 4.0], requires_grad=True)
    return np.where(x.data > 0, np.sqrt(np.where(x.data > 0, x, 1.0)), 0.0).sum()


@quiet("TG104")
def a_branch_that_is_valid_everywhere():
    x = param(4)
    return np.where(x.data > 0, np.exp(x), 1 + x).sum()


@fires("TG105")
def float32_weights_on_float64_data():
    return (np.ones((2, 3)) @ param(3, 2, dtype=np.float32)).sum()


@fires("TG105")
def float32_times_a_numpy_number():
    return (np.float64(0.5) * param(3, dtype=np.float32)).sum()


@fires("TG105")
def float32_times_integers():
    return (np.array([1, 2, 3]) * param(3, dtype=np.float32)).sum()


@quiet("TG105")
def float32_times_a_python_number():
    return (0.5 * param(3, dtype=np.float32)).mean()


@quiet("TG105")
def a_conversion_that_is_asked_for():
    w = param(3, dtype=np.float32)
    return w.astype(np.float64).sum() + w.sum(dtype=np.float64)


@quiet("TG105")
def float32_data_in_a_float64_model():
    return (np.ones((2, 3), np.float32) @ param(3, 2)).mean()


@quiet("TG105")
def float32_with_integer_labels():
    return tg.softmax_with_loss(logits().astype(np.float32), np.array([0, 1]))


# --- structure --------------------------------------------------------------------------------------------------------


@fires("TG201")
def predictions_in_a_column_less_labels_in_a_row():
    y = np.ones((5, 3)) @ param(3, 1)
    return ((y - np.arange(5.0)) ** 2).mean()


@fires("TG201")
def labels_less_a_mean_that_kept_its_axis():
    return (np.arange(4.0) * param(4, 3).mean(axis=1, keepdims=True)).sum()


@quiet("TG201")
def labels_in_a_column_too():
    y = np.ones((5, 3)) @ param(3, 1)
    return ((y - np.arange(5.0)[:, np.newaxis]) ** 2).mean()


@quiet("TG201")
def every_pair_is_meant():
    x = param(5)
    return ((x[:, np.newaxis] - x) ** 2).mean()


@quiet("TG201")
def a_bias_a_row():
    return (param(1, 5) + param(5)).sum()


@fires("TG202")
def a_weight_that_was_forgotten():
    w, b = param(3), param(3, name="b")
    return (w * 2).sum(), {"w": w, "b": b}


@fires("TG202")
def a_weight_behind_a_step():
    w, b = param(3), param(3, name="b")
    return (w + b // 1.0).sum(), {"w": w, "b": b}


@quiet("TG202")
def weights_that_are_all_used():
    w, b = param(3), param(3, name="b")
    return (w * b).sum(), [w, b]


@quiet("TG202")
def weights_that_nobody_named():
    return (param(3) * 2).sum()


@fires("TG203")
def a_relu_that_lets_nothing_through():
    return (tg.relu(param(4) - 5) + 1.0).sum()


@fires("TG203")
def a_clip_beyond_its_bounds():
    return np.clip(param(4), 3.0, 4.0).sum()


@fires("TG203")
def a_term_that_is_switched_off():
    return (0.0 * param(4)).sum() + param(3).sum()


@fires("TG203")
def a_step_without_a_derivative():
    with registered(no_rule_for_the_first) as product:
        return product(param(4), param(4)).sum()


@quiet("TG203")
def a_relu_that_lets_some_through():
    return tg.relu(param(4)).sum()


@quiet("TG203")
def a_dead_relu_with_a_way_round_it():
    x = param(4) - 5
    return (x + tg.relu(x)).sum()


@quiet("TG203")
def a_label_that_is_zero():
    z = tg.tensor(2.0, requires_grad=True)
    return tg.tensor(0.0, name="t1") * np.log(z) + np.array(0.0) * z


@quiet("TG203")
def a_gradient_that_is_zero_at_a_minimum():
    w = tg.tensor(np.zeros(3), requires_grad=True)
    return (w ** 2).sum()


@fires("TG204")
def a_product_worked_out_twice():
    x, w = np.ones((20, 30)), param(30, 10)
    return (np.tanh(x @ w) * tg.sigmoid(x @ w)).sum()


@fires("TG204")
def an_exponential_above_and_below():
    z = param(40, 50)
    return (np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)).max()


@quiet("TG204")
def one_weight_on_two_inputs():
    w = param(30, 10)
    return (np.tanh(np.ones((20, 30)) @ w) * tg.sigmoid(np.zeros((20, 30)) @ w)).sum()


@quiet("TG204")
def sums_over_different_axes():
    x = param(40, 50)
    return x.sum(axis=0).max() + x.sum(axis=1).max()


# --- losses -----------------------------------------------------------------------------------------------------------


@fires("TG301")
def log_of_a_sigmoid():
    z, t = param(4), np.array([0.0, 1.0, 1.0, 0.0])
    y = tg.sigmoid(z)
    return -(t * np.log(y) + (1 - t) * np.log(1 - y)).mean()


@fires("TG301")
def log_of_a_sigmoid_by_hand():
    return -np.log(1 / (1 + np.exp(-param(4)))).mean()


@fires("TG301")
def sigmoid_before_softmax_with_loss():
    return tg.softmax_with_loss(tg.sigmoid(logits()), np.array([0, 1]))


@quiet("TG301")
def logaddexp_of_the_logits():
    return np.logaddexp(0.0, -param(4)).mean()


@quiet("TG301")
def a_sigmoid_in_a_hidden_layer():
    return tg.softmax_with_loss(tg.sigmoid(logits()) @ param(3, 3), np.array([0, 1]))


@fires("TG302")
def softmax_before_softmax_with_loss():
    return tg.softmax_with_loss(tg.softmax(logits()), np.array([0, 1]))


@fires("TG302")
def softmax_by_hand_before_softmax_with_loss():
    e = np.exp(logits())
    return tg.softmax_with_loss(e / e.sum(axis=1, keepdims=True), np.array([0, 1]))


@quiet("TG302")
def softmax_before_cross_entropy():
    return tg.cross_entropy_error(tg.softmax(logits()), np.array([0, 1]))


@quiet("TG302")
def softmax_as_weights_of_a_mean():
    return tg.softmax_with_loss(tg.softmax(logits()) @ param(3, 3), np.array([0, 1]))


def squared_errors():
    x, t = np.ones((6, 3)), np.arange(6.0)[:, np.newaxis]
    return (x @ param(3, 1) - t) ** 2


@fires("TG303")
def squared_errors_summed():
    return squared_errors().sum()


@fires("TG303")
def squared_errors_summed_and_halved_with_a_penalty():
    w = param(3)
    return 0.5 * squared_errors().sum() + 0.1 * (w * w).sum()


@quiet("TG303")
def squared_errors_averaged():
    return squared_errors().mean()


@quiet("TG303")
def squared_errors_divided_by_the_samples():
    return squared_errors().sum() / (2 * 6)


@quiet("TG303")
def a_sum_without_a_batch():
    w = param(3)
    return (w * w).sum()


@fires("TG304")
def scores_and_labels_swapped():
    t = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    return tg.softmax_with_loss(t, tg.softmax(logits()))


@fires("TG304")
def labels_with_negative_numbers():
    return -(np.array([[2.0, -1.0, 0.5], [0.1, 3.0, -2.0]]) * tg.log_softmax(logits())).mean()


@quiet("TG304")
def labels_that_are_distributions():
    return -(np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0]]) * tg.log_softmax(logits())).mean()


@quiet("TG304")
def class_weights_above_one():
    return -(np.array([[0.0, 5.0, 0.0], [2.0, 0.0, 0.0]]) * tg.log_softmax(logits())).mean()


# --- the two tests of every rule --------------------------------------------------------------------------------------


def asked(make):
    made = make()
    return made if isinstance(made, tuple) else (made, None)


def test_every_rule_has_a_graph_that_fires_and_one_that_does_not():
    assert len(linter.RULES) >= 13
    assert set(FIRES) == set(QUIET) == set(linter.RULES)


@pytest.mark.parametrize(("id", "make"), [pytest.param(id, make, id=f"{id}-{make.__name__}")
                                          for id, made in FIRES.items() for make in made])
def test_the_rule_fires(id, make):
    loss, weights = asked(make)
    found = tg.lint(loss, weights, select=id)
    assert [finding.rule for finding in found] == [id] * len(found)
    assert len(found) >= 1
    finding = found.findings[0]
    assert finding.remedy == linter.RULES[id].remedy
    assert re.fullmatch(r"[^.].*[^.]", finding.sentence)
    if finding.node is not None and found.graph[finding.node].op is not None:
        file, line, function = finding.location
        first, last = make.__code__.co_firstlineno, max(n for *_, n in make.__code__.co_lines() if n)
        assert file == __file__
        assert function == make.__name__
        assert first < line <= last


@pytest.mark.parametrize(("id", "make"), [pytest.param(id, make, id=f"{id}-{make.__name__}")
                                          for id, made in QUIET.items() for make in made])
def test_the_rule_lets_be(id, make):
    loss, weights = asked(make)
    assert str(tg.lint(loss, weights, select=id)).startswith("nothing found by 1 rules")


# --- the report -------------------------------------------------------------------------------------------------------


def test_the_report_tells_everything_in_each_form():
    report = tg.lint(sigmoid_before_softmax_with_loss())
    assert report
    (finding,) = report
    assert finding.rule == "TG301"
    assert str(report).startswith(f"test_lint.py:{finding.location[1]}: TG301 sigmoid before cross entropy: ")
    assert finding.remedy in str(report)
    data = report.as_dict()
    assert json.loads(json.dumps(data)) == data
    assert data["findings"][0]["node"] == finding.node
    assert report.by_node == {finding.node: "TG301"}
    net = report.graph.to_networkx()
    assert net.nodes[finding.node]["op"] == "softmax_with_loss"


def test_select_and_ignore():
    with np.errstate(all="ignore"):
        loss = np.log(tg.softmax(1000 * logits())).mean()
    assert {f.rule for f in tg.lint(loss)} == {"TG101", "TG103"}
    assert {f.rule for f in tg.lint(loss, select=["TG101"])} == {"TG101"}
    assert {f.rule for f in tg.lint(loss, select="TG1", ignore="TG101")} == {"TG103"}
    with pytest.raises(tg.ArgumentError, match="no rule begins with 'TG9'; there are TG101"):
        tg.lint(loss, select="TG9")


def test_weights_in_every_form():
    loss, weights = a_weight_that_was_forgotten()
    model = type("Model", (), {"params": weights})()
    for given in (weights, list(weights.values()), model, weights["b"]):
        (finding,) = tg.lint(loss, given)
        assert finding.sentence == "the weight b (3,) is no part of the loss's graph"
        assert finding.node is None
    with pytest.raises(tg.UnsupportedError, match="the weight w is a ndarray"):
        tg.lint(loss, {"w": np.ones(3)})


def test_nothing_changes_by_being_asked():
    z = logits()
    loss = tg.softmax_with_loss(z, np.array([0, 1]))
    called = []
    z.register_hook(called.append)
    tg.lint(loss)
    assert z.grad is None
    assert called == []


THEIR_RULES = '''
from tinygraph.ask.lint import rule


@rule("MINE001", "too deep", "Make it shallower.")
def too_deep(view):
    """More than three nodes are hard to follow."""
    if len(view.graph) > 3:
        yield view.graph.nodes[-1], f"{len(view.graph)} nodes"
'''


def test_another_package_registers_rules_by_an_entry_point(tmp_path, monkeypatch):
    (tmp_path / "their_rules.py").write_text(THEIR_RULES)
    info = tmp_path / "their_rules-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-rules\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tinygraph.lint]\ntheirs = their_rules\n")
    monkeypatch.syspath_prepend(tmp_path)
    load_plugins.cache_clear()
    try:
        x = param(3)
        (finding,) = tg.lint((x * 2).sum() * 3)
        assert (finding.rule, finding.sentence, finding.remedy) == ("MINE001", "4 nodes", "Make it shallower.")
        assert [f.rule for f in tg.lint(x * 2)] == []
        assert [f.rule for f in tg.lint((x * 2).sum() * 3, ignore="MINE")] == []
    finally:
        linter.RULES.pop("MINE001", None)
        load_plugins.cache_clear()


def test_a_rule_needs_an_id_of_its_own():
    with pytest.raises(TypeError, match="capital letters"):
        linter.rule("mine", "", "")
    with pytest.raises(TypeError, match="TG101 is registered already, as 'log of softmax'"):
        linter.rule("TG101", "", "")(lambda view: iter(()))


def test_an_integer_or_complex_or_empty_graph_is_no_trouble():
    assert not tg.lint(tg.tensor([1, 2, 3]))
    z = tg.tensor([1 + 2j, 3 - 1j], requires_grad=True)
    assert not tg.lint(np.absolute(np.exp(z)).sum())
    assert not tg.lint(np.exp(tg.tensor(np.zeros((0, 3)), requires_grad=True)).sum())
    first, _ = tg.split(param(6), 2)
    assert not tg.lint((first * first).sum())


def test_a_long_chain_and_a_deep_diamond_are_linear():
    y = tg.tensor(1.0, requires_grad=True)
    for _ in range(20_000):
        y = y + 0.0
    for _ in range(50):
        y = y + y
    assert not tg.lint(y)


def test_the_page_lists_every_rule():
    page = (ROOT / "docs" / "my-gradient-is-wrong.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| (TG\d+) \|", page, re.M) == sorted(linter.RULES)
