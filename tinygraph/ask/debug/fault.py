"""The error for a fault that was found at a node of a graph that is there, with what its ``graph`` is made of."""

from __future__ import annotations

from typing import Any, NamedTuple

from tinygraph.analysis import Graph
from tinygraph.ask.wording import place
from tinygraph.core.errors import DebugError
from tinygraph.core.node import Node


class Fault(NamedTuple):
    """Where in whose graph it is."""

    root: Node
    node: Node

    def graph(self, message: str) -> Graph:
        """The whole graph, with the node at fault as the one that failed."""
        made = Graph((self.root,))
        made.failed, made.message = made.find(self.node), message.partition("\n")[0]
        return made


def fault(message: str, root: Node, node: Node, **facts: Any) -> DebugError:
    """The error, with the node's op and place among its facts unless others are given."""
    error = DebugError(message, **{"op": node.op.name if node.op else None, "place": place(node), **facts})
    error.failed = Fault(root, node)
    return error
