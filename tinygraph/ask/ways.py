"""Ways through a graph: from a root back to a node, and from a node back to where it came from."""

from __future__ import annotations

from tinygraph.core.node import Node


def down_to(root: Node, target: Node) -> list[Node]:
    """A shortest way from a root back to what it was computed from, both ends included; empty where there is none."""
    came_from: dict[Node, Node | None] = {root: None}
    queue = [root]
    for node in queue:  # grows while it is walked
        if node is target:
            break
        for parent in node.parents:
            if type(parent) is Node and parent not in came_from and parent.serial >= target.serial:
                came_from[parent] = node
                queue.append(parent)
    path: list[Node] = []
    end: Node | None = target if target in came_from else None
    while end is not None:
        path.append(end)
        end = came_from[end]
    return path[::-1]


def lineage(node: Node, limit: int = 1000) -> list[Node]:
    """One way on which a node was computed, from a leaf to the node: along the first input that needs a gradient."""
    path = [node]
    while len(path) < limit:
        parents = [p for p in path[-1].parents if type(p) is Node]
        if not parents:
            break
        path.append(next((p for p in parents if p.requires_grad), parents[0]))
    return path[::-1]
