"""Optimisers: the update against the recurrence written out by hand, what is left alone, state, third parties."""

from __future__ import annotations

import functools
import math
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
    {"momentum": 0.9, "dampening": 0.5},
    {"weight_decay": 0.1},
    {"momentum": 0.5, "nesterov": True, "weight_decay": 0.01},
]

KINDS: list[tuple[str, dict[str, Any]]] = [
    *[("sgd", settings) for settings in SETTINGS],
    ("momentum", {}), ("nesterov", {}),
    ("adagrad", {}), ("adagrad", {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5}),
    ("rmsprop", {}), ("rmsprop", {"momentum": 0.9, "centered": True, "alpha": 0.9, "weight_decay": 0.1}),
    ("adam", {}), ("adam", {"betas": (0.8, 0.9), "weight_decay": 0.1}),
    ("adamw", {}), ("adamw", {"betas": (0.8, 0.9), "weight_decay": 0.1}),
]
"""Every optimiser that there is, with settings."""

NAMES = {"adagrad": "Adagrad", "rmsprop": "RMSprop", "adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "momentum": "SGD",
         "nesterov": "SGD"}
"""What PyTorch calls them."""

every_kind = pytest.mark.parametrize(("name", "settings"), KINDS, ids=str)


def recurrence(w: float, gradients: list[float], lr: float, momentum: float = 0.0, dampening: float = 0.0,
               weight_decay: float = 0.0, nesterov: bool = False) -> float:
    """PyTorch's SGD, as its documentation writes it down, on one number."""
    v = None
    for g in gradients:
        g += weight_decay * w
        if momentum:
            v = g if v is None else momentum * v + (1 - dampening) * g
            g = g + momentum * v if nesterov else v
        w -= lr * g
    return w


def adagrad(w: float, gradients: list[float], lr: float, lr_decay: float = 0.0, weight_decay: float = 0.0,
            initial_accumulator_value: float = 0.0) -> float:
    """The same of Adagrad."""
    h = initial_accumulator_value
    for n, g in enumerate(gradients):
        g += weight_decay * w
        h += g ** 2
        w -= lr / (1 + n * lr_decay) * g / (math.sqrt(h) + 1e-10)
    return w


def rmsprop(w: float, gradients: list[float], lr: float, alpha: float = 0.99, weight_decay: float = 0.0,
            momentum: float = 0.0, centered: bool = False) -> float:
    """The same of RMSprop."""
    s = mean = v = 0.0
    for g in gradients:
        g += weight_decay * w
        s = alpha * s + (1 - alpha) * g ** 2
        mean = alpha * mean + (1 - alpha) * g
        v = momentum * v + g / (math.sqrt(s - mean ** 2 if centered else s) + 1e-8)
        w -= lr * v
    return w


def adam(w: float, gradients: list[float], lr: float, betas: tuple[float, float] = (0.9, 0.999),
         weight_decay: float = 0.0, decoupled: bool = False) -> float:
    """The same of Adam."""
    m = v = 0.0
    for n, g in enumerate(gradients, 1):
        if decoupled:
            w -= lr * weight_decay * w
        else:
            g += weight_decay * w
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g ** 2
        w -= lr * m / (1 - betas[0] ** n) / (math.sqrt(v / (1 - betas[1] ** n)) + 1e-8)
    return w


FORMULAS = {
    "sgd": recurrence, "adagrad": adagrad, "rmsprop": rmsprop, "adam": adam,
    "momentum": functools.partial(recurrence, momentum=0.9),
    "nesterov": functools.partial(recurrence, momentum=0.9, nesterov=True),
    "adamw": lambda w, gradients, lr, betas=(0.9, 0.999), weight_decay=0.01:
        adam(w, gradients, lr, betas, weight_decay, decoupled=True),
}


def weight(value: Any, dtype: Any = np.float64) -> tg.Tensor:
    return tg.tensor(np.array(value, dtype), requires_grad=True)


@every_kind
def test_the_update_is_the_recurrence(name, settings, rng):
    gradients = rng.standard_normal((20, 3))
    w = weight([1.0, -2.0, 0.5])
    optimizer = find(name)([w], 0.1, **settings)
    for g in gradients:
        w.grad = g
        optimizer.step()
    wanted = [FORMULAS[name](w0, list(gradients[:, i]), 0.1, **settings) for i, w0 in enumerate([1.0, -2.0, 0.5])]
    np.testing.assert_allclose(w.data, wanted, rtol=1e-13)


@every_kind
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_update_is_pytorchs(name, settings, dtype, rng):
    torch = pytest.importorskip("torch")
    start, gradients = rng.standard_normal((3, 2)).astype(dtype), rng.standard_normal((20, 2, 3, 2)).astype(dtype)
    ours, theirs = [weight(start, dtype) for _ in range(2)], [torch.tensor(start, requires_grad=True) for _ in range(2)]
    if name in ("momentum", "nesterov"):
        settings = {"momentum": 0.9, "nesterov": name == "nesterov"}
    optimizer = find(name)(ours, 0.05, **settings)
    other = getattr(torch.optim, NAMES[name])(theirs, lr=0.05, **settings)
    for n, both in enumerate(gradients):
        for w, v, g, seldom in zip(ours, theirs, both, (1, 3), strict=True):
            w.grad, v.grad = (g, torch.tensor(g)) if n % seldom == 0 else (None, None)
        if n == 10:
            optimizer.lr = other.param_groups[0]["lr"] = 0.01
        optimizer.step()
        other.step()
    for w, v in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(w.data, v.detach().numpy(), rtol=1e-12 if dtype == "float64" else 1e-5, atol=1e-7)


@every_kind
def test_a_compiled_step_is_the_step_itself_bit_for_bit(name, settings, rng):
    def make():
        w, v = weight(np.ones(3), np.float32), weight(2.0)
        optimizer = find(name)({"w": w, "v": v}, 0.05, **settings)

        def step(x):
            optimizer.zero_grad()
            loss = ((w * x) ** 2).mean() * v  # a sum of all elements is added up in another order
            loss.backward()
            optimizer.step()
            return loss
        return optimizer, step
    optimizer, eager = make()
    other, step = make()
    step = tg.compile(step)
    for n, x in enumerate(rng.standard_normal((12, 3)).astype(np.float32)):
        if n == 6:
            optimizer.lr = other.lr = 0.01
        assert step(x).data.tobytes() == eager(x).data.tobytes()
    assert "\ndef step(" in "\n" + step.source
    a, b = optimizer.state(), other.state()
    assert a["steps"] == b["steps"] == 12
    for purpose, arrays in a["slots"].items():
        for key, array in arrays.items():
            assert b["slots"][purpose][key].tobytes() == array.tobytes()


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


def test_a_weight_that_has_a_gradient_only_later_starts_to_count_then_compiled_too():
    def make():
        w, v = weight(np.ones(3)), weight(np.ones(3))
        optimizer = find("adam")({"w": w, "v": v}, lr=0.1)

        def step(x, both):
            optimizer.zero_grad()
            loss = (w * x).sum() ** 2 + ((v * x).sum() ** 2 if both else 0)
            loss.backward()
            optimizer.step()
            return loss
        return optimizer, step
    (optimizer, eager), (other, step) = make(), make()
    step = tg.compile(step)
    for n in range(12):
        assert step(np.full(3, 1.0 + n), n > 5).item() == eager(np.full(3, 1.0 + n), n > 5).item()
    assert optimizer.state()["slots"]["missed"] == other.state()["slots"]["missed"] == {"v": 6}
    assert optimizer.weights["v"].data.tobytes() == other.weights["v"].data.tobytes()


@every_kind
def test_the_array_is_written_in_place_and_the_gradient_is_not(name, settings):
    array = np.array([1.0, 2.0])
    w = tg.tensor(array, requires_grad=True)
    optimizer = find(name)([w], 0.1, **settings)
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


@every_kind
@pytest.mark.parametrize("lr", [0.1, np.float64(0.1), np.array(0.1), 1])
def test_float32_stays_float32(name, settings, lr):
    w = weight([1.0], np.float32)
    optimizer = find(name)([w], lr, **settings)
    for _ in range(2):
        w.grad = np.ones(1, np.float32)
        optimizer.step()
    assert w.dtype == np.float32
    for arrays in optimizer.state()["slots"].values():
        assert arrays["0"].dtype == np.float32


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
    ({"lr": 0.1, "nesterov": True}, "nesterov"), ({"momentum": 0.9, "dampening": 0.1, "nesterov": True}, "dampening"),
    ({"name": "adam", "betas": (0.9, 1.0)}, r"the second of betas should be in \[0, 1\)"),
    ({"name": "rmsprop", "alpha": -0.1}, "alpha should be"), ({"name": "adagrad", "eps": -1}, "eps should be"),
])
def test_a_setting_out_of_range_is_named(arguments, words):
    arguments = {"name": "sgd", **arguments}
    with pytest.raises(ArgumentError, match=words):
        find(arguments.pop("name"))([weight(1.0)], **arguments)


def test_a_learning_rate_out_of_range_is_refused_later_too():
    optimizer = SGD([weight(1.0)], 0.1)
    with pytest.raises(ArgumentError, match="lr should be"):
        optimizer.lr = -1.0
    assert optimizer.lr == 0.1


def test_weights_that_cannot_be_trained_are_named():
    w = weight([1.0])
    with pytest.raises(ArgumentError, match="this is one tensor"):
        SGD(w, 0.1)
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


@every_kind
def test_a_restored_optimizer_goes_on_bit_for_bit(name, settings, rng, tmp_path):
    gradients = rng.standard_normal((6, 4))
    straight, broken = weight(np.ones(4)), weight(np.ones(4))
    one, other = find(name)({"w": straight}, 0.1, **settings), find(name)({"w": broken}, 0.1, **settings)
    for i, g in enumerate(gradients):
        if i == 3:
            tg.save_state(tmp_path / "s", other.state())
            other = find(name)({"w": broken}, 0.7, **settings)
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
    with pytest.raises(ArgumentError, match="no optimizer \"nobody's\": choose one of adagrad, adam,"):
        find("nobody's")
