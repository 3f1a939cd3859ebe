"""Boxes coloured by a measure, and the graph of an error."""

from __future__ import annotations

import gc
import pickle
import weakref

import numpy as np
import pytest

import tinygraph as tg
from tinygraph.render.formula import plain
from tinygraph.render.scene import COLOURS


def fills(drawing):
    return {box.id: box.fill for box in drawing.scene.boxes if box.fill}


def tips(drawing):
    return {box.id: box.tip for box in drawing.scene.boxes}


def dead():
    """A net whose ReLU passes nothing on."""
    x = tg.tensor(np.ones((2, 3)), name="x")
    W = tg.tensor(-np.ones((3, 4)), requires_grad=True, name="W")
    V = tg.tensor(np.ones((4, 2)), requires_grad=True, name="V")
    loss = (tg.relu(x @ W) @ V + V[:2]).sum()
    loss.backward()
    return loss, W, V


# --- overlays ----------------------------------------------------------------------------------------------------


def test_colours_tell_flops_and_bytes_with_a_legend():
    x = tg.tensor(np.ones((10, 20)), requires_grad=True, name="x")
    y = np.tanh(x @ np.ones((20, 30))).sum()
    for measure, key in (("flops", "FLOPs"), ("bytes", "bytes")):
        drawing = tg.draw(y, color_by=measure)
        graph = tg.graph(y)
        amounts = {f"n{node.id}": getattr(node, measure) for node in graph if node.op}
        shown = fills(drawing)
        assert set(shown) == set(amounts)
        assert shown[max(amounts, key=amounts.get)] == "heat4"
        assert shown[min(amounts, key=amounts.get)] == "heat0"
        assert drawing.scene.legend.title == key
        assert [colour for colour, _ in drawing.scene.legend.entries] == [f"heat{i}" for i in range(5)]
        assert all(COLOURS[f"heat{i}"] in drawing.source for i in range(5))
    assert tips(tg.draw(y, color_by="flops"))["n1"] == "#1 matmul; FLOPs: 12000"


def test_time_is_measured_by_running_each_op_again():
    calls = []
    name = "slowly"

    @tg.op(symbol=name, vjp=(lambda g, y, x: g,))
    def slowly(x):
        calls.append(1)
        return sum(x + i for i in range(3000)) * 0 + x
    try:
        y = np.tanh(slowly(tg.tensor(np.ones(3), requires_grad=True)))
        before = len(calls)
        drawing = tg.draw(y, color_by="time")
    finally:
        del tg.OPS[name]
    assert len(calls) > before
    assert fills(drawing) == {"n1": "heat4", "n2": "heat0"}
    assert "s" in tips(drawing)["n1"].rpartition(": ")[2]


def test_time_counts_the_rules_where_one_can_go_back():
    name = "slow_back"

    @tg.op(symbol=name, vjp=(lambda g, y, x: sum(g + i for i in range(3000)) * 0 + g,))
    def slow_back(x):
        return x + 0
    try:
        drawing = tg.draw(np.tanh(slow_back(tg.tensor(1.0, requires_grad=True))), color_by="time")
    finally:
        del tg.OPS[name]
    assert fills(drawing) == {"n1": "heat4", "n2": "heat0"}
    assert drawing.scene.legend.title == "time of forward and backward"


def test_gradients_that_are_zero_stand_out_with_where_that_began():
    loss, W, V = dead()
    drawing = tg.draw(loss, color_by="grad_norm")
    graph = tg.graph(loss)
    relu = next(node for node in graph if node.op == "relu")
    assert fills(drawing)[f"n{graph.of(W).id}"] == "zero"
    assert f"since relu #{relu.id} (test_overlays.py:" in tips(drawing)[f"n{graph.of(W).id}"]
    assert f"since relu #{relu.id}" in drawing.scene.note
    assert drawing.scene.note in drawing.source
    assert ("zero", "exactly zero") in drawing.scene.legend.entries
    assert f"norm of the gradient: {np.linalg.norm(V.grad):.3g}" in tips(drawing)[f"n{graph.of(V).id}"]


def test_an_input_that_no_rule_leads_back_to_is_called_detached():
    @tg.op(symbol="first", vjp=(lambda g, y, a, b: g, None))
    def first(a, b):
        return a + 0 * b
    try:
        a = tg.tensor(1.0, requires_grad=True, name="a")
        b = tg.tensor(2.0, requires_grad=True, name="b")
        drawing = tg.draw(first(a, b), color_by="grad_norm")
    finally:
        del tg.OPS["first"]
    assert fills(drawing)["n1"] == "detached"
    assert "none comes back from first #2" in tips(drawing)["n1"]
    assert "none comes back from first #2" in drawing.scene.note


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_numbers_that_are_not_finite_stand_out_with_where_that_began():
    x = tg.tensor([0.0, 1.0], requires_grad=True, name="x")
    with np.errstate(all="ignore"):
        drawing = tg.draw((np.log(x) * 2).sum(), color_by="nan", backward=True)
        assert fills(drawing) == {"n0": "heat2", "n1": "heat4", "n2": "broken", "n3": "broken"}
        assert "not finite since log #1 (test_overlays.py:" in tips(drawing)["n1"]
        drawing = tg.draw(np.sqrt(x).sum(), color_by="nan")  # a fine value with an infinite derivative
        assert fills(drawing) == {"n0": "heat2"}
        assert "its gradient is not finite, since sqrt #1" in drawing.scene.note
    assert fills(tg.draw(np.exp(x), color_by="nan")) == {}


def test_a_function_colours_by_number_or_by_word():
    x = tg.tensor(2.0, requires_grad=True, name="x")
    y = np.sin(x) * x
    by_number = tg.draw(y, color_by=lambda node: None if node.op is None else node.level)
    assert fills(by_number) == {"n1": "heat0", "n2": "heat4"}

    def kind(node):
        return "a leaf <b>" if node.op is None else "computed"
    drawing = tg.draw(y, color_by=kind)
    assert drawing.scene.legend.title == "kind"
    assert [meaning for _, meaning in drawing.scene.legend.entries] == ["a leaf <b>", "computed"]
    assert "a leaf &lt;b&gt;" in drawing.source
    with pytest.raises(tg.ArgumentError, match="flops, bytes, time, grad_norm, nan"):
        tg.draw(y, color_by="beauty")


def test_what_a_report_says_of_nodes_is_drawn_by_their_ids(tmp_path):
    x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    y = np.sin(x) * x
    notes = {0: "comes in twice", 2: "<b>wrong</b>\nrule"}
    drawing = tg.draw(y, color_by={1: 3.0, 2: "wrong"}, notes=notes)
    assert fills(drawing) == {"n1": "heat0", "n2": "detached"}
    assert {box.id for box in drawing.scene.boxes if box.alarm} == {"n0", "n2"}
    assert drawing.scene.note == "x #0: comes in twice; multiply #2: <b>wrong</b> rule"
    assert tips(drawing)["n2"] == "#2 multiply; wrong; <b>wrong</b> rule"
    assert "&lt;b&gt;wrong&lt;/b&gt; rule" in drawing.source
    assert '"remarks":["wrong","\\u003cb>wrong\\u003c/b> rule"]' in drawing.render("html").decode()
    with_many = tg.draw(y, notes=dict.fromkeys(range(3), "a") | {1: "b"}, depth=0)
    assert with_many.scene.note == "x #0: a; sin #1: b; multiply #2: a"
    with pytest.raises(tg.ArgumentError, match="by the ids of the graph's 3 nodes, and 3 is none of them"):
        tg.draw(y, notes={3: "nowhere"})


def test_a_collapsed_group_has_the_sum_of_what_is_in_it():
    x = tg.tensor(np.ones(8), requires_grad=True)
    with tg.scope("two"):
        y = np.sin(x) * 2
    y = np.cos(y)
    drawing = tg.draw(y, depth=0, color_by="flops")
    assert next(box.tip for box in drawing.scene.boxes if box.kind == "group").endswith(
        f"FLOPs: {sum(node.flops for node in tg.graph(y) if node.scope)}")


@pytest.mark.needs_dot
def test_a_legend_is_in_every_picture(tmp_path, monkeypatch):
    loss, *_ = dead()
    drawing = tg.draw(loss, color_by="flops")
    drawing.save(tmp_path / "with.svg")
    monkeypatch.setenv("PATH", str(tmp_path))
    drawing.save(tmp_path / "without.svg")
    for path in tmp_path.glob("*.svg"):
        text = path.read_text(encoding="utf-8")
        assert "FLOPs" in text
        assert f'fill="{COLOURS["heat4"].lower()}"' in text
    assert "FLOPs" in drawing.render("mmd").decode()


# --- the graph of an error ---------------------------------------------------------------------------------------


def failing(call):
    with pytest.raises(tg.TinygraphError) as caught:
        call()
    return caught.value


def inputs():
    x = tg.tensor(np.ones((4, 3)), name="x")
    W = tg.tensor(np.ones((3, 5)), requires_grad=True, name="W")
    b = tg.tensor(np.ones(4), requires_grad=True, name="b")
    return x, W, b


CALLS = {
    "operator": (lambda x, W, b: tg.relu(x @ W) + b, ["(4, 5)", "(4,)"]),
    "operator with an array": (lambda x, W, b: np.ones(7) * (x @ W), ["(7,)", "(4, 5)"]),
    "function": (lambda x, W, b: np.matmul(x, np.ones((9, 2))), ["(4, 3)", "(9, 2)"]),
    "with params": (lambda x, W, b: np.concatenate([x @ W, b]), ["(4, 5)", "(4,)"]),
    "several outputs": (lambda x, W, b: tg.softmax_with_loss(x @ W, np.zeros((3, 5))), ["(4, 5)", "(3, 5)"]),
}


@pytest.mark.parametrize("name", CALLS)
def test_an_error_draws_the_graph_up_to_the_op_that_failed(name):
    call, shapes = CALLS[name]
    error = failing(lambda: call(*inputs()))
    drawing = tg.draw(error.graph)
    box, = [box for box in drawing.scene.boxes if box.alarm]
    assert error.graph.failed.op == drawing.graph.nodes[box.node].op
    alarming = [run.text for wire in drawing.scene.wires for line in wire.above for run in line if run.role == "alarm"]
    assert sorted(alarming) == sorted(shapes)
    for shape in shapes:
        assert f'<FONT COLOR="{COLOURS["highlight"]}" POINT-SIZE="10">{shape}</FONT>' in drawing.source
    assert not any(wire.gradient for wire in drawing.scene.wires)
    assert not [b for b in drawing.scene.boxes if b.kind == "root"]
    assert drawing.scene.note.startswith(str(error)[:40])
    assert str(error.graph)  # and it prints as a table


def test_a_value_that_fans_out_shows_its_shape_on_the_branch_that_failed():
    x = tg.tensor(np.ones(3), requires_grad=True, name="x")
    error = failing(lambda: np.sin(x) + np.stack([x, x]) @ np.ones(2))
    graph = tg.draw(error.graph, show="symbols")
    assert [plain(line) for wire in graph.scene.wires for line in wire.above if "(2, 3)" in plain(line)]


def test_an_error_about_no_op_on_tensors_has_no_graph():
    assert failing(lambda: tg.matmul(np.ones((2, 3)), np.ones((2, 3)))).graph is None
    assert failing(lambda: tg.draw(tg.tensor(1.0), show="much")).graph is None


def test_an_error_keeps_no_graph_alive_when_it_is_gone_and_goes_to_other_processes():
    alive = []

    def fail():
        x, W, b = inputs()
        hidden = x @ W
        alive.append(weakref.ref(hidden))
        return hidden + b
    error = failing(fail)
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error)
    assert type(copy) is type(error)
    assert copy.graph is None
    assert error.graph is not None
    del error
    gc.collect()
    assert alive[0]() is None
