"""Mermaid, JSON and GraphML: golden files, hostile names, and graphs read back."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

import tinygraph as tg
from models.two_layer_net import TwoLayerNet
from tests.test_render import HOSTILE, affine, softmax
from tinygraph.render.exports import VERSION

GOLDEN = Path(__file__).with_name("golden")


def net():
    loss = TwoLayerNet(4, 3, 2, seed=0).loss(np.ones((5, 4)), np.array([0, 1, 0, 1, 0]))
    loss.backward()
    return loss


def split():
    x = tg.tensor(np.arange(4.0), requires_grad=True, name="x")
    with tg.scope("halves"):
        left, _ = tg.split(x, 2)
        left.name = "left"
    loss = (left * left).sum() + np.sum(x > 1)
    loss.backward()
    return loss


def hostile():
    total = tg.tensor(0.0)
    for name in HOSTILE:
        x = tg.tensor(1.0, requires_grad=True, name=name)
        with tg.scope(name or "empty"):
            total = total + np.exp(x)
    total.name = HOSTILE[0] + HOSTILE[1]
    return total


GRAPHS = {"affine": affine, "softmax": softmax, "net": net, "split": split, "hostile": hostile,
          "leaf": lambda: tg.tensor([1.0, 2.0], name="alone")}


def without_places(text):
    """The lines of the tests' own code are no part of what is compared."""
    return re.sub(r'"place": (\[[^]]*\]|null)', '"place": null', text)


# --- golden files ------------------------------------------------------------------------------------------------


def test_the_mermaid_of_a_small_graph_is_the_golden_one():
    """Look at it before saving a new one: tg.draw(affine(), show="shapes").save("tests/golden/affine.mmd")."""
    made = tg.draw(affine(), show="shapes").render("mmd").decode()
    assert made == (GOLDEN / "affine.mmd").read_text(encoding="utf-8")


def test_the_json_of_a_small_graph_is_the_golden_one():
    """Read it before saving a new one: tg.draw(net()).save("tests/golden/net.json")."""
    made = tg.draw(net()).render("json").decode()
    assert without_places(made) == without_places((GOLDEN / "net.json").read_text(encoding="utf-8"))


def test_a_file_of_this_version_goes_on_being_read():
    read = tg.graph_from_json(GOLDEN / "net.json")
    assert [node.op for node in read] == [None] * 4 + ["affine", "relu", "affine", "softmax_with_loss"]
    assert read[4].location[0] == "two_layer_net.py"


# --- JSON --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("values", [False, True])
def test_a_graph_that_was_read_draws_prints_and_converts_like_the_one_that_was_written(name, values):
    live = tg.graph(GRAPHS[name]())
    read = tg.graph_from_json(tg.graph_to_json(live, values=values))
    assert str(read) == str(live)
    for show in (None, "symbols", "shapes"):
        assert tg.draw(read, show=show).source == tg.draw(live, show=show).source
    assert nx.utils.graphs_equal(read.to_networkx(), live.to_networkx())
    assert [node.location and node.location[1:] for node in read] == [node.location and node.location[1:]
                                                                     for node in live]
    assert [node.scope for node in read] == [node.scope for node in live]


def test_what_was_read_can_be_written_and_is_the_same():
    first = tg.graph_to_json(net())
    assert tg.graph_to_json(tg.graph_from_json(first)) == first
    assert tg.graph_from_json(first.encode()).flops == tg.graph(net()).flops


def test_numbers_are_written_only_where_they_are_asked_for():
    x = tg.tensor(np.arange(1000.0), requires_grad=True, name="x")
    loss = (x * x).sum()
    loss.backward()
    without, whole = tg.graph_to_json(loss), tg.graph_to_json(loss, values=True)
    assert len(without) < 3000 < len(whole)
    read = tg.graph_from_json(whole)
    np.testing.assert_array_equal(read[0].value, x.data)
    np.testing.assert_array_equal(read.cotangents().nodes[0], x.grad)
    assert tg.graph_from_json(without)[0].value.shape == (1000,)


@pytest.mark.parametrize("value", [
    np.array([1.5, np.nan, np.inf, -np.inf]), np.array([1 + 2j, 0j]), np.array([[1, 2]], np.int8), np.array([True]),
    np.float32(0.1), np.zeros((0, 3))], ids=lambda value: str(value.dtype))
def test_every_kind_of_number_comes_back_bit_for_bit(value):
    x = tg.tensor(value)
    back = tg.graph_from_json(tg.graph_to_json(x, values=True))[0].value
    assert back.dtype == x.dtype
    np.testing.assert_array_equal(back, x.data)


def test_no_array_is_in_a_scene():
    loss = net()

    def arrays(thing):
        if dataclasses.is_dataclass(thing):
            return [a for field in dataclasses.fields(thing) for a in arrays(getattr(thing, field.name))]
        if isinstance(thing, tuple | list):
            return [a for item in thing for a in arrays(item)]
        return [thing] if hasattr(thing, "shape") else []
    assert arrays(tg.draw(loss, show="all").scene) == []


def test_a_graph_that_was_read_has_the_gradients_that_were_written_and_no_others():
    loss = softmax()
    unknown = tg.graph_from_json(tg.graph_to_json(loss))
    with pytest.raises(tg.GradientError, match="read from a file"):
        unknown.cotangents()
    assert "–" in tg.draw(unknown).source
    loss.backward()
    assert "(0.0182, −0.755, 0.737)" in tg.draw(tg.graph_from_json(tg.graph_to_json(loss))).source


def test_an_op_that_is_not_registered_here_can_be_read():
    text = tg.graph_to_json(affine()).replace('"op": "matmul"', '"op": "no_such_op"')
    read = tg.graph_from_json(text)
    assert read[3].op == "no_such_op"
    assert "dot" in tg.draw(read).source


@pytest.mark.parametrize(("change", "message"), [
    (lambda d: d.update(format="other"), "no graph of tinygraph's"),
    (lambda d: d.update(version=VERSION + 1), f"reads version {VERSION}"),
    (lambda d: d.pop("nodes"), "damaged"), (lambda d: d.update(roots=[]), "damaged"),
    (lambda d: d.update(roots=[[99, 0]]), "damaged"), (lambda d: d.update(roots=[[-1, 0]]), "damaged"),
    (lambda d: d.update(roots=[[0, 0]]), "damaged"), (lambda d: d.update(nodes=[None]), "damaged"),
    (lambda d: d["nodes"][3]["inputs"][0].update(node=4), "damaged"),
    (lambda d: d["nodes"][0]["outputs"][0].update(shape="x"), "damaged"),
    (lambda d: d["nodes"][0]["outputs"][0].update(dtype="nonsense"), "damaged"),
    (lambda d: d["nodes"][0]["outputs"][0].update(values=[1.0]), "damaged"),
    (lambda d: d["nodes"][0].update(outputs=[]), "damaged"),
    (lambda d: d["nodes"][0].update(flops="many", op="add", symbol="+"), "damaged")])
def test_what_is_no_graph_is_one_clear_error(change, message):
    data = json.loads(tg.graph_to_json(affine()))
    change(data)
    with pytest.raises(tg.DataError, match=message):
        tg.graph_from_json(json.dumps(data))


@pytest.mark.parametrize("text", ["{", "{}", '{"format": 1}', '{"a":' * 100_000, b"{\xff"])
def test_what_is_no_json_is_one_clear_error(text):
    with pytest.raises(tg.DataError, match="graph_from_json"):
        tg.graph_from_json(text)


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        tg.graph_from_json(str(tmp_path / "none.json"))


# --- Mermaid -----------------------------------------------------------------------------------------------------


def test_mermaid_has_every_box_and_both_ways_of_every_wire():
    loss = split()
    scene = tg.draw(loss, show="all").scene
    text = tg.draw(loss, show="all").render("mermaid").decode()
    assert re.findall(r"^  (\w+)[(\[]", text, re.M) == sorted(
        (box.id for box in scene.boxes), key=re.findall(r"^  (\w+)[(\[]", text, re.M).index)
    assert text.count(" --> ") + text.count(" -->|") == len(scene.wires)
    assert text.count(" -.->") == sum(wire.gradient for wire in scene.wires)
    assert re.findall(r'subgraph (\w+) \["(.*)"\]', text) == [("g0", "halves")]
    numbered = [i for i, line in enumerate(re.findall(r"^  \w+ -.*$", text, re.M)) if "-.->" in line]
    assert f"linkStyle {','.join(map(str, numbered))} stroke" in text


def test_hostile_names_stay_inert_in_mermaid():
    text = tg.draw(hostile(), show="all", backward=True).render("mmd").decode()
    for line in text.splitlines():
        quoted = re.findall(r'"([^"]*)"', line)
        assert line.count('"') == 2 * len(quoted)
        for inside in quoted:
            bare = re.sub(r"#\d+;|<br/>", "", inside)
            assert not set(bare) & set('"<>&;{}[]|`\\%\n')
    assert "#60;b#62;bold#60;/b#62;" in text
    assert len(text) < 60_000


# --- GraphML -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GRAPHS)
def test_graphml_is_read_by_networkx(name, tmp_path):
    live = GRAPHS[name]()
    tg.draw(live).save(tmp_path / "graph.graphml")
    read = nx.read_graphml(tmp_path / "graph.graphml", node_type=int, force_multigraph=True)
    whole = tg.graph(live).to_networkx()
    assert set(read.nodes) == set(whole.nodes)
    assert sorted(read.edges(data="position")) == sorted(whole.edges(data="position"))
    assert [facts["op"] for _, facts in read.nodes(data=True)] == [facts["op"] for _, facts in whole.nodes(data=True)]
    if name != "hostile":  # there names have lost what XML has no place for
        assert dict(read.nodes(data=True)) == dict(whole.nodes(data=True))
