"""From a graph to DOT, beside torchviz, MyGrad and DeZero, on chains, and on graphs that make some of them fail.

Nothing is laid out: that is Graphviz's time, and the same for all. What is not installed is passed over with a line.
torchviz fails on a chain of 1,000 ops at Python's own limit of recursion, DeZero at ``np.int``, a name that NumPy has
given up: for the timing both get what they lack.
Run it with ``python -m benchmarks.drawing``.
"""

from __future__ import annotations

import functools
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np

import tinygraph as tg
from benchmarks import peers, report
from benchmarks.harness import Case, Missing, Side, run

LENGTHS = (200, 1_000)
DEEP = 50_000
"""The limit of recursion while the others are timed."""

LIMIT = 20
"""So many seconds a drawing may take before it counts as failed."""


def chain(tensor: Any, tanh: Callable[[Any], Any], length: int) -> Any:
    """length ops one after the other, tanh and times in turn."""
    y = tensor
    for _ in range(length // 2):
        y = tanh(y * 1.01)
    return y


def diamond(tensor: Any, depth: int) -> Any:
    """Each value used twice by the next: 2^depth paths through depth nodes."""
    y = tensor
    for _ in range(depth):
        y = y + y
    return y


Library = tuple[Callable[[], Any], Callable[[Any], Any], Callable[[Any], str]]
"""Makes a tensor that requires a gradient; tanh; makes DOT of a result."""


def libraries() -> dict[str, Library]:
    """Those that are installed."""
    start = np.linspace(0.1, 1.0, 10)
    found: dict[str, Library] = {
        "tinygraph": (lambda: tg.tensor(start, requires_grad=True), np.tanh, lambda y: tg.draw(y).source),
        "tinygraph, each node": (lambda: tg.tensor(start, requires_grad=True), np.tanh,
                                 lambda y: tg.draw(y, collapse=False).source)}
    for name, make in {"torchviz": _torchviz, "MyGrad": _mygrad, "DeZero": _dezero}.items():
        try:
            found[name] = make(start)
        except (Missing, ImportError) as error:
            print(f"{name} is passed over: {error}")
    return found


def _torchviz(start: np.ndarray) -> Library:
    torch = peers.torch()
    import torchviz
    return (lambda: torch.tensor(start, requires_grad=True), torch.tanh, lambda y: torchviz.make_dot(y).source)


def _mygrad(start: np.ndarray) -> Library:
    mygrad = peers.mygrad()
    from mygrad.computational_graph import build_graph
    return lambda: mygrad.tensor(start), mygrad.tanh, lambda y: build_graph(y).source


def _dezero(start: np.ndarray) -> Library:
    dezero = peers.dezero()
    from dezero.utils import get_dot_graph
    return lambda: dezero.Variable(start), dezero.functions.tanh, get_dot_graph


def outcome(work: Callable[[], str]) -> str:
    """How large the DOT is and how long it takes, or how it fails."""
    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"more than {LIMIT} s")
    old = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT)
    start = time.perf_counter()
    try:
        lines = work().count("\n")
        return f"{lines:,} lines in {time.perf_counter() - start:.2f} s"
    except Exception as error:
        return f"fails: {type(error).__name__} {str(error)[:60]}"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)


def main() -> None:
    """Time the chain, then try the hard graphs one by one."""
    print(report.heading(report.document([])))
    found = libraries()
    shallow = sys.getrecursionlimit()
    sys.setrecursionlimit(DEEP)
    for length in LENGTHS:
        contenders: dict[str, Callable[[], Side]] = {}
        for name, (make, tanh, dot) in found.items():
            work = functools.partial(dot, chain(make(), tanh, length))  # only the drawing is timed
            if (said := outcome(work)).startswith("fails"):
                print(f"{length:,} ops: {name} {said}")
            else:
                contenders[name] = functools.partial(Side, work)
        result = run(Case("drawing", f"a graph of {length:,} ops to DOT", contenders), seconds=5)
        print(f"\n{report.text(report.document([result])['results'][0])}")
    sys.setrecursionlimit(shallow)
    hard = {"a chain of 1,000 ops": lambda make, tanh: chain(make(), tanh, 1_000),
            "a chain of 20,000 ops": lambda make, tanh: chain(make(), tanh, 20_000),
            "a diamond 18 deep": lambda make, tanh: diamond(make(), 18),
            "a diamond 50 deep": lambda make, tanh: diamond(make(), 50)}
    for title, build in hard.items():
        print(f"\n{title}")
        for name, (make, tanh, dot) in found.items():
            print(f"{name:24}{outcome(lambda build=build, make=make, tanh=tanh, dot=dot: dot(build(make, tanh)))}")
    y = chain(found["tinygraph"][0](), np.tanh, 100_000)
    print(f"\n100,000 ops, collapsed\n{'tinygraph':24}{outcome(lambda: tg.draw(y).source)}")


if __name__ == "__main__":
    main()
