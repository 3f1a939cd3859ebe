"""The training loop: steps, accuracies at each epoch, checkpoints from which it goes on bit for bit."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinygraph import random
from tinygraph.core.errors import StateError
from tinygraph.data import Batches, Dataset
from tinygraph.optim import Optimizer
from tinygraph.tensors import Tensor
from tinygraph.training.curve import Curve, Point
from tinygraph.training.interruption import Interruption
from tinygraph.training.script import accuracy_of, loss_of
from tinygraph.training.state import load_state, save_state, write_whole

KIND = "tinygraph.training"

CHECKPOINT, DIVERGED, TABLE, PICTURE = "checkpoint.safetensors", "diverged.safetensors", "curve.csv", "curve.png"
"""The files of a training, in its folder."""

PAUSE = 1.0
"""The least time between two checkpoints (s): a small data set has hundreds of epochs a second."""


class Report:
    """What hears of a training's progress; this one keeps silent."""

    def begin(self, training: Training) -> None:
        """Hear that it begins, or goes on."""

    def step(self, step: int, loss: float) -> None:
        """Hear of one step."""

    def point(self, point: Point, epoch: int) -> None:
        """Hear of the accuracies after so many complete epochs, or at the end."""

    def end(self) -> None:
        """Hear that it ended, in whatever way."""


class Training:
    """A model in training: its weights, its optimiser, its place among the batches, its curve.

    model: what the contract of model scripts asks for: ``params``, ``loss(x, t)``, and ``accuracy(x, t)`` or
        ``predict(x)``; where it remembers more than its weights, also ``state()`` and ``restore(state)``.
    data: what to train and test on.
    iters: how many steps it is to take in all.
    batch_size, replace: see `Batches`.
    seed: of the order of the samples; the model's own seed is whoever's who made it.
    facts: what else a checkpoint must agree on, such as the script's name: strings, numbers or booleans by name.
    compiled: whether the step runs as a NumPy program, by `tinygraph.compile`; one that cannot be compiled runs as it
        is, and a RuntimeWarning says so. Its numbers differ from the step's own in the last digits, so a checkpoint
        must agree on it.

    Attributes:
        settings: What a checkpoint must agree on.
        curve: The losses and accuracies so far.
        stopped: Why it ended early: "interrupted", "diverged", or "" where it did not.
    """

    def __init__(self, model: Any, data: Dataset, optimizer: Optimizer, *, iters: int = 10_000, batch_size: int = 100,
                 seed: int = 0, replace: bool = False, facts: Mapping[str, Any] | None = None,
                 compiled: bool = False) -> None:
        self.model, self.data, self.optimizer, self.iters = model, data, optimizer, iters
        # A stream of its own: the model's first weights are drawn from default_rng(seed) itself.
        order = np.random.default_rng((seed, 1))
        self.batches = Batches(data.x_train, data.t_train, batch_size, order, replace=replace)
        self.curve = Curve(self.batches.steps_per_epoch)
        self.stopped = ""
        self.settings: dict[str, Any] = {
            **(facts or {}), "data": data.name, "dtype": str(data.x_train.dtype), "batch_size": batch_size,
            "seed": seed, "replace": replace, "optimizer": optimizer.name,
            **{name: getattr(optimizer, name) for name in optimizer.settings},
        }
        self._take_step: Callable[[Any, Any], Tensor] = self._step
        if compiled:
            from tinygraph.compiler.compiled import compile
            self.settings["compiled"] = True
            self._take_step = compile(self._step, fallback=True)

    @property
    def step(self) -> int:
        """How many steps were taken."""
        return self.batches.step

    def advance(self) -> float:
        """Take one step, and give the batch's loss before it; a loss that is not finite changes no weight."""
        try:
            value = float(self._take_step(*next(self.batches)).data)
        except _NotFinite as error:
            value = error.loss
        self.curve.losses.append(value)
        return value

    def _step(self, x: Any, t: Any) -> Tensor:
        loss = loss_of(self.model, x, t)
        value = loss.data
        if (later := getattr(value, "check_later", None)) is not None:  # a recording, whose program is to check
            later(_check_finite, (value,), {})
        else:
            _check_finite(value)
        self.optimizer.zero_grad()
        loss.backward(retain_graph=False)
        self.optimizer.step()
        return loss

    def measure(self) -> Point:
        """Note the accuracies on all the samples, those to train on and those to test on."""
        data = self.data
        self.curve.add_point(self.step, accuracy_of(self.model, data.x_train, data.t_train),
                             accuracy_of(self.model, data.x_test, data.t_test))
        return self.curve.points[-1]

    def state(self) -> dict[str, Any]:
        """All that `restore` needs to go on bit for bit, for `save_state`."""
        state = {
            "kind": KIND,
            "settings": self.settings,
            "iters": self.iters,
            "weights": {name: weight.data.copy() for name, weight in self.model.params.items()},
            "optimizer": self.optimizer.state(),
            "batches": self.batches.state(),
            "curve": self.curve.state(),
            "random": random.get_state(),
        }
        if _remembers(self.model):
            state["model"] = self.model.state()
        return state

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved `state`; raises StateError where it is another training's."""
        for name in {**self.settings, **state["settings"]}:
            here, there = self.settings.get(name), state["settings"].get(name)
            if here != there:
                raise StateError(f"this training has {name}={here!r}, and the saved one {name}={there!r}; to go on "
                                 "they must agree")
        weights, saved = self.model.params, state["weights"]
        if set(weights) != set(saved):
            raise StateError(f"this model has the weights {', '.join(weights)}, and the saved one {', '.join(saved)}")
        for name, weight in weights.items():
            if (weight.shape, weight.dtype) != (saved[name].shape, saved[name].dtype):
                raise StateError(f"the weight {name} is {weight.dtype} {weight.shape} here, and {saved[name].dtype} "
                                 f"{saved[name].shape} in the saved state")
        if _remembers(self.model) != ("model" in state):
            raise StateError("of this model and the saved one, one has a state of its own and the other has none")
        self.batches.restore(state["batches"])
        self.optimizer.restore(state["optimizer"])
        self.curve.restore(state["curve"])
        if "random" in state:
            random.set_state(state["random"])
        if _remembers(self.model):
            self.model.restore(state["model"])
        for name, weight in weights.items():
            weight.data[...] = saved[name]


class _NotFinite(Exception):  # noqa: N818 - a way out of the step, before it changes a weight
    """A loss that is infinite or not a number."""

    def __init__(self, loss: float) -> None:
        super().__init__(loss)
        self.loss = loss


def _check_finite(loss: Any) -> None:
    if not np.isfinite(loss):
        raise _NotFinite(float(loss))


def _remembers(model: Any) -> bool:
    """Whether the model has more to save than its weights, and says how."""
    return all(callable(getattr(model, name, None)) for name in ("state", "restore"))


def train(model: Any, data: Dataset, optimizer: Optimizer, *, iters: int = 10_000, batch_size: int = 100, seed: int = 0,
          replace: bool = False, out: str | os.PathLike[str] | None = None,
          resume: str | os.PathLike[str] | None = None, facts: Mapping[str, Any] | None = None,
          report: Report | None = None, compiled: bool = False) -> Training:
    """Train a model for ``iters`` steps in all, and give the `Training`, with its curve.

    Ctrl-C ends it after the step it is in. A loss that is not finite ends it too; `Training.stopped` says which.

    iters: how many steps, those before a checkpoint included. out: the folder for a checkpoint, the curve as CSV and
    as PNG, written at each epoch (but once a second at most; the PNG at the end) and at the end; None for no files.
    resume: a checkpoint to go on from, to the result of a training that never stopped, bit for bit. report: what hears
    of progress. The others are those of `Training`.

    Raises StateError where the checkpoint cannot be read, or is not of such a training, or of more steps than iters;
    and at once where nothing can be written to ``out``.

    >>> import tinygraph as tg
    >>> from tinygraph.data import load
    >>> from tinygraph.optim import SGD
    >>> class Softmax:
    ...     def __init__(self, inputs, classes):
    ...         self.params = {"W": tg.tensor(np.zeros((inputs, classes)), requires_grad=True)}
    ...     def predict(self, x):
    ...         return x @ self.params["W"]
    ...     def loss(self, x, t):
    ...         return tg.softmax_with_loss(self.predict(x), t)
    >>> digits = load("digits", dtype=np.float64)
    >>> model = Softmax(digits.input_size, digits.classes)
    >>> training = train(model, digits, SGD(model.params, lr=0.5), iters=300)
    >>> round(training.curve.points[-1].test, 1)
    0.9
    """
    training = Training(model, data, optimizer, iters=iters, batch_size=batch_size, seed=seed, replace=replace,
                        facts=facts, compiled=compiled)
    if resume is not None:
        training.restore(load_checkpoint(resume))
        if training.step > iters:
            raise StateError(f"{resume} is at step {training.step} already, and iters is {iters}")
    report = report or Report()
    folder = None if out is None else _writable(Path(out))  # before the work, and not after it
    report.begin(training)
    try:
        with Interruption() as interruption:
            # A loss that is not finite is told of below, once, and not by each op on its way.
            with np.errstate(all="ignore"):
                _run(training, folder, report, interruption)
            if folder is not None:
                _save(training, folder, picture=True)
    finally:
        report.end()
    return training


def _writable(folder: Path) -> Path:
    """The folder, made where it is missing; raises StateError where no files can be written into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StateError(f"the folder {folder} cannot be made: {error.strerror or error}") from error
    if not os.access(folder, os.W_OK):
        raise StateError(f"the folder {folder} cannot be written to")
    return folder


def load_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Load what a training saved: a `Training`'s state; raises StateError where the file holds anything else."""
    state = load_state(path)
    if state.get("kind") != KIND:
        raise StateError(f"{path} holds saved state, but no checkpoint of a training")
    return state


def _run(training: Training, folder: Path | None, report: Report, interruption: Interruption) -> None:
    """Take steps until the last, or until something ends it early."""
    per_epoch = training.batches.steps_per_epoch
    saved = time.monotonic()
    if training.step == 0:
        report.point(training.measure(), 0)
    while training.step < training.iters:
        if interruption.asked:
            training.stopped = "interrupted"
            return
        loss = training.advance()
        if not math.isfinite(loss):
            training.stopped = "diverged"
            return
        report.step(training.step, loss)
        if training.step % per_epoch == 0:
            report.point(training.measure(), training.batches.epoch)
            if folder is not None and time.monotonic() - saved >= PAUSE:
                _save(training, folder)
                saved = time.monotonic()
    if training.curve.points[-1].step != training.step:
        report.point(training.measure(), training.batches.epoch)


def _save(training: Training, folder: Path, picture: bool = False) -> None:
    """Write the files. What diverged has a file of its own, and the last good checkpoint stays."""
    save_state(folder / (DIVERGED if training.stopped == "diverged" else CHECKPOINT), training.state())
    write_whole(folder / TABLE, training.curve.csv().encode())
    if picture:
        settings = training.settings
        known = [str(settings[name]) for name in ("script", "data") if name in settings]
        known += [f"{label} {settings[name]:g}" for label, name in (("batch", "batch_size"), ("lr", "lr"))]
        write_whole(folder / PICTURE, training.curve.png(title=", ".join([*known, f"seed {settings['seed']}"])))
