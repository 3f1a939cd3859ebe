"""What the verbs share: their common options, the script and its data, one step of it, and how they answer."""

from __future__ import annotations

import argparse
import inspect
import json
import math
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinygraph.data import Dataset
    from tinygraph.optim import Optimizer
    from tinygraph.tensors import Tensor
    from tinygraph.training import Script


def add_verb(verbs: Any, name: str, function: Any, summary: str, description: str,
             *examples: str, needs_script: bool = True) -> argparse.ArgumentParser:
    """Add a verb with the options that every verb has."""
    verb: argparse.ArgumentParser = verbs.add_parser(
        name, help=summary, description=description, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n  ".join(["examples:", *examples]))
    verb.set_defaults(verb=function)
    verb.add_argument("script", metavar="SCRIPT", nargs=None if needs_script else "?",
                      help="the path of a model script")
    verb.add_argument("--data", choices=("mnist", "digits", "spiral"),
                      help="the data set (mnist where it can be had, or else digits)")
    verb.add_argument("--traceback", action="store_true",
                      help="show an error's traceback (so does the environment variable TINYGRAPH_TRACEBACK)")
    return verb


def add_step(verb: argparse.ArgumentParser, batch: int = 100) -> None:
    """Add the options that settle the one step that a question is about."""
    verb.add_argument("--batch", type=count, default=batch, metavar="N", help=f"the first N training samples ({batch})")
    verb.add_argument("--seed", type=seed, default=0, metavar="N", help="of the first weights (0)")
    verb.add_argument("--dtype", choices=("float32", "float64"), default="float64", help="of the step (float64)")


def add_json(verb: argparse.ArgumentParser) -> None:
    """Add the option that gives data in place of text."""
    verb.add_argument("--json", action="store_true", help="print the answer as JSON")


def add_picture(verb: argparse.ArgumentParser, *names: str) -> None:
    """Add the option that draws the graph with the answer on it."""
    verb.add_argument(*names, "--draw", dest="draw", metavar="FILE",
                      help="draw the graph with the answer on it: .svg, .png, .pdf, .dot, .mmd, or the page, .html")


def count(text: str) -> int:
    """A whole number of at least 1."""
    return _whole(text, 1)


def seed(text: str) -> int:
    """A whole number of at least 0."""
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"should be a whole number, and is {text!r}") from None
    if number < least:
        raise argparse.ArgumentTypeError(f"should be at least {least}, and is {number}")
    return number


def prepare(args: argparse.Namespace, dtype: str = "float64") -> tuple[Script, Dataset, Any]:
    """The script, the data, and the model for them."""
    from tinygraph.training import load_script

    script = load_script(args.script)
    data = load_data(args.data, dtype)
    args.data = data.name  # so that what stands in for MNIST is told of once
    return script, data, script.model(data.input_size, data.classes, seed=args.seed, dtype=dtype)


def load_data(name: str | None, dtype: str) -> Dataset:
    """The data set of this name; for None MNIST where it can be had, and else the digits, with a line that says so."""
    from tinygraph import data
    from tinygraph.core.errors import DataError

    if name is not None:
        return data.load(name, dtype=dtype)
    try:
        return data.load("mnist", dtype=dtype)
    except DataError:
        if data.find_mnist(download=False) is not None:  # raises as well, where the user's own files are damaged
            raise
    say("MNIST cannot be had here (TINYGRAPH_DATA may name its folder), so this is with the digits that come along")
    return data.load("digits", dtype=dtype)


def say(sentence: str) -> None:
    """Say something that is not the answer itself."""
    print(f"tinygraph: {sentence}", file=sys.stderr, flush=True)


def default_lr(kind: type[Optimizer]) -> float:
    """The learning rate where none is given: the optimiser's own; the lecture's for its own, and where there is none.

    >>> from tinygraph.optim import SGD, Adam
    >>> default_lr(SGD), default_lr(Adam)
    (0.1, 0.001)
    """
    own = inspect.signature(kind).parameters["lr"].default
    return float(own) if kind.name != "sgd" and isinstance(own, int | float) else 0.1


@contextmanager
def warnings_told() -> Iterator[None]:
    """Say each warning once and in one line, where Python would show its place in this package too."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", RuntimeWarning)
        warnings.showwarning = lambda message, *place: say(str(message))
        yield


def step_of(args: argparse.Namespace, named: bool = True) -> tuple[Script, Any, Tensor]:
    """The script, its model, and the loss of one batch, whose data are named x and t where ``named``."""
    from tinygraph.tensors import tensor
    from tinygraph.training import loss_of

    script, data, model = prepare(args, args.dtype)
    x, t = data.x_train[:args.batch], data.t_train[:args.batch]
    with script.blamed():
        loss = loss_of(model, tensor(x, name="x"), tensor(t, name="t")) if named else loss_of(model, x, t)
    return script, model, loss


def answer(report: Any, as_json: bool, picture: str | None = None) -> None:
    """Print a report, as text or as JSON, and draw the picture where one is asked for."""
    print(json.dumps(_spelt(report.as_dict()), indent=2, ensure_ascii=False) if as_json else report)
    if picture is not None:
        save(report.draw(), picture)


def save(thing: Any, path: str | None) -> None:
    """Write it where a path was given, and say so beside the answer."""
    if path is not None:
        thing.save(path)
        say(f"wrote {path}")


def _spelt(value: Any) -> Any:
    """Plain data in which numbers that JSON lacks are words."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _spelt(item) for key, item in value.items()}
    return [_spelt(item) for item in value] if isinstance(value, list | tuple) else value
