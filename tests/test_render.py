"""Pictures: what a scene shows, the DOT that is printed of it, the files that are written."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import tinygraph as tg
from models.two_layer_net import TwoLayerNet
from tinygraph.render import formats
from tinygraph.render.formats import DARK, LARGEST, RENDERERS, load_plugins, say_once
from tinygraph.render.formula import Run, parse, plain
from tinygraph.render.scene import COLOURS
from tinygraph.render.text import number, printed

GOLDEN = Path(__file__).with_name("golden")
HOSTILE = ['"quoted"', "<b>bold</b>", "a\nb\r\tc", "</script><script>", "&amp; &lt;", "]]>", "\\N \\G \\l", "%s {0}",
           "😀 \u202eright to left\u202c", "שלום", "\x00\x07\ud800\ufffe", "x" * 10_000, "", " ", "--><!--", "重み"]


def affine():
    X = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True, name="X")
    W = tg.tensor([[1.0, 0.0, -1.0], [0.5, 2.0, 0.0]], requires_grad=True, name="W")
    B = tg.tensor([0.1, 0.2, 0.3], requires_grad=True, name="B")
    Y = X @ W + B
    Y.name = "Y"
    return Y


def softmax():
    """The lecture's fourth figure, on vectors."""
    a = tg.tensor([0.3, 2.9, 4.0], requires_grad=True, name="a")
    e = np.exp(a)
    y = e / e.sum()
    y.name = "y"
    return -(np.array([0.0, 1.0, 0.0]) * np.log(y)).sum()


def above(drawing, wire):
    return [plain(line) for w in drawing.scene.wires if w.id == wire for line in w.above]


def below(drawing, wire):
    return [plain(line) for w in drawing.scene.wires if w.id == wire for line in w.below]


def every_text(drawing):
    boxes = [line for box in drawing.scene.boxes for line in box.text]
    wires = [line for wire in drawing.scene.wires for line in (*wire.above, *wire.below)]
    return [plain(line) for line in (*boxes, *wires)]


# --- what a scene shows ------------------------------------------------------------------------------------------


def test_ops_are_circles_with_their_symbols_and_leaves_have_their_names():
    boxes = tg.draw(affine()).scene.boxes
    assert [(box.id, box.kind, [plain(line) for line in box.text]) for box in boxes] == [
        ("n0", "leaf", ["X"]), ("n1", "leaf", ["W"]), ("n2", "leaf", ["B"]), ("n3", "op", ["dot"]), ("n4", "op", ["+"]),
        ("r4", "root", ["Y"])]


def test_the_backward_wires_of_an_affine_layer_carry_the_lectures_formulas():
    drawing = tg.draw(affine(), show="shapes")
    assert below(drawing, "w0") == ["∂L/∂X = ∂L/∂Y · Wᵀ", "(2, 2) = (2, 3)·(3, 2)"]
    assert below(drawing, "w1") == ["∂L/∂W = Xᵀ · ∂L/∂Y", "(2, 3) = (2, 2)·(2, 3)"]
    assert below(drawing, "w2") == ["∂L/∂B = Σ ∂L/∂Y over axis 0", "(3,) = Σ over axis 0 of (2, 3)"]
    assert below(drawing, "w3") == ["∂L/∂Y", "(2, 3)"]
    assert above(drawing, "w3") == ["X·W   (2, 3)"]


def test_the_only_shown_output_of_an_op_gives_its_name_to_the_derivative():
    x = tg.tensor(np.ones((1, 1, 4, 4)), requires_grad=True, name="x")
    w = tg.tensor(np.ones((1, 1, 2, 2)), requires_grad=True, name="w")
    y = tg.nn.functional.conv2d(x, w)
    y.name = "y"
    assert below(tg.draw(y, show="symbols"), "w1") == ["∂L/∂w = im2col(x)ᵀ · ∂L/∂y"]


def test_letters_stand_for_sizes():
    drawing = tg.draw(affine(), show="shapes", hints=tg.Hints(sizes={"N": 2, "C": 3}))
    assert below(drawing, "w0")[-1] == "(N, N) = (N, C)·(C, N)"
    assert below(drawing, "w2")[-1] == "(C,) = Σ over N of (N, C)"
    assert above(drawing, "w4") == ["(N, C)"]


def test_a_product_of_vectors_is_written_as_a_column_times_a_row():
    x = tg.tensor(np.ones(2), requires_grad=True, name="x")
    W = tg.tensor(np.ones((2, 3)), requires_grad=True, name="W")
    drawing = tg.draw(x @ W, show="shapes")
    assert below(drawing, "w0")[-1] == "(2,) = (3,)·(3, 2)"
    assert below(drawing, "w1")[-1] == "(2, 3) = (2, 1)·(1, 3)"
    batched = tg.draw(tg.tensor(np.ones((5, 4, 2)), requires_grad=True) @ W, show="shapes")
    assert below(batched, "w1")[-1] == "(5, 4, 2) = (5, 4, 3)·(3, 2)"
    assert below(batched, "w0")[-1] == "(2, 3)"  # a sum of products, which the card does not tell


def test_a_derivative_that_is_handed_on_unchanged_keeps_its_name():
    a, b, c = (tg.tensor(np.ones(2), requires_grad=True, name=name) for name in "abc")
    y = np.exp(a) + b + c
    y.name = "y"
    assert below(tg.draw(y, show="symbols"), "w0") == ["∂L/∂a = ∂L/∂y ⊙ exp(a)"]
    twice = np.exp(a)
    assert below(tg.draw(twice + twice, show="symbols"), "w0") == ["∂L/∂a = ∂L/∂exp(a) ⊙ exp(a)"]  # two of them add up
    assert below(tg.draw(np.exp(a) + np.ones((3, 2)), show="symbols"), "w0") == ["∂L/∂a = ∂L/∂exp(a) ⊙ exp(a)"]


def test_an_op_without_a_formula_falls_back_to_the_derivative():
    @tg.op(vjp=(lambda g, y, x: 2 * g,))
    def twice(x):
        return 2 * x
    x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    assert below(tg.draw(twice(x), show="symbols"), "w0") == ["∂L/∂x"]


def test_inputs_and_outputs_with_numbers_stand_in_the_formulas():
    a, b = (tg.tensor([1.0, 2.0], requires_grad=True, name=name) for name in "ab")
    drawn = tg.draw(np.hypot(a, b), show="symbols")
    assert below(drawn, "w1") == ["∂L/∂b = b/(hypot(a, b)) ∂L/(∂hypot(a, b))"]
    first, _ = np.split(a, 2)
    assert below(tg.draw(first, show="symbols"), "w0") == ["∂L/∂a = concat(∂L/∂split(a), ∂L/∂Y₁, …)"]
    assert below(tg.draw(np.concatenate([a, b]), show="symbols"), "w1") == ["∂L/∂b = partₖ(∂L/(∂concat(a, b)))"]


def test_what_show_shows():
    loss = affine().sum()
    loss.backward()
    texts = {show: " ".join(every_text(tg.draw(loss, show=show))) for show in ("symbols", "shapes", "values", "all")}
    for show, text in texts.items():
        assert "∂L/∂X" in text
        assert ("(2, 3)" in text) == (show in ("shapes", "all"))
        assert ("(0.1, 0.2, 0.3)" in text) == (show in ("values", "all"))
        assert ("(2, 2, 2)" in text) == (show in ("values", "all"))  # the gradient of B
    with pytest.raises(tg.ArgumentError, match="symbols, shapes, values, all"):
        tg.draw(loss, show="everything")


def test_gradients_of_softmax_read_y_minus_t():
    loss = softmax()
    loss.backward()
    drawing = tg.draw(loss)
    assert below(drawing, "w0")[-1] == "(0.0182, -0.755, 0.737)"
    assert "(0.0182, −0.755, 0.737)" in drawing.source  # a picture prints a minus, not a hyphen
    assert above(drawing, "w3") == ["y   (3,)", "(0.0182, 0.245, 0.737)"]


def test_a_fan_out_shows_each_contribution_and_where_they_add_up():
    loss = softmax()
    loss.backward()
    drawing = tg.draw(loss, show="values")
    assert [box.id for box in drawing.scene.boxes if box.kind == "fan"] == ["f1"]
    assert below(drawing, "w1")[-1] == "(0.0135, -0.0415, 0.0135)"
    assert below(drawing, "w1b0")[-1] == "(0.0135, 0.0135, 0.0135)"
    assert below(drawing, "w1b1")[-1] == "(0, -0.055, 0)"


def test_before_backward_a_gradient_is_a_dash_and_never_zero():
    loss = softmax()
    drawing = tg.draw(loss)
    assert below(drawing, "w0")[-1] == "–"
    loss.backward()
    assert below(tg.draw(loss), "w0")[-1] == "(0.0182, -0.755, 0.737)"


def test_backward_asked_for_touches_no_gradient():
    x = tg.tensor(3.0, requires_grad=True, name="x")
    drawing = tg.draw(x * x, backward=True)
    assert below(drawing, "w0") == ["∂L/∂x", "6"]
    assert x.grad is None


def test_backward_left_out_draws_the_forward_pass_alone():
    drawing = tg.draw(softmax(), backward=False)
    assert not any(wire.gradient or wire.below for wire in drawing.scene.wires)
    assert COLOURS["backward"] not in drawing.source


def test_a_seed_starts_from_many_elements():
    Y = affine()
    assert below(tg.draw(Y), "w4")[-1] == "–"
    drawing = tg.draw(Y, seed=np.ones((2, 3)))
    assert below(drawing, "w2")[-1] == "(2, 2, 2)"
    with pytest.raises(tg.GradientError, match="no single derivative"):
        tg.draw(Y, backward=True)
    with pytest.raises(tg.ArgumentError, match="seed"):
        tg.draw(Y, backward=False, seed=np.ones((2, 3)))


def test_x_plus_x_has_two_wires():
    x = tg.tensor(3.0, requires_grad=True, name="x")
    wires = tg.draw(x + x, backward=True).scene.wires
    assert [(w.source, w.target, plain(w.below[-1])) for w in wires] == [
        ("n0", "f0", "2"), ("f0", "n1", "1"), ("f0", "n1", "1"), ("n1", "r1", "1")]


def test_data_and_constants_have_one_quiet_wire():
    loss = TwoLayerNet(4, 3, 2, seed=0).loss(np.ones((5, 4)), np.array([0, 1, 0, 1, 0]))
    quiet = [wire for wire in tg.draw(loss).scene.wires if wire.passive]
    assert [plain(box.text[0]) for wire in quiet for box in tg.draw(loss).scene.boxes if box.id == wire.source] == [
        "x", "(0, 1, 0, 1, 0)"]
    assert not any(wire.gradient for wire in quiet)


def test_unused_options_are_not_drawn():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    assert not [box for box in tg.draw(x.sum()).scene.boxes if box.kind == "constant"]
    assert [plain(box.text[0]) for box in tg.draw(np.clip(x, 0, None)).scene.boxes if box.kind == "constant"] == ["0"]


def test_the_outputs_of_one_op_leave_one_box():
    x = tg.tensor(np.arange(4.0), requires_grad=True, name="x")
    left, right = tg.split(x, 2)
    drawing = tg.draw((left * right).sum(), backward=True)
    assert [plain(box.text[0]) for box in drawing.scene.boxes if box.kind == "op"] == ["split", "×", "Σ"]
    assert above(drawing, "w1_0") == ["split(x)₀   (2,)   (0, 1)"]
    assert below(drawing, "w1_1") == ["∂L/∂v₂ ⊙ split(x)₀", "(0, 1)"]


def test_the_two_layer_net_has_one_straight_line_from_data_to_loss():
    loss = TwoLayerNet(4, 3, 2, seed=0).loss(np.ones((5, 4)), np.array([0, 1, 0, 1, 0]))
    main = [wire for wire in tg.draw(loss).scene.wires if wire.row == 0]
    assert [(wire.source, wire.target) for wire in main] == [
        ("c4_0", "n4"), ("n4", "n5"), ("n5", "n6"), ("n6", "n7"), ("n7", "r7")]


def test_a_short_name_of_the_loss_stands_in_the_formulas():
    x = tg.tensor(3.0, requires_grad=True, name="x")
    loss = x * 2
    loss.name = "E"
    assert below(tg.draw(loss, show="symbols"), "w0") == ["∂E/∂x = ∂E/∂E · 2"]


def test_a_leaf_and_a_result_without_a_past_can_be_drawn():
    assert every_text(tg.draw(tg.tensor([1.0, 2.0], name="alone"))) == ["alone", "(1, 2)"]
    with tg.no_grad():
        y = tg.tensor(2.0, requires_grad=True) * 3
    assert every_text(tg.draw(y)) == ["6"]


def test_several_roots_are_drawn_through_their_graph():
    x = tg.tensor(2.0, requires_grad=True, name="x")
    drawing = tg.draw(tg.graph(np.exp(x), np.sin(x)))
    assert [box.id for box in drawing.scene.boxes if box.kind == "root"] == ["r1", "r2"]


def test_larger_graphs_show_less():
    def net(ops):
        y = tg.tensor(np.ones(3), requires_grad=True, name="x")
        for _ in range(ops):
            y = np.tanh(y)
        return tg.draw(y)
    assert above(net(10), "w0") == ["(3,)   (1, 1, 1)"]
    assert above(net(100), "w0") == ["(3,)"]
    assert below(net(100), "w1")[-1] == "(3,)"
    full = net(500)  # boxes and arrows
    assert all(wire.gradient and not wire.texts for wire in full.scene.wires)
    assert full.source.count('class="backward w7"') == 1
    assert above(net(1100), "w0") == []
    assert below(net(1100), "w0") == []


# --- texts -------------------------------------------------------------------------------------------------------


def test_numbers_have_three_significant_digits():
    texts = [number(x) for x in (0.0, -0.0, 1.0, 54.598, 999.6, 123456.0, 1e6, 1e-9, np.inf, -np.inf)]
    assert texts == ["0", "0", "1", "54.6", "1000", "123456", "1e+06", "1e-09", "inf", "-inf"]
    assert number(float("nan")) == "nan"


def test_a_value_without_a_name_is_written_with_its_inputs():
    x = tg.tensor([4.0, 9.0], requires_grad=True, name="x")
    M = tg.tensor(np.ones((2, 2)), requires_grad=True, name="M_1")
    written = {"x + 1": x + 1, "1 − x": 1 - x, "−x": -x, "√x": np.sqrt(x), "x²": x**2, "|x|": np.absolute(x),
               "M₁ᵀ": M.T, "M₁·x": M @ x, "x[…]": x[:1], "Σ x": x.sum(), "max(x, 0)": np.maximum(x, 0)}
    for text, y in written.items():
        last = above(tg.draw(np.sin(y), show="symbols"), f"w{tg.graph(y)[-1].id}")
        assert last == [text]
    long = above(tg.draw(np.sin(np.tanh(x) * np.exp(x)), show="symbols"), "w3")
    assert long == ["v₃"]


def test_long_arrays_are_summed_up():
    assert printed(np.arange(100.0) - 50) == ["min -50, max 49", "mean -0.5, zeros 1%"]
    assert printed(np.zeros((5, 5))) == ["all 0"]
    assert printed(np.arange(10) > 2) == ["true 70%"]
    broken = np.array([1.0, np.nan, np.inf, 0, 0, 0, 0, 0])
    assert printed(broken) == ["min 0, max 1", "mean 0.167, zeros 62%", "1 NaN, 1 inf"]
    assert printed(np.full(9, np.nan)) == ["9 NaN"]
    assert printed(np.exp(1j * np.arange(8.0)))[0].startswith("|·| min 1, max 1")
    assert printed(np.full(8, 1e308) * [1, 1, 1, 1, 1, 1, 1, 0])[1] == "mean inf, zeros 12%"  # and no warning
    assert printed(np.ones((0, 3))) == ["empty"]
    assert printed(np.arange(6.0).reshape(2, 3)) == ["(0, 1, 2)", "(3, 4, 5)"]


def test_a_mean_of_rounding_errors_is_zero():
    assert printed(np.array([0.1, 0.2, -0.3] * 100))[1] == "mean 0, zeros 0%"
    assert printed(np.array([0.1, 0.2, -0.3 + 1e-9] * 100))[1] == "mean 3.33e-10, zeros 0%"


def test_a_share_is_called_none_or_all_only_where_it_is():
    sparse = np.ones(1000)
    sparse[0] = 0
    assert printed(sparse)[1].endswith("zeros <1%")
    assert printed(1 - sparse)[1].endswith("zeros >99%")


def test_every_rule_has_a_formula_on_its_card_that_can_be_read():
    formulas = {f"{op.name} {i}": plain(parse(op.formula(i))) for op in tg.OPS.values()
                for i in range(len(op.inputs) + 1) if op.rule(i) is not None}
    assert formulas["matmul 0"] == "∂L/∂Y · Wᵀ"
    # "^(" and "_(" are how a script is written that Unicode has no letters for.
    raw = re.compile(r"[\\{}$]|_[^(BN]|\^[^(∞]|frac|left|right")
    assert [name for name, text in formulas.items() if not text or raw.search(text)] == []


def test_what_a_formula_may_hold():
    assert plain(parse(r"\frac{1}{X + 1} \frac{\partial L}{\partial Y}")) == "1/(X + 1) ∂L/∂Y"
    assert plain(parse(r"A^{B-1}")) == "Aᴮ⁻¹"
    assert plain(parse(r"X_{ij} \neq \infty")) == "Xᵢⱼ ≠ ∞"
    assert plain(parse(r"\sum_N N", {"N": (Run("rows"),)})) == "Σₙ rows"  # an index is no value
    assert plain(parse(r"\frac{\frac{a}{b}}{c}")) == "a/b/c"
    assert plain(parse(r"\unknown X")) == "unknown X"
    assert plain(parse(r"\frac{1}{")) == "1/"
    assert plain(parse("")) == ""


# --- DOT ---------------------------------------------------------------------------------------------------------


def test_the_dot_of_a_small_graph_is_the_golden_one():
    """Look at the picture before saving a new one: tg.draw(affine(), show="shapes").save("tests/golden/affine.dot")."""
    assert tg.draw(affine(), show="shapes").source == (GOLDEN / "affine.dot").read_text(encoding="utf-8")


def test_the_same_program_gives_the_same_bytes():
    first, second = softmax(), softmax()
    assert tg.draw(first, backward=True).source == tg.draw(second, backward=True).source


def test_the_same_bytes_in_another_process():
    script = ("import sys, tests.test_render as t, tinygraph as tg;"
              "sys.stdout.buffer.write(tg.draw(t.softmax(), backward=True).source.encode())")
    outputs = {subprocess.run([sys.executable, "-c", script], capture_output=True, check=True,
                              cwd=Path(__file__).parents[1], env={"PYTHONHASHSEED": seed}).stdout for seed in "12"}
    assert outputs == {tg.draw(softmax(), backward=True).source.encode()}


def test_a_deep_diamond_stays_small():
    y = tg.tensor(1.0, requires_grad=True, name="x")
    for _ in range(50):
        y = y + y
    drawing = tg.draw(y, backward=True)
    assert len(drawing.scene.wires) == 50 * 3 + 1
    assert len(drawing.source) < 300_000
    drawing = tg.draw(y, show="values", backward=True)
    assert below(drawing, "w0")[-1] == number(2.0**50)


def test_a_long_chain_is_no_recursion():
    y = tg.tensor(1.0, requires_grad=True, name="x")
    for _ in range(20_000):
        y = np.tanh(y)
    drawing = tg.draw(y, collapse=False)
    assert drawing.source.count('class="op"') == 20_000


def test_a_graph_too_large_to_lay_out_says_so(tmp_path):
    y = tg.tensor(1.0, requires_grad=True)
    for _ in range(LARGEST):
        y = np.tanh(y)
    drawing = tg.draw(y, collapse=False)
    with pytest.raises(tg.ArgumentError, match=r"2,002 boxes.*collapse=.*\.dot.*to_networkx"):
        drawing.save(tmp_path / "large.svg")
    assert list(tmp_path.iterdir()) == []
    drawing.save(tmp_path / "large.dot")


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_stay_inert_in_dot(name):
    x = tg.tensor([1.0, 2.0], requires_grad=True, name=name)
    source = tg.draw(np.exp(x), show="all").source
    assert "<b>" not in source
    assert "<script" not in source
    assert "\x00" not in source
    assert len(source) < 20_000
    source.encode()
    assert source.count("\n") == tg.draw(np.exp(tg.tensor([1.0, 2.0], requires_grad=True))).source.count("\n")


@pytest.mark.needs_dot
def test_hostile_names_come_out_as_text_in_svg(tmp_path):
    total = tg.tensor(0.0)
    for name in HOSTILE:
        x = tg.tensor(1.0, requires_grad=True, name=name)
        y = np.exp(x)
        y.name = name
        total = total + y
    total.name = HOSTILE[0] + HOSTILE[1]
    tg.draw(total, show="all", backward=True).save(tmp_path / "hostile.svg")
    root = ElementTree.parse(tmp_path / "hostile.svg").getroot()
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags <= {"svg", "title", "style", "g", "a", "text", "polygon", "polyline", "path", "ellipse"}
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    for shown in ('"quoted"', "<b>bold</b>", "</script><script>", "&amp; &lt;", "\\N \\G \\l", "]]>", "שלום", "重み"):
        assert shown in texts
    assert "x" * 23 + "…" in texts


# --- files -------------------------------------------------------------------------------------------------------


@pytest.mark.needs_dot
@pytest.mark.parametrize(("ending", "magic"), [
    ("svg", b"<?xml"), ("png", b"\x89PNG\r\n\x1a\n"), ("pdf", b"%PDF-"), ("dot", b"digraph"), ("gv", b"digraph"),
    ("SVG", b"<?xml")])
def test_each_format_is_what_its_ending_says(ending, magic, tmp_path):
    path = tmp_path / f"graph.{ending}"
    assert tg.draw(softmax()).save(path) is None
    assert path.read_bytes().startswith(magic)


def test_an_unknown_ending_lists_those_there_are(tmp_path):
    drawing = tg.draw(affine())
    with pytest.raises(tg.ArgumentError, match=r"'jpeg' is no format of pictures; there are dot, graphml, gv, htm, "
                       r"html, json, mermaid, mmd, pdf, png, svg"):
        drawing.save(tmp_path / "graph.jpeg")
    with pytest.raises(tg.ArgumentError, match="no ending"):
        drawing.save(tmp_path / "graph")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.needs_dot
def test_awkward_paths_are_safe(tmp_path):
    path = tmp_path / "new folder" / "it's \"here\"; echo $HOME & 図.svg"
    tg.draw(affine()).save(path)
    tg.draw(affine()).save(str(path))
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_saving_replaces_the_file_and_follows_a_link(tmp_path):
    real, link = tmp_path / "real.dot", tmp_path / "link.dot"
    real.write_text("old")
    link.symlink_to(real)
    tg.draw(affine()).save(link)
    assert link.is_symlink()
    assert real.read_text(encoding="utf-8").startswith("digraph")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.dot", "real.dot"]


def test_a_failed_save_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "graph.dot"
    path.write_text("old")

    def fail(*_):
        raise OSError("disk full")
    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        tg.draw(affine()).save(path)
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [("graph.dot", "old")]


def test_without_dot_one_sentence_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    drawing = tg.draw(affine())
    for ending in ("png", "pdf"):
        with pytest.raises(tg.MissingDependencyError) as caught:
            drawing.save(tmp_path / f"graph.{ending}")
        message = str(caught.value)
        assert "\n" not in message
        for remedy in ("apt install graphviz", "brew install graphviz", "winget install graphviz", ".source"):
            assert remedy in message
    assert drawing.source.startswith("digraph")
    drawing.save(tmp_path / "graph.dot")
    assert "<svg" in drawing._repr_svg_()


@pytest.mark.needs_dot
def test_the_svg_has_a_title_fallback_fonts_and_a_dark_mode(tmp_path):
    path = tmp_path / "graph.svg"
    tg.draw(affine()).save(path)
    svg = path.read_text(encoding="utf-8")
    assert svg.count("<title>") == 1
    assert "<title>Graph of Y: 2 ops</title>" in svg
    assert 'font-family="DejaVu Sans, Verdana' in svg
    assert "Noto Sans CJK JP" in svg
    assert "@media(prefers-color-scheme:dark)" in svg
    drawn = set(re.findall(r'(?:fill|stroke)="(#[0-9a-f]{6})"', svg))
    assert drawn
    assert all(f'="{colour}"]' in svg for colour in drawn)  # each follows the reader's mode
    assert set(DARK) == {*COLOURS, "paper"}
    ElementTree.fromstring(svg)


@pytest.mark.needs_dot
def test_no_two_texts_overlap(tmp_path):
    """By Graphviz's own measure: no wire's or op's place covers another's."""
    net = TwoLayerNet(64, 50, 10, seed=0).loss(np.ones((100, 64)), np.zeros(100, int))
    net.backward()
    for number_, root in enumerate((affine(), softmax(), net)):
        path = tmp_path / f"{number_}.dot"
        tg.draw(root, show="all").save(path)
        dot = [shutil.which("dot"), "-Tplain", path]
        placed = subprocess.run(dot, capture_output=True, check=True, text=True).stdout
        places = [[float(x) for x in match.groups()] for match in
                  re.finditer(r"^node \S+ ([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+) ", placed, re.M)]
        assert len(places) > 8
        for i, (x, y, w, h) in enumerate(places):
            for u, v, p, q in places[:i]:
                assert abs(x - u) >= (w + p) / 2 - 0.01 or abs(y - v) >= (h + q) / 2 - 0.01


@pytest.mark.skipif(sys.platform == "win32", reason="writes a shell script")
def test_what_graphviz_complains_of_is_one_clear_error(tmp_path, monkeypatch):
    dot = tmp_path / "dot"
    dot.write_text("#!/bin/sh\n/bin/cat > /dev/null\necho 'Format: \"pdf\" not recognized.' >&2\nexit 1\n")
    dot.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(tg.TinygraphError, match=r'could not write pdf: Format: "pdf" not recognized'):
        tg.draw(affine()).save(tmp_path / "graph.pdf")


@pytest.mark.skipif(sys.platform == "win32", reason="writes a shell script")
@pytest.mark.parametrize(("does", "said_of_it"), [("kill -SEGV $$", "could not write svg: "),
                                                  ("exec /bin/sleep 60", "has not laid out 6 boxes in 0.3 s")])
def test_where_graphviz_crashes_or_hangs_our_own_layout_stands_in_and_says_so_once(does, said_of_it, tmp_path,
                                                                                 monkeypatch, caplog):
    dot = tmp_path / "dot"
    dot.write_text(f"#!/bin/sh\n/bin/cat > /dev/null\n{does}\n")
    dot.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(formats, "PATIENCE", 0.3)
    monkeypatch.setattr(formats, "LONG_PATIENCE", 0.3)
    say_once.cache_clear()
    for ending in ("svg", "html", "svg"):
        assert "∂" in tg.draw(affine()).render(ending).decode()
    said, = [record.getMessage() for record in caplog.records]
    assert said_of_it in said
    assert "Laid out by tinygraph itself" in said
    say_once.cache_clear()
    with pytest.raises(tg.TinygraphError, match=r"could not write png|in 0\.3 s"):
        tg.draw(affine()).render("png")


# --- plugins and notebooks ---------------------------------------------------------------------------------------


def test_a_plugin_adds_a_format_through_an_entry_point(tmp_path, monkeypatch):
    (tmp_path / "counting_renderer.py").write_text(
        "from tinygraph.render.formats import renderer\n"
        "@renderer('count')\n"
        "def count(scene):\n"
        "    return str(len(scene.wires)).encode()\n")
    info = tmp_path / "counting_renderer-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: counting-renderer\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[tinygraph.renderers]\ncount = counting_renderer\n")
    monkeypatch.syspath_prepend(tmp_path)
    load_plugins.cache_clear()
    monkeypatch.setattr("tinygraph.render.formats.RENDERERS", RENDERERS)
    try:
        tg.draw(affine()).save(tmp_path / "graph.count")
        assert (tmp_path / "graph.count").read_text() == "5"
        assert "counting-renderer" in {d.name for d in importlib.metadata.distributions(path=[str(tmp_path)])}
    finally:
        RENDERERS.pop("count", None)
        sys.modules.pop("counting_renderer", None)
        load_plugins.cache_clear()


@pytest.mark.needs_dot
def test_tensors_graphs_and_drawings_show_themselves():
    loss = softmax()
    for thing in (loss, tg.graph(loss), tg.draw(loss)):
        shown = thing._repr_mimebundle_()
        assert set(shown) == {"text/plain", "image/svg+xml"}
        assert "<svg" in shown["image/svg+xml"]
    assert tg.draw(loss)._repr_svg_() == tg.draw(loss)._repr_mimebundle_()["image/svg+xml"]


def test_a_leaf_shows_its_text_alone():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    tg.draw(x)  # which is what makes tensors show themselves
    assert x._repr_mimebundle_() == {"text/plain": repr(x)}


def test_a_notebook_never_sees_an_exception(monkeypatch):
    loss = softmax()

    def fail(scene):
        raise RuntimeError("broken")
    monkeypatch.setitem(RENDERERS, "svg", fail)
    drawing = tg.draw(loss)
    assert "broken" in drawing._repr_mimebundle_()["text/plain"]
    assert loss._repr_mimebundle_() == {"text/plain": repr(loss)}


@pytest.mark.needs_dot
def test_a_tensor_shows_its_picture_in_a_notebook_that_never_imported_the_renderer():
    script = ("import sys, tinygraph as tg\n"
              "x = tg.tensor(2.0, requires_grad=True, name='x')\n"
              "assert 'tinygraph.render.drawing' not in sys.modules\n"
              "shown = (x * x)._repr_mimebundle_()\n"
              "assert '<svg' in shown['image/svg+xml'] and 'tensor(4.' in shown['text/plain']\n")
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)
