"""The graph as data: nodes, edges, costs, cotangents, the table, networkx."""

from __future__ import annotations

import io

import networkx as nx
import numpy as np
import pytest

import tinygraph as tg
from models.two_layer_net import TwoLayerNet


def lecture_net():
    rng = np.random.default_rng(0)
    x, t = rng.random((100, 784)), rng.integers(0, 10, 100)
    return TwoLayerNet(784, 50, 10, seed=0).loss(x, t)


def chain(length):
    y = tg.tensor(1.0, requires_grad=True, name="x")
    for _ in range(length):
        y = y * 1.0
    return y


def diamond(depth):
    y = tg.tensor(1.0, requires_grad=True, name="x")
    for _ in range(depth):
        y = y + y
    return y


def test_nodes_come_parents_first_with_ids_from_the_order_of_creation():
    x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    left, right = np.exp(x), np.sin(x)
    graph = tg.graph(right * left)
    assert [node.id for node in graph] == [0, 1, 2, 3]
    assert [node.op for node in graph] == [None, "exp", "sin", "multiply"]
    assert graph[3].inputs == (graph[2], graph[1])  # in the order of the arguments, not of creation
    assert [(e.source.id, e.target.id, e.position) for e in graph.edges] == [(0, 1, 0), (0, 2, 0), (2, 3, 0), (1, 3, 1)]
    assert len(graph) == 4


def test_x_plus_x_has_two_edges():
    x = tg.tensor(2.0, requires_grad=True)
    graph = tg.graph(x + x)
    assert [(e.source.id, e.target.id, e.position) for e in graph.edges] == [(0, 1, 0), (0, 1, 1)]


def test_a_node_tells_what_it_is():
    x = tg.tensor(np.ones((2, 3), np.float32), requires_grad=True, name="x")
    y = np.sum(x, axis=0)
    y.name = "column sums"
    y.sum().backward()
    leaf, node = tg.graph(y)
    assert (leaf.op, leaf.symbol, leaf.name, leaf.shape, leaf.dtype, leaf.bytes, leaf.flops, leaf.level) == (
        None, None, "x", (2, 3), np.float32, 24, 0, 0)
    assert (node.op, node.symbol, node.name, node.shape, node.bytes, node.flops, node.level) == (
        "sum", "Σ", "column sums", (3,), 12, 6, 1)
    np.testing.assert_array_equal(leaf.grad, np.ones((2, 3)))
    assert node.grad is None
    np.testing.assert_array_equal(node.value, [2, 2, 2])
    file, line, function = node.location
    assert file == __file__
    assert line > 0
    assert function == "test_a_node_tells_what_it_is"


def test_constants_are_inputs_and_no_nodes():
    data = np.array([3.0, 4.0])
    graph = tg.graph(2.0 * tg.tensor([1.0, 2.0], requires_grad=True) + data)
    assert len(graph) == 3
    assert graph[1].inputs == (2.0, graph[0])
    assert graph[2].inputs[1] is data


def test_an_op_with_several_outputs_is_one_node():
    x = tg.tensor(np.arange(6.0), requires_grad=True)
    first, _, third = tg.split(x, 3)
    first.name, third.name = "head", "tail"
    graph = tg.graph(first * third)
    assert [node.op for node in graph] == [None, "split", "multiply"]
    assert graph[1].name == "head, tail"
    assert graph[1].shape == ((2,), (2,), (2,))
    assert [(e.source.id, e.target.id, e.position) for e in graph.edges] == [(0, 1, 0), (1, 2, 0), (1, 2, 1)]
    cotangents = graph.cotangents(np.ones(2))
    one, unused, two = cotangents.nodes[1]
    np.testing.assert_array_equal(one, third.data)
    assert unused is None
    np.testing.assert_array_equal(two, first.data)


def test_hidden_outputs_do_not_show_but_count_as_bytes():
    node = tg.graph(lecture_net())[-1]
    assert (node.op, node.shape) == ("softmax_with_loss", ())
    assert node.bytes == 8 + 100 * 10 * 8


def test_the_root_of_an_op_with_several_outputs_keeps_its_name_and_gradient():
    loss = lecture_net()
    loss.name = "loss"
    loss.retain_grad()
    loss.backward()
    node = tg.graph(loss).of(loss)
    assert node.name == "loss"
    assert node.grad == 1.0


def test_flops_of_the_lectures_net_by_hand():
    graph = tg.graph(lecture_net())
    by_op = {node.op: node.flops for node in graph if node.op != "affine"}
    first, second = (node.flops for node in graph if node.op == "affine")
    assert first == 2 * 100 * 784 * 50 + 100 * 50
    assert second == 2 * 100 * 50 * 10 + 100 * 10
    assert by_op == {None: 0, "relu": 100 * 50, "softmax_with_loss": 8 * 100 * 10}
    assert graph.flops == first + second + 5_000 + 8_000


def test_bytes_of_the_lectures_net_by_hand():
    weights = 784 * 50 + 50 + 50 * 10 + 10
    values = 2 * 100 * 50 + 100 * 10
    assert tg.graph(lecture_net()).bytes == 8 * (weights + values + 1 + 100 * 10)


def test_flops_see_the_params():
    x = tg.tensor(np.ones((4, 5)), requires_grad=True)
    assert tg.graph(tg.tensordot(x, np.ones((5, 6)), axes=1))[-1].flops == 2 * 4 * 5 * 6
    assert tg.graph(np.concatenate([x, x]))[-1].flops == 0


def test_levels_are_the_longest_distance_from_a_leaf():
    x = tg.tensor(1.0, requires_grad=True)
    graph = tg.graph(np.exp(np.sin(x)) * x)
    assert [[node.op for node in level] for level in graph.levels] == [[None], ["sin"], ["exp"], ["multiply"]]


def test_the_critical_path_costs_most():
    x = tg.tensor(np.ones((10, 10)), requires_grad=True, name="x")
    cheap = np.exp(np.sin(np.tanh(x)))
    dear = x @ x
    path = tg.graph(cheap + dear).critical_path
    assert [node.op for node in path] == [None, "matmul", "add"]


def test_the_critical_path_of_equal_costs_is_the_longer_one():
    x = tg.tensor(np.ones((2, 3)), requires_grad=True)
    path = tg.graph(np.reshape(np.reshape(x, 6), (3, 2)).T).critical_path
    assert [node.op for node in path] == [None, "reshape", "reshape", "transpose"]


def test_cotangents_are_those_of_backward_and_leave_grad_alone():
    loss = lecture_net()
    graph = tg.graph(loss)
    found = graph.cotangents()
    leaves = [node for node in graph if node.op is None]
    assert all(node.grad is None for node in leaves)
    loss.backward()
    for node in leaves:
        np.testing.assert_array_equal(found.nodes[node.id], node.grad)
    assert found.nodes[len(graph) - 1] == 1.0


def test_each_edge_has_its_own_contribution():
    x = tg.tensor(3.0, requires_grad=True)
    graph = tg.graph(x * x + 5 * x)
    found = graph.cotangents()
    edges = {key: float(value) for key, value in found.edges.items()}
    product, scaled, total = 1, 2, 3
    assert edges == {(product, 0): 3, (product, 1): 3, (scaled, 1): 5, (total, 0): 1, (total, 1): 1}
    assert found.nodes[0] == 11


def test_cotangents_call_no_hooks():
    x = tg.tensor(3.0, requires_grad=True)
    called = []
    x.register_hook(called.append)
    tg.graph(x * x).cotangents()
    assert called == []


def test_cotangents_need_a_seed_for_many_elements():
    y = tg.tensor([1.0, 2.0], requires_grad=True) * 3
    with pytest.raises(tg.GradientError, match=r"shape \(2,\)"):
        tg.graph(y).cotangents()
    np.testing.assert_array_equal(tg.graph(y).cotangents(np.array([1.0, 10.0])).nodes[0], [3, 30])


def test_several_roots_make_one_graph():
    x = tg.tensor(1.0, requires_grad=True)
    graph = tg.graph(np.exp(x), np.sin(x))
    assert [node.op for node in graph] == [None, "exp", "sin"]
    with pytest.raises(tg.GradientError, match="one root, and this graph has 2"):
        graph.cotangents()


def test_what_is_no_tensor_is_refused():
    with pytest.raises(tg.UnsupportedError, match="not from ndarray"):
        tg.graph(np.ones(3))
    with pytest.raises(tg.ArgumentError, match="at least one"):
        tg.graph()
    with pytest.raises(tg.ArgumentError, match="no part of the graph"):
        tg.graph(tg.tensor(1.0)).of(tg.tensor(1.0))


def test_after_a_freed_backward_the_root_stands_alone():
    x = tg.tensor(2.0, requires_grad=True)
    y = np.exp(x)
    y.backward(retain_graph=False)
    graph = tg.graph(y)
    assert [node.op for node in graph] == ["exp"]
    assert graph.flops == 0


def test_networkx_has_the_attributes_and_both_edges():
    x = tg.tensor(np.ones((2, 3)), requires_grad=True, name="x")
    net = tg.graph((x * x).sum()).to_networkx()
    assert isinstance(net, nx.MultiDiGraph)
    assert net.nodes[0] == {"op": "leaf", "name": "x", "shape": "(2, 3)", "dtype": "float64", "flops": 0, "bytes": 48,
                            "level": 0}
    assert net.nodes[2] == {"op": "sum", "name": "", "shape": "()", "dtype": "float64", "flops": 6, "bytes": 8,
                            "level": 2}
    assert sorted(net.edges(data="position")) == [(0, 1, 0), (0, 1, 1), (1, 2, 0)]
    assert nx.is_directed_acyclic_graph(net)


def test_networkx_can_write_it_as_graphml():
    file = io.BytesIO()
    nx.write_graphml(tg.graph(lecture_net()).to_networkx(), file)
    file.seek(0)
    assert nx.read_graphml(file, force_multigraph=True).nodes["0"]["shape"] == "(784, 50)"


def test_a_long_chain_is_no_recursion():
    graph = tg.graph(chain(100_000))
    assert len(graph) == 100_001
    assert graph[-1].level == 100_000
    assert len(graph.critical_path) == 100_001
    assert graph.cotangents().nodes[0] == 1.0
    assert graph.to_networkx().number_of_edges() == 100_000
    lines = str(graph).splitlines()
    assert len(lines) < 70
    assert "... 99,941 more nodes ..." in lines[31]


def test_a_deep_diamond_stays_small():
    graph = tg.graph(diamond(50))
    assert (len(graph), len(graph.edges)) == (51, 100)
    assert graph.cotangents().nodes[0] == 2.0**50


def test_the_table():
    X = tg.tensor(np.ones((100, 784)), name="X")
    W = tg.tensor(np.ones((784, 50)), requires_grad=True, name="W")
    assert str(tg.graph(np.maximum(X @ W, 0))) == "\n".join([
        "#  op       name  shape       dtype    inputs      FLOPs      bytes",
        "0  leaf     X     (100, 784)  float64                  0    627,200",
        "1  leaf     W     (784, 50)   float64                  0    313,600",
        "2  matmul         (100, 50)   float64  #0 #1   7,840,000     40,000",
        "3  maximum        (100, 50)   float64  #2 0        5,000     40,000",
        "   4 nodes, 3 edges                            7,845,000  1,020,800",
    ])
    assert repr(tg.graph(X)) == "<graph of 1 node, 0 edges>"


def test_the_table_keeps_hostile_names_in_their_cells():
    x = tg.tensor(1.0, requires_grad=True, name="a\nb\x00\u202ec" + "d" * 10_000)
    table = str(tg.graph(x * 2))
    assert len(table.splitlines()) == 4
    assert "a b\N{REPLACEMENT CHARACTER}cddddd" in table
    assert max(map(len, table.splitlines())) < 100


def test_the_same_program_gives_the_same_table():
    assert str(tg.graph(lecture_net())) == str(tg.graph(lecture_net()))
