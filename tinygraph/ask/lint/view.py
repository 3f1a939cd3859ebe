"""What a rule looks at: the graph, the weights, and facts about them that are worked out once for all rules."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygraph.analysis import Cotangents, Edge, Graph, GraphNode
from tinygraph.core.node import Node
from tinygraph.tensors import Tensor

RESHAPING = frozenset({"reshape", "ravel", "getitem", "take", "transpose", "expand_dims", "squeeze", "swapaxes",
                       "moveaxis", "copy", "astype", "positive", "broadcast_to", "take_along_axis", "diagonal", "flip"})
"""Ops that pass on elements of their first input as they are."""


class View:
    """A graph as a rule sees it.

    Attributes:
        graph: The graph of the loss.
        weights: What should be trained, by name; empty where that is not known.

    >>> import tinygraph as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> view = View(tg.graph(np.log(tg.softmax(x))), {})
    >>> view.is_softmax(view.graph[1]), view.value(view.graph[2], 0).shape
    (True, (2,))
    """

    def __init__(self, graph: Graph, weights: Mapping[str, Tensor]) -> None:
        self.graph, self.weights = graph, weights

    @functools.cached_property
    def uses(self) -> dict[int, list[Edge]]:
        """The edges that lead away from each node, by its id."""
        uses: dict[int, list[Edge]] = {node.id: [] for node in self.graph}
        for edge in self.graph.edges:
            uses[edge.source.id].append(edge)
        return uses

    @functools.cached_property
    def cotangents(self) -> Cotangents:
        """The gradients everywhere, from a cotangent of ones; nothing where nothing requires a gradient."""
        root = self.graph.roots[0]
        if not root.requires_grad:
            return Cotangents({}, {})
        return self.graph.cotangents(np.ones_like(root.value))

    @functools.cached_property
    def batch(self) -> tuple[int, frozenset[int]]:
        """The number of samples N, and the ids of the nodes with one row a sample; (0, none) where that is not known.

        There is a batch where at least two arrays of data, such as samples and labels, begin with the same axis N.
        """
        data = [value for node in self.graph for value in self.data_of(node)]
        count = Counter(value.shape[0] for value in data)
        n = next((value.shape[0] for value in data if len(value.shape) >= 2 and count[value.shape[0]] >= 2), 0)
        rows: set[int] = set()
        for node in self.graph if n > 1 else ():
            shape = np.shape(node.node.value) if not isinstance(node.node.value, tuple) else ()
            if not shape or shape[0] != n:
                continue
            inputs = [i.id in rows for i in node.inputs if isinstance(i, GraphNode)]
            if any(inputs) or any(value.shape[0] == n for value in self.data_of(node)):
                rows.add(node.id)
        return n, frozenset(rows)

    @staticmethod
    def data_of(node: GraphNode) -> list[Any]:
        """The arrays of data that enter at a node: itself as a leaf, or constants of its op."""
        if node.node.op is None:
            return [node.node.value] if not node.requires_grad and np.shape(node.node.value) else []
        return [i for i in node.inputs if not isinstance(i, GraphNode) and np.shape(i)]

    def value(self, node: GraphNode, position: int) -> Any:
        """The array, or number, that a node's op got as its input."""
        parent = node.node.parents[position]
        return parent.value if type(parent) is Node else parent

    def source(self, node: GraphNode, position: int) -> GraphNode | None:
        """The node that an input comes from, seen through reshaping; None for a constant."""
        if position >= len(node.inputs):
            return None
        found = node.inputs[position]
        while isinstance(found, GraphNode) and found.op in RESHAPING and found.inputs:
            found = found.inputs[0]
        return found if isinstance(found, GraphNode) else None

    def is_softmax(self, node: GraphNode | None) -> bool:
        """Whether a node is a softmax, as one op or as exp(z) divided by its own sum."""
        if node is None or node.op == "softmax":
            return node is not None
        if node.op != "divide":
            return False
        above, below = self.source(node, 0), self.source(node, 1)
        if above is None or below is None or above.op != "exp" or below.op != "sum":
            return False
        summed = self.source(below, 0)
        return summed is above or (summed is not None and summed.op == "exp" and summed.inputs[0] is above.inputs[0])

    def is_sigmoid(self, node: GraphNode | None) -> bool:
        """Whether a node is a sigmoid, as one op or as 1 / (1 + exp(-z))."""
        if node is None or node.op in ("sigmoid", "expit"):
            return node is not None
        if node.op == "divide" and _is_number(node.inputs[0], 1):
            below = self.source(node, 1)
        elif node.op == "reciprocal":
            below = self.source(node, 0)
        else:
            return False
        if below is None or below.op != "add" or not any(_is_number(i, 1) for i in below.inputs):
            return False
        return any(isinstance(i, GraphNode) and i.op == "exp" for i in below.inputs)


def _is_number(x: Any, number: float) -> bool:
    return not isinstance(x, GraphNode) and np.size(x) == 1 and bool(np.all(x == number))
