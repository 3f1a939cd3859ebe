"""What a training step costs: forward, backward and update apart, each op, and the matrix products among it.

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

from tinygraph.ask.profile import Duration, time_nodes
from tinygraph.optim import Optimizer
from tinygraph.tensors import Tensor
from tinygraph.training.script import loss_of

PRODUCTS = frozenset({np.matmul, np.dot, np.vdot, np.inner, np.outer, np.tensordot, np.einsum, np.kron, np.vecdot})
"""NumPy's products of vectors and matrices."""

WARM_UP = 3


@dataclass(frozen=True)
class OpCost:
    """What the nodes of one op take in a step, all together."""

    name: str
    calls: int
    forward: Duration
    backward: Duration


@dataclass(frozen=True)
class StepCost:
    """What a step takes. ``str()`` is a table of it.

    Attributes:
        forward, backward, update: The three parts of a plain step, as a user runs it.
        ops: Each op's share of forward and backward, the costliest first.
        products: All matrix products of the step.
    """

    forward: Duration
    backward: Duration
    update: Duration
    ops: tuple[OpCost, ...]
    products: Duration

    @property
    def step(self) -> Duration:
        """The whole step."""
        return self.forward + self.backward + self.update

    def __str__(self) -> str:
        whole = self.step.median
        ops_forward = sum(op.forward.median for op in self.ops)
        ops_backward = sum(op.backward.median for op in self.ops)
        rows = [(op.name, str(op.calls), op.forward.median, op.backward.median) for op in self.ops]
        rows += [("the engine: the rest", "", self.forward.median - ops_forward, self.backward.median - ops_backward),
                 ("forward, backward", "", self.forward.median, self.backward.median)]
        lines = [f"{'op':24}{'calls':>6}{'forward µs':>12}{'backward µs':>13}{'share':>8}"]
        for name, calls, forward, backward in rows:
            share = (forward + backward) / whole
            lines.append(f"{name:24}{calls:>6}{forward * 1e6:12.1f}{backward * 1e6:13.1f}{share:8.1%}")
        lines.append("")
        parts = {"forward": self.forward, "backward": self.backward, "update": self.update, "step": self.step}
        parts["matrix multiplication"] = self.products
        lines.append(f"{'':24}{'median µs':>18}{'spread':>13}{'share':>8}")
        lines += [f"{name:24}{part.median * 1e6:18.1f}{part.spread:13.0%}{part.median / whole:8.1%}"
                  for name, part in parts.items()]
        return "\n".join(lines)


def time_step(model: Any, x: Any, t: Any, optimizer: Optimizer, rounds: int = 200) -> StepCost:
    """Time one training step on one batch, so many times over; every round takes each measurement once, in turn.

    The optimiser's learning rate should be 0, so that every round computes the same. Raises what the model raises.
    """
    plain: dict[str, list[float]] = defaultdict(list)
    by_op: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    calls: dict[str, int] = {}
    products: list[float] = []
    for number in range(rounds + WARM_UP):
        parts = _plain_step(model, x, t, optimizer)
        forward, backward, calls = _op_by_op(loss_of(model, x, t))
        seconds = _products(model, x, t)
        if number < WARM_UP:
            continue
        for name, part in zip(("forward", "backward", "update"), parts, strict=True):
            plain[name].append(part)
        for name in calls:
            by_op[name][0].append(forward[name])
            by_op[name][1].append(backward[name])
        products.append(seconds)
    optimizer.zero_grad()
    ops = [OpCost(name, calls[name], Duration(tuple(there)), Duration(tuple(back))) for name, (there, back)
           in by_op.items()]
    ops.sort(key=lambda op: -(op.forward.median + op.backward.median))
    forward_whole, backward_whole, update = (Duration(tuple(plain[name])) for name in ("forward", "backward", "update"))
    return StepCost(forward_whole, backward_whole, update, tuple(ops), Duration(tuple(products)))


def _plain_step(model: Any, x: Any, t: Any, optimizer: Optimizer) -> tuple[float, float, float]:
    optimizer.zero_grad()
    begin = perf_counter()
    loss = model.loss(x, t)
    forward = perf_counter()
    loss.backward(retain_graph=False)
    backward = perf_counter()
    optimizer.step()
    return forward - begin, backward - forward, perf_counter() - backward


def _op_by_op(loss: Tensor) -> tuple[dict[str, float], dict[str, float], dict[str, int]]:
    """Seconds of each op's forward and of its rules, and how many nodes it has, in the graph behind this loss."""
    forward: dict[str, float] = defaultdict(float)
    backward: dict[str, float] = defaultdict(float)
    calls: dict[str, int] = defaultdict(int)
    for node, there, back in time_nodes(loss.node):
        assert node.op is not None
        forward[node.op.name] += there
        backward[node.op.name] += back
        calls[node.op.name] += 1
    return forward, backward, calls


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
