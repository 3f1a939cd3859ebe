"""The training loop: what it computes, that it goes on bit for bit, how it ends; curves and model scripts."""

from __future__ import annotations

import csv
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygraph as tg
from tinygraph.core.errors import ArgumentError, MissingDependencyError, ScriptError, StateError
from tinygraph.data import Batches, Dataset, load
from tinygraph.optim import SGD, find
from tinygraph.training import (
    Curve,
    Report,
    Training,
    accuracy_of,
    load_checkpoint,
    load_script,
    load_state,
    loss_of,
    save_state,
    train,
)
from tinygraph.training.interruption import Interruption
from tinygraph.training.script import CHUNK

MODEL = Path(__file__).parents[1] / "models" / "two_layer_net.py"


@pytest.fixture(scope="module")
def spiral() -> Dataset:
    return load("spiral", dtype=np.float64)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the pictures out, which would take most of the time."""
    monkeypatch.setattr(Curve, "png", lambda self, title="": b"")


class Net:
    """A small net on the contract alone, with dropout, so that it remembers more than its weights."""

    def __init__(self, inputs: int, classes: int, dropout: float = 0.0) -> None:
        rng = np.random.default_rng(0)
        self.params = {"W": tg.tensor(rng.standard_normal((inputs, 8)), True, name="W"),
                       "V": tg.tensor(rng.standard_normal((8, classes)), True, name="V")}
        self.noise, self.dropout = np.random.default_rng(1), dropout

    def predict(self, x: Any) -> tg.Tensor:
        return tg.tanh(x @ self.params["W"]) @ self.params["V"]

    def loss(self, x: Any, t: Any) -> tg.Tensor:
        hidden = tg.tanh(x @ self.params["W"])
        return tg.softmax_with_loss(hidden * (self.noise.random(hidden.shape) >= self.dropout) @ self.params["V"], t)

    def state(self) -> dict[str, Any]:
        return {"noise": self.noise.bit_generator.state}

    def restore(self, state: dict[str, Any]) -> None:
        self.noise.bit_generator.state = state["noise"]


class Noisy(Net):
    """The same with dropout drawn through tg.random."""

    def loss(self, x: Any, t: Any) -> tg.Tensor:
        hidden = tg.tanh(x @ self.params["W"])
        return tg.softmax_with_loss(hidden * (tg.random.rand(*hidden.shape) >= self.dropout) @ self.params["V"], t)


class StopAt(Report):
    """Presses Ctrl-C after a step, by a real signal."""

    def __init__(self, step: int, times: int = 1) -> None:
        self.at, self.times = step, times

    def step(self, step: int, loss: float) -> None:
        if step == self.at:
            for _ in range(self.times):
                signal.raise_signal(signal.SIGINT)


class Heard(Report):
    def __init__(self) -> None:
        self.steps: list[tuple[int, float]] = []
        self.points: list[tuple[Any, int]] = []
        self.ended = 0

    def step(self, step, loss):
        self.steps.append((step, loss))

    def point(self, point, epoch):
        self.points.append((point, epoch))

    def end(self):
        self.ended += 1


# --- what it computes -------------------------------------------------------------------------------------------------


def test_the_loop_is_gradient_descent_written_out_by_hand(spiral):
    model, other = Net(2, 3), Net(2, 3)
    training = train(model, spiral, SGD(model.params, 0.1), iters=10, batch_size=30, seed=5)
    batches = Batches(spiral.x_train, spiral.t_train, 30, np.random.default_rng((5, 1)))
    for step in range(10):
        x, t = next(batches)
        loss = other.loss(x, t)
        assert training.curve.losses[step] == loss.item()
        for weight in other.params.values():
            weight.zero_grad()
        loss.backward()
        for weight in other.params.values():
            weight.data -= 0.1 * weight.grad
    for name, weight in model.params.items():
        np.testing.assert_array_equal(weight.data, other.params[name].data)


def test_accuracies_are_measured_before_at_each_epoch_and_at_the_end(spiral):
    model, heard = Net(2, 3), Heard()
    training = train(model, spiral, SGD(model.params, 0.1), iters=8, batch_size=100, report=heard)
    assert training.stopped == ""
    assert [point.step for point, _ in heard.points] == [0, 3, 6, 8]
    assert [epoch for _, epoch in heard.points] == [0, 1, 2, 2]
    assert [step for step, _ in heard.steps] == list(range(1, 9))
    assert heard.ended == 1
    last = training.curve.points[-1]
    assert last.train == accuracy_of(model, spiral.x_train, spiral.t_train)
    assert last.test == accuracy_of(model, spiral.x_test, spiral.t_test)


def test_a_net_learns_the_digits():
    digits = load("digits", dtype=np.float64)
    model = load_script(MODEL).model(digits.input_size, digits.classes, seed=0)
    curve = train(model, digits, SGD(model.params, 0.5), iters=600).curve
    assert curve.points[0].test < 0.3
    assert curve.points[-1].train > 0.97
    assert curve.points[-1].test > 0.87


def test_without_a_folder_no_file_is_written(spiral, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = Net(2, 3)
    train(model, spiral, SGD(model.params, 0.1), iters=3)
    assert list(tmp_path.iterdir()) == []


def test_accuracy_in_chunks_is_the_accuracy_of_the_whole(rng):
    x = rng.standard_normal((2 * CHUNK + 7, 2))
    t = rng.integers(0, 3, len(x))
    model = Net(2, 3)
    expected = np.mean(np.argmax(model.predict(x).data, axis=1) == t)
    assert accuracy_of(model, x, t) == pytest.approx(expected, rel=1e-12)
    assert accuracy_of(model, x, np.eye(3)[t]) == pytest.approx(expected, rel=1e-12)
    sizes = []

    class Counting:
        def accuracy(self, x, t):
            assert not tg.is_grad_enabled()
            sizes.append(len(x))
            return float(len(x) == CHUNK)

    assert accuracy_of(Counting(), x, t) == 2 * CHUNK / len(x)
    assert sizes == [CHUNK, CHUNK, 7]


@pytest.mark.parametrize(("loss", "words"), [
    (lambda x, t: 1.0, "is a float"), (lambda x, t: tg.tensor([1.0]), r"is a tensor \(1,\)"),
    (lambda x, t: None, "is a NoneType"),
])
def test_a_loss_that_is_none_is_named(loss, words):
    model = Net(2, 3)
    model.loss = loss  # type: ignore[method-assign]
    with pytest.raises(ScriptError, match=words):
        loss_of(model, np.ones((1, 2)), np.zeros(1, int))


# --- going on ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [1, 4, 6, 7])  # in an epoch and at the end of one, of three steps each
@pytest.mark.parametrize("how", [{}, {"momentum": 0.9, "nesterov": True}, {"replace": True}, {"dropout": 0.3},
                                 {"net": Noisy, "dropout": 0.3}, {"net": Noisy, "dropout": 0.3, "compiled": True}],
                         ids=["sgd", "nesterov", "replace", "dropout", "tg.random", "compiled"])
def test_a_training_that_was_stopped_goes_on_bit_for_bit(at, how, spiral, tmp_path, undrawn):
    how = dict(how)
    replace, dropout, net = how.pop("replace", False), how.pop("dropout", 0.0), how.pop("net", Net)
    compiled = how.pop("compiled", False)

    def run(out: str, **more: Any) -> Training:
        tg.random.seed(5 if "resume" not in more else 6)
        model = net(2, 3, dropout)
        return train(model, spiral, SGD(model.params, 0.1, **how), iters=11, batch_size=100, seed=3, replace=replace,
                     out=tmp_path / out, compiled=compiled, **more)

    run("straight")
    assert run("stopped", report=StopAt(at)).stopped == "interrupted"
    assert load_state(tmp_path / "stopped" / "checkpoint.safetensors")["batches"]["step"] == at
    assert run("stopped", resume=tmp_path / "stopped" / "checkpoint.safetensors").stopped == ""
    for name in ("checkpoint.safetensors", "curve.csv"):
        assert (tmp_path / "straight" / name).read_bytes() == (tmp_path / "stopped" / name).read_bytes(), name


@pytest.mark.parametrize("optimizer", ["sgd", "nesterov", "adam"])
def test_a_compiled_training_is_the_training_itself(optimizer, spiral):
    runs = []
    for compiled in (False, True):
        tg.random.seed(1)
        model = Noisy(2, 3, 0.2)
        runs.append(train(model, spiral, find(optimizer)(model.params, 0.05), iters=40, compiled=compiled))
    eager, same = runs
    np.testing.assert_allclose(same.curve.losses, eager.curve.losses, rtol=1e-10)
    for name, w in eager.model.params.items():
        np.testing.assert_allclose(same.model.params[name].data, w.data, rtol=1e-9)
    assert "rng.random(" in same._take_step.source  # type: ignore[attr-defined]


def test_a_step_that_cannot_be_compiled_trains_as_it_is_and_says_so(spiral):
    losses = []
    for compiled in (False, True):
        model = Net(2, 3, dropout=0.3)  # which draws from a generator of its own
        if compiled:
            with pytest.warns(RuntimeWarning, match="random numbers come from tg.random"):
                training = train(model, spiral, SGD(model.params, 0.1), iters=5, compiled=True)
        else:
            training = train(model, spiral, SGD(model.params, 0.1), iters=5)
        losses.append(training.curve.losses[0])
    assert losses[1] == pytest.approx(losses[0], rel=1e-14)  # the first call, which is compiled, adds in another order


def test_more_steps_after_the_end_are_those_of_one_longer_training(spiral, tmp_path):
    def run(iters: int, **more: Any) -> Training:
        model = Net(2, 3)
        return train(model, spiral, SGD(model.params, 0.1), iters=iters, out=tmp_path / str(iters), **more)

    run(10)
    run(4)
    longer = run(10, resume=tmp_path / "4" / "checkpoint.safetensors")
    assert [point.step for point in longer.curve.points] == [0, 3, 6, 9, 10]
    straight = load_state(tmp_path / "10" / "checkpoint.safetensors")
    np.testing.assert_array_equal(longer.model.params["W"].data, straight["weights"]["W"])


def test_checkpoints_are_written_on_the_way(spiral, tmp_path, monkeypatch):
    monkeypatch.setattr("tinygraph.training.loop.PAUSE", 0.0)
    found = []

    class Look(Report):
        def step(self, step, loss):
            if (tmp_path / "checkpoint.safetensors").exists():
                found.append((step, load_state(tmp_path / "checkpoint.safetensors")["batches"]["step"]))

    model = Net(2, 3)
    train(model, spiral, SGD(model.params, 0.1), iters=8, out=tmp_path, report=Look())
    assert found == [(4, 3), (5, 3), (6, 3), (7, 6), (8, 6)]


@pytest.mark.parametrize(("change", "words"), [
    ({"data": "digits"}, "data="), ({"batch_size": 50}, "batch_size=50"), ({"seed": 4}, "seed=4"),
    ({"replace": True}, "replace=True"), ({"facts": {"script": "b.py"}}, "script='b.py'"), ({"lr": 0.2}, "lr=0.2"),
    ({"momentum": 0.5}, "momentum=0.5"), ({"dtype": np.float32}, "dtype='float32'"), ({"iters": 2}, "step 4 already"),
    ({"hidden": 9}, r"W is float64 \(2, 9\) here"), ({"compiled": True}, "compiled=True"),
], ids=lambda value: str(value)[:30])
def test_what_must_agree_to_go_on_is_checked(change, words, spiral, tmp_path, undrawn):
    def run(data="spiral", dtype=np.float64, lr=0.1, momentum=0.0, hidden=8, **how):
        loaded = load(data, dtype=dtype)
        model = Net(loaded.input_size, loaded.classes)
        if hidden != 8:
            model.params = {"W": tg.tensor(np.ones((2, hidden)), True), "V": tg.tensor(np.ones((hidden, 3)), True)}
        return train(model, loaded, SGD(model.params, lr, momentum), **{"facts": {"script": "a.py"}, "iters": 4, **how})

    checkpoint = tmp_path / "checkpoint.safetensors"
    run(out=tmp_path)
    with pytest.raises(StateError, match=words):
        run(**change, resume=checkpoint)
    run(resume=checkpoint)


def test_other_weights_and_other_files_are_refused(spiral, tmp_path):
    model = Net(2, 3)
    train(model, spiral, SGD(model.params, 0.1), iters=1, out=tmp_path)
    model.params = {"other": model.params["W"], "V": model.params["V"]}
    with pytest.raises(StateError, match="weights other, V, and the saved one W, V"):
        train(model, spiral, SGD(model.params, 0.1), resume=tmp_path / "checkpoint.safetensors")
    model.params = {"W": model.params.pop("other"), **model.params}
    model.restore = None  # type: ignore[assignment]
    with pytest.raises(StateError, match="a state of its own"):
        train(model, spiral, SGD(model.params, 0.1), resume=tmp_path / "checkpoint.safetensors")
    save_state(tmp_path / "else", {"weights": {}})
    with pytest.raises(StateError, match="no checkpoint"):
        load_checkpoint(tmp_path / "else")


def test_a_batch_larger_than_the_data_is_refused(spiral):
    model = Net(2, 3)
    with pytest.raises(ArgumentError, match="batch_size"):
        train(model, spiral, SGD(model.params, 0.1), batch_size=301)


# --- ending early -----------------------------------------------------------------------------------------------------


@pytest.fixture
def diverging() -> Net:
    model = Net(2, 3)
    computed = model.loss
    calls = iter(range(100))
    model.loss = lambda x, t: computed(x, t) * (np.inf if next(calls) == 4 else 1.0)  # type: ignore[method-assign]
    return model


def test_a_compiled_step_that_diverges_changes_no_weight(spiral):
    model = Net(2, 3)
    model.params = {"W": tg.tensor(np.ones((2, 3)), True)}
    model.loss = lambda x, t: ((x @ model.params["W"]) ** 4).sum()  # type: ignore[method-assign]
    model.predict = lambda x: x @ model.params["W"]  # type: ignore[method-assign]
    training = train(model, spiral, SGD(model.params, 0.05), iters=50, compiled=True)
    assert training.stopped == "diverged"
    assert training.step > 3
    assert np.isfinite(model.params["W"].data).all()


def test_a_loss_that_is_not_finite_ends_it_and_keeps_the_last_checkpoint(diverging, spiral, tmp_path, monkeypatch):
    monkeypatch.setattr("tinygraph.training.loop.PAUSE", 0.0)
    training = train(diverging, spiral, SGD(diverging.params, 0.1), iters=20, out=tmp_path)
    assert (training.stopped, training.step, training.curve.losses[-1]) == ("diverged", 5, np.inf)
    assert load_state(tmp_path / "checkpoint.safetensors")["batches"]["step"] == 3
    assert load_state(tmp_path / "diverged.safetensors")["batches"]["step"] == 5
    np.testing.assert_array_equal(load_state(tmp_path / "diverged.safetensors")["weights"]["W"],
                                  diverging.params["W"].data)
    assert np.isfinite(diverging.params["W"].data).all()
    assert (tmp_path / "curve.csv").read_text().splitlines()[-1] == "5,1,inf,,"
    assert (tmp_path / "curve.png").exists()


def test_a_real_divergence_says_so_without_warnings(spiral):
    model = Net(2, 3)
    model.params = {"W": tg.tensor(np.ones((2, 3)), True)}
    model.loss = lambda x, t: ((x @ model.params["W"]) ** 4).sum()  # type: ignore[method-assign]
    model.predict = lambda x: x @ model.params["W"]  # type: ignore[method-assign]
    assert train(model, spiral, SGD(model.params, 1e3), iters=50).stopped == "diverged"


@pytest.fixture
def listening():
    """Ctrl-C raises, also where the tests are a job in the background, which ignores it."""
    own = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, own)


@pytest.mark.usefixtures("listening")
def test_ctrl_c_is_a_flag_and_the_handler_comes_back(capfd):
    before = signal.getsignal(signal.SIGINT)
    with Interruption() as interruption:
        assert not interruption.asked
        signal.raise_signal(signal.SIGINT)
        assert interruption.asked
        assert "stopping after this step" in capfd.readouterr().err
        signal.raise_signal(signal.SIGINT)
        assert "stopping already" in capfd.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_twice_still_saves(spiral, tmp_path):
    model = Net(2, 3)
    training = train(model, spiral, SGD(model.params, 0.1), out=tmp_path, report=StopAt(5, times=2))
    assert training.stopped == "interrupted"
    assert load_state(tmp_path / "checkpoint.safetensors")["batches"]["step"] == 5


def test_training_in_another_thread_leaves_ctrl_c_alone(spiral):
    model, answers = Net(2, 3), []
    thread = threading.Thread(target=lambda: answers.append(train(model, spiral, SGD(model.params, 0.1), iters=3)))
    thread.start()
    thread.join()
    assert answers[0].step == 3


def test_an_error_on_the_way_ends_the_report_and_gives_the_handler_back(spiral):
    class Broken(Heard):
        def step(self, step, loss):
            raise RuntimeError("on the way")

    model, heard, before = Net(2, 3), Broken(), signal.getsignal(signal.SIGINT)
    with pytest.raises(RuntimeError, match="on the way"):
        train(model, spiral, SGD(model.params, 0.1), report=heard)
    assert heard.ended == 1
    assert signal.getsignal(signal.SIGINT) is before


# --- the curve --------------------------------------------------------------------------------------------------------


def test_the_csv_holds_every_number_in_full(spiral, tmp_path):
    model = Net(2, 3)
    curve = train(model, spiral, SGD(model.params, 0.1), iters=7, out=tmp_path).curve
    with open(tmp_path / "curve.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(8))
    assert [int(row["epoch"]) for row in rows] == [0, 0, 0, 1, 1, 1, 2, 2]
    assert [float(row["loss"]) for row in rows[1:]] == curve.losses
    assert rows[0]["loss"] == ""
    measured = [(int(row["step"]), float(row["train_accuracy"]), float(row["test_accuracy"])) for row in rows
                if row["test_accuracy"]]
    assert measured == curve.points


@pytest.mark.parametrize("losses", [[], [1.0], [1.0, 0.5, float("nan")], [0.0, -1.0] * 200], ids=len)
def test_the_picture_is_a_png_for_any_curve(losses):
    curve = Curve(steps_per_epoch=2)
    curve.add_point(0, 0.1, 0.1)
    curve.losses += losses
    picture = curve.png("title")
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(picture) > 10_000


def test_without_matplotlib_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'tinygraph\[train\]'"):
        Curve(1).png()


# --- model scripts ----------------------------------------------------------------------------------------------------

GOOD = """
import numpy as np
import tinygraph as tg

class Model:
    def __init__(self, n, m, dtype):
        self.params = {"W": tg.tensor(np.zeros((n, m), dtype), requires_grad=True)}

    def predict(self, x):
        return x @ self.params["W"]

    def loss(self, x, t):
        return tg.softmax_with_loss(self.predict(x), t)

def build(input_size, output_size, *, seed=None, dtype=np.float64):
    return Model(input_size, output_size, dtype)
"""


@pytest.mark.parametrize(("old", "new", "words"), [
    ("def build", "def make", "has no function build"),
    ("def build", "build = 3\ndef make", "has no function build"),
    ("*, seed=None, dtype=np.float64", "", "build should take"),
    ("*, seed=None, dtype=np.float64", "**more", "NameError: name 'dtype'"),
    ("return Model(input_size, output_size, dtype)", "pass", "has no params"),
    ("self.params", "self.weights", "has no params"),
    ('{"W": tg.tensor(np.zeros((n, m), dtype), requires_grad=True)}', "{}", "has no params"),
    ("tg.tensor(np.zeros((n, m), dtype), requires_grad=True)", "np.zeros((n, m))", "is a ndarray"),
    ("requires_grad=True", "requires_grad=False", "cannot be trained"),
    ("requires_grad=True)", "requires_grad=True) * 2", "cannot be trained"),
    ("def loss", "def cost", "has no method loss"),
    ("def predict", "def answer", "neither accuracy"),
    ("import numpy", "import no_such_module", r":2: ModuleNotFoundError: No module named 'no_such_module'"),
    ("class Model:", "class Model", ":5: SyntaxError: expected ':'"),
    ("def __init__", "1 / 0\n    def __init__", ":6: ZeroDivisionError: division by zero"),
])
def test_what_a_script_lacks_is_one_sentence(old, new, words, tmp_path):
    assert GOOD.count(old) >= 1
    path = tmp_path / "script.py"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(ScriptError, match=words) as caught:
        load_script(path).model(2, 3)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_good_script_is_built_with_what_it_is_given(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(GOOD)
    model = load_script(path).model(2, 3, dtype=np.float32)
    assert (model.params["W"].shape, model.params["W"].dtype) == ((2, 3), np.float32)


def test_a_script_may_import_its_neighbours(tmp_path):
    (tmp_path / "neighbour_of_script.py").write_text(GOOD)
    (tmp_path / "script.py").write_text("from neighbour_of_script import build\n")
    assert load_script(tmp_path / "script.py").model(2, 3).params["W"].shape == (2, 3)


def test_paths_that_are_no_scripts(tmp_path):
    with pytest.raises(ScriptError, match="there is no model script"):
        load_script(tmp_path)
    (tmp_path / "script.txt").write_text(GOOD)
    with pytest.raises(ScriptError, match=r"ends in \.py"):
        load_script(tmp_path / "script.txt")


def test_an_error_in_the_model_names_the_scripts_line_and_others_pass(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(GOOD.replace("return tg.softmax", "t.no_such_attribute\n        return tg.softmax"))
    script = load_script(path)
    model = script.model(2, 3)
    with pytest.raises(ScriptError, match=r"script\.py:13: AttributeError: .*no_such_attribute"), script.blamed():
        model.loss(np.ones((1, 2)), np.zeros(1, int))
    with pytest.raises(tg.ShapeError, match=r"script\.py:10"), script.blamed():
        model.predict(np.ones((1, 5)))
    with pytest.raises(KeyError), script.blamed():
        {}["elsewhere"]
