"""Where did this gradient come from? The share of each use, the largest ways to the loss, why it is zero, NaN, None."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tinygraph.analysis import Graph
from tinygraph.ask.explain import absent
from tinygraph.ask.explain.flow import Flow, Origin, Stop, Use, Way
from tinygraph.ask.report import Report, asked
from tinygraph.ask.wording import called, count, inputs, span, step, way, where_made
from tinygraph.core.arguments import Array, Handle
from tinygraph.core.backward import start
from tinygraph.core.context import MARKS, no_grad
from tinygraph.core.errors import ArgumentError, GradientError, UnsupportedError
from tinygraph.core.messages import here
from tinygraph.core.node import Node

__all__ = ["Explanation", "Origin", "Stop", "Use", "Way", "explain"]

_SHOWN = 8
"""A longer list is shown by its first lines."""


class Explanation(Report):
    """The answer of `explain`; printing reads it out, ``as_dict()`` gives it as plain data.

    Attributes:
        gradient: The derivative of the loss in the tensor; None where none arrives.
        shares: What each use of the tensor adds to it, as `Use` s, in the engine's order: adding them up in that order
            gives ``gradient`` to the last bit.
        ways: The largest of the ways from the tensor to the loss, as `Way` s with what comes back along each.
        number: How many ways there are. rest: the sum of what comes along all that are not among ``ways``, or None.
        earlier: What ``t.grad`` holds besides, from other calls of backward; None where nothing.
        stops: Where, between the loss and the tensor, a gradient does not pass, as `Stop` s.
        origin: Where it first is not finite, as an `Origin`; None where it is finite.
        detached: Which way is not among these, since a value on it was detached; empty where none is known.
        absent: Why ``t.grad`` is None, or why nothing comes from this loss; empty where there is nothing to say.

    >>> import tinygraph as tg
    >>> x = tg.tensor(3.0, requires_grad=True, name="x")
    >>> loss = x * x
    >>> loss.backward()
    >>> answer = tg.explain(x)
    >>> [share.gradient for share in answer.shares], answer.gradient
    ([np.float64(3.0), np.float64(3.0)], np.float64(6.0))
    """

    measure = "flow"

    def __init__(self, node: Node, loss: Node | None, flow: Flow | None, why: str, earlier: Array | None,
                 detached: str = "") -> None:
        self.node, self.loss, self.absent, self.earlier, self.detached = node, loss, why, earlier, detached
        self.gradient: Array | None = flow.gradient if flow else None
        self.shares: list[Use] = flow.uses if flow else []
        self.ways: list[Way] = flow.ways if flow else []
        self.number: float = flow.number if flow else 0
        self.rest: Array | None = flow.rest if flow else None
        self.stops: list[Stop] = flow.stops if flow else []
        self.origin: Origin | None = flow.origin if flow else None
        self.cut: list[tuple[Node, int]] = flow.cut if flow else []

    @functools.cached_property
    def graph(self) -> Graph:  # type: ignore[override]
        """The loss's graph, or the tensor's where there is no loss."""
        return Graph((self.loss or self.node,))

    @property
    def by_node(self) -> dict[int, str]:
        """The tensor, what lies on the largest ways, where nothing or not all passes, where it is no longer finite."""
        words = {node: "on a large way" for each in self.ways for node in each.nodes}
        words |= {stop.node: "passes nothing" if stop.stopped == stop.size else "does not pass all"
                  for stop in self.stops}
        if self.origin is not None:
            words[self.origin.forward or self.origin.node] = "not finite from here"
        return self._by_id(words | {self.node: "the tensor"})

    @property
    def notes(self) -> dict[int, str]:
        """The tensor's gradient, the share of each use of it, and why a gradient stops or is not finite."""
        told: dict[Node, list[str]] = {self.node: [str(self).splitlines()[0].strip()]}
        for use in self.shares:
            told.setdefault(use.node, []).append(f"{self._part(use.gradient).strip()} through argument {use.position}")
        for stop in self.stops:
            told.setdefault(stop.node, []).append(f"{self._passes(stop)}{stop.why}")
        if self.origin is not None:
            told.setdefault(self.origin.forward or self.origin.node, []).append(f"not finite: {self.origin.why}")
        return self._by_id({node: "; ".join(parts) for node, parts in told.items()})

    def _by_id(self, told: dict[Node, str]) -> dict[int, str]:
        known = self.graph.find
        return {found.id: what for node, what in told.items() if (found := known(node)) is not None}

    # --- as text ------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"<explanation of {called(self.node)}: {count(len(self.shares), 'share')}>"

    def __str__(self) -> str:
        lines = []
        if self.absent and self.gradient is None and self.earlier is not None:
            lines.append(f"no gradient of {called(self.node)} comes from this loss: {self.absent}")
            lines.append(f"  its grad holds {span(self.earlier)} from other calls of backward")
        elif self.absent:
            lines.append(f"grad of {called(self.node)} is None: {self.absent}")
        if self.gradient is None:
            lines += [f"  {step(node)} has no derivative in argument {position}" for node, position in self.cut]
            return "\n".join(lines)
        lines.append(f"the gradient of {called(self.node)} from {called(self.loss)}: {span(self.gradient)}"  # type: ignore[arg-type]
                     f"{self._zeros()}")
        if self.earlier is not None:
            lines.append(f"  its grad holds {span(self.earlier)} more, from other calls of backward, or a hook")
        if self.origin is not None:
            lines += self._about_origin(self.origin)
        lines += self._about_shares()
        lines += self._about_stops()
        return "\n".join(lines)

    def _zeros(self) -> str:
        assert self.gradient is not None
        zeros = int(np.size(self.gradient)) - int(np.count_nonzero(self.gradient))
        return f", of which {zeros:,} are 0" if 0 < zeros < np.size(self.gradient) else ""

    def _about_origin(self, origin: Origin) -> list[str]:
        node = origin.node
        why = f": {origin.why}" if origin.why else ""
        if origin.forward is not None:
            return [f"  it is not finite because a value was not: {called(origin.forward)}{why}",
                    *(f"    {told}" for told in inputs(origin.forward))]
        return [f"  it is not finite since {step(node)}, whose rule for argument {origin.position} made it so{why}",
                *(f"    {told}" for told in inputs(node))]

    def _about_shares(self) -> list[str]:
        lines = [f"  from {count(len(self.shares), 'use')}:"]
        ranked = sorted(self.shares, key=lambda use: -_size(use.gradient))
        for node, position, c in ranked[:_SHOWN]:
            lines.append(f"    {self._part(c)}  {step(node)}, argument {position}")
        if ranked[_SHOWN:]:
            others = sum((use.gradient for use in ranked[_SHOWN:]), np.zeros_like(self.gradient))
            lines.append(f"    {self._part(others)}  {len(ranked) - _SHOWN:,} other uses")
        lines.append(f"  along {_many(self.number)} way{'s' * (self.number != 1)} to the loss:")
        lines += [f"    {self._part(each.gradient)}  {way(each.nodes)}" for each in self.ways]
        if self.rest is not None:
            lines.append(f"    {self._part(self.rest)}  {_many(self.number - len(self.ways))} other ways together")
        if self.detached:
            lines.append(f"  another way was cut: {self.detached}")
        return lines

    def _about_stops(self) -> list[str]:
        assert self.gradient is not None
        if np.all(self.gradient):
            return []
        whole = [stop for stop in self.stops if stop.stopped == stop.size]
        ranked = whole + [stop for stop in self.stops if stop.stopped < stop.size]
        lines = [f"  {step(stop.node)}{':' if stop.position is None else ''} {self._passes(stop)}{stop.why}"
                 for stop in ranked[:_SHOWN]]
        if len(self.stops) > _SHOWN:
            lines.append(f"  and so at {len(self.stops) - _SHOWN:,} more places")
        return lines

    @staticmethod
    def _passes(stop: Stop) -> str:
        if stop.position is None:
            return ""
        some = f" in {stop.stopped:,} of {stop.size:,} elements" if stop.stopped < stop.size else ""
        return f"to argument {stop.position} passes nothing{some}: "

    def part(self, c: Array) -> float:
        """A share's part of the whole, 1 for all of it: its projection on the gradient; the parts add up to 1."""
        if self.gradient is None:
            return float("nan")
        g = np.asarray(self.gradient)
        with np.errstate(all="ignore"):
            g = g / np.max(np.absolute(g), initial=0)  # the squares of small numbers would be lost
            scaled = np.asarray(c) / np.max(np.absolute(self.gradient), initial=0)
            whole = float(np.sum(np.absolute(g) ** 2))
            return float(np.real(np.sum(np.conj(g) * scaled))) / whole if whole > 0 else float("nan")

    def _part(self, c: Array) -> str:
        part = self.part(c)
        if np.isfinite(part):
            return f"{part:7.1%}" if abs(part) >= 0.0005 or not part else f"{part:7.0e}"
        return f"{_size(c):.4g} in all" if np.all(np.isfinite(c)) else "not finite"

    # --- as data ------------------------------------------------------------------------------------------------

    def as_dict(self) -> dict[str, Any]:
        """The answer as plain data; nodes are told by their ids in ``tg.graph(loss)``."""
        def about(node: Node) -> dict[str, Any]:
            found = self.graph.find(node)
            return {"id": None if found is None else found.id, **where_made(node)}
        return {
            "tensor": {**about(self.node), "shape": list(self.node.value.shape), "dtype": str(self.node.value.dtype)},
            "absent": self.absent or None, "detached": self.detached or None,
            "gradient": _summary(self.gradient), "earlier": _summary(self.earlier),
            "shares": [{**about(use.node), "argument": use.position, "part": _number(self.part(use.gradient)),
                        **_summary(use.gradient)} for use in self.shares],
            "number_of_ways": _number(self.number),
            "ways": [{"nodes": [about(node)["id"] for node in each.nodes], "part": _number(self.part(each.gradient)),
                      **_summary(each.gradient)} for each in self.ways],
            "rest": _summary(self.rest) if self.rest is not None else None,
            "stops": [{**about(stop.node), "argument": stop.position, "stopped": stop.stopped, "of": stop.size,
                       "why": stop.why} for stop in self.stops],
            "origin": None if self.origin is None else {
                **about(self.origin.forward or self.origin.node), "why": self.origin.why,
                "argument": None if self.origin.forward else self.origin.position,
                "during": "forward" if self.origin.forward else "backward"},
        }


def explain(t: Handle, loss: Handle | Graph | None = None, *, grad: Array | None = None, ways: int = 5) -> Explanation:
    """Say where the gradient of a tensor came from, or why it has none.

    The gradient is the sum of what each use of the tensor adds. Each is followed to the loss: the ways through the
    graph with the largest share are told one by one, all others as their sum, however many there are. Where it is zero
    or not finite, the op that made it so is named, with the reason. The work grows with the graph, not with the ways.

    Args:
        t: Any tensor, kept its gradient or not.
        loss: What to differentiate; None for the newest single number in memory that was computed from ``t``, among
            several the one whose derivative ``t.grad`` is.
        grad: The cotangent of ``loss``, as for backward.
        ways: How many of the ways to tell one by one.

    Raises GradientError where ``loss`` has no single derivative and no ``grad`` is given, and where ``t`` has a
    gradient from a graph that is no longer in memory.

    >>> import numpy as np
    >>> import tinygraph as tg
    >>> x = tg.tensor([-1.0, -2.0], requires_grad=True, name="x")
    >>> loss = tg.relu(x).sum()
    >>> loss.backward()
    >>> print(tg.explain(x))  # doctest: +ELLIPSIS
    the gradient of 'x' from the result of sum (...): float64 (2,), all 0
      from 1 use:
        0 in all  relu (...), argument 0
      along 1 way to the loss:
        0 in all  'x' → relu (...) → sum (...)
      relu (...) to argument 0 passes nothing: a dead ReLU: none of these inputs is above 0 (the largest is -1)
    """
    if ways < 1:
        raise ArgumentError(f"explain: ways is how many to tell one by one, at least 1, not {ways}{here()}")
    if not isinstance(t, Handle):
        raise UnsupportedError(f"explain: it explains the gradient of a tensor, and this is {type(t).__name__}{here()}")
    node = t.node
    root = asked("explain", loss).roots[0] if loss is not None else None
    token = MARKS.set(None)  # under debug what is asked here would be taken for a backward of the user's
    try:
        with no_grad():
            return _explained(node, root, grad, ways)
    finally:
        MARKS.reset(token)


def _explained(node: Node, root: Node | None, grad: Array | None, ways: int) -> Explanation:
    why = absent.of_its_own(node)
    if why:
        return Explanation(node, root, None, why, None)
    if root is None:
        ends = absent.ends_of(node) or [node]
        root = absent.match(node, ends, lambda end: Flow(node, end, np.ones_like(end.value), 1).gradient)
        if root is None and node.grad is not None:
            raise GradientError(f"explain: the graph that the gradient of {called(node)} came from is no longer in "
                                f"memory; keep the loss in a variable, or give it: explain(t, loss){here()}")
        if root is None:
            return Explanation(node, None, None, "no loss was computed from it that is still in memory; if there is "
                                                 "one, give explain(t, loss)", None)
    flow = Flow(node, root, _seed(root, grad), ways)
    held = node.grad.node.value if isinstance(node.grad, Handle) else node.grad
    if flow.gradient is None:
        return Explanation(node, root, flow, _disconnected(node, root, flow), held)
    earlier = None
    if held is not None and not np.array_equal(held, flow.gradient, equal_nan=True):
        earlier = held - flow.gradient
    return Explanation(node, root, flow, "" if held is not None else _unkept(node), earlier,
                       absent.detached(node, flow.order))


def _seed(root: Node, grad: Array | None) -> Array:
    if not root.requires_grad:
        raise GradientError("explain: nothing that this loss was computed from requires a gradient; make a leaf with "
                            f"tg.tensor(..., requires_grad=True){here()}")
    seed = start(root, grad)
    return seed.node.value if isinstance(seed, Handle) else seed


def _unkept(node: Node) -> str:
    """Why a tensor that a gradient reaches does not hold it."""
    if node.op is not None and not node.watched:
        return (f"it was computed, by {step(node)}, and gradients are kept on leaves alone: call retain_grad() on it "
                "before backward(). Here is what it would be")
    return "backward() was not called since it was made, or zero_grad() has cleared it. Here is what it would be"


def _disconnected(node: Node, root: Node, flow: Flow) -> str:
    if root in flow.reached:
        return "the loss was computed from it, but only through arguments without a derivative"
    return absent.from_loss(node, root)


def _size(c: Array) -> float:
    with np.errstate(all="ignore"):
        return float(np.nan_to_num(np.sum(np.absolute(c)), nan=np.inf, posinf=np.inf))


def _many(n: float) -> str:
    if isinstance(n, int):
        return f"{n:,}"
    return f"about {n:.2g}" if math.isfinite(n) else "more than 1e+308"


def _number(x: float) -> float | None:
    return x if math.isfinite(x) else None


def _summary(c: Array | None) -> Any:
    """An array in a few plain numbers."""
    if c is None:
        return None
    with np.errstate(all="ignore"):
        finite = np.asarray(c)[np.isfinite(c)]
        return {"sum_of_sizes": float(np.sum(np.absolute(finite))), "zeros": int(np.size(c)) - int(np.count_nonzero(c)),
                "not_finite": int(np.size(c)) - int(finite.size), "size": int(np.size(c))}
