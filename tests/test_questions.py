"""All questions alike: their answers as data, networkx attributes and pictures; and no false alarm on what is right."""

from __future__ import annotations

import doctest
import importlib.util
import json
import re
import runpy
import shutil
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from cases import FAMILIES, constants
from right_graphs import RIGHT

import tinygraph as tg
from tinygraph.ask.report import Report
from tinygraph.core import backward as sweep
from tinygraph.core import op as core_op
from tinygraph.core.kinds import Constant
from tinygraph.core.node import wrap

ROOT = Path(__file__).parents[1]

QUESTIONS = {
    "check": tg.check_graph,
    "lint": tg.lint,
    "explain": lambda loss: tg.explain(leaf_of(loss), loss),
    "derive": tg.derive,
    "shadow": tg.shadow,
    "profile": lambda loss: tg.profile(loss, rounds=1),
    "diff": lambda loss: tg.diff_graphs(tg.tanh(leaf_of(loss)).sum(), loss),
}


def leaf_of(loss):
    node = next(node for node in tg.graph(loss) if node.op is None and node.requires_grad)
    return wrap(tg.Tensor, node.node)


def doubtful():
    """A loss that every question has something to say of."""
    x = tg.tensor([[-1.0, 0.0, 2.0], [-3.0, 0.0, 1.0]], requires_grad=True, name="x")
    y = tg.relu(x) * 1e8 + 0.1 - tg.relu(x) * 1e8
    loss = tg.softmax_with_loss(tg.softmax(y), np.array([0, 2]))
    loss.backward()
    return loss


# --- the forms of an answer -----------------------------------------------------------------------------------------

def test_every_answer_about_a_graph_is_a_report():
    kinds = {type(ask(doubtful())) for ask in QUESTIONS.values()}
    assert kinds == set(Report.__subclasses__())


@pytest.mark.parametrize("ask", [tg.check_graph, tg.lint, tg.derive, tg.shadow, tg.profile, tg.diff_graphs,
                                 tg.explain], ids=lambda ask: ask.__name__)
def test_a_graph_can_be_asked_in_place_of_the_loss_and_nothing_else(ask):
    loss = doubtful()
    given = {tg.diff_graphs: (loss,), tg.explain: (leaf_of(loss),)}.get(ask, ())
    if ask is not tg.profile:  # which measures
        assert ask(*given, tg.graph(loss)).as_dict() == ask(*given, loss).as_dict()
    with pytest.raises(tg.UnsupportedError, match=r"or its graph, and not float64 \(test_questions.py:"):
        ask(*given, loss.data[()])
    assert tg.profile(tg.graph(loss), rounds=1).nodes


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_is_text_data_attributes_and_a_picture(question, tmp_path):
    loss = doubtful()
    answer = QUESTIONS[question](loss)
    assert len(str(answer)) > 40
    data = answer.as_dict()
    assert json.loads(json.dumps(data)) == data

    net = answer.to_networkx()
    assert len(net) == len(answer.graph)
    assert answer.by_node
    assert answer.notes
    for id, what in answer.by_node.items():
        assert net.nodes[id][answer.measure] == what
    for id, note in answer.notes.items():
        assert net.nodes[id]["note"] == note
        assert isinstance(note, str)
    nx.write_graphml(net, tmp_path / "answer.graphml")  # which takes plain attributes only

    scene = answer.draw().scene
    assert scene.legend.title == answer.measure
    assert {box.id for box in scene.boxes if box.alarm} >= {f"n{id}" for id in answer.notes if answer.graph[id].op}
    assert len([box for box in scene.boxes if box.fill]) >= 1
    assert answer.draw(color_by="flops", notes={}).scene.legend.title == "FLOPs"
    answer.draw().save(tmp_path / "answer.html")
    page = (tmp_path / "answer.html").read_text(encoding="utf-8")
    note = answer.notes[next(id for id in answer.notes if answer.graph[id].op)]
    assert json.dumps(note[:20], ensure_ascii=False)[1:-1].replace("<", "\\u003c") in page


def test_what_single_answers_say_of_nodes():
    loss = doubtful()
    ops = [node.op for node in tg.graph(loss)]
    relu, softmax = ops.index("relu"), ops.index("softmax")
    assert tg.check_graph(loss).by_node[relu] == "kink"
    assert tg.check_graph(loss).by_node[len(ops) - 1] == "right"  # although the labels are skipped
    assert tg.lint(loss).by_node[len(ops) - 1] == "TG302"
    explained = QUESTIONS["explain"](loss)
    assert explained.by_node[0] == "the tensor"
    assert explained.by_node[relu + 2] == "on a large way"
    assert explained.by_node[relu] == "does not pass all"
    assert explained.notes[0].startswith("the gradient of 'x' from")
    assert tg.derive(loss).by_node[softmax] == "Softmax layer"
    assert max(tg.shadow(loss).by_node.items(), key=lambda pair: pair[1])[0] == ops.index("subtract")
    assert set(QUESTIONS["diff"](loss).by_node.values()) == {"added", "removed", "changed", "in both"}


# --- no false alarm -------------------------------------------------------------------------------------------------

def alarms(loss, weights=None):
    """What any question has against a loss that is right."""
    found = []
    checked, linted = tg.check_graph(loss), tg.lint(loss, weights)
    found += [str(row) for row in checked.wrong]
    found += str(linted).splitlines() if linted else []
    for node in tg.graph(loss):
        if node.op is None and node.requires_grad:
            answer = tg.explain(wrap(tg.Tensor, node.node), loss)
            total = sum((use.gradient for use in answer.shares), np.zeros_like(node.value))
            exact = answer.gradient is None or len(answer.shares) == 0 or np.array_equal(total, answer.gradient)
            found += [] if exact and answer.origin is None else [f"explain: {answer}"]
    found += [] if tg.derive(loss).steps else ["derive: nothing"]
    overflow = tg.shadow(loss).overflow
    found += [] if overflow is None else [f"shadow: {overflow}"]
    found += [] if tg.profile(loss, rounds=1).peak.peak > 0 else ["profile: no memory"]
    found += [] if not tg.diff(tg.graph(loss), tg.graph(loss)) else ["diff: a graph differs from itself"]
    return found


def collect(monkeypatch):
    """Ask everything of whatever backward is called on from here on."""
    asked, found = [], []
    backward = sweep.backward

    def questioned_first(root, *args, **kwargs):
        if type(root) is tg.Tensor and root.requires_grad and root.data.size == 1 and root.node.op is not None:
            asked.append([node.op for node in tg.graph(root)])
            if asked.count(asked[-1]) < 4:  # a training loop makes the same graph again and again
                found.extend(alarms(root))
        return backward(root, *args, **kwargs)

    monkeypatch.setattr(sweep, "backward", questioned_first)
    return asked, found


@pytest.fixture
def ops_as_they_were():
    """Forget the ops that a page registers, so that another test can run it too."""
    kept = [(table, dict(table)) for table in (core_op.OPS, core_op.COMPOSED, core_op.BY_NUMPY)]
    yield
    for table, before in kept:
        table.clear()
        table.update(before)


@pytest.mark.parametrize("path", sorted((ROOT / "models").glob("*.py")), ids=lambda path: path.stem)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_no_word_on_the_models(path, dtype):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, "build"):
        pytest.skip("no model script")
    data = tg.data.load("digits", dtype=dtype)
    model = module.build(data.input_size, data.classes, seed=0, dtype=dtype)
    with tg.debug():
        for i in range(3):
            loss = model.loss(data.x_train[20 * i:20 * i + 20], data.t_train[20 * i:20 * i + 20])
            loss.backward()
            assert alarms(loss, model) == []
            with tg.no_grad():
                for weight in model.params.values():
                    weight -= 0.1 * weight.grad
                    weight.zero_grad()


def results(value):
    if isinstance(value, tg.Tensor):
        yield value
    for part in value if isinstance(value, tuple | list) else ():
        yield from results(part)


def sums(op, cases):
    """For one set of an op's sample inputs the sum of what it gives, and the leaves; None where nothing flows."""
    for case in cases:
        leaves = []

        def given(a, case=case, leaves=leaves):
            a = a if case.prepare is None or a.dtype.kind not in "fc" else np.asarray(case.prepare(a))
            if a.dtype.kind not in "fc":
                return a
            leaves.append(tg.tensor(np.array(a), requires_grad=True, dtype=a.dtype))
            return leaves[-1]

        value = case.called(op, given)
        numbers = [np.real(y).sum() for y in results(case.reader(value) if case.reader else value)
                   if y.requires_grad and y.data.size]
        if numbers and "first order" not in case.skip:
            return sum(numbers[1:], numbers[0]), leaves
    return None


@pytest.mark.parametrize("family", [family for family in FAMILIES if family is not constants],
                         ids=lambda family: family.__name__.split(".")[-1])
def test_every_question_can_be_asked_of_every_op(family):
    asked = 0
    for name, cases in family.CASES.items():
        op = core_op.OPS.get(name) or core_op.COMPOSED.get(name)
        if op is None or isinstance(op, Constant):
            continue
        with np.errstate(all="ignore"):
            made = sums(op, cases)
            if made is None:
                continue
            loss, leaves = made
            loss.backward()
            for x in leaves:
                answer = tg.explain(x, loss)
                total = sum((use.gradient for use in answer.shares), np.zeros_like(x.data))
                assert str(answer)
                assert x.grad is None or np.array_equal(total, x.grad, equal_nan=True), name
                asked += x.grad is not None
            for ask in (tg.lint, tg.shadow, lambda loss: tg.profile(loss, rounds=1), tg.derive):
                assert str(ask(loss)), name
            assert not tg.diff(tg.graph(loss), tg.graph(loss)), name
    assert asked


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("make", RIGHT, ids=lambda make: make.__name__)
def test_no_word_on_losses_as_people_write_them(make, dtype):
    with tg.debug():
        loss = make(dtype)
        loss.backward()
    assert alarms(loss) == []


PAGES = [path for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
         if path.name != "my-gradient-is-wrong.md"]  # which shows mistakes


SHOWN = {"adding-an-op.md": ["wrong: times"], "README.md": ["TG203 dead branch"]}
"""What pages show as wrong themselves; that has to be found."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_word_on_the_examples_of_the_pages(page, tmp_path, monkeypatch, ops_as_they_were):
    """They give the same under debug, and no question has anything against a loss of theirs."""
    monkeypatch.chdir(tmp_path)
    asked, found = collect(monkeypatch)
    text = re.sub(r"^[ >]*(```|~~~|:::).*$", "", page.read_text(encoding="utf-8"), flags=re.M)
    examples = doctest.DocTestParser().get_doctest(text, {"__name__": "__main__"}, page.name, str(page), 0)
    report: list[str] = []
    with tg.debug():
        doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).run(
            examples, out=report.append)
    assert "DebugError" not in "".join(report)
    shown = SHOWN.get(page.name, [])
    assert [alarm for alarm in found if not any(mistake in alarm for mistake in shown)] == []
    assert all(any(mistake in alarm for alarm in found) for mistake in shown)
    assert asked or page.name not in ("tutorial.md", "README.md")  # the examples were seen


@pytest.mark.needs_dot
@pytest.mark.parametrize("script", [path for path in sorted((ROOT / "docs" / "figures").glob("*.py"))
                                    if path.stem != "dead_relu"], ids=lambda path: path.stem)  # which shows a mistake
def test_no_word_on_the_figures(script, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    _, found = collect(monkeypatch)
    runpy.run_path(str(shutil.copy(script, tmp_path)))
    assert found == []
