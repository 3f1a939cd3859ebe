"""What a training step costs: forward, backward and update apart, each op beside the machine's peak, the products.

The engine runs as it is. The ops are timed by running a recorded graph's own ops again on their values and going
through its sweep node by node; the products by one step on arrays that look at the clock around each product.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from tinygraph.analysis import GraphNode, graph
from tinygraph.ask.profile import Duration, Peaks, peaks, time_nodes
from tinygraph.optim import Optimizer
from tinygraph.tensors import Tensor
from tinygraph.training.script import loss_of

PRODUCTS = frozenset({np.matmul, np.dot, np.vdot, np.inner, np.outer, np.tensordot, np.einsum, np.kron, np.vecdot})
"""NumPy's products of vectors and matrices."""

WARM_UP = 3


@dataclass(frozen=True)
class OpCost:
    """What the nodes of one op take in a step, all together.

    Attributes:
        forward, backward: Their time.
        flops: Floating-point operations of the forwards, by the op's card.
        moved: What the forwards read and write, each array once (bytes).
    """

    name: str
    calls: int
    forward: Duration
    backward: Duration
    flops: int
    moved: int


@dataclass(frozen=True)
class StepCost:
    """What a step takes. ``str()`` is a table of it.

    Attributes:
        forward, backward, update: The three parts of a plain step, as a user runs it.
        ops: Each op's share of forward and backward, the costliest first.
        products: All matrix products of the step.
        peaks: What the machine reaches at best, in the dtype of the step.
        compiled: The whole step compiled, or None where that was not asked for.
    """

    forward: Duration
    backward: Duration
    update: Duration
    ops: tuple[OpCost, ...]
    products: Duration
    peaks: Peaks
    compiled: Duration | None = None

    @property
    def step(self) -> Duration:
        """The whole step."""
        return self.forward + self.backward + self.update

    def __str__(self) -> str:
        whole = self.step.median
        lines = [f"{'op':22}{'calls':>6}{'forward µs':>11}{'backward µs':>12}{'share':>7}{'FLOPs':>10}{'GFLOP/s':>9}"
                 f"{'of peak':>8}{'bytes':>9}{'GB/s':>7}"]
        for op in self.ops:
            there, back = op.forward.median, op.backward.median
            rate, share = op.flops / there, (there + back) / whole
            costs = f"{short(op.flops):>10}{rate / 1e9:9.1f}{rate / self.peaks.flops:8.0%}" if op.flops else " " * 27
            lines.append(f"{op.name:22}{op.calls:>6}{there * 1e6:11.1f}{back * 1e6:12.1f}{share:7.1%}{costs}"
                         f"{short(op.moved):>9}{op.moved / there / 1e9:7.1f}  {bar(share)}")
        rest = (self.forward.median - sum(op.forward.median for op in self.ops),
                self.backward.median - sum(op.backward.median for op in self.ops))
        for name, (there, back) in (("the engine: the rest", rest),
                                    ("forward, backward", (self.forward.median, self.backward.median))):
            lines.append(f"{name:28}{there * 1e6:11.1f}{back * 1e6:12.1f}{(there + back) / whole:7.1%}")
        lines += ["", f"{'':22}{'median µs':>17}{'spread':>12}{'share':>7}"]
        parts = {"forward": self.forward, "backward": self.backward, "update": self.update, "step": self.step,
                 "matrix multiplication": self.products}
        if self.compiled is not None:
            parts["the step, compiled"] = self.compiled
        lines += [f"{name:22}{part.median * 1e6:17.1f}{part.spread:12.0%}{part.median / whole:7.1%}  "
                  f"{bar(part.median / whole)}".rstrip() for name, part in parts.items()]
        return "\n".join([*lines, "", _told(self)])

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain data; times are medians in seconds."""
        parts = {"forward": self.forward, "backward": self.backward, "update": self.update, "step": self.step,
                 "products": self.products, "compiled": self.compiled}
        return {"seconds": {name: part and part.median for name, part in parts.items()},
                "peak_flops_per_second": self.peaks.flops, "peak_bytes_per_second": self.peaks.bandwidth,
                "ops": [{"op": op.name, "calls": op.calls, "forward_seconds": op.forward.median,
                         "backward_seconds": op.backward.median, "flops": op.flops, "bytes": op.moved}
                        for op in self.ops]}


def _told(cost: StepCost) -> str:
    """What the columns are held against."""
    best = cost.peaks
    return (f"FLOPs and bytes are of the forwards. This machine's peak: {best.flops / 1e9:,.1f} GFLOP/s in a product "
            f"of 1,024 x 1,024,\n{best.bandwidth / 1e9:,.1f} GB/s copying 64 MB; what lies in a cache moves faster.")


def bar(share: float, width: int = 20) -> str:
    """A share of the whole as a bar of up to so many letters, drawn to an eighth of one.

    >>> bar(0.5, 4), bar(0.3, 4)
    ('██', '█▎')
    """
    eighths = round(8 * width * min(max(share, 0.0), 1.0))
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def short(number: float) -> str:
    """A large number with three digits.

    >>> short(950), short(7_840_000)
    ('950', '7.84 M')
    """
    size, letter = next(((size, letter) for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if number >= size),
                        (1.0, ""))
    return f"{number / size:.3g} {letter}".rstrip()


def time_step(model: Any, x: Any, t: Any, optimizer: Optimizer, rounds: int = 200,
              compiled: Callable[[Any, Any], Any] | None = None) -> StepCost:
    """Time one training step on one batch, so many times over; every round takes each measurement once, in turn.

    The optimiser's learning rate should be 0, so that every round computes the same; ``compiled`` is the same step,
    compiled. Raises what the model raises.
    """
    plain: dict[str, list[float]] = defaultdict(list)
    by_op: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    products: list[float] = []
    replays: list[float] = []
    for number in range(rounds + WARM_UP):
        parts = _plain_step(model, x, t, optimizer)
        forward, backward = _op_by_op(loss_of(model, x, t))
        seconds = _products(model, x, t)
        replay = _seconds(compiled, x, t) if compiled is not None else 0.0
        if number < WARM_UP:
            continue
        for name, part in zip(("forward", "backward", "update"), parts, strict=True):
            plain[name].append(part)
        for name, there in forward.items():
            by_op[name][0].append(there)
            by_op[name][1].append(backward[name])
        products.append(seconds)
        replays.append(replay)
    optimizer.zero_grad()
    amounts = _amounts(loss_of(model, x, t))
    ops = [OpCost(name, amounts[name][0], Duration(tuple(there)), Duration(tuple(back)), *amounts[name][1:])
           for name, (there, back) in by_op.items()]
    ops.sort(key=lambda op: -(op.forward.median + op.backward.median))
    forward_whole, backward_whole, update = (Duration(tuple(plain[name])) for name in ("forward", "backward", "update"))
    return StepCost(forward_whole, backward_whole, update, tuple(ops), Duration(tuple(products)),
                    peaks(next(iter(model.params.values())).dtype),
                    Duration(tuple(replays)) if compiled is not None else None)


def _seconds(step: Callable[[Any, Any], Any], x: Any, t: Any) -> float:
    begin = perf_counter()
    step(x, t)
    return perf_counter() - begin


def _plain_step(model: Any, x: Any, t: Any, optimizer: Optimizer) -> tuple[float, float, float]:
    optimizer.zero_grad()
    begin = perf_counter()
    loss = model.loss(x, t)
    forward = perf_counter()
    loss.backward(retain_graph=False)
    backward = perf_counter()
    optimizer.step()
    return forward - begin, backward - forward, perf_counter() - backward


def _op_by_op(loss: Tensor) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds of each op's forward and of its rules, in the graph behind this loss."""
    forward: dict[str, float] = defaultdict(float)
    backward: dict[str, float] = defaultdict(float)
    for node, there, back in time_nodes(loss.node):
        assert node.op is not None
        forward[node.op.name] += there
        backward[node.op.name] += back
    return forward, backward


def _amounts(loss: Tensor) -> dict[str, tuple[int, int, int]]:
    """By op: how many nodes it has, the FLOPs of their forwards, and the bytes that these read and write."""
    found: dict[str, tuple[int, int, int]] = defaultdict(lambda: (0, 0, 0))
    for node in graph(loss):
        if node.op is not None:
            calls, flops, moved = found[node.op]
            read = sum(i.bytes if isinstance(i, GraphNode) else int(getattr(i, "nbytes", 0)) for i in node.inputs)
            found[node.op] = (calls + 1, flops + node.flops, moved + read + node.bytes)
    return found


def _products(model: Any, x: Any, t: Any) -> float:
    """Seconds that the matrix products of one step take."""
    weights = list(model.params.values())
    arrays = [weight.data for weight in weights]
    _Watched.seconds = 0.0
    try:
        for weight, array in zip(weights, arrays, strict=True):
            weight.data = array.view(_Watched)
        loss_of(model, x.view(_Watched), t).backward(retain_graph=False)
    finally:
        for weight, array in zip(weights, arrays, strict=True):
            weight.data = array
            weight.zero_grad()
    return _Watched.seconds


class _Watched(np.ndarray[Any, Any]):
    """An array that adds up the time of the products it takes part in; what is computed from it does so too."""

    seconds = 0.0

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return self._timed(ufunc, getattr(ufunc, method), inputs, kwargs)

    def __array_function__(self, func: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        if func in PRODUCTS:
            return self._timed(func, func, args, kwargs)
        return _map(super().__array_function__(func, types, args, kwargs), np.ndarray, _Watched)

    @classmethod
    def _timed(cls, func: Any, call: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        args, kwargs = _map(tuple(args), _Watched, np.ndarray), _map(kwargs, _Watched, np.ndarray)
        begin = perf_counter()
        result = call(*args, **kwargs)
        if func in PRODUCTS:
            cls.seconds += perf_counter() - begin
        return _map(result, np.ndarray, _Watched)


def _map(value: Any, kind: type[Any], into: type[Any]) -> Any:
    """The value with the arrays of one kind in it seen as another."""
    if isinstance(value, kind):
        return value.view(into)
    if type(value) in (tuple, list):
        return type(value)(_map(item, kind, into) for item in value)
    if type(value) is dict:
        return {key: _map(item, kind, into) for key, item in value.items()}
    return value
