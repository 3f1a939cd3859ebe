"""derive: the derivation reads as the lecture writes it, in four formats and two languages, whatever the names."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import tinygraph as tg
from models.two_layer_net import TwoLayerNet
from tinygraph.ask.derive.tex import mathml, parse, plain


def lecture_net(batch=100):
    rng = np.random.default_rng(0)
    return TwoLayerNet(784, 50, 10, seed=0).loss(rng.random((batch, 784)), rng.integers(0, 10, batch))


def softmax_by_hand():
    a = tg.tensor([0.3, 2.9, 4.0], requires_grad=True, name="a")
    t = tg.tensor([0.0, 1.0, 0.0], name="t")
    e = np.exp(a)
    y = e / e.sum()
    y.name = "y"
    return -(t * np.log(y)).sum()


def equations(derivation):
    """The gradients' equations, with the shapes, as text."""
    lines = [line for step in derivation.steps for line in step.lines]
    return [plain(parse(line.tex)) + (f" : {plain(parse(line.shapes))}" if line.shapes else "") for line in lines]


def test_the_lectures_net_reads_as_the_chapter():
    found = tg.derive(lecture_net())
    assert equations(found) == [
        "∂L/∂A₂ = 1/N (Y − T) : (N, 10)",
        "∂L/∂Z₁ = ∂L/∂A₂ · W₂ᵀ : (N, 50) = (N, 10) · (10, 50)",
        "∂L/∂W₂ = Z₁ᵀ · ∂L/∂A₂ : (50, 10) = (50, N) · (N, 10)",
        "∂L/∂b₂ = Σ_N ∂L/∂A₂ : (10,) = Σ_N (N, 10)",
        "∂L/∂A₁ = ∂L/∂Z₁ ⊙ [A₁ > 0] : (N, 50) = (N, 50) ⊙ (N, 50)",
        "∂L/∂W₁ = Xᵀ · ∂L/∂A₁ : (784, 50) = (784, N) · (N, 50)",
        "∂L/∂b₁ = Σ_N ∂L/∂A₁ : (50,) = Σ_N (N, 50)",
    ]
    text = str(found)
    assert text.splitlines()[:2] == ["The gradients of L", "N = 100 is the number of samples."]
    for line in ("A₁ = X · W₁ + b₁    : (N, 50) = (N, 784) · (784, 50) + (50,)", "Y = softmax(A₂)    : (N, 10)",
                 "L = −1/N Σ T ⊙ log Y", "∂L/∂L = 1", "∂L/∂W₁ = ∂L/∂A₁ ∂A₁/∂W₁    (chain rule)",
                 "1. Softmax-with-Loss layer (two_layer_net.py:"):
        assert line in text
    assert [step.title for step in found.steps] == [
        "Softmax-with-Loss layer", "Affine layer", "ReLU layer", "Affine layer"]


def test_it_reads_in_japanese_too():
    found = tg.derive(lecture_net(), language="ja")
    text = str(found)
    assert equations(found) == equations(tg.derive(lecture_net()))
    words = ("順伝播", "逆伝播", "連鎖律", "Affineレイヤ", "ReLUレイヤ", "Softmax-with-Lossレイヤ", "データの個数")
    assert [word for word in words if word not in text] == []
    assert not re.search(r"\b(the|derivative|chain)\b", text)
    assert 'lang="ja"' in found.html


def test_a_value_used_twice_is_a_branch_whose_parts_add_up():
    found = tg.derive(softmax_by_hand(), numbers=True)
    lines = equations(found)
    assert "(∂L/∂V₁)₁ = ∂L/∂y 1/V₂ : (3,)" in lines
    assert "(∂L/∂V₁)₂ = ∂L/∂V₂ : (3,)" in lines
    assert "∂L/∂V₁ = (∂L/∂V₁)₁ + (∂L/∂V₁)₂ : (3,)" in lines
    assert [step.title for step in found.steps].count("Branch") == 1
    assert "(0.01821, −0.7548, 0.7366)" in str(found)  # y - t, as the lecture's figure ends
    x = tg.tensor(3.0, requires_grad=True, name="x")
    assert equations(tg.derive(x + x)) == ["(∂L/∂x)₁ = ∂L/∂L = 1", "(∂L/∂x)₂ = ∂L/∂L = 1",
                                           "∂L/∂x = (∂L/∂x)₁ + (∂L/∂x)₂"]


def test_numbers_are_this_runs():
    apple = tg.tensor(100.0, requires_grad=True, name="apple")
    count = tg.tensor(2.0, requires_grad=True, name="count")
    tax = tg.tensor(1.1, requires_grad=True, name="tax")
    loss = apple * count * tax
    found = tg.derive(loss, numbers=True)
    loss.backward()
    amounts = {line.tex.split(" = ")[0]: line.amount for step in found.steps for line in step.lines}
    for weight in (apple, count, tax):
        (amount,) = [a for left, a in amounts.items() if weight.name in left]
        assert float(amount) == pytest.approx(float(weight.grad))
    assert all(line.amount == "" for step in tg.derive(loss).steps for line in step.lines)
    summed_up = tg.derive(lecture_net(), numbers=True)
    assert "min" in summed_up.steps[0].lines[0].amount


def test_a_broadcast_is_summed_over_and_a_number_stays_one():
    x = tg.tensor(np.ones((4, 3)), requires_grad=True, name="X")
    b = tg.tensor(np.zeros(3), requires_grad=True, name="B")
    assert equations(tg.derive(((x + b) * 2.0).mean())) == [
        "∂L/∂V = 1/12 ∂L/∂L : (4, 3)", "∂L/∂A = ∂L/∂V · 2 : (4, 3)", "∂L/∂X = ∂L/∂A : (4, 3)",
        "∂L/∂B = Σ_(axis 0) ∂L/∂A : (3,)"]


def test_an_op_without_a_formula_is_the_chain_rule():
    @tg.op(vjp=(lambda g, y, x: 2 * g,))
    def twice(x):
        return 2 * x
    x = tg.tensor([3.0, 1.0], requires_grad=True, name="x")
    found = tg.derive(twice(x).sum())
    assert equations(found)[-1] == "∂L/∂x = ∂L/∂V ∂V/∂x : (2,)"
    assert found.steps[-1].sentence == "By the chain rule: the upstream derivative times that of twice."


def test_numbered_inputs_and_outputs_and_counts_are_put_into_a_formula():
    a, b = (tg.tensor([3.0, 1.0], requires_grad=True, name=name) for name in "ab")
    assert equations(tg.derive(np.hypot(a, b).sum()))[-1] == "∂L/∂b = b/A ∂L/∂A : (2,)"
    assert equations(tg.derive(np.sort(a)[0]))[-1] == "∂L/∂a = unsort(∂L/∂V) : (2,)"
    values, _ = np.linalg.eigh(np.diag(a))
    assert equations(tg.derive(values.sum()))[1] == "∂L/∂V₁ = Y₁(diag ∂L/∂V₂ + F ⊙ (Y₁ᵀ ∂L/∂Y₁)) Y₁ᵀ : (2, 2)"
    assert equations(tg.derive(np.var(a)))[0] == "∂L/∂a = 2/2 ∂L/∂L · (a − μ) : (2,)"
    assert equations(tg.derive(np.std(np.ones((5, 1)) * a, ddof=1)))[0].startswith("∂L/∂A₂ = 1/9 ")


def test_one_sample_has_no_sum_over_samples():
    w = tg.tensor(np.ones((2, 3)), requires_grad=True, name="W")
    b = tg.tensor(np.ones(3), requires_grad=True, name="B")
    loss = tg.softmax_with_loss(tg.affine(np.ones(2), w, b), 1)
    assert equations(tg.derive(loss))[0] == "∂L/∂A = (Y − T) : (3,)"
    assert "∂L/∂B = ∂L/∂A : (3,)" in equations(tg.derive(loss))
    assert tg.derive(loss).samples == 0


def test_a_loss_inside_keeps_the_factor_from_upstream():
    z = tg.tensor(np.ones((4, 3)), requires_grad=True, name="z")
    loss = tg.softmax_with_loss(z, np.eye(4, 3) + np.outer([0, 0, 0, 1], [1, 0, 0])) * 0.5
    assert equations(tg.derive(loss))[-1] == "∂L/∂z = ∂L/∂V · 1/4 (Y − T) : (4, 3)"


def test_several_outputs_and_a_named_result():
    x = tg.tensor(np.arange(4.0), requires_grad=True, name="x")
    left, right = tg.split(x, 2)
    loss = (left * right).sum()
    loss.name = "E"
    found = tg.derive(loss)
    assert any(line.startswith("∂E/∂x = ") for line in equations(found))


EXAMPLES = [lecture_net, softmax_by_hand]


@pytest.mark.parametrize("make", EXAMPLES)
@pytest.mark.parametrize("numbers", [False, True])
def test_every_formula_is_tex_that_matplotlib_sets(make, numbers):
    """Another reader of TeX must take what is written; it knows no matrices, so those are left out."""
    from matplotlib.mathtext import MathTextParser

    parser = MathTextParser("path")
    found = tg.derive(make(), numbers=numbers)
    lines = [*found.forward, *(line for step in found.steps for line in step.lines)]
    formulas = [tex for line in lines for tex in (line.tex, line.shapes, line.amount) if tex and "pmatrix" not in tex]
    formulas += [tex for step in found.steps for tex in step.chain]
    assert len(formulas) > 10
    for tex in formulas:
        parser.parse(f"${tex}$")


@pytest.mark.parametrize("make", EXAMPLES)
def test_the_page_is_well_formed_and_needs_no_script(make, tmp_path):
    path = tmp_path / "new" / "derivation.html"
    tg.derive(make(), numbers=True, language="ja").save(path)
    page = path.read_text(encoding="utf-8")
    assert "<script" not in page
    assert "http" not in page
    root = ET.fromstring(re.sub(r"<!DOCTYPE html>|<meta[^>]*>", "", page))
    assert len(root.findall(".//math")) > 10
    assert {element.tag for element in root.iter("mfrac")} == {"mfrac"}


def test_hostile_names_stay_words():
    name = "</math><script>$\\input{x}$ & 50%_a"
    x = tg.tensor(3.0, requires_grad=True, name=name)
    found = tg.derive(x * x, numbers=True)
    assert "<script" not in found.html
    assert "&lt;script&gt;" in found.html
    ET.fromstring(found.html)
    assert "\\input" not in found.latex
    assert "</math><script>" in str(found)
    assert "\n" not in tg.derive(tg.tensor(1.0, requires_grad=True, name="a\nb") * 2).steps[0].lines[0].tex
    doubled = tg.tensor(2.0, requires_grad=True, name="x_{1}")
    ET.fromstring(tg.derive(doubled * 2).html)


def test_latex_and_markdown_are_whole():
    found = tg.derive(softmax_by_hand(), numbers=True)
    latex = found.latex
    assert latex.count(r"\begin{align*}") == latex.count(r"\end{align*}") == len(found.steps) + 2
    assert latex.count("{") == latex.count("}")
    assert r"\frac{\partial L}{\partial a} &= \frac{\partial L}{\partial V_{1}} \odot V_{1}" in latex
    assert latex.startswith("% a part of a document that has \\usepackage{amsmath}")
    x = tg.tensor(np.arange(1.0, 12.0), requires_grad=True, name="x")
    assert "pmatrix" in tg.derive((x[:10] * x[:10]).sum(), numbers=True).latex
    wide = tg.derive((x * x).sum(), numbers=True).latex  # a pmatrix has at most ten columns
    assert "pmatrix" not in wide
    markdown = found.markdown
    assert markdown.startswith("# The gradients of L\n")
    assert markdown.count("$$") % 2 == 0
    assert "\n## Backward\n" in markdown


def test_save_by_the_ending(tmp_path):
    found = tg.derive(softmax_by_hand())
    for ending, content in ((".tex", found.latex), (".md", found.markdown), (".txt", f"{found}\n")):
        found.save(tmp_path / f"derivation{ending}")
        assert (tmp_path / f"derivation{ending}").read_text(encoding="utf-8") == content
    with pytest.raises(tg.ArgumentError, match=r"should end in \.tex, \.md, \.html or \.txt"):
        found.save(tmp_path / "derivation.docx")


def test_the_data():
    data = tg.derive(lecture_net(), numbers=True).as_dict()
    assert json.loads(json.dumps(data)) == data
    assert data["samples"] == 100
    assert data["steps"][0]["lines"][0]["shapes"] == "(N, 10)"


def test_what_cannot_be_derived_is_said():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(tg.GradientError, match=r"shape \(2,\) has no single derivative"):
        tg.derive(x * 2)
    with pytest.raises(tg.GradientError, match="requires a gradient"):
        tg.derive(tg.tensor(1.0))
    with pytest.raises(tg.ArgumentError, match="one of en, ja"):
        tg.derive(x.sum(), language="fr")


def test_nothing_changes_by_being_derived():
    x = tg.tensor(3.0, requires_grad=True)
    called = []
    x.register_hook(called.append)
    tg.derive(x * x, numbers=True)
    assert x.grad is None
    assert called == []


def test_a_long_chain_and_a_deep_diamond_are_linear():
    y = tg.tensor(1.0, requires_grad=True, name="x")
    for _ in range(50):
        y = y + y
    for _ in range(3_000):
        y = y * 1.0
    found = tg.derive(y)
    assert len(found.steps) == 3_000 + 2 * 50
    assert len(str(found)) < 1_000_000


@pytest.mark.parametrize(("tex", "text"), [
    (r"-\frac{a + b}{2}", "−(a + b)/2"), (r"2 X^2", "2X²"), (r"X_{1}^\top", "X₁ᵀ"), (r"\sqrt{x + 1}", "√(x + 1)"),
    (r"\mathrm{50\%\_a\ b}", "50%_a b"), (r"\begin{pmatrix}1 & 2 \\ 3 & 4\end{pmatrix}", "((1, 2), (3, 4))"),
    (r"e^{-x}", "e^(−x)"), (r"\operatorname{softmax}(Z)", "softmax(Z)"), ("", ""), ("{", ""), (r"\frac{1}", "1/"),
])
def test_the_reader_of_tex(tex, text):
    assert plain(parse(tex)) == text
    ET.fromstring(mathml(parse(tex)))


def test_many_values_of_one_name_are_told_apart_in_linear_time():
    w = tg.tensor(1.0, requires_grad=True, name="w")
    y = w * 0.0
    for _ in range(2_000):
        y = y + w * np.ones(1)
    found = tg.derive(y.sum())
    left = [line.tex.split(" = ")[0] for line in found.forward]
    assert len(set(left)) == len(left)
    a, b = (tg.tensor(2.0, requires_grad=True, name="x1") for _ in range(2))
    assert equations(tg.derive(a * b)) == ["∂L/∂x₁ = ∂L/∂L · x₁⁽²⁾", "∂L/∂x₁⁽²⁾ = ∂L/∂L · x₁"]
