"""profile: the costs of a step's nodes, the curve of live memory, the trace and the picture."""

from __future__ import annotations

import gc
import json
import tracemalloc

import numpy as np
import pytest

import tinygraph as tg
from models.two_layer_net import TwoLayerNet


def lecture_step(batch=100):
    rng = np.random.default_rng(0)
    net = TwoLayerNet(784, 50, 10, seed=0)
    x, t = rng.random((batch, 784)), rng.integers(0, 10, batch)
    return net, lambda: net.loss(x, t)


def test_each_node_has_its_costs():
    _, step = lecture_step()
    found = tg.profile(step, rounds=3)
    assert [(node.op, node.flops, node.kept) for node in found.nodes] == [
        ("affine", 2 * 100 * 784 * 50 + 100 * 50, 100 * 50 * 8), ("relu", 100 * 50, 100 * 50 * 8),
        ("affine", 2 * 100 * 50 * 10 + 100 * 10, 100 * 10 * 8), ("softmax_with_loss", 8_000, 8 + 100 * 10 * 8)]
    assert all(len(node.forward.rounds) == 3 and min(node.forward.rounds) > 0 for node in found.nodes)
    assert all(min(node.backward.rounds) > 0 for node in found.nodes)
    assert {node.location[2] for node in found.nodes} == {"predict", "loss"}
    assert len(found.step.rounds) == 3
    assert sum(node.seconds for node in found.nodes) > 0


def test_ops_add_up_their_nodes():
    _, step = lecture_step(10)
    found = tg.profile(step, rounds=2)
    totals = {total.op: total for total in found.ops}
    assert {op: total.calls for op, total in totals.items()} == {"affine": 2, "relu": 1, "softmax_with_loss": 1}
    first, second = (node for node in found.nodes if node.op == "affine")
    assert totals["affine"].flops == first.flops + second.flops
    assert totals["affine"].forward == pytest.approx(first.forward.median + second.forward.median)
    order = [total.forward + total.backward for total in found.ops]
    assert order == sorted(order, reverse=True)


@pytest.mark.parametrize("retain_graph", [True, False])
def test_the_curve_of_memory_is_what_the_allocator_sees(retain_graph):
    """Computed from the graph, the curve must be that of the run itself, but for a few Python objects."""
    net, step = lecture_step()
    found = tg.profile(step, rounds=1, retain_graph=retain_graph)
    start = found.memory[0].bytes
    forward = max(moment.bytes for moment in found.memory if moment.phase == "forward") - start

    step().backward()  # what is made once, such as a function to sort a call's arguments, is made
    for weight in net.params.values():
        weight.zero_grad()
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        loss = step()
        after_forward, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        loss.backward(retain_graph=retain_graph)
        end, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert forward == pytest.approx(after_forward - before, abs=4_000)
    assert found.memory[-1].bytes - start == pytest.approx(end - before, abs=8_000)
    assert found.peak.peak - start == pytest.approx(peak - before, abs=8_000)


def test_a_view_keeps_nothing_and_shared_data_counts_once():
    data = np.ones((10, 10))
    x = tg.tensor(data, requires_grad=True)
    y = x.T.reshape(100) + data.ravel()
    found = tg.profile(y.sum(), rounds=1)
    kept = {node.op: node.kept for node in found.nodes}
    assert kept["transpose"] == 0
    assert kept["add"] == 800
    assert found.memory[0].bytes == 800  # the leaf and the constant look into one buffer


def test_a_sum_of_cotangents_is_live_beside_its_parts():
    x = tg.tensor(np.ones(1000), requires_grad=True)
    found = tg.profile((np.exp(x) * np.sin(x)).sum(), rounds=1)
    at_last_op = [moment for moment in found.memory if moment.phase == "backward"][-2]
    assert at_last_op.peak - at_last_op.bytes >= 8000


def test_an_op_with_several_outputs():
    x = tg.tensor(np.arange(6.0), requires_grad=True, name="x")
    a, b = tg.split(x, 2)
    found = tg.profile((a * b).sum(), rounds=1)
    assert [node.op for node in found.nodes] == ["split", "multiply", "sum"]
    assert found.nodes[0].kept == 0  # the parts are views
    assert found.memory[-1].bytes > found.memory[0].bytes


def test_nothing_changes_by_being_measured():
    net, step = lecture_step(5)
    loss = step()
    loss.backward()
    before = {name: weight.grad.copy() for name, weight in net.params.items()}
    called = []
    net.params["W1"].register_hook(called.append)
    tg.profile(loss, rounds=2)
    for name, weight in net.params.items():
        np.testing.assert_array_equal(weight.grad, before[name])
    assert called == []
    loss.backward()  # the graph is still there


def test_a_loss_that_is_no_number_needs_a_seed():
    y = tg.tensor([1.0, 2.0], requires_grad=True) * 2
    with pytest.raises(tg.GradientError, match=r"shape \(2,\)"):
        tg.profile(y)
    assert tg.profile(y, rounds=1, seed=np.ones(2)).nodes[0].op == "multiply"


def test_what_is_no_step_is_refused():
    with pytest.raises(tg.UnsupportedError, match=r"gave float \(test_profile\.py"):
        tg.profile(lambda: 1.0)
    with pytest.raises(tg.ArgumentError, match="at least 1"):
        tg.profile(lambda: tg.tensor(1.0, True) * 2, rounds=0)
    with pytest.raises(tg.ArgumentError, match=r"\.json for a trace"):
        tg.profile(tg.tensor(1.0, True) * 2, rounds=1).save("profile.docx")


def test_the_trace_keeps_the_event_format(tmp_path):
    _, step = lecture_step(5)
    found = tg.profile(step, rounds=2)
    path = tmp_path / "new" / "step.json"
    found.save(path)
    written = json.loads(path.read_text())
    assert set(written) == {"traceEvents", "displayTimeUnit"}
    events = written["traceEvents"]
    assert {event["ph"] for event in events} == {"M", "X", "C"}
    for event in events:
        assert isinstance(event["name"], str)
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        if event["ph"] != "M":
            assert event["ts"] >= 0
    complete = [event for event in events if event["ph"] == "X"]
    assert [event["cat"] for event in complete] == ["forward"] * 4 + ["backward"] * 4
    assert [event["name"] for event in complete[:4]] == ["affine", "relu", "affine", "softmax_with_loss"]
    assert [event["name"] for event in complete[4:]] == ["softmax_with_loss", "affine", "relu", "affine"]
    # One after the other: the slices of a row must not overlap, or Perfetto drops them.
    ends = [event["ts"] + event["dur"] for event in complete]
    assert all(event["dur"] > 0 for event in complete)
    assert all(event["ts"] >= end - 1e-9 for event, end in zip(complete[1:], ends, strict=False))
    counters = [event for event in events if event["ph"] == "C"]
    assert max(event["args"]["bytes"] for event in counters) == found.peak.peak
    assert {event["args"]["name"] for event in events if event["ph"] == "M"} == {"tinygraph", "forward", "backward"}


@pytest.mark.parametrize(("ending", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_the_picture(ending, start, tmp_path):
    _, step = lecture_step(5)
    path = tmp_path / f"profile.{ending}"
    tg.profile(step, rounds=1).save(path)
    assert path.read_bytes().startswith(start)


def test_the_table_and_the_data_say_the_same():
    _, step = lecture_step()
    found = tg.profile(step, rounds=2)
    table, data = str(found), found.as_dict()
    assert json.loads(json.dumps(data)) == data
    assert "two_layer_net.py" in table
    assert "computed from what the graph keeps alive" in table
    assert "7,845,000" in table
    assert "in backward at affine" in table
    assert data["flops"] == sum(node["flops"] for node in data["nodes"]) == 7_959_000
    assert data["peak_bytes"] == found.peak.peak


def test_a_long_chain_is_linear():
    y = tg.tensor(1.0, requires_grad=True)
    for _ in range(5_000):
        y = y * 1.0
    found = tg.profile(y, rounds=1)
    assert len(found.nodes) == 5_000
    assert "4,970 cheaper nodes" in str(found)
