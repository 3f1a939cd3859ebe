"""Optimisers: the update against the recurrence written out by hand, what is left alone, state, third parties."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

import tinygraph as tg
from tinygraph.core.errors import ArgumentError, GradientError, StateError
from tinygraph.optim import OPTIMIZERS, SGD, Optimizer, find, load_plugins, register

SETTINGS = [
    {},
    {"momentum": 0.9},
    {"momentum": 0.9, "nesterov": True},
    {"weight_decay": 0.1},
    {"momentum": 0.5, "nesterov": True, "weight_decay": 0.01},
]


def recurrence(w: float, gradients: list[float], lr: float, momentum: float = 0.0, nesterov: bool = False,
               weight_decay: float = 0.0) -> float:
    """PyTorch's SGD, as its documentation writes it down, on one number."""
    v = None
    for g in gradients:
        g += weight_decay * w
        if momentum:
            v = g if v is None else momentum * v + g
            g = g + momentum * v if nesterov else v
        w -= lr * g
    return w


def weight(value: Any, dtype: Any = np.float64) -> tg.Tensor:
    return tg.tensor(np.array(value, dtype), requires_grad=True)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_update_is_the_recurrence(settings, rng):
    gradients = rng.standard_normal((5, 3))
    w = weight([1.0, -2.0, 0.5])
    optimizer = SGD([w], 0.1, **settings)
    for g in gradients:
        w.grad = g
        optimizer.step()
    expected = [recurrence(w0, list(gradients[:, i]), 0.1, **settings) for i, w0 in enumerate([1.0, -2.0, 0.5])]
    np.testing.assert_allclose(w.data, expected, rtol=1e-14)


def test_momentum_goes_where_it_should_in_the_long_run():
    # Under a constant gradient the velocity tends to g / (1 - momentum).
    w = weight(0.0)
    optimizer = SGD({"w": w}, lr=1.0, momentum=0.5)
    before = 0.0
    for _ in range(60):
        before = w.item()
        w.grad = np.array(1.0)
        optimizer.step()
    assert before - w.item() == pytest.approx(2.0, rel=1e-12)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_array_is_written_in_place_and_the_gradient_is_not(settings):
    array = np.array([1.0, 2.0])
    w = tg.tensor(array, requires_grad=True)
    optimizer = SGD([w], 0.1, **settings)
    for _ in range(3):
        w.grad = np.array([1.0, -1.0])
        optimizer.step()
        assert w.grad.tolist() == [1.0, -1.0]
    assert w.data is array
    assert w.is_leaf
    assert w.requires_grad


def test_a_velocity_is_not_the_gradients_own_array():
    w = weight([1.0])
    optimizer = SGD([w], 0.1, momentum=0.9)
    w.grad = np.array([1.0])
    optimizer.step()
    w.grad[...] = 100.0
    assert optimizer.state()["slots"]["velocity"]["0"].tolist() == [1.0]


@pytest.mark.parametrize("lr", [0.1, np.float64(0.1), np.array(0.1), 1])
def test_float32_stays_float32(lr):
    w = weight([1.0], np.float32)
    optimizer = SGD([w], lr, momentum=np.float64(0.9), weight_decay=np.float64(0.1))
    for _ in range(2):
        w.grad = np.ones(1, np.float32)
        optimizer.step()
    assert w.dtype == np.float32
    assert optimizer.state()["slots"]["velocity"]["0"].dtype == np.float32


def test_a_weight_without_a_gradient_is_left_alone():
    used, unused = weight([1.0]), weight([1.0])
    optimizer = SGD({"used": used, "unused": unused}, 0.5, momentum=0.9, weight_decay=0.1)
    (used * 2).sum().backward()
    optimizer.step()
    assert used.item() == pytest.approx(1 - 0.5 * 2.1)
    assert unused.item() == 1.0


def test_zero_grad_forgets_all_gradients():
    a, b = weight(1.0), weight(2.0)
    optimizer = SGD([a, b], 0.1)
    (a * b).backward()
    optimizer.zero_grad()
    assert a.grad is None
    assert b.grad is None


def test_gradients_that_can_themselves_be_differentiated():
    w = weight([3.0])
    (w ** 2).sum().backward(create_graph=True)
    SGD([w], 0.5).step()
    assert w.data.tolist() == [0.0]


def test_the_learning_rate_may_change_between_steps():
    w = weight([1.0])
    optimizer = SGD([w], 0.5)
    for lr in (0.5, 0.25):
        optimizer.lr = lr
        w.grad = np.ones(1)
        optimizer.step()
    assert w.item() == 0.25


def test_a_plain_step_makes_one_array_of_the_weights_size():
    w = weight(np.ones(1_000_000))
    w.grad = np.ones(1_000_000)
    optimizer = SGD([w], 0.1)
    tracemalloc.start()
    try:
        optimizer.step()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.01 * w.nbytes


@pytest.mark.parametrize(("arguments", "words"), [
    ({"lr": -0.1}, "lr should be"), ({"lr": float("nan")}, "lr should be"), ({"lr": float("inf")}, "lr should be"),
    ({"lr": 0.1, "momentum": -1}, "momentum should be"), ({"lr": 0.1, "weight_decay": -1}, "weight_decay should be"),
    ({"lr": 0.1, "nesterov": True}, "nesterov"),
])
def test_a_setting_out_of_range_is_named(arguments, words):
    with pytest.raises(ArgumentError, match=words):
        SGD([weight(1.0)], **arguments)


def test_weights_that_cannot_be_trained_are_named():
    w = weight([1.0])
    with pytest.raises(ArgumentError, match="no weights"):
        SGD([], 0.1)
    with pytest.raises(ArgumentError, match="'0' should be a Tensor, and is a ndarray"):
        SGD([np.ones(1)], 0.1)  # type: ignore[list-item]
    with pytest.raises(GradientError, match="'b' requires no gradient"):
        SGD({"a": w, "b": tg.tensor([1.0])}, 0.1)
    with pytest.raises(GradientError, match="'0' was computed"):
        SGD([w * 2], 0.1)
    with pytest.raises(ArgumentError, match="twice"):
        SGD({"a": w, "b": w}, 0.1)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_restored_optimizer_goes_on_bit_for_bit(settings, rng, tmp_path):
    gradients = rng.standard_normal((6, 4))
    straight, broken = weight(np.ones(4)), weight(np.ones(4))
    one, other = SGD({"w": straight}, 0.1, **settings), SGD({"w": broken}, 0.1, **settings)
    for i, g in enumerate(gradients):
        if i == 3:
            tg.save_state(tmp_path / "s", other.state())
            other = SGD({"w": broken}, 0.7, **settings)
            other.restore(tg.load_state(tmp_path / "s"))
        straight.grad, broken.grad = g, g
        one.step()
        other.step()
    assert straight.data.tobytes() == broken.data.tobytes()
    assert other.lr == 0.1
    assert other.steps == 6


def test_a_state_is_a_snapshot():
    w = weight([1.0])
    optimizer = SGD([w], 0.1, momentum=0.9)
    w.grad = np.ones(1)
    optimizer.step()
    state = optimizer.state()
    optimizer.step()
    assert state["slots"]["velocity"]["0"].tolist() == [1.0]
    optimizer.restore(state)
    optimizer.step()
    assert state["slots"]["velocity"]["0"].tolist() == [1.0]


@pytest.mark.parametrize(("change", "words"), [
    ({"optimizer": "adam"}, "'adam'"),
    ({"slots": {"velocity": {"b": np.ones(2)}}}, "'b'"),
    ({"slots": {"velocity": {"w": np.ones(3)}}}, r"\(3,\)"),
    ({"slots": {"velocity": {"w": np.ones(2, np.float32)}}}, "float32"),
    ({"slots": {"velocity": {"w": 3}}}, "should be what"),
    ({"settings": {"lr": 1.0}}, "momentum"),
    ({"slots": None}, "should be what"),
])
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(change, words):
    w = weight([1.0, 2.0])
    optimizer = SGD({"w": w}, 0.1, momentum=0.9)
    w.grad = np.ones(2)
    optimizer.step()
    before = optimizer.state()
    with pytest.raises(StateError, match=words):
        optimizer.restore({**before, "steps": 99, **change})
    after = optimizer.state()
    assert after["steps"] == 1
    np.testing.assert_array_equal(after["slots"]["velocity"]["w"], before["slots"]["velocity"]["w"])


def test_an_optimizer_of_ones_own():
    try:
        @register("sign")
        class Sign(Optimizer):
            def update(self, name, weight, g):
                weight.data -= self.lr * np.sign(g)

        w = weight([1.0, 1.0])
        optimizer = find("sign")([w], 0.25)
        w.grad = np.array([7.0, -7.0])
        optimizer.step()
        assert w.data.tolist() == [0.75, 1.25]
        assert optimizer.state()["optimizer"] == "sign"
        with pytest.raises(ArgumentError, match="already"):
            register("sign")(Sign)
    finally:
        del OPTIMIZERS["sign"]


def test_an_optimizer_of_another_package_is_found_on_the_first_miss(tmp_path, monkeypatch):
    (tmp_path / "their_package.py").write_text(
        "from tinygraph.optim import SGD, register\n\n@register('theirs')\nclass Theirs(SGD):\n    pass\n")
    info = tmp_path / "their_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tinygraph.optimizers]\ntheirs = their_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    load_plugins.cache_clear()
    try:
        assert "theirs" not in OPTIMIZERS
        assert OPTIMIZERS["theirs"].__name__ == "Theirs"
    finally:
        OPTIMIZERS.pop("theirs", None)


def test_a_name_that_nobody_registered():
    with pytest.raises(KeyError):
        OPTIMIZERS["nobody's"]
    with pytest.raises(ArgumentError, match="no optimizer \"nobody's\": choose one of sgd"):
        find("nobody's")
