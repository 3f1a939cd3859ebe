"""The clock: each node's forward run again on its recorded values, and its rules in one sweep back."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

from tinygraph.core.arguments import Array
from tinygraph.core.backward import cotangents, start
from tinygraph.core.node import Node, ancestors
from tinygraph.core.op import pick


@dataclass(frozen=True)
class Duration:
    """The seconds that one thing took, round by round."""

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle round (seconds)."""
        return statistics.median(self.rounds)

    @property
    def spread(self) -> float:
        """The interquartile range as a share of the median.

        >>> Duration((1.0, 1.0, 1.0, 1.0)).spread
        0.0
        """
        if len(self.rounds) < 2 or not self.median:
            return 0.0
        low, _, high = statistics.quantiles(self.rounds, n=4)
        return (high - low) / self.median

    def __add__(self, other: Duration) -> Duration:
        return Duration(tuple(a + b for a, b in zip(self.rounds, other.rounds, strict=True)))


class NodeTime(NamedTuple):
    """The seconds of one node: its op's forward, and its rules; 0.0 back where no gradient passes."""

    node: Node
    forward: float
    backward: float


def time_forward(roots: Sequence[Node]) -> dict[Node, float]:
    """Time the forward of every op behind ``roots`` once, on its recorded values, in topological order (seconds)."""
    forward: dict[Node, float] = {}
    for node in ancestors(roots):
        if node.op is None or node.op is pick or not node.parents:
            continue
        values = tuple(p.value if isinstance(p, Node) else p for p in node.parents)
        begin = perf_counter()
        node.op.run(values, node.params)
        forward[node] = perf_counter() - begin
    return forward


def time_nodes(root: Node, seed: Array | None = None) -> list[NodeTime]:
    """Time every op behind ``root`` once, in topological order; the graph and every ``grad`` stay as they are.

    >>> import tinygraph as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> [(t.node.op.name, t.forward > 0, t.backward > 0) for t in time_nodes((x * x).sum().node)]
    [('multiply', True, True), ('sum', True, True)]
    """
    forward = time_forward([root])
    backward: dict[Node, float] = {}
    begin = perf_counter()
    for node, _, _ in cotangents(root, start(root, seed), every=True, hooks=False):
        backward[node] = perf_counter() - begin
        begin = perf_counter()
    return [NodeTime(node, seconds, backward.get(node, 0.0)) for node, seconds in forward.items()]
