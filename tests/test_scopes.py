"""Scopes in pictures: frames, depth, collapse, fold_repeats, and what a graph too large to read does by itself."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tinygraph as tg
from tinygraph.render.formula import plain
from tinygraph.render.repeats import Run, runs
from tinygraph.render.scene import LARGE


def net(layers=6, *, residual=False):
    """Layers in scopes of their own, each with an affine part and its weights, inside the scope net."""
    y = tg.tensor(np.ones((4, 3)), name="x")
    with tg.scope("net"):
        for k in range(layers):
            W = tg.tensor(np.full((3, 3), 0.1), requires_grad=True, name=f"W{k}")
            b = tg.tensor(np.zeros(3), requires_grad=True, name=f"b{k}")
            with tg.scope("layer"):
                with tg.scope("affine"):
                    z = y @ W + b
                z = np.tanh(z)
            y = z + y if residual else z
    loss = (y * y).sum()
    loss.name = "L"
    return loss


def boxes(drawing, *kinds):
    return [" ".join(plain(line) for line in box.text) for box in drawing.scene.boxes if box.kind in kinds]


def titles(drawing):
    return [group.title for group in drawing.scene.groups]


def test_scopes_are_frames_in_frames():
    drawing = tg.draw(net(2))
    assert titles(drawing) == ["net", "layer", "affine", "layer", "affine"]
    assert [group.path for group in drawing.scene.groups][:3] == ["net", "net/layer", "net/layer/affine"]
    inside = {plain(box.text[0]): box.group for box in drawing.scene.boxes if box.kind in ("leaf", "root")}
    parents = {group.id: group.parent for group in drawing.scene.groups}
    assert inside["x"] == inside["L"] == ""  # what begins and what ends the line stand outside
    assert parents[parents[inside["b₀"]]] == "g0"  # weights stand with the op that uses them
    assert drawing.source.count("subgraph cluster_") == 5
    assert drawing.source.count('label=<<FONT COLOR="#6B6B6B" POINT-SIZE="14">affine</FONT>>') == 2


def test_depth_draws_deeper_scopes_as_one_box():
    loss = net(3)
    assert boxes(tg.draw(loss, depth=0), "group") == ["net 9 ops"]
    assert titles(tg.draw(loss, depth=0)) == []
    assert boxes(tg.draw(loss, depth=1), "group") == ["layer 3 ops"] * 3
    assert titles(tg.draw(loss, depth=1)) == ["net"]
    assert boxes(tg.draw(loss, depth=2), "group") == ["affine 2 ops"] * 3
    assert boxes(tg.draw(loss, depth=3), "group") == []
    assert boxes(tg.draw(loss, depth=1), "leaf") == ["x"]  # the weights are inside


def test_collapse_is_asked_of_each_scope_by_its_path():
    asked = []
    drawing = tg.draw(net(2), collapse=lambda path: asked.append(path) or path.endswith("/affine"))
    assert set(asked) == {"net", "net/layer", "net/layer/affine"}
    assert boxes(drawing, "group") == ["affine 2 ops"] * 2
    assert boxes(drawing, "op") == ["tanh", "tanh", "×", "Σ"]
    assert boxes(tg.draw(net(2), collapse=True), "group") == ["net 6 ops"]


def test_what_leads_into_a_collapsed_group_and_out_of_it_is_drawn_with_its_values():
    loss = net(2)
    loss.backward()
    wires = {(wire.source, wire.target): wire for wire in tg.draw(loss, depth=1, show="all").scene.wires}
    graph = tg.graph(loss)
    found = graph.cotangents()
    middle = next(node for node in graph if node.op == "tanh")
    shown = [plain(line) for (source, target), wire in wires.items() if source[0] == target[0] == "g"
             for line in (*wire.above, *wire.below)]
    assert shown == [f"v₅   (4, 3)   all {middle.value.flat[0]:.3g}", "∂L/∂v₅",
                     f"all {found.nodes[middle.id].flat[0]:.3g}"]


def test_contributions_of_one_group_are_added_up():
    x = np.sin(tg.tensor(0.0, requires_grad=True))
    with tg.scope("twice"):
        y = x * 2 + x * 5
    wire, = [wire for wire in tg.draw(y, depth=0, backward=True, show="values").scene.wires if wire.source == "n1"]
    assert plain(wire.below[-1]) == "7"


def test_a_formula_that_is_not_told_is_not_multiplied_out_in_shapes_either():
    drawing = tg.draw(net(2), depth=1, show="shapes")
    told = [[plain(line) for line in wire.below] for wire in drawing.scene.wires if wire.gradient]
    assert told
    assert not any("·" in line for lines in told for line in lines if " = (" in line)


def test_repeats_are_drawn_once_with_their_number():
    drawing = tg.draw(net(12), fold_repeats=True)
    assert titles(drawing) == ["net", "layer ×12", "affine"]
    assert boxes(drawing, "op") == ["dot", "+", "tanh", "×", "Σ"]
    assert boxes(drawing, "leaf") == ["x", "W₀", "b₀"]
    ids = {box.id for box in drawing.scene.boxes}
    assert all(wire.source in ids and wire.target in ids for wire in drawing.scene.wires)
    root = [wire for wire in drawing.scene.wires if wire.target.startswith("r")]
    assert len(root) == 1


def test_repeats_of_several_steps_are_folded_and_so_are_those_without_scopes():
    drawing = tg.draw(net(5, residual=True), fold_repeats=True)
    assert titles(drawing) == ["net", "×5", "layer", "affine"]
    y = tg.tensor(np.ones(3), requires_grad=True, name="x")
    for _ in range(9):
        y = np.tanh(y * 1.1)
    drawing = tg.draw(y.sum(), fold_repeats=True)
    assert titles(drawing) == ["×9"]
    assert boxes(drawing, "op") == ["×", "tanh", "Σ"]


def test_repeats_in_repeats_are_folded_too():
    x = tg.tensor(np.ones(3), requires_grad=True, name="x")
    y = x
    for _ in range(4):
        with tg.scope("block"):
            for _ in range(5):
                with tg.scope("layer"):
                    for _ in range(3):
                        y = np.tanh(y * 2)
    drawing = tg.draw(y.sum(), fold_repeats=True)
    assert titles(drawing) == ["block ×4", "layer ×5", "×3"]
    assert boxes(drawing, "op") == ["×", "tanh", "Σ"]


def test_folding_and_depth_go_together():
    drawing = tg.draw(net(12), fold_repeats=True, depth=2)
    assert titles(drawing) == ["net", "layer ×12"]
    assert boxes(drawing, "group") == ["affine 2 ops"]
    assert boxes(drawing, "op") == ["tanh", "×", "Σ"]


def test_different_layers_are_not_folded():
    y = tg.tensor(np.ones(3), requires_grad=True, name="x")
    for function in (np.sin, np.cos, np.sin):
        with tg.scope("layer"):
            y = function(y)
    assert titles(tg.draw(y.sum(), fold_repeats=True)) == ["layer"] * 3


def test_runs():
    assert runs([]) == []
    assert runs([1, 2, 3]) == []
    assert runs([1, 1, 1]) == [Run(0, 1, 3)]
    assert runs([0, 1, 2, 1, 2, 3, 4, 4, 4, 4], least=2) == [Run(1, 2, 2), Run(6, 1, 4)]
    assert runs([5, 1, 1, 2] * 50) == [Run(0, 4, 50)]


def test_a_large_graph_collapses_by_itself_by_scope_and_says_so():
    drawing = tg.draw(net(LARGE // 3))
    assert boxes(drawing, "group") == ["net 999 ops"]
    assert drawing.scene.note == f"{3 * 333 + 2 * 333 + 3:,} nodes, collapsed by scope"
    assert drawing.scene.note in drawing.source
    assert drawing.scene.nodes == 1668
    whole = tg.draw(net(LARGE // 3), collapse=False)
    assert boxes(whole, "group") == []
    assert whole.scene.note == ""


def test_a_weight_that_many_boxes_of_a_full_picture_share_stands_beside_each():
    y = tg.tensor(np.ones((2, 3)), name="x")
    W = tg.tensor(np.full((3, 3), 0.1), requires_grad=True, name="W")
    for _ in range(30):
        with tg.scope("step"):
            for _ in range(20):
                y = np.tanh(y @ W)
    loss = y.sum()
    loss.backward()
    drawing = tg.draw(loss)
    assert len([text for text in boxes(drawing, "leaf", "constant") if text == "W"]) == 30
    assert boxes(drawing, "fan") == []
    assert len([wire for wire in drawing.scene.wires if wire.gradient and wire.target[0] == "g"]) == 59
    told = json.loads(drawing.render("html").decode().partition('id="data">')[2].partition("</script>")[0])
    value, = [value for value in told["values"] if value["name"] == [["W", "ib"]]]
    assert value["whole"]
    assert value["gradient"]["data"] == W.grad.ravel().tolist()


def test_a_large_graph_shows_as_many_levels_as_can_be_read():
    loss = net(200)  # 1,004 nodes; 200 layers can be read, their parts could not
    drawing = tg.draw(loss)
    assert titles(drawing) == ["net"]
    assert boxes(drawing, "group") == ["layer 3 ops"] * 200


def test_a_large_graph_without_scopes_collapses_by_runs():
    y = tg.tensor(np.ones(3), requires_grad=True, name="x")
    for _ in range(600):
        y = np.tanh(y * 1.01)
    drawing = tg.draw(y.sum())
    assert boxes(drawing, "group", "op") == ["(×, tanh) ×600 1,200 ops", "Σ"]
    assert drawing.scene.note == "1,202 nodes, repeats collapsed"


def test_a_hundred_thousand_nodes_are_drawn_collapsed():
    y = tg.tensor(np.ones(3), requires_grad=True, name="x")
    for _ in range(50_000):
        y = np.tanh(y * 1.01)
    drawing = tg.draw(y.sum())
    assert len(drawing.source) < 10_000
    assert "(×, tanh) ×50,000" in drawing.source


def test_a_large_graph_without_order_is_cut_into_stretches():
    rng = np.random.default_rng(0)
    functions = [np.sin, np.cos, np.tanh, np.arctan, np.negative]
    values = [tg.tensor(0.1, requires_grad=True, name="x")]
    for _ in range(3000):
        values.append(functions[rng.integers(5)](values[rng.integers(len(values))]) * 0.5 + values[-1])
    drawing = tg.draw(values[-1])
    assert drawing.scene.note.endswith("collapsed into stretches")
    assert 10 < len(drawing.scene.boxes) < 400
    assert len(drawing.scene.wires) < 1500


def test_many_leaves_of_a_large_graph_go_with_the_ops_that_use_them():
    leaves = [tg.tensor(float(i), requires_grad=True, name=f"x{i}") for i in range(1500)]
    total = leaves[0]
    for leaf in leaves[1:]:
        total = total + leaf
    assert len(tg.draw(total).scene.boxes) < 20


@pytest.mark.parametrize("options", [{}, {"fold_repeats": True}, {"depth": 3}, {"collapse": False}])
def test_nothing_recurses(options):
    y = tg.tensor(1.0, requires_grad=True, name="x")
    scopes = [tg.scope(f"level{depth}") for depth in range(1100)]
    for scope in scopes:
        scope.__enter__()
        y = np.tanh(y)
    for scope in reversed(scopes):
        scope.__exit__(None, None, None)
    drawing = tg.draw(y, **options)
    assert drawing.source.startswith("digraph")


def test_a_circle_between_collapsed_groups_can_be_laid_out(monkeypatch, tmp_path):
    """A value that leaves a scope and comes back to it, as with two generators that take turns."""
    monkeypatch.setenv("PATH", str(tmp_path))
    x = tg.tensor(1.0, requires_grad=True, name="x")
    outer, inner = tg.scope("one"), tg.scope("two")
    with outer:
        a = np.sin(x)
    with inner:
        b = np.cos(a)
    c = np.tanh(b)
    c.node.scope = a.node.scope
    drawing = tg.draw(np.exp(c), depth=0)
    drawing.save(tmp_path / "graph.svg")
    assert sorted(boxes(drawing, "group")) == ["one 2 ops", "two 1 op"]


