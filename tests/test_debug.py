"""tg.debug: the first wrong number, array or rule is named where it happens; what is right goes through untouched."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import re
import sys
import threading

import numpy as np
import pytest
from cases import CASES

import tinygraph as tg
from models.two_layer_net import TwoLayerNet, build
from tinygraph.core.arguments import Handle
from tinygraph.core.kinds import Constant
from tinygraph.core.op import COMPOSED, OPS, Op


@pytest.fixture(autouse=True)
def quiet_numpy():
    """NumPy's own warnings about what debug is to find."""
    with np.errstate(all="ignore"):
        yield


def leaf(values, name=None, dtype=float):
    return tg.tensor(np.array(values, dtype), requires_grad=True, name=name)


def line():
    """The line that calls this, as errors write it."""
    return f"test_debug.py:{sys._getframe(1).f_lineno}"


def fault(function):
    """What debug says about a function's run."""
    with pytest.raises(tg.DebugError) as caught, tg.debug():
        function()
    return caught.value


# --- NaN and infinity -----------------------------------------------------------------------------------------------

def log_of_zero():
    np.log(leaf([1.0, 0.0], "x") * 2)


def log_of_negative():
    np.log(leaf([1.0, 2.0], "x") - 1.5)


def divided_by_zero():
    leaf([1.0], "x") / (leaf([2.0], "y") - 2)


def root_of_negative():
    np.sqrt(leaf([-4.0], "x"))


def exp_overflows():
    z = leaf([1.0, 800.0], "z")
    e = np.exp(z)
    return e / e.sum()


def float32_overflows():
    x = leaf([[1e25, 1.0]], "x", np.float32)
    return x @ np.array([[1e25], [1.0]], np.float32)


def infinity_times_zero():
    scores = np.where(np.array([True, False]), leaf([1.0, 2.0], "scores"), -np.inf)
    return scores * np.array([1.0, 0.0])


def nan_in_the_data():
    x = tg.tensor(np.array([[1.0, np.nan]]), name="batch")
    return tg.matmul(x, leaf([[1.0], [2.0]], "w"))


def nan_where_nothing_is_recorded():
    with tg.no_grad():
        np.log(leaf([-1.0], "x"))


def softmax_of_a_row_that_is_masked_whole():
    tg.softmax(np.where(np.array([False, False]), leaf([1.0, 2.0], "scores"), -np.inf))


def logarithm_of_one_less_one():
    np.log1p(leaf([-1.0], "x"))


def cosh_overflows():
    np.cosh(leaf([-800.0], "x"))


FORWARD = [
    (softmax_of_a_row_that_is_masked_whole, "softmax", "NaN at [0]", "a row holds nothing but minus infinity"),
    (logarithm_of_one_less_one, "log1p", "infinity at [0]", "the logarithm of 0"),
    (cosh_overflows, "cosh", "infinity at [0]", "it overflows where its input is larger than 710.48"),
    (log_of_zero, "log", "infinity at [1]", "the logarithm of 0"),
    (log_of_negative, "log", "NaN at [0]", "the logarithm of a negative number"),
    (divided_by_zero, "divide", "infinity at [0]", "divides by 0"),
    (root_of_negative, "sqrt", "NaN at [0]", "root of a negative number"),
    (exp_overflows, "exp", "infinity at [1], in 1 of 2 elements", "overflows above 709.78"),
    (float32_overflows, "matmul", "infinity at [0, 0]", "too large for its dtype"),
    (infinity_times_zero, "multiply", "NaN at [1]", ""),
    (nan_in_the_data, "matmul", "NaN at [0, 0]", "came in with argument 0, 'batch',"),
    (nan_where_nothing_is_recorded, "log", "NaN at [0]", "negative number"),
]


@pytest.mark.parametrize(("function", "op", "where", "why"), FORWARD, ids=lambda x: getattr(x, "__name__", ""))
def test_the_first_value_that_is_not_finite(function, op, where, why):
    error = fault(function)
    facts = error.as_dict()
    first = str(error).splitlines()[0]
    code = function.__code__
    made = int(re.search(r"test_debug\.py:(\d+)", first)[1])
    assert first.startswith(f"{op}: {where}")
    assert why in first
    assert code.co_firstlineno < made < code.co_firstlineno + 5
    assert (error.kind, facts["op"], facts["during"]) == ("non-finite", op, "forward")
    assert facts["place"] == f"test_debug.py:{made}"


def test_inputs_are_told_with_their_ranges_and_where_they_came_from():
    error = fault(log_of_negative)
    assert "  argument 0: float64 (2,), from -0.5 to 0.5: the result of subtract (test_debug.py:" in str(error)
    assert re.search(r"computed: 'x' → subtract \(.*\) → log \(.*\)$", str(error))


def root_at_zero():
    (np.sqrt(leaf([0.0, 4.0], "x")) * 3).sum().backward()


def norm_at_zero():
    d = leaf([1.0, 1.0], "a") - np.array([1.0, 1.0])
    np.sqrt((d * d).sum()).backward()


def power_at_zero():
    (leaf([0.0, 1.0], "x") ** 0.5).sum().backward()


def a_rule_divides_by_zero():
    custom = Op(lambda x: x * 1, vjp=(lambda g, y, x: g / x,))
    custom(leaf([0.0, 1.0], "x")).sum().backward()


BACKWARD = [(root_at_zero, "sqrt", "a root at 0"), (norm_at_zero, "sqrt", "a root at 0"),
            (power_at_zero, "power", "a power below 1 at 0"), (a_rule_divides_by_zero, "<lambda>", "")]


@pytest.mark.parametrize(("function", "op", "why"), BACKWARD, ids=lambda x: getattr(x, "__name__", ""))
def test_the_first_gradient_that_is_not_finite(function, op, why):
    error = fault(function)
    assert error.kind == "non-finite"
    assert error.facts["during"] == "backward"
    assert error.facts["op"] == op
    assert why in str(error)
    assert re.search(rf"path from the loss: .*{re.escape(op)} \(test_debug.py:\d+\)$", str(error))


def test_cotangents_that_overflow_when_they_are_added():
    x = leaf([1e-30], "x", np.float32)

    def run():
        y = x * np.float32(1)
        (y * np.float32(2) + y * np.float32(2)).backward(np.array([1e38], np.float32))
    error = fault(run)
    assert "the cotangents that reach the result of multiply" in str(error)
    assert "added up" in str(error)


def test_a_gradient_of_a_gradient_names_the_rule():
    def run():
        np.sqrt(leaf([0.0], "x")).sum().backward(create_graph=True)
    error = fault(run)
    assert str(error).startswith("the rule of sqrt (test_debug.py:")
    assert error.facts["rule_of"] == "sqrt"


def test_an_infinity_that_was_put_in_may_pass():
    with tg.debug():
        scores = leaf([[1.0, 2.0, 3.0]])
        masked = np.where(np.array([True, True, False]), scores, -np.inf)
        tg.softmax(masked)[0, 0].backward()
        np.maximum(scores, -np.inf).sum().backward()
        np.max(scores, axis=1, initial=-np.inf).sum().backward()
        np.clip(scores, 0, np.inf).sum().backward()
    assert np.all(np.isfinite(scores.grad))


def test_large_numbers_whose_squares_overflow_are_finite():
    with tg.debug():
        x = leaf([1e300, -1e200])
        (x * 2).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_a_function_of_ops_is_named_with_its_op():
    error = fault(lambda: np.var(leaf([1.0, np.inf])))
    assert error.kind == "non-finite"


# --- arrays that were written into ----------------------------------------------------------------------------------

def weights_updated_before_backward():
    w, x = leaf([[1.0, 2.0], [3.0, 4.0]], "W"), leaf([1.0, 1.0], "x")
    loss = ((x @ w) ** 2).sum()
    w.data -= 0.1
    loss.backward()


def weights_updated_under_no_grad():
    w = leaf([1.0, 2.0], "W")
    loss = (w * w).sum()
    with tg.no_grad():
        w *= 0.5
    loss.backward()


def weights_replaced_between_two_backwards():
    w = leaf([1.0, 2.0], "W")
    loss = np.exp(w * w).sum()
    loss.backward()
    w.data = w.data - 0.1 * w.grad
    loss.backward()


def a_loader_reuses_its_buffer():
    batch = np.ones((2, 3))
    h = tg.matmul(batch, leaf(np.ones((3, 1)), "W"))
    batch[...] = 7.0
    h.sum().backward()


def labels_overwritten():
    t = np.array([0, 1])
    loss = tg.softmax_with_loss(leaf([[1.0, 2.0], [3.0, 4.0]], "z"), t)
    t[1] = 0
    loss.backward()


def a_slice_written():
    h = leaf([1.0, 2.0, 3.0], "x") * 2
    loss = (h * h).sum()
    h.data[:2] = 0.0
    loss.backward()


def an_index_written():
    rows = np.array([0, 0, 1])
    picked = leaf([1.0, 2.0], "table")[rows]
    loss = (picked * np.arange(1.0, 4.0)).sum()
    rows[0] = 1
    loss.backward()


def a_result_written():
    y = np.exp(leaf([0.0, 1.0], "x"))
    loss = y.sum()
    y.data[0] = -1.0
    loss.backward()


def a_mask_written():
    mask = np.array([True, False])
    loss = np.where(mask, leaf([1.0, 2.0], "x"), 0.0).sum()
    mask[...] = False
    loss.backward()


def shuffled_in_place():
    w = leaf([3.0, 1.0, 2.0], "W")
    loss = (w * w).sum()
    w.data.sort()
    loss.backward()


def written_through_a_view():
    w = leaf([1.0, 2.0, 3.0], "W")
    first = w[:2]
    loss = np.exp(first).sum() + (first * first).sum()
    w.data[0] = 5.0
    loss.backward()


def a_large_array():
    w = leaf(np.ones(20_000), "W")
    loss = (w * w).sum()
    w.data[19_999] = 3.0
    loss.backward()


WRITTEN = [
    (weights_updated_before_backward, "matmul", "W", "4 of 4 elements changed, the first at [0, 0]: 1 became 0.9"),
    (weights_updated_under_no_grad, "multiply", "W", "the first at [0]: 1 became 0.5"),
    (weights_replaced_between_two_backwards, "multiply", "W", "the first at [0]: 1 became"),
    (a_loader_reuses_its_buffer, "matmul", None, "6 of 6 elements changed, the first at [0, 0]: 1 became 7"),
    (labels_overwritten, "softmax_with_loss", None, "1 of 2 elements changed, the first at [1]: 1 became 0"),
    (a_slice_written, "multiply", None, "2 of 3 elements changed, the first at [0]: 2 became 0"),
    (an_index_written, "getitem", None, "the first at [0]: 0 became 1"),
    (a_result_written, "exp", None, "the first at [0]: 1 became -1"),
    (a_mask_written, "where", None, "the first at [0]: 1 became 0"),
    (shuffled_in_place, "multiply", "W", "the first at [0]: 3 became 1"),
    (written_through_a_view, "multiply", "W", "1 of 2 elements changed, the first at [0]: 1 became 5"),
    (a_large_array, "multiply", "W", "1 of 20,000 elements changed, the first at [19999]: 1 became 3"),
]


@pytest.mark.parametrize(("function", "op", "name", "change"), WRITTEN, ids=lambda x: getattr(x, "__name__", ""))
def test_an_array_that_backward_needs_was_written_into(function, op, name, change):
    error = fault(function)
    assert error.kind == "written"
    assert str(error).startswith(f"{op}: backward needs ")
    assert change in error.facts["change"]
    assert error.facts["name"] == name
    assert name is None or repr(name) in str(error)
    made = int(error.facts["place"].split(":")[1])
    assert function.__code__.co_firstlineno < made < function.__code__.co_firstlineno + 5
    assert "path from the loss: " in str(error)


def test_weights_of_a_wrapped_layer_written_into():
    class Scale:
        def __init__(self):
            self.w, self.dw = np.array([2.0]), None

        def forward(self, x):
            self.x = x
            return self.w * x

        def backward(self, dout):
            self.dw = np.sum(dout * self.x, keepdims=True)
            return dout * self.w

    layer, x = tg.wrap_layer(Scale()), leaf([1.0, 2.0])

    def run():
        loss = layer(x).sum()
        layer.layer.w *= 2
        loss.backward()
    assert fault(run).facts["name"] == "w"
    with tg.debug():  # of its inputs it has copies
        loss = layer(x).sum()
        x.data *= 3
        loss.backward()
    assert layer.weights["w"].grad.tolist() == [3.0]


def test_what_no_gradient_depends_on_may_be_written_into():
    with tg.debug():
        w, b = leaf([1.0, 2.0], "w"), leaf([0.0, 0.0], "b")
        loss = (w * 3 + b).sum()
        b.data -= 1.0
        w.data += 1.0
        loss.backward()
    assert w.grad.tolist() == [3.0, 3.0]


def test_a_weight_may_change_between_a_backward_and_the_next_forward():
    with tg.debug():
        w = leaf([1.0, 2.0], "w")
        for _ in range(4):
            w.zero_grad()
            loss = (w * w * w).sum()
            loss.backward()
            w.data -= 0.01 * w.grad
    assert np.all(w.data < [1.0, 2.0])


def test_a_hook_may_update_the_weight_that_it_was_called_for():
    with tg.debug():
        w = leaf([1.0, 2.0], "w")

        def step(g):
            w.data -= 0.1 * g
        w.register_hook(step)
        (w * w).sum().backward()
    assert w.data.tolist() == [0.8, 1.6]


# --- rules, buffers, dtypes -----------------------------------------------------------------------------------------

def test_a_rule_that_writes_into_what_it_is_given():
    def rule(g, y, x):
        g[x <= 0] = 0.0  # as the lecture's ReLU does it
        return g
    relu = Op(lambda x: np.maximum(x, 0), vjp=(rule,))
    error = fault(lambda: relu(leaf([-1.0, 2.0], "x")).sum().backward())
    assert error.kind == "rule wrote"
    assert error.facts["written"] == "g"
    assert "its rule for argument 0 writes into g" in str(error)
    assert "the first at [0]: 1 became 0" in str(error)


@pytest.mark.parametrize(("rule", "written"), [
    (lambda g, y, x: np.add(g, x, out=x), "argument 0"), (lambda g, y, x: np.add(y, g, out=y), "y")])
def test_a_rule_that_writes_into_inputs_or_output(rule, written):
    bad = Op(lambda x: x * 2, vjp=(rule,))
    error = fault(lambda: bad(leaf([1.0, 2.0])).sum().backward())
    assert (error.kind, error.facts["written"]) == ("rule wrote", written)


def test_a_rule_that_only_asks_for_writable_arrays_is_right():
    def rule(g, y, x):
        if not x.flags.writeable:
            raise ValueError("buffer source array is read-only")
        return 2 * g
    twice = Op(lambda x: x * 2, vjp=(rule,))
    with tg.debug():
        x = leaf([1.0, 2.0])
        twice(x).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


@pytest.mark.parametrize("between", [lambda x: x, lambda x: x + 0], ids=["leaf", "passed on"])
def test_two_gradients_in_one_buffer(between):
    buffer = np.zeros(2)

    def rule(g, y, x):
        return np.multiply(g, x, out=buffer)
    halved = Op(lambda x: x * x / 2, vjp=(rule,))
    a, b = leaf([1.0, 2.0], "a"), leaf([3.0, 4.0], "b")
    error = fault(lambda: (halved(between(a)) + halved(between(b))).sum().backward())
    assert error.kind == "shared"
    assert "two gradients are in one buffer" in str(error)


def test_two_gradients_that_share_one_array():
    a, b = leaf([1.0], "a"), leaf([2.0], "b")
    a.grad = np.zeros(1)
    b.grad = a.grad
    error = fault(lambda: (a * b).sum().backward())
    assert error.kind == "shared"
    assert "'a'" in str(error)
    assert "'b'" in str(error)


def test_rules_may_pass_on_and_share_what_nobody_writes_into():
    with tg.debug():
        a, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
        s = a + b
        (s + s + (a - b)[::-1]).sum().backward()
    assert (a.grad.tolist(), b.grad.tolist()) == ([3.0, 3.0], [1.0, 1.0])


def test_float64_that_creeps_in():
    w = leaf([1.0, 2.0], "w", np.float32)
    error = fault(lambda: w * np.ones(2))
    assert error.kind == "dtype"
    assert (error.facts["before"], error.facts["after"], error.facts["argument"]) == ("float32", "float64", 1)
    assert "argument 1 is float64 (2,), all 1; give it as float32 (test_debug.py:" in str(error)
    assert fault(lambda: w + np.array([1, 2])).facts["argument"] == 1  # int64 times float32 is float64 in NumPy


def test_digits_that_an_op_drops():
    rounded = Op(lambda x: x.astype(np.float32) * 2, vjp=(lambda g, y, x: 2 * g,))
    error = fault(lambda: rounded(leaf([0.1], "x")))
    assert (error.kind, error.facts["before"], error.facts["after"]) == ("dtype", "float64", "float32")
    assert "the op itself computes in float32, and what its input has beyond that is lost" in str(error)


def test_a_dtype_that_was_asked_for_is_no_fault():
    with tg.debug():
        w = leaf([1.0, 2.0], "w", np.float32)
        (w * 2.0).astype(np.float64).sum().backward()
        np.sum(w, dtype=np.float64).backward()
        tg.softmax_with_loss(w, np.array(1)).backward()
        (tg.tensor(np.ones(2, np.float32)) * leaf([1.0, 2.0])).sum().backward()  # nothing is lost on this way
    assert w.grad.dtype == np.float32


# --- leaks ----------------------------------------------------------------------------------------------------------

def test_a_running_total_keeps_every_graph():
    w = leaf([1.0], "w")

    def run():
        total = 0.0
        for _ in range(30):
            total = total + (w * w).sum()
            total.backward()
    error = fault(run)
    assert (error.kind, error.facts["graphs"], error.facts["reached"]) == ("leak", 11, True)
    assert "float(loss)" in str(error)
    assert error.facts["place"] == f"test_debug.py:{run.__code__.co_firstlineno + 3}"


def test_a_list_of_losses_keeps_every_graph():
    w, losses = leaf([1.0], "w"), []

    def run():
        for _ in range(30):
            losses.append((w * w).sum())
            losses[-1].backward()
    error = fault(run)
    assert (error.kind, error.facts["reached"]) == ("leak", False)
    assert "a list of losses" in str(error)
    assert len(losses) == 12


def test_how_many_graphs_may_stay_can_be_said():
    w = leaf([1.0])
    with tg.debug(graphs=30):
        kept = []
        for _ in range(30):
            kept.append((w * w).sum())
            kept[-1].backward()
    with pytest.raises(tg.ArgumentError, match="at least 1"):
        tg.debug(graphs=0)


def test_what_was_computed_before_is_no_leak():
    w = leaf([1.0])
    with tg.debug():
        inputs = [w * i for i in range(100)]
        for x in inputs:
            (x * x).sum().backward()


# --- where it is on -------------------------------------------------------------------------------------------------

def root_of(x):
    with np.errstate(all="ignore"):
        return np.sqrt(leaf([x])).sum()


def test_it_is_a_decorator():
    watched = tg.debug()(root_of)
    with pytest.raises(tg.DebugError, match="sqrt: NaN"):
        watched(-1.0)
    assert np.isnan(float(root_of(-1.0)))
    assert float(watched(4.0)) == 2.0


def test_it_nests_and_ends_with_its_block():
    with tg.debug():
        with tg.debug():
            pass
        assert fault(lambda: root_of(-1.0)).kind == "non-finite"
        with pytest.raises(tg.DebugError):
            root_of(-1.0)
    assert np.isnan(float(root_of(-1.0)))


def test_it_goes_with_scopes():
    with tg.scope("outer"), tg.debug(), tg.scope("inner"):
        y = leaf([1.0]) * 2
        with pytest.raises(tg.DebugError):
            root_of(-1.0)
    assert [name.split("#")[0] for name in y.node.scope] == ["outer", "inner"]


def test_another_thread_has_its_own():
    found = []

    def work():
        try:
            found.append(float(root_of(-1.0)))
        except tg.DebugError as error:
            found.append(error.kind)
    with tg.debug():
        context = contextvars.copy_context()
        for target in (work, lambda: context.run(work)):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    assert np.isnan(found[0])
    assert found[1] == "non-finite"


def test_each_asyncio_task_has_its_own():
    async def watched():
        with tg.debug():
            await asyncio.sleep(0)
            try:
                return float(root_of(-1.0))
            except tg.DebugError as error:
                return error.kind

    async def free():
        await asyncio.sleep(0)
        return float(root_of(-1.0))

    async def both():
        return await asyncio.gather(watched(), free(), watched())
    first, second, third = asyncio.run(both())
    assert (first, third) == ("non-finite", "non-finite")
    assert np.isnan(second)


def test_the_error_is_data():
    error = fault(lambda: root_of(-1.0))
    facts = error.as_dict()
    assert facts["message"] == str(error)
    assert {type(value) for value in facts.values()} <= {str, int, bool, float, type(None)}
    assert isinstance(error, tg.TinygraphError)


@pytest.mark.parametrize(("function", "op"), [(log_of_zero, "log"), (root_at_zero, "sqrt"),
                                              (weights_updated_before_backward, "matmul")])
def test_the_error_has_the_graph_with_the_op_at_fault(function, op):
    graph = fault(function).graph
    assert graph.failed.op == op
    assert graph.message.startswith((op, f"backward of {op}"))
    drawn = tg.draw(graph).scene
    assert [box.alarm for box in drawn.boxes if box.id == f"n{graph.failed.id}"] == [True]
    assert len(drawn.wires) >= len(graph.edges)


# --- no false alarm -------------------------------------------------------------------------------------------------

def test_the_lecture_net_trains_the_same(rng):
    (x, t), _ = tg.data.load_digits()
    nets = [TwoLayerNet(64, 20, 10, seed=0), TwoLayerNet(64, 20, 10, seed=0)]
    for net, watch in zip(nets, (False, True), strict=True):
        buffer = np.empty((50, 64))  # filled again each time, once nobody needs it

        def step(net=net, buffer=buffer, i=0):
            buffer[...] = x[50 * i:50 * i + 50]
            for weight, g in zip(net.params.values(), net.gradient(buffer, t[50 * i:50 * i + 50]).values(),
                                 strict=True):
                weight.data -= 0.1 * g
        for i in range(15):
            (tg.debug()(step) if watch else step)(i=i)
    for name, weight in nets[0].params.items():
        assert np.array_equal(weight.data, nets[1].params[name].data)


def test_the_net_in_float32_and_its_training_loop(tmp_path):
    from tinygraph.training import train
    digits = tg.data.load("digits", dtype=np.float32)
    model = build(digits.input_size, digits.classes, seed=0, dtype=np.float32)
    with tg.debug():
        done = train(model, digits, tg.optim.SGD(model.params, lr=0.1), iters=20, out=tmp_path)
    assert done.step == 20


def test_every_op_of_the_suite_passes():
    """Forward and backward of all sample inputs, in float64, see no fault where there is none."""
    def results(value):
        if isinstance(value, Handle):
            yield value
        for part in value if isinstance(value, tuple | list) else ():
            yield from results(part)
    ran = 0
    for name, cases in CASES.items():
        op = OPS.get(name) or COMPOSED.get(name)
        for case in cases if op is not None and not isinstance(op, Constant) else ():
            def given(a, case=case):
                a = a if case.prepare is None or a.dtype.kind not in "fc" else np.asarray(case.prepare(a))
                return leaf(a, dtype=a.dtype) if a.dtype.kind in "fc" else a
            if any(np.any(~np.isfinite(a)) for a in case.arrays if a.dtype.kind in "fc"):
                continue
            with tg.debug():
                value = case.called(op, given)
                for y in results(case.reader(value) if case.reader else value):
                    if y.requires_grad:
                        y.backward(np.ones(y.shape, y.dtype))
                        ran += 1
    assert ran > 1000


def test_an_op_that_is_stopped_leaves_no_tensor_half_made():
    """As a recording, which looks at every tensor there is, would find it in the error's traceback."""
    x = tg.tensor([np.inf], requires_grad=True)
    for use in (lambda: x - x, lambda: tg.sin(x)):
        with pytest.raises(tg.DebugError) as caught, np.errstate(invalid="ignore"), tg.debug():
            use()
        assert all(hasattr(thing, "node") for thing in gc.get_objects() if type(thing) is tg.Tensor), caught
