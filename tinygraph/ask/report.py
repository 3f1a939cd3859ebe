"""What the answers about a graph have in common: beside text and data, attributes for networkx, and a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from tinygraph.analysis import Graph, GraphNode, graph
from tinygraph.core.arguments import Handle
from tinygraph.core.errors import UnsupportedError
from tinygraph.core.messages import here

if TYPE_CHECKING:
    import networkx as nx


def asked(question: str, loss: Any) -> Graph:
    """The graph that a question is about: that of a tensor, usually the loss, or the graph itself.

    Raises UnsupportedError for anything else.

    >>> import tinygraph as tg
    >>> len(asked("lint", tg.tensor(2.0, requires_grad=True) * 3))
    2
    """
    if isinstance(loss, Graph):
        return loss
    if isinstance(loss, Handle):
        return graph(loss)
    raise UnsupportedError(f"{question}: what is asked is a tensor, usually the loss, or its graph, and not "
                           f"{type(loss).__name__}{here()}")


class Report:
    """An answer about a graph: printing reads it out, ``as_dict`` gives it as plain data.

    What it says of single nodes is by their ids in ``graph``; the ids in ``as_dict`` are the same.

    Attributes:
        graph: What was asked.
        measure: What `by_node` tells, in a word or two: a picture's legend and an attribute in networkx are called so.
    """

    graph: Graph
    measure: ClassVar[str] = ""

    @property
    def by_node(self) -> Mapping[int, float | str]:
        """A number or a word for each node that there is one for; a picture colours by it."""
        return {}

    @property
    def notes(self) -> Mapping[int, str]:
        """A sentence for each node that there is something to say of; a picture marks it and tells it."""
        return {}

    def as_dict(self) -> dict[str, Any]:
        """The answer as plain data."""
        raise NotImplementedError

    def to_networkx(self) -> nx.MultiDiGraph[int]:
        """The graph as `Graph.to_networkx` gives it, and on its nodes what is said of them: ``measure`` and "note".

        >>> import tinygraph as tg
        >>> x = tg.tensor([1.0, 0.0], requires_grad=True)
        >>> net = tg.check_graph(tg.relu(x).sum()).to_networkx()
        >>> net.nodes[1]["op"], net.nodes[1]["verdict"]
        ('relu', 'kink')
        """
        net = self.graph.to_networkx()
        for name, told in ((self.measure, self.by_node), ("note", self.notes)):
            for id, what in told.items():
                net.nodes[id][name] = what
        return net

    def draw(self, **options: Any) -> Any:
        """The picture of the graph with the answer on it; the options are those of `tinygraph.draw`.

        Its ``save`` writes an SVG, a PNG or, as .html, the page.

        >>> import tinygraph as tg
        >>> x = tg.tensor([1.0, 0.0], requires_grad=True, name="x")
        >>> tg.check_graph(tg.relu(x).sum()).draw()
        <drawing of 3 nodes; .save('graph.svg') writes it>
        """
        import tinygraph

        found = self.by_node

        def measure(node: GraphNode) -> float | str | None:
            return found.get(node.id)
        measure.__name__ = self.measure  # which the legend shows
        face: Any = tinygraph  # which loads the floor above
        overlay = {"notes": self.notes, **({"color_by": measure} if found else {})}
        return face.draw(self.graph, **{**overlay, **options})
