"""The curve of live memory, computed from what the graph keeps alive: no allocator is watched.

A value lives from the op that makes it until its graph goes; a cotangent from the first rule that adds to it until its
node has handed it on; a leaf's gradient to the end. Memory that several arrays share counts once. What an op needs
while it runs and gives back at once, such as the mask inside a rule, is not seen.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from tinygraph.analysis import Graph
from tinygraph.core.arguments import Array
from tinygraph.core.backward import cotangents, start
from tinygraph.core.node import Node


class Moment(NamedTuple):
    """The memory that is live just after one thing happened.

    Attributes:
        phase: "start", "forward" or "backward".
        node: The id of the graph's node that ran; -1 at the start, when the leaves and the data are there.
        bytes: What is live then (bytes).
        peak: The most that was live while it ran, old and new cotangents side by side (bytes).
    """

    phase: str
    node: int
    bytes: int
    peak: int


class _Live:
    """A set of buffers with a count of who holds each; an array that is a view holds the buffer it looks into."""

    def __init__(self) -> None:
        self.bytes = 0
        self.held: Counter[int] = Counter()
        self.kept: list[Any] = []  # so that no id is given twice

    def hold(self, array: Any) -> int:
        """Count the array in; give the bytes that this added."""
        owner = _owner(array)
        self.held[id(owner)] += 1
        if self.held[id(owner)] > 1:
            return 0
        self.kept.append(owner)
        size = int(getattr(owner, "nbytes", 0))
        self.bytes += size
        return size

    def let_go(self, array: Any) -> None:
        owner = _owner(array)
        self.held[id(owner)] -= 1
        if not self.held[id(owner)]:
            self.bytes -= int(getattr(owner, "nbytes", 0))

    def alone_with(self, array: Any) -> bool:
        """Whether an array, counted in once, lies in memory of its own that nothing else looks into."""
        return _owner(array) is array and self.held[id(array)] == 1


def _owner(array: Any) -> Any:
    """The array whose memory this one looks into."""
    while getattr(array, "base", None) is not None and hasattr(array.base, "nbytes"):
        array = array.base
    return array


def _arrays(value: Any) -> tuple[Any, ...]:
    return tuple(v for v in (value if isinstance(value, tuple) else (value,)) if hasattr(v, "nbytes"))


def live_memory(graph: Graph, seed: Array | None = None, retain_graph: bool = True) -> tuple[list[Moment], list[int]]:
    """The curve through forward and backward; and by node id what its value adds to the memory that the graph keeps.

    >>> import numpy as np, tinygraph as tg
    >>> w = tg.tensor(np.ones(100), requires_grad=True)
    >>> curve, kept = live_memory(tg.graph(np.exp(w).sum()))
    >>> [(m.phase, m.bytes) for m in curve], kept
    ([('start', 800), ('forward', 1600), ('forward', 1608), ('backward', 1616), ('backward', 2408), ('backward', 2408)],
     [800, 800, 8])
    """
    live = _Live()
    kept = [0] * len(graph)
    for node in graph:
        if node.node.op is None:
            kept[node.id] = live.hold(node.node.value)
        for constant in node.inputs:
            if hasattr(constant, "nbytes"):
                live.hold(constant)
    curve = [Moment("start", -1, live.bytes, live.bytes)]
    for node in graph:
        if node.node.op is not None:
            kept[node.id] = sum(map(live.hold, _arrays(node.node.value)))
            curve.append(Moment("forward", node.id, live.bytes, live.bytes))
    if len(graph.roots) == 1 and graph.roots[0].requires_grad:
        curve += _backward(graph, live, seed, retain_graph)
    return curve, kept


class _Block(NamedTuple):
    """Memory that the engine takes and that cannot be looked at: a sum of cotangents, a leaf's own gradient."""

    nbytes: int
    of: Node


def _backward(graph: Graph, live: _Live, seed: Array | None, retain_graph: bool) -> list[Moment]:
    """Go back as `Tensor.backward` does, and note what is live after each node."""
    ids = {node.node: node.id for node in graph}
    root = graph.roots[0]
    g = start(root, seed)
    live.hold(g)
    pending: dict[Node, list[Any]] = {root: [g]}
    moments = []
    last: tuple[Any, ...] = ()  # the value of the op before: the sweep lets go of it when it comes to the next one
    for node, cotangent, handed in cotangents(root, g, every=True, hooks=False):
        if node.op is not None and node in ids:
            for array in last:
                live.let_go(array)
            last = ()
        whole = _arrays(cotangent)
        for array in whole:
            live.hold(array)
        for array in pending.pop(node, []):
            live.let_go(array)
        peak = live.bytes
        if node not in ids:  # one output of several: its op holds the cotangent until all of them are there
            live.hold(cotangent)
            pending.setdefault(node.parents[0], []).append(cotangent)
        for position, c in handed:
            live.hold(c)
            peak = max(peak, live.bytes)
            parent: Node = node.parents[position]
            if held := pending.get(parent):
                total = _Block(int(c.nbytes), parent)
                live.hold(total)
                peak = max(peak, live.bytes)
                for old in (*held, c):
                    live.let_go(old)
                pending[parent] = [total]
            else:
                pending[parent] = [c]
        if node.op is None:  # a cotangent that nobody else holds becomes the gradient as it is
            live.hold(cotangent if live.alone_with(cotangent) else _Block(int(node.value.nbytes), node))
            peak = max(peak, live.bytes)
        for array in whole:
            live.let_go(array)
        if node.op is not None and node in ids and not retain_graph and node is not root:
            last = _arrays(node.value)
        if node in ids:
            moments.append(Moment("backward", ids[node], live.bytes, peak))
    for array in last:
        live.let_go(array)
    if moments:
        moments[-1] = moments[-1]._replace(bytes=live.bytes)
    return moments
