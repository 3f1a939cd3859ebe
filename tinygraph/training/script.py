"""Model scripts: an ordinary Python file whose ``build`` makes a model that can be trained, checked, drawn, measured.

The contract stands in docs/model-scripts.md. What a script lacks is said in one sentence, and an error inside it is
shown with the script's own line.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from tinygraph.core.context import no_grad
from tinygraph.core.errors import ScriptError, TinygraphError
from tinygraph.tensors import Tensor

CHUNK = 1000
"""How many rows `accuracy_of` takes at a time: a whole data set's activations would not fit."""


@dataclass(frozen=True)
class Script:
    """A loaded model script: its path and its ``build``."""

    path: Path
    build: Callable[..., Any]

    def model(self, input_size: int, output_size: int, *, seed: int | None = None,
              dtype: DTypeLike = np.float64) -> Any:
        """Build the script's model; raises ScriptError where it or its ``build`` does not keep the contract."""
        try:
            inspect.signature(self.build).bind(input_size, output_size, seed=seed, dtype=dtype)
        except TypeError as error:
            raise ScriptError(f"{self.path}: build should take (input_size, output_size, *, seed, dtype), and takes "
                              f"{inspect.signature(self.build)}: {error}") from error
        with self.blamed():
            model = self.build(input_size, output_size, seed=seed, dtype=dtype)
        if lacking := what_lacks(model):
            raise ScriptError(f"{self.path}: the model that build gives {lacking}")
        return model

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Give an error that passes through the script as a ScriptError of one sentence, with the script's line.

        tinygraph's own errors, which name the user's line themselves, pass as they are; so do errors of elsewhere.
        """
        try:
            yield
        except TinygraphError:
            raise
        except Exception as error:
            if (line := _line_in(self.path, error)) is None:
                raise
            raise ScriptError(f"{self.path}:{line}: {_sentence(error)}") from error


def load_script(path: str | os.PathLike[str]) -> Script:
    """Run a model script as a module of its own, with its folder on ``sys.path``, as Python itself would put it there.

    Raises ScriptError where there is no such file, where it fails, or where it has no ``build``.

    >>> load_script("nowhere.py")
    Traceback (most recent call last):
    tinygraph.core.errors.ScriptError: there is no model script nowhere.py
    """
    path = Path(path)
    if not path.is_file():
        raise ScriptError(f"there is no model script {path}")
    spec = importlib.util.spec_from_file_location(f"model_script_{path.stem}", path.resolve())
    if spec is None or spec.loader is None:
        raise ScriptError(f"{path} is no Python file: a model script's name ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    # It stays there, since a script may import its neighbours as late as in its model's methods.
    if (folder := str(path.resolve().parent)) not in sys.path:
        sys.path.insert(0, folder)
    build: Any = None
    with Script(path, lambda: None).blamed():
        spec.loader.exec_module(module)
        build = getattr(module, "build", None)
    if not callable(build):
        raise ScriptError(f"{path} has no function build(input_size, output_size, *, seed=None, dtype=np.float64) that "
                          "makes its model")
    return Script(path, build)


def what_lacks(model: Any) -> str:
    """What keeps this object from being a model that can be trained, in words; empty where nothing does.

    >>> what_lacks(object())
    'has no params, a dict of its weights by name'
    """
    weights = getattr(model, "params", None)
    if not isinstance(weights, Mapping) or not weights:
        return "has no params, a dict of its weights by name"
    for name, weight in weights.items():
        if not isinstance(weight, Tensor):
            return f"has params[{name!r}] that is a {type(weight).__name__} and should be a Tensor"
        if not (weight.requires_grad and weight.is_leaf):
            return (f"has params[{name!r}] that cannot be trained: make it with tg.tensor(..., requires_grad=True), "
                    "and do not compute it")
    if not callable(getattr(model, "loss", None)):
        return "has no method loss(x, t)"
    if not callable(getattr(model, "accuracy", None)) and not callable(getattr(model, "predict", None)):
        return "has neither accuracy(x, t) nor predict(x), one of which its accuracy is measured with"
    return ""


def loss_of(model: Any, x: Any, t: Any) -> Tensor:
    """The loss of one batch, a tensor (); raises ScriptError where the model gives anything else."""
    loss = model.loss(x, t)
    if not isinstance(loss, Tensor) or loss.shape != ():
        given = f"a tensor {loss.shape}" if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
        raise ScriptError(f"the model's loss(x, t) should be a tensor of shape (), and is {given}")
    return loss


def accuracy_of(model: Any, x: Any, t: Any) -> float:
    """The share of rows that the model gets right, in [0, 1], by its ``accuracy(x, t)`` or else its ``predict(x)``."""
    total = 0.0
    with no_grad(), _in_use(model):
        for start in range(0, len(x), CHUNK):
            rows = slice(start, start + CHUNK)
            if hasattr(model, "accuracy"):
                total += float(model.accuracy(x[rows], t[rows])) * len(x[rows])
            else:
                y = model.predict(x[rows])
                y = y.data if isinstance(y, Tensor) else y
                if len(shape := np.shape(y)) != 2 or shape[0] != len(t[rows]):
                    raise ScriptError(f"the model's predict(x) should give the classes' scores, one row a sample, "
                                      f"({len(t[rows])}, classes), and gives {shape or type(y).__name__}")
                answers = np.argmax(y, axis=-1)
                total += int(np.sum(answers == (t[rows] if t.ndim == 1 else np.argmax(t[rows], axis=-1))))
    return total / len(x)


@contextmanager
def _in_use(model: Any) -> Iterator[None]:
    """A Module is told that it is used, and then again that it is trained, if it was."""
    trained = getattr(model, "training", None) is True and callable(getattr(model, "train", None))
    if trained:
        model.train(False)
    try:
        yield
    finally:
        if trained:
            model.train(True)


def _line_in(path: Path, error: BaseException) -> int | None:
    """The innermost line of the script that the error passed through, or that Python could not parse."""
    name = str(path.resolve())
    if isinstance(error, SyntaxError) and error.filename == name:
        return error.lineno
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == name]
    return lines[-1] if lines else None


def _sentence(error: Exception) -> str:
    text = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
