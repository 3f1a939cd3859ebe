"""diff_graphs: what was added, removed and changed, found where it is and nowhere else."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tinygraph as tg
from tinygraph.ask.diff import match

X = np.random.default_rng(0).random((6, 8))
T = np.arange(6) % 3


def net(act=tg.relu, *, drop=False, hidden=5, seed=0, named=True, x=X, dtype=float):
    rng = np.random.default_rng(seed)

    def weight(name, *shape):
        return tg.tensor(rng.standard_normal(shape), requires_grad=True, name=name if named else None, dtype=dtype)

    h = act(tg.affine(x, weight("W1", 8, hidden), weight("b1", hidden)))
    if drop:
        h = h * 0.5
    return tg.softmax_with_loss(tg.affine(h, weight("W2", hidden, 3), weight("b2", 3)), T)


def ops(graph, ids):
    return [graph[id].op for id in ids]


def origins(found):
    return [(found.b[c.after].op or found.b[c.after].name, [fact[0] for fact in c.facts])
            for c in found.changed if c.origin]


def test_diff_of_two_graphs_is_theirs_and_of_arrays_numpys():
    before, after = tg.graph(net()), tg.graph(net(np.tanh))
    found = tg.diff(before, after, atol=1e-3)
    assert str(found) == str(tg.diff_graphs(before, after, atol=1e-3)) == str(before.diff(after, atol=1e-3))
    assert origins(found) == [("tanh", ["op"])]
    x = tg.tensor([1.0, 4.0, 9.0], requires_grad=True)
    assert tg.diff(x).data.tolist() == np.diff(x).data.tolist() == [3.0, 5.0]
    assert tg.diff(np.array([1, 4, 9]), 2).tolist() == tg.diff([1, 4, 9], n=2).tolist() == [2]
    for differ in (tg.diff, np.diff):
        with pytest.raises(tg.UnsupportedError, match=r"diff: n, .* tg\.diff\(tg\.graph\(a\), tg\.graph\(b\)\)"):
            differ(x, x)


@pytest.mark.parametrize("named", [True, False])
def test_two_runs_of_one_program_are_the_same(named):
    found = tg.diff_graphs(net(named=named), net(named=named))
    assert len(found) == 0
    assert not found
    assert str(found) == "the same: 8 nodes in both"
    assert found.pairs == {i: i for i in range(8)}


def test_an_op_that_changed_is_named_and_what_follows_is_told_apart():
    found = tg.diff_graphs(net(), net(np.tanh))
    assert (found.removed, found.added) == ((), ())
    assert origins(found) == [("tanh", ["op"])]
    assert found.changed[0].facts == (("op", "relu", "tanh"),)
    assert [found.b[c.after].op for c in found.changed if not c.origin] == ["affine", "softmax_with_loss"]
    assert "tanh (6, 5) (test_diff.py:" in str(found)
    assert "op relu → tanh" in str(found)


@pytest.mark.parametrize(("named", "hidden"), [(True, 5), (False, 5), (True, 7), (False, 7)])
def test_a_node_in_between_is_added_or_removed(named, hidden):
    """Also where sizes change as well, and where nothing has a name to go by."""
    with_it, without = net(drop=True, named=named, hidden=hidden), net(named=named)
    found = tg.diff_graphs(without, with_it)
    assert ops(found.b, found.added) == ["multiply"]
    assert found.removed == ()
    assert ("affine", ["input 0"]) in origins(found)
    back = tg.diff_graphs(with_it, without)
    assert ops(back.a, back.removed) == ["multiply"]
    assert back.added == ()


def test_sizes_that_changed():
    found = tg.diff_graphs(net(), net(hidden=7))
    assert origins(found) == [("W1", ["shape"]), ("b1", ["shape"]), ("W2", ["shape"]), ("b2", [])]
    assert found.changed[0].facts == (("shape", "(8, 5)", "(8, 7)"),)
    assert found.changed[0].value is None  # no values to compare


def test_values_beyond_a_tolerance():
    other = net()
    weight = next(node for node in tg.graph(other) if node.name == "b2")
    weight.node.value = weight.node.value + np.array([0.0, 3e-4, 0.0])
    found = tg.diff_graphs(net(), other)
    assert origins(found) == [("b2", [])]
    assert found.changed[0].value == pytest.approx(3e-4)
    assert not tg.diff_graphs(net(), other, atol=1e-3)
    assert not tg.diff_graphs(net(), other, rtol=1.0)


def test_data_that_changed_is_a_fact_of_the_op_that_reads_it():
    found = tg.diff_graphs(net(), net(x=X + 1.0))
    (first, *_) = found.changed
    assert first.facts == (("input 0", "float64(6, 8)", "float64(6, 8), other values: up to 1 apart"),)
    assert origins(found) == [("affine", ["input 0"])]


def test_dtype_params_and_numbers():
    x = tg.tensor(np.ones((2, 3)), requires_grad=True, name="x")
    assert origins(tg.diff_graphs(x.sum(axis=0), x.sum(axis=1))) == [("sum", ["shape", "param axis"])]
    assert tg.diff_graphs(x * 2, x * 3).changed[0].facts == (("input 1", "2", "3"),)
    found = tg.diff_graphs(net(), net(dtype=np.float32))
    assert {fact for c in found.changed for fact in c.facts} == {("dtype", "float64", "float32")}
    assert found.changed[0].origin


def test_a_rewired_input():
    x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    y = tg.tensor([5.0, 6.0], requires_grad=True, name="y")
    found = tg.diff_graphs(np.exp(x) - np.exp(y), np.exp(y) - np.exp(x))
    assert (found.removed, found.added) == ((), ())
    assert [found.b[c.after].op for c in found.changed if c.origin] == ["subtract"]


def test_nan_and_infinity_are_compared_as_numbers_are():
    def chain(*numbers):
        return tg.tensor(list(numbers), requires_grad=True, name="x") * 1.0

    assert not tg.diff_graphs(chain(np.nan, np.inf), chain(np.nan, np.inf))
    assert tg.diff_graphs(chain(np.nan, 1.0), chain(0.0, 1.0)).changed[0].value == np.inf
    assert tg.diff_graphs(chain(-np.inf), chain(np.inf)).changed[0].value == np.inf


def test_nothing_in_common():
    x = tg.tensor(1.0, requires_grad=True, name="x")
    found = tg.diff_graphs(x, tg.tensor(np.ones(3), requires_grad=True, name="y").sum())
    assert ops(found.a, found.removed) == [None]
    assert ops(found.b, found.added) == [None, "sum"]


def test_an_op_with_several_outputs():
    x = tg.tensor(np.arange(6.0), requires_grad=True, name="x")

    def halves(swap):
        a, b = tg.split(x, 2)
        return (a - b if swap else b - a).sum()

    assert not tg.diff_graphs(halves(True), halves(True))
    found = tg.diff_graphs(halves(True), halves(False))
    assert [found.b[c.after].op for c in found.changed] == ["subtract", "sum"]
    assert set(found.by_node.values()) == {"changed", "follows", "in both"}


def test_the_data_says_what_the_text_says():
    found = tg.diff_graphs(net(), net(np.tanh, drop=True))
    data = found.as_dict()
    assert json.loads(json.dumps(data)) == data
    assert data["same"] is False
    assert [node["op"] for node in data["removed"]] == ops(found.a, found.removed)
    assert [node["op"] for node in data["added"]] == ops(found.b, found.added)
    assert found.by_node[found.added[0]] == "added"
    assert str(found).splitlines()[0].startswith(f"{len(found.removed)} removed, {len(found.added)} added, ")


def test_the_union_holds_both_graphs():
    found = tg.diff_graphs(net(np.tanh, drop=True), net(np.exp))
    whole, words = found.graph, found.by_node
    assert len(whole) == len(found.b) + len(found.removed)
    assert sorted(whole[id].op for id, word in words.items() if word == "removed") == sorted(
        ops(found.a, found.removed))
    assert whole.roots[0].op is tg.graph(net()).roots[0].op
    removed = next(whole[id] for id, word in words.items() if word == "removed")
    assert whole[removed.inputs[0].id] is removed.inputs[0]  # it hangs on what both have
    assert {word for id, word in words.items() if id < len(found.b)} <= {"added", "changed", "follows", "in both"}
    assert [whole[node.id].op for node in found.b] == [node.op for node in found.b]  # b's nodes keep their ids


@pytest.mark.needs_dot
def test_one_picture_of_both(tmp_path):
    drawing = tg.diff_graphs(net(np.tanh, drop=True), net(np.exp, drop=False)).draw()
    drawing.save(tmp_path / "diff.svg")
    picture = (tmp_path / "diff.svg").read_text(encoding="utf-8")
    for word in ("removed", "changed", "follows", "in both"):
        assert word in picture


def test_repeated_blocks_keep_their_order():
    def deep(n):
        y = tg.tensor(np.ones(3), requires_grad=True, name="x")
        for _ in range(n):
            y = np.tanh(y) * 2.0
        return y.sum()

    pairs = match(tg.graph(deep(5)), tg.graph(deep(5)))
    assert pairs == {i: i for i in range(12)}
    found = tg.diff_graphs(deep(5), deep(6))
    assert sorted(ops(found.b, found.added)) == ["multiply", "tanh"]
    assert found.removed == ()


def test_a_long_chain_and_a_deep_diamond_are_linear():
    def long(last):
        y = tg.tensor(1.0, requires_grad=True, name="x")
        for _ in range(50):
            y = y + y
        for _ in range(20_000):
            y = y * 1.0
        return last(y)

    found = tg.diff_graphs(long(np.sin), long(np.cos))
    assert origins(found) == [("cos", ["op"])]
    assert len(found) == 1
