"""Which of all the ways from a root to a node are the largest, in one pass over the graph however many there are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from tinygraph.core.node import Node

_NOTHING = -1e9
"""The logarithm of no share at all; a finite one, so that such ways still have an order."""


Edge = tuple[Node, int, float]
"""One use of a value: by which node, as which of its arguments, and the size of what comes back from there."""


class Ranking:
    """The largest ways from ``root`` to every node, by the product of their edges' shares in what arrives at each end.

    Only where edges meet is a ranking kept. A node that one edge alone reaches has the ways of the node before it.

    most: how many of the ways to rank
    """

    def __init__(self, root: Node, most: int) -> None:
        self._root, self._most = root, most
        self._edges: dict[Node, Sequence[Edge]] = {}
        self._meets: dict[Node, Node] = {root: root}
        # By score; then by the negative rank among the ways of the node before; then by the negative number of the
        # edge. So of equal ways those come first that go on along the best one, and share most of what follows.
        self._ranks: dict[Node, list[tuple[float, int, int]]] = {root: [(0.0, 0, 0)]}

    def add(self, node: Node, edges: Sequence[Edge]) -> None:
        """Rank the ways to the next node, in the order of a sweep, from its uses."""
        self._edges[node] = edges
        if len(edges) == 1:
            self._meets[node] = self._meets[edges[0][0]]
            return
        total = sum([size for _, _, size in edges])
        found = []
        for k, (child, _, size) in enumerate(edges):
            share = size / total if 0 < total < math.inf else 1 / len(edges)
            score = math.log(share) if share > 0 else _NOTHING
            found += [(before[0] + score, -rank, -k) for rank, before in enumerate(self._ranks[self._meets[child]])]
        found.sort(reverse=True)
        self._ranks[node], self._meets[node] = found[:self._most], node

    def ways(self, target: Node) -> list[list[Edge]]:
        """The largest ways to a node, each as its edges from the root on."""
        number = len(self._ranks[self._meets[target]])
        return [list(self._back(target, rank))[::-1] for rank in range(number)]

    def _back(self, node: Node, rank: int) -> Iterator[Edge]:
        while node is not self._root:
            edges, which = self._edges[node], 0
            if len(edges) > 1:
                _, behind, k = self._ranks[node][rank]
                rank, which = -behind, -k
            edge = edges[which]
            yield edge
            node = edge[0]
