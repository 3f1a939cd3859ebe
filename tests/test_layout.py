"""The layout where Graphviz is missing, hints, themes, and the lecture's four figures."""

from __future__ import annotations

import itertools
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import tinygraph as tg
from models.two_layer_net import TwoLayerNet
from tests.test_render import HOSTILE, affine, every_text, softmax
from tinygraph.render.formats import DARK, say_once
from tinygraph.render.formula import plain
from tinygraph.render.layout import place
from tinygraph.render.scene import COLOURS
from tinygraph.render.svg import svg

ROOT = Path(__file__).parents[1]
FIGURES = ("affine_sample", "affine_batch", "two_layer_net", "softmax_with_loss", "dead_relu")


@pytest.fixture
def no_graphviz(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    say_once.cache_clear()
    yield
    say_once.cache_clear()


def net():
    loss = TwoLayerNet(64, 50, 10, seed=0).loss(np.ones((100, 64)), np.zeros(100, int))
    loss.backward()
    return loss


def scoped():
    x = tg.tensor(np.ones((2, 3)), name="x")
    for k in range(3):
        with tg.scope("layer"), tg.scope("affine"):
            W = tg.tensor(np.ones((3, 3)), requires_grad=True, name=f"W{k}")
            x = np.tanh(x @ W)
    return (x * x).sum()


def diamond():
    y = tg.tensor(1.0, requires_grad=True, name="x")
    for _ in range(12):
        y = np.sin(y) + np.cos(y) * y
    return y


GRAPHS = {"affine": affine, "softmax": softmax, "net": net, "scoped": scoped, "diamond": diamond,
          "leaf": lambda: tg.tensor(1.0, name="alone")}


# --- without Graphviz --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GRAPHS)
def test_nothing_lies_on_anything_else(name):
    scene = tg.draw(GRAPHS[name](), show="all").scene
    at = place(scene)
    assert {box.id for box in scene.boxes} | {wire.id for wire in scene.wires if wire.texts} <= set(at.spots)
    for (_, a), (_, b) in itertools.combinations(at.spots.items(), 2):
        apart = abs(a.x - b.x) >= (a.w + b.w) / 2 or a.top >= b.top + b.h or b.top >= a.top + a.h
        assert apart
    for spot in at.spots.values():
        assert spot.x - spot.w / 2 >= -0.01
        assert spot.x + spot.w / 2 <= at.width + 0.01
        assert -0.01 <= spot.top <= spot.top + spot.h <= at.height + 0.01


@pytest.mark.parametrize("name", GRAPHS)
def test_data_flows_from_left_to_right_and_the_main_line_is_straight(name):
    scene = tg.draw(GRAPHS[name]()).scene
    at = place(scene)
    for wire in scene.wires:
        stops = [wire.source, *([wire.id] if wire.texts else []), wire.target]
        for a, b in itertools.pairwise(stops):
            assert at.spots[a].x < at.spots[b].x
    if name in ("affine", "net"):
        heights = [at.spots[box.id].y for box in scene.boxes if box.row == 0]
        assert max(heights) - min(heights) < 1


def test_lines_that_need_not_cross_do_not():
    x = [tg.tensor(float(i), requires_grad=True, name=f"x{i}") for i in range(6)]
    scene = tg.draw(sum(np.sin(value) for value in reversed(x))).scene
    at = place(scene)
    leaves = {wire.source: wire.target for wire in scene.wires if wire.source in {f"n{i}" for i in range(6)}}
    by_leaf = sorted(leaves, key=lambda id: at.spots[id].y)
    by_op = sorted(leaves, key=lambda id: at.spots[leaves[id]].y)
    assert by_leaf == by_op


def test_frames_hold_their_members_and_stand_in_one_another():
    scene = tg.draw(scoped()).scene
    at = place(scene)
    assert [group.title for group in scene.groups] == ["layer", "affine"] * 3
    for box in scene.boxes:
        if box.group:
            left, top, right, bottom = at.frames[box.group]
            spot = at.spots[box.id]
            assert left < spot.x < right
            assert top < spot.y < bottom
    for group in scene.groups:
        if group.parent:
            inner, outer = at.frames[group.id], at.frames[group.parent]
            assert outer[0] < inner[0] < inner[2] < outer[2]
            assert outer[1] < inner[1] < inner[3] < outer[3]


def test_svg_works_with_nothing_but_pip_and_says_so_once(no_graphviz, tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "tinygraph"):
        for number in range(3):
            tg.draw(net()).save(tmp_path / f"{number}.svg")
    assert len(caplog.records) == 1
    assert "apt install graphviz" in caplog.text
    assert (tmp_path / "0.svg").read_bytes() == (tmp_path / "2.svg").read_bytes()
    ElementTree.parse(tmp_path / "0.svg")


def test_without_graphviz_nothing_warns(tmp_path):
    script = ("import tinygraph as tg\n"
              "x = tg.tensor(2.0, requires_grad=True, name='x')\n"
              f"tg.draw(x * x).save({str(tmp_path / 'graph.svg')!r})\n")
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, cwd=ROOT,
                          env={**os.environ, "PATH": str(tmp_path)}, check=True)
    assert "Graphviz" in done.stderr
    assert "<svg" in (tmp_path / "graph.svg").read_text(encoding="utf-8")


def test_our_own_svg_has_the_ids_classes_texts_and_colours_of_the_scene(no_graphviz, tmp_path):
    loss = softmax()
    loss.backward()
    drawing = tg.draw(loss)
    drawing.save(tmp_path / "graph.svg")
    source = (tmp_path / "graph.svg").read_text(encoding="utf-8")
    root = ElementTree.fromstring(source)
    groups = {element.get("id"): element.get("class") for element in root.iter("{http://www.w3.org/2000/svg}g")}
    for box in drawing.scene.boxes:
        assert groups[box.id] == f"node {box.kind}"
    ways = {wire.id: [way for way in ("forward", "backward") if f'class="edge {way} {wire.id}"' in source]
            for wire in drawing.scene.wires}
    assert ways == {wire.id: ["forward", "backward"][:1 + wire.gradient] for wire in drawing.scene.wires}
    assert "(0.0182, −0.755, 0.737)" in source
    used = set(re.findall(r'(?:fill|stroke)="(#[0-9a-f]{6})"', source.partition("</style>")[2]))
    assert used
    assert all(f'="{colour}"]' in source for colour in used)  # each follows the reader's mode
    assert "@media(prefers-color-scheme:dark)" in source


def test_hostile_names_come_out_as_text_in_our_own_svg():
    total = tg.tensor(0.0)
    for name in HOSTILE:
        x = tg.tensor(1.0, requires_grad=True, name=name)
        with tg.scope(name or "empty"):
            total = total + np.exp(x)
    root = ElementTree.fromstring(svg(tg.draw(total, show="all", backward=True).scene))
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags <= {"svg", "title", "style", "g", "text", "tspan", "polygon", "polyline", "path", "ellipse", "rect"}
    texts = [element.text for element in root.iter() if element.tag.endswith(("text", "tspan"))]
    for shown in ('"quoted"', "<b>bold</b>", "</script><script>", "&amp; &lt;", "\\N \\G \\l", "]]>", "שלום", "重み"):
        assert shown in texts
    assert "x" * 23 + "…" in texts


# --- hints and themes --------------------------------------------------------------------------------------------


def test_hints_settle_lines_clusters_and_formulas():
    a = tg.tensor(1.0, requires_grad=True, name="a")
    b = tg.tensor(2.0, requires_grad=True, name="b")
    c = a * b
    d = c + a
    hints = tg.Hints(main=[b, c, d], clusters={"product": [c]}, formulas={b: r"a \frac{\partial L}{\partial c}", c: ""})
    scene = tg.draw(d, hints=hints, show="symbols").scene
    rows = {box.id: box.row for box in scene.boxes}
    assert rows["n1"] == rows["n2"] == rows["n3"] == 0
    assert rows["n0"] != 0
    assert [group.title for group in scene.groups] == ["product"]
    assert {box.id for box in scene.boxes if box.group} == {"n2"}
    below = {wire.id: [plain(line) for line in wire.below] for wire in scene.wires}
    assert below["w1"] == ["a ∂L/∂c"]
    assert below["w2"] == []


def test_hinted_rows_stand_in_order_from_the_top():
    x = [tg.tensor(float(i), requires_grad=True, name=f"x{i}") for i in range(3)]
    y = [np.sin(value) for value in x]
    loss = y[0] + y[1] + y[2]
    for order in itertools.permutations(range(3)):
        scene = tg.draw(loss, hints=tg.Hints(rows=[[x[i], y[i]] for i in order])).scene
        assert scene.order == tuple(f"n{i}" for i in order)
        at = place(scene)
        assert [at.spots[f"n{i}"].y for i in order] == sorted(at.spots[f"n{i}"].y for i in range(3))


def test_a_hint_about_another_graph_says_so():
    x, other = tg.tensor(1.0, requires_grad=True), tg.tensor(2.0)
    with pytest.raises(tg.ArgumentError, match="no part of the graph"):
        tg.draw(x * x, hints=tg.Hints(main=[other]))


@pytest.mark.needs_dot
def test_a_theme_is_printed_into_the_file(tmp_path):
    for theme, colours in (("light", COLOURS), ("dark", DARK)):
        tg.draw(affine(), theme=theme).save(tmp_path / "graph.svg")
        source = (tmp_path / "graph.svg").read_text(encoding="utf-8")
        assert "prefers-color-scheme" not in source
        assert f'fill="{colours["op"].lower()}"' in source.lower()
    with pytest.raises(tg.ArgumentError, match="light or dark"):
        tg.draw(affine(), theme="sepia")


# --- the lecture's figures ---------------------------------------------------------------------------------------


@pytest.mark.needs_dot
@pytest.mark.parametrize("name", FIGURES)
def test_each_figure_is_made_by_its_script(name, tmp_path):
    script = tmp_path / f"{name}.py"
    script.write_bytes((ROOT / "docs" / "figures" / script.name).read_bytes())
    subprocess.run([sys.executable, "-W", "error", script], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    made = sorted(path.name for path in tmp_path.glob("*.svg"))
    assert made == [f"{name}-dark.svg", f"{name}-light.svg"]
    texts = [element.text for element in ElementTree.parse(tmp_path / f"{name}-light.svg").iter() if element.text]
    kept = ElementTree.parse(ROOT / "docs" / "figures" / f"{name}-light.svg")
    assert sorted(texts) == sorted(element.text for element in kept.iter() if element.text)


def test_the_backward_values_of_softmax_with_loss_are_y_minus_t(monkeypatch):
    namespace = {"__file__": str(ROOT / "docs" / "figures" / "softmax_with_loss.py")}
    monkeypatch.setattr("tinygraph.render.drawing.Drawing.save", lambda self, path: None)
    try:
        exec(Path(namespace["__file__"]).read_text(encoding="utf-8"), namespace)
    finally:
        tg.OPS.pop("add_three", None)
    scene = tg.draw(namespace["loss"], show="values", hints=namespace["hints"]).scene
    below = {wire.source: [plain(line) for line in wire.below] for wire in scene.wires}
    assert [below[f"n{i}"] for i in range(3)] == [
        ["y₁ − t₁", "0.0182"], ["y₂ − t₂", "-0.755"], ["y₃ − t₃", "0.737"]]
    y = np.array([float(value) for value in namespace["y"]])
    np.testing.assert_allclose([a.grad for a in namespace["a"]], y - [0, 1, 0], atol=1e-15)
    assert [group.title for group in scene.groups] == ["Softmax", "Cross Entropy Error"]
    assert "t₁" in every_text(tg.draw(namespace["loss"]))
