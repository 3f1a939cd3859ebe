"""The graph as data: nodes in topological order, edges with argument positions, shapes, costs, cotangents, networkx.

The nodes that take one output out of an op with several are folded away here, so that everything above (pictures,
exports, questions) sees one node an op.
"""

from tinygraph.analysis.graph import Graph, failure, graph
from tinygraph.analysis.nodes import MISSING, Cotangents, Edge, GraphNode, Outline, drawn
from tinygraph.analysis.text import one_line

__all__ = ["MISSING", "Cotangents", "Edge", "Graph", "GraphNode", "Outline", "drawn", "failure", "graph", "one_line"]
