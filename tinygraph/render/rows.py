"""The straight lines of a picture: which of its inputs carries on an op's line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinygraph.analysis import Graph, GraphNode


def rows(graph: Graph, lines: Sequence[Sequence[GraphNode]] = ()) -> list[int]:
    """The straight line that each node belongs to, by its id; without a hint row 0 ends at the root.

    Each op's line is carried on by the first of its inputs that was computed and that no other op has claimed; where
    none was computed, by the first leaf, unless data that is no node comes before it.

    lines: those that the user asks for; they are the first rows
    """
    found = [-1] * len(graph)
    for count, line in enumerate(lines):
        for node in line:
            found[node.id] = count
    count = len(lines)
    for node in reversed(graph.nodes):
        row = found[node.id]
        if row < 0:
            row = found[node.id] = count
            count += 1
        heir = leaf = None
        for i in node.inputs:
            if isinstance(i, GraphNode):
                if found[i.id] == row:
                    break
                if found[i.id] < 0 and i.node.op is None:
                    leaf = leaf or i
                elif found[i.id] < 0:
                    heir = heir or i
        else:
            if heir is None and leaf is not None and leading(node) is None:
                heir = leaf
            if heir is not None:
                found[heir.id] = row
    return found


def leading(node: GraphNode) -> int | None:
    """The position of an array that is no node and that begins the op's line, as an image does a network's."""
    if any(isinstance(i, GraphNode) and i.node.op is not None for i in node.inputs):
        return None
    first = next((position for position, i in enumerate(node.inputs)
                  if isinstance(i, GraphNode) or np.shape(i)), None)
    return None if first is None or isinstance(node.inputs[first], GraphNode) else first
