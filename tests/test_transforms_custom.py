"""Functions that go back their own way: stop_gradient, custom_vjp, checkpoint."""

from __future__ import annotations

import gc
import tracemalloc
import weakref

import numpy as np
import pytest

import tinygraph as tg


def leaf(value):
    return tg.tensor(np.array(value, float), requires_grad=True)


# --- stop_gradient, custom_vjp ----------------------------------------------------------------------------------------

def test_stop_gradient():
    assert tg.grad(lambda x: x * tg.stop_gradient(x ** 2))(3.0) == 9
    assert tg.jvp(lambda x: x * tg.stop_gradient(x ** 2), (3.0,), (1.0,))[1] == 9
    stopped = tg.stop_gradient({"x": leaf([1, 2]), "y": (leaf(1) * 2, 3, "text")})
    assert not stopped["x"].requires_grad
    assert not stopped["y"][0].requires_grad
    assert stopped["y"][1:] == (3, "text")
    x = np.ones(2)
    assert tg.stop_gradient(x) is x


@tg.custom_vjp(lambda g, y, x, w: (g * w * tg.sigmoid(w * x), g * x * tg.sigmoid(w * x)))
def softplus(x, w):
    """log(1 + exp(wx))."""
    return np.maximum(w * x, 0) + np.log1p(np.exp(-np.absolute(w * x)))


def test_custom_vjp_is_the_rule():
    assert softplus.__doc__ == "log(1 + exp(wx))."
    assert softplus(0.0, 1.0) == np.log(2)
    x, w = np.array([0.5, -2.0]), 1.5
    np.testing.assert_allclose(tg.elementwise_grad(softplus)(x, w), w / (1 + np.exp(-w * x)))
    tg.check_grads(softplus, (x, w), order=3, modes=("rev", "fwd"))
    doubled = tg.custom_vjp(lambda g, y, x: 2 * g)(lambda x: x)
    assert tg.grad(doubled)(3.0) == 2
    assert tg.jvp(doubled, (3.0,), (1.0,))[1] == 2
    assert [node.op for node in tg.graph(doubled(leaf(1)))] == [None, "<lambda>"]


def test_the_rule_has_the_value_the_containers_and_the_keywords():
    def rule(g, y, p, n, *, scale):
        assert n == 3
        return {"a": g["s"] * scale * p["b"], "b": g["s"] * scale * p["a"] + g["r"][0] * y["r"][0] / p["b"]}, None

    @tg.custom_vjp(rule)
    def f(p, n, *, scale):
        return {"s": scale * p["a"] * p["b"], "r": [p["b"] ** 1, "text", n]}
    p = {"a": np.array([1.0, 2.0]), "b": np.array([3.0, 4.0])}
    value = f(p, 3, scale=10)
    assert type(value["s"]) is np.ndarray
    y, pull = tg.vjp(lambda p: f(p, 3, scale=10), p)
    assert y["r"][1:] == ["text", 3]
    g, = pull({"s": np.ones(2), "r": None})
    assert g["a"].tolist() == [30, 40]
    assert g["b"].tolist() == [10, 20]
    g, = pull({"s": None, "r": [np.array([5.0, 7.0]), None, None]})
    assert g["b"].tolist() == [5, 7]


def test_the_function_may_leave_the_graph():
    """Implicit differentiation: x = cos x + a, solved without the graph, has dx/da = 1 / (1 + sin x)."""
    @tg.custom_vjp(lambda g, y, a: g / (1 + np.sin(y)))
    def fixed_point(a):
        x, a = 0.5, np.asarray(a)
        for _ in range(200):
            x = np.cos(x) + a
        return x
    x = fixed_point(0.1)
    assert tg.grad(fixed_point)(0.1) == pytest.approx(1 / (1 + np.sin(x)))
    tg.check_grads(fixed_point, 0.1, order=3)


def test_what_the_rule_cannot_serve_is_an_error():
    w = leaf(2)
    uses = tg.custom_vjp(lambda g, y, x: g)(lambda x: w * x)
    for use in (lambda: uses(leaf(1)), lambda: uses(1.0), lambda: tg.grad(uses)(1.0)):
        with pytest.raises(tg.GradientError, match=r"uses a tensor that requires a gradient and is none of its posi"):
            use()
    with tg.no_grad():
        assert uses(leaf(1)).data == 2
    rule_uses = tg.custom_vjp(lambda g, y, x: g * w)(lambda x: 2 * x)
    with pytest.raises(tg.GradientError, match=r"its rule uses a tensor that requires a gradient"):
        tg.grad(rule_uses)(1.0)
    two = tg.custom_vjp(lambda g, y, a, b: g)(lambda a, b: a * b)
    with pytest.raises(tg.GradientError, match=r"one cotangent for each of its 2 positional arguments, and gave an a"):
        tg.grad(two)(1.0, 2.0)
    one = tg.custom_vjp(lambda g, y, x: (g, g))(lambda x: 2 * x)
    with pytest.raises(tg.GradientError, match=r"of its 1 positional arguments, and gave a tuple of 2"):
        tg.grad(one)(1.0)
    shape = tg.custom_vjp(lambda g, y, x: np.ones(3))(lambda x: 2 * x)
    with pytest.raises(tg.GradientError, match=r"gave a gradient of shape \(3,\).*the input's \(2,\)"):
        tg.elementwise_grad(shape)(np.ones(2))


def test_a_custom_rule_sums_and_casts_like_any_other():
    plus = tg.custom_vjp(lambda g, y, a, b: (g, g))(lambda a, b: a + b)
    a, b = tg.tensor(np.ones((2, 3), np.float32), True), tg.tensor(np.ones(3), True)
    plus(a, b).sum().backward()
    assert a.grad.dtype == np.float32
    assert b.grad.tolist() == [2, 2, 2]


# --- checkpoint -------------------------------------------------------------------------------------------------------

def test_checkpoint_gives_weights_outside_their_gradients(rng):
    w, b = leaf(rng.normal(size=(3, 3))), leaf(np.zeros(3))
    x = rng.normal(size=(4, 3))

    def block(x):
        return np.tanh(x @ w + b)

    def run(block):
        for t in (w, b):
            t.zero_grad()
        x_leaf = leaf(x)
        y = (block(block(block(x_leaf) * 2)) ** 2).sum()
        y.backward()
        return [y.data, w.grad, b.grad, x_leaf.grad]
    for plain, again in zip(run(block), run(tg.checkpoint(block)), strict=True):
        np.testing.assert_allclose(again, plain, rtol=1e-13)


def test_a_block_goes_no_further_back_than_to_what_it_was_given(rng):
    """Its argument was computed from a weight that it uses as well; that way belongs to the rest of the graph."""
    w = leaf(rng.normal(size=3))
    x = np.exp(w)
    hidden = tg.checkpoint(lambda x: x * w)(x)
    tg.checkpoint(lambda: (hidden * w * x).sum())().backward()
    np.testing.assert_allclose(w.grad, 2 * w.data * np.exp(2 * w.data) * (1 + w.data), rtol=1e-13)


def test_checkpoint_runs_the_function_once_more_for_each_sweep_and_keeps_one_node():
    calls = []

    @tg.checkpoint
    def f(x, *, scale):
        calls.append(0)
        y = np.sin(x)
        return {"y": y * scale, "z": (y ** 2, "text", 5)}
    x, scale = leaf([1, 2]), leaf(3)
    out = f(x, scale=scale)
    assert out["z"][1:] == ("text", 5)
    assert [node.op for node in tg.graph(out["y"] + out["z"][0])] == [None, None, "f", "add"]
    (out["y"] + out["z"][0]).sum().backward()
    assert len(calls) == 2
    np.testing.assert_allclose(x.grad, np.cos([1, 2]) * (3 + 2 * np.sin([1, 2])))
    np.testing.assert_allclose(scale.grad, np.sin([1, 2]).sum())
    with tg.no_grad():
        assert not f(x, scale=scale)["y"].requires_grad
    assert len(calls) == 3
    assert type(f(np.ones(2), scale=1.0)["y"]) is np.ndarray


def test_checkpoint_to_any_order_inside_everything(rng):
    w = tg.tensor(1.5)
    f = tg.checkpoint(lambda x, w: np.sin(x * w) * x)
    tg.check_grads(f, (0.4, 1.5), order=3, modes=("rev", "fwd"))
    inside = tg.checkpoint(lambda x: f(x, w) ** 2)
    plain = tg.grad(tg.grad(lambda x: (np.sin(x * 1.5) * x) ** 2))(0.4)
    assert tg.grad(tg.grad(inside))(0.4) == pytest.approx(plain)
    assert tg.jvp(tg.grad(inside), (0.4,), (1.0,))[1] == pytest.approx(plain)
    assert tg.hessian(inside)(0.4) == pytest.approx(plain)
    assert tg.grad(tg.checkpoint(tg.grad(tg.checkpoint(inside))))(0.4) == pytest.approx(plain)


def test_an_argument_that_is_also_found_outside_is_counted_once_for_each_use():
    x = leaf(3)
    tg.checkpoint(lambda y: x * y * y)(x).backward()
    assert x.grad == 27
    assert tg.grad(lambda x: tg.checkpoint(lambda y: x * y * y)(x))(3.0) == 27
    assert tg.grad(lambda x: tg.checkpoint(lambda y: y)(x))(3.0) == 1


def test_checkpoint_saves_memory():
    """A chain of 40 blocks of 20 operations on 80 kB: 800 arrays without, 40 and 20 with."""
    def block(x):
        for _ in range(20):
            x = np.sin(x)
        return x

    def peak(block):
        x = leaf(np.ones(10_000))
        tracemalloc.start()
        y = x
        for _ in range(40):
            y = block(y)
        y.sum().backward()
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size
    assert peak(tg.checkpoint(block)) < 0.15 * peak(block)


def test_checkpoint_finds_out_what_it_cannot_repeat(rng):
    x, w = leaf(np.ones(100)), leaf(2)
    dropout = tg.checkpoint(lambda x: x * rng.integers(0, 2, 100))
    with pytest.raises(tg.GradientError, match=r"checkpoint: <lambda> gave another value when it was run again"):
        dropout(x).sum().backward()
    state = {"w": w}
    y = tg.checkpoint(lambda x: x * state["w"])(x)
    state["w"] = tg.tensor(2.0, requires_grad=True, name="another")
    with pytest.raises(tg.GradientError, match=r"used other tensors .*'another'"):
        y.sum().backward()


def test_checkpoint_sees_a_name_that_was_given_another_value_since():
    """`t += v` points the handle at a new node; what was computed before keeps the old one."""
    t = leaf([1, 2]) * 1
    y = tg.checkpoint(lambda t: t * t)(t)
    kept = t
    t += 10
    kept.retain_grad()
    y.sum().backward()
    x = leaf([1, 2])
    t = x * 1
    y = tg.checkpoint(lambda t: t * t)(t)
    t += 10
    y.sum().backward()
    assert x.grad.tolist() == [2, 4]


def test_checkpointed_layers_of_a_chain_are_freed(rng):
    """No cycle: with the collector off nothing stays."""
    gc.collect()
    gc.disable()
    try:
        x = leaf(np.ones(3))
        y = tg.checkpoint(lambda x: np.sin(x) ** 2)(x)
        y.sum().backward()
        watch = weakref.ref(y)
        node = y.node
        op = weakref.ref(node.op)
        del y, node
        assert watch() is None
        assert op() is None
    finally:
        gc.enable()
