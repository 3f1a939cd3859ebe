"""Graph: what one or more tensors were computed from, as data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tinygraph.analysis.nodes import MISSING, Cotangents, Edge, GraphNode, each
from tinygraph.analysis.table import table
from tinygraph.analysis.text import count
from tinygraph.core.arguments import Array, Handle
from tinygraph.core.backward import cotangents, start
from tinygraph.core.context import HOOKS
from tinygraph.core.errors import ArgumentError, GradientError, UnsupportedError
from tinygraph.core.messages import here
from tinygraph.core.node import SERIAL, Node, ancestors
from tinygraph.core.op import Op, pick

if TYPE_CHECKING:
    import networkx as nx


class Graph:
    """What one or more tensors were computed from: `GraphNode` s in topological order, and the edges between them.

    Iterating gives the nodes, parents first; ``graph[i]`` is the node with id i; printing shows a table.

    Attributes:
        roots: The engine's nodes that it was made for.
        nodes, edges: In the order of creation.
        failed: The op that raised the error whose ``graph`` this is, or None.
        message: What that error said, or "".

    >>> import tinygraph as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    >>> found = graph((x * x).sum())
    >>> [node.op for node in found], found.flops
    ([None, 'multiply', 'sum'], 4)
    """

    failed: GraphNode | None = None
    message = ""

    def __init__(self, roots: tuple[Node, ...]) -> None:
        self.roots = roots
        self.nodes: list[GraphNode] = []
        self.edges: list[Edge] = []
        self._of: dict[Node, GraphNode] = {}
        picked: dict[GraphNode, dict[int, Node]] = {}
        for node in ancestors(roots):
            if node.op is pick and node.parents:
                whole = self._of[node] = self._of[node.parents[0]]
                picked.setdefault(whole, {}).setdefault(node.params["index"], node)  # type: ignore[index]
            else:
                made = self._of[node] = GraphNode(len(self.nodes), node)
                self.nodes.append(made)
                self._connect(made)
        for whole, outputs in picked.items():
            whole.outputs = tuple(outputs[index] for index in sorted(outputs))

    def _connect(self, made: GraphNode) -> None:
        inputs = []
        for position, parent in enumerate(made.node.parents):
            if type(parent) is Node:
                source = self._of[parent]
                self.edges.append(Edge(source, made, position, parent))
                if source.level >= made.level:
                    made.level = source.level + 1
                inputs.append(source)
            else:
                inputs.append(parent)
        made.inputs = tuple(inputs)

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[GraphNode]:
        return iter(self.nodes)

    def __getitem__(self, id: int) -> GraphNode:
        return self.nodes[id]

    def __repr__(self) -> str:
        return f"<graph of {count(len(self), 'node')}, {count(len(self.edges), 'edge')}>"

    def __str__(self) -> str:
        return table(self.nodes, len(self.edges))

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        picture = HOOKS.get("display")
        return picture(self) if picture is not None else {"text/plain": str(self)}

    def of(self, tensor: Handle) -> GraphNode:
        """The node of this graph that a tensor stands for; ArgumentError where it is not part of the graph.

        >>> import tinygraph as tg
        >>> x = tg.tensor(2.0, requires_grad=True)
        >>> tg.graph(x * 3).of(x).id
        0
        """
        if tensor.node not in self._of:
            raise ArgumentError(f"of: this tensor is no part of the graph{here()}")
        return self._of[tensor.node]

    def of_node(self, node: Node) -> GraphNode:
        """The node of this graph that stands for one of the engine's."""
        return self._of[node]

    def find(self, node: Node) -> GraphNode | None:
        """As `of_node`; None where none does."""
        return self._of.get(node)

    @property
    def differentiated(self) -> bool:
        """Whether a backward pass has left a gradient anywhere."""
        return any(node.grad is not None for node in self.nodes if node.requires_grad)

    @property
    def ends(self) -> list[GraphNode]:
        """The nodes that hold the roots."""
        return [self._of[root] for root in self.roots]

    @property
    def levels(self) -> list[list[GraphNode]]:
        """The nodes by their longest distance from a leaf: all of level 0, all of level 1, ..."""
        levels: list[list[GraphNode]] = [[] for _ in range(1 + max((node.level for node in self), default=-1))]
        for node in self:
            levels[node.level].append(node)
        return levels

    @property
    def critical_path(self) -> list[GraphNode]:
        """The path from a leaf to a root whose nodes need most FLOPs together, leaf first.

        However many processors share the work, it takes no less than this. Of equal paths the longer one is given.
        """
        best: list[tuple[int, int]] = []
        before: list[GraphNode | None] = []
        for node in self:
            sources = [i for i in node.inputs if isinstance(i, GraphNode)]
            source = max(sources, key=lambda s: best[s.id], default=None)
            cost, length = best[source.id] if source is not None else (0, 0)
            best.append((cost + node.flops, length + 1))
            before.append(source)
        end: GraphNode | None = max(self.nodes, key=lambda node: best[node.id])
        path = []
        while end is not None:
            path.append(end)
            end = before[end.id]
        return path[::-1]

    @property
    def flops(self) -> int:
        """Floating-point operations of one forward pass."""
        return sum(node.flops for node in self)

    @property
    def bytes(self) -> int:
        """What all values take up (bytes); a view counts in full."""
        return sum(node.bytes for node in self)

    def cotangents(self, seed: Array | None = None) -> Cotangents:
        """The derivative of the root in every node, and what each edge adds to it, by one sweep; no ``grad`` changes.

        Args:
            seed: The root's cotangent, of its shape; 1 where the root is a single number.

        Raises GradientError where there are several roots, where nothing requires a gradient, or where a root of many
        elements has no seed.

        >>> import tinygraph as tg
        >>> x = tg.tensor(3.0, requires_grad=True)
        >>> tg.graph(x * x).cotangents().edges
        {(1, 0): np.float64(3.0), (1, 1): np.float64(3.0)}
        """
        if len(self.roots) != 1:
            raise GradientError(f"cotangents start from one root, and this graph has {len(self.roots)}{here()}")
        root = self.roots[0]
        found = Cotangents({}, {})
        g = start(root, seed)
        for node, cotangent, handed in cotangents(root, g.node.value if isinstance(g, Handle) else g, every=True,
                                                  hooks=False):
            op, id = node.op, self._of[node].id
            if op is pick:  # its op follows, with all outputs at once
                continue
            outputs = op.outputs - op.hidden if op is not None else 0
            found.nodes[id] = each(tuple(cotangent[:outputs])) if outputs else cotangent
            for position, contribution in handed:
                found.edges[id, position] = contribution
        return found

    def diff(self, other: Graph | Handle, *, rtol: float = 1e-05, atol: float = 1e-08) -> Any:
        """What was added, removed and changed from this graph to another: `tinygraph.diff_graphs`, or ``tg.diff``.

        >>> import tinygraph as tg
        >>> x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
        >>> print(tg.graph(x * 2).diff(tg.graph(x * 2)))
        the same: 2 nodes in both
        """
        return HOOKS["diff"](self, other, rtol=rtol, atol=atol)

    def to_networkx(self) -> nx.MultiDiGraph[int]:
        """The graph for networkx: node ids as keys, edges in the direction of the data, from an input to its use.

        Nodes have op ("leaf" for a leaf), name, shape, dtype (as strings, which every file format of networkx takes),
        flops, bytes and level; edges have the argument's position, which is their key as well.

        >>> import tinygraph as tg
        >>> x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
        >>> net = tg.graph(x * x).to_networkx()
        >>> net.edges(keys=True)
        OutMultiEdgeView([(0, 1, 0), (0, 1, 1)])
        >>> net.nodes[1]["op"], net.nodes[1]["shape"]
        ('multiply', '(2,)')
        """
        import networkx as nx

        net: nx.MultiDiGraph[int] = nx.MultiDiGraph()
        net.add_nodes_from((node.id, {
            "op": node.op or "leaf", "name": node.name or "", "shape": str(node.shape), "dtype": str(node.dtype),
            "flops": node.flops, "bytes": node.bytes, "level": node.level}) for node in self)
        for source, target, position, _ in self.edges:
            net.add_edge(source.id, target.id, key=position, position=position)
        return net


def graph(*roots: Handle) -> Graph:
    """The graph that these tensors were computed from, as data.

    >>> import numpy as np
    >>> import tinygraph as tg
    >>> x = tg.tensor(np.ones((2, 3)), name="x")
    >>> w = tg.tensor(np.ones((3, 4)), requires_grad=True, name="w")
    >>> print(tg.graph(np.exp(x @ w) * 2))
    #  op        name  shape   dtype    inputs  FLOPs  bytes
    0  leaf      x     (2, 3)  float64              0     48
    1  leaf      w     (3, 4)  float64              0     96
    2  matmul          (2, 4)  float64  #0 #1      48     64
    3  exp             (2, 4)  float64  #2          8     64
    4  multiply        (2, 4)  float64  #3 2        8     64
       5 nodes, 4 edges                            64    336
    """
    if not roots:
        raise ArgumentError(f"graph: give at least one tensor{here()}")
    for root in roots:
        if not isinstance(root, Handle):
            raise UnsupportedError(f"graph: a graph starts from tensors, not from {type(root).__name__}{here()}")
    return Graph(tuple(root.node for root in roots))


def failure(op: Op[..., Any], parents: tuple[Any, ...], message: str) -> Graph:
    """The graph of the inputs of an op that raised, with a node of its own for the op."""
    root = node = _unmade(op, parents, (MISSING,) * op.outputs if op.outputs else MISSING)
    if op.outputs:
        root = _unmade(pick, (node,), MISSING)
        root.params = {"index": 0}
    made = Graph((root,))
    made.failed, made.message = made.of_node(node), message
    return made


def _unmade(op: Op[..., Any], parents: tuple[Any, ...], value: Any) -> Node:
    node = Node()
    node.op, node.parents, node.params, node.value = op, parents, None, value
    node.serial, node.requires_grad, node.watched = next(SERIAL), False, False
    return node


HOOKS["failure"] = failure
