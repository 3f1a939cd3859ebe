"""The graph as data: nodes in topological order, edges with argument positions, shapes, costs, cotangents, networkx.

The nodes that take one output out of an op with several are folded away here, so that everything above (pictures,
exports, questions) sees one node an op.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tinygraph.core.arguments import Array, Handle
from tinygraph.core.context import HOOKS
from tinygraph.core.errors import ArgumentError, GradientError, UnsupportedError
from tinygraph.core.messages import here
from tinygraph.core.node import SERIAL, Node, ancestors, cotangents, start
from tinygraph.core.op import Op, pick

if TYPE_CHECKING:
    import networkx as nx

TABLE_ROWS = 60
"""A longer table shows its head and its tail."""


class Outline:
    """What is known of an array that is not there: its shape, its dtype, and how a picture prints it.

    A graph that was read from a file holds them, and the op that failed, in an error's ``graph``.

    >>> Outline((2, 3), "float32", ("all 0",)).nbytes
    24
    """

    __slots__ = ("dtype", "lines", "nbytes", "shape")

    def __init__(self, shape: tuple[int, ...], dtype: str, lines: tuple[str, ...], nbytes: int | None = None) -> None:
        self.shape, self.lines = shape, lines
        self.dtype = np.dtype(dtype)
        self.nbytes = self.size * self.dtype.itemsize if nbytes is None else nbytes

    def __repr__(self) -> str:
        return f"<outline of {self.dtype} {self.shape}: {', '.join(self.lines)}>"

    def __format__(self, form: str) -> str:
        return ", ".join(self.lines)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)


MISSING = Outline((), "float64", (), 0)
"""The value of an op that raised."""


class GraphNode:
    """One value of a `Graph`, or all outputs of one op: what made it, its shape, its costs.

    Attributes:
        id: The place in the order of creation, from 0.
        node: The engine's node.
        inputs: The op's inputs in order: a GraphNode, or the bare constant that stood there.
        outputs: The engine's nodes that hold its values: its own, or one for each output that the graph uses.
        level: The longest distance from a leaf; 0 for a leaf.
    """

    __slots__ = ("id", "inputs", "level", "node", "outputs")

    def __init__(self, id: int, node: Node) -> None:
        self.id, self.node, self.level = id, node, 0
        self.inputs: tuple[Any, ...] = ()
        self.outputs: tuple[Node, ...] = (node,)

    def __repr__(self) -> str:
        return f"<{self.op or 'leaf'} #{self.id}{f' {one_line(self.name)!r}' if self.name else ''} {self.shape}>"

    @property
    def op(self) -> str | None:
        """The op's name; None for a leaf."""
        return self.node.op.name if self.node.op else None

    @property
    def symbol(self) -> str | None:
        """What the diagram's circle shows; None for a leaf."""
        return self.node.op.symbol if self.node.op else None

    @property
    def name(self) -> str | None:
        """What the user called it; the names of several outputs are joined."""
        return ", ".join(node.name for node in self.outputs if node.name is not None) or None

    @property
    def value(self) -> Array:
        """The array; a tuple of them where the op shows several outputs."""
        arrays = self._arrays()
        return arrays if len(arrays) > 1 else arrays[0]

    @property
    def shape(self) -> Any:
        """The value's shape; a tuple of shapes where the op shows several outputs."""
        return _each(tuple(tuple(a.shape) for a in self._arrays()))

    @property
    def dtype(self) -> Any:
        """The value's dtype; a tuple of them where the op shows several outputs."""
        return _each(tuple(a.dtype for a in self._arrays()))

    @property
    def bytes(self) -> int:
        """What the value takes up (bytes), an op's hidden outputs among it; a view counts in full."""
        value = self.node.value
        return sum(int(a.nbytes) for a in value) if isinstance(value, tuple) else int(value.nbytes)

    @property
    def flops(self) -> int:
        """Floating-point operations of the forward, by the op's card; 0 where it counts none, and for a leaf."""
        op = self.node.op
        if op is None or op.flops is None or not self.node.parents or self._arrays()[0] is MISSING:
            return 0
        values = tuple(p.value if type(p) is Node else p for p in self.node.parents)
        params = op.filled(self.node.params, values) if self.node.params is not None else {}
        return int(op.flops(self.node.value, *values, **params))

    @property
    def grad(self) -> Array | None:
        """What backward left here, or None."""
        return next((node.grad for node in self.outputs if node.grad is not None), None)

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient may flow here."""
        return self.node.requires_grad

    @property
    def location(self) -> tuple[str, int, str] | None:
        """File, line and function that made it, or None where that is not known."""
        return self.node.location

    @property
    def scope(self) -> tuple[str, ...]:
        """The names of the scopes that it was made in, outermost first, each with the number of its use."""
        return self.node.scope

    def _arrays(self) -> tuple[Array, ...]:
        """The outputs that a caller of the op sees."""
        op, value = self.node.op, self.node.value
        return value[:op.outputs - op.hidden] if op is not None and op.outputs else (value,)


class Edge(NamedTuple):
    """One use of a value: ``source`` is argument number ``position`` of ``target``; ``node`` holds the value."""

    source: GraphNode
    target: GraphNode
    position: int
    node: Node


class Cotangents(NamedTuple):
    """The derivative of one root in everything it was computed from. The arrays may be shared: read them only.

    Attributes:
        nodes: By id: the node's whole cotangent; a tuple where its op shows several outputs, with None for one that
            nothing was computed from.
        edges: By (id of the target, argument position): what this one use adds to the cotangent of its source.
    """

    nodes: dict[int, Array]
    edges: dict[tuple[int, int], Array]


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
        return f"<graph of {_count(len(self), 'node')}, {_count(len(self.edges), 'edge')}>"

    def __str__(self) -> str:
        return _table(self)

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
            found.nodes[id] = _each(tuple(cotangent[:outputs])) if outputs else cotangent
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


def one_line(text: str, limit: int = 24) -> str:
    r"""A user's text as it can stand in a table or a picture: one line, nothing unprintable, at most ``limit`` long.

    >>> one_line("two\nlines"), one_line("x" * 10_000, limit=8)
    ('two lines', 'xxxxxxx…')
    """
    kept = []
    for character in text[:8 * limit]:
        kind = unicodedata.category(character)
        if character.isspace():
            kept.append(" ")
        elif kind in ("Cc", "Cs", "Cn"):
            kept.append("\N{REPLACEMENT CHARACTER}")
        elif kind != "Cf" or character == "\N{ZERO WIDTH JOINER}":  # what turns the direction of writing goes
            kept.append(character)
    line = " ".join("".join(kept).split())
    return line if len(line) <= limit else line[:limit - 1] + "…"


def drawn(constant: Any) -> bool:
    """Tell whether an input that is no node is worth showing: a number or an array, and not an unused option.

    >>> drawn(2.0), drawn(None), drawn(True)
    (True, False, False)
    """
    is_number = isinstance(constant, int | float | complex) and not isinstance(constant, bool)
    return is_number or hasattr(constant, "shape")


def _count(n: int, thing: str) -> str:
    return f"{n:,} {thing}{'s' * (n != 1)}"


def _each(facts: tuple[Any, ...]) -> Any:
    return facts if len(facts) > 1 else facts[0]


def _table(graph: Graph) -> str:
    head, tail = graph.nodes, []
    if len(graph) > TABLE_ROWS:
        head, tail = graph.nodes[:TABLE_ROWS // 2], graph.nodes[-TABLE_ROWS // 2:]
    rows = [["#", "op", "name", "shape", "dtype", "inputs", "FLOPs", "bytes"], *map(_row, head), *map(_row, tail)]
    flops, size = f"{graph.flops:,}", f"{graph.bytes:,}"
    count = f"{_count(len(graph), 'node')}, {_count(len(graph.edges), 'edge')}"
    widths = [max(len(row[i]) for row in rows) for i in range(8)]
    widths[6], widths[7] = max(widths[6], len(flops)), max(widths[7], len(size))
    right = {0, 6, 7}
    lines = ["  ".join(cell.rjust(w) if i in right else cell.ljust(w)
                       for i, (cell, w) in enumerate(zip(row, widths, strict=True))).rstrip() for row in rows]
    if tail:
        lines.insert(1 + len(head), f"{'':{widths[0]}}  ... {len(graph) - len(head) - len(tail):,} more nodes ...")
    middle = sum(widths[1:6]) + 8
    total = f"{'':{widths[0]}}  {count:{middle}}  {flops:>{widths[6]}}  {size:>{widths[7]}}"
    return "\n".join([*lines, total])


def _row(node: GraphNode) -> list[str]:
    inputs = [f"#{i.id}" if isinstance(i, GraphNode) else f"{i.dtype}{tuple(i.shape)}" if getattr(i, "shape", ())
              else f"{i:.4g}" for i in node.inputs if isinstance(i, GraphNode) or drawn(i)]
    return [str(node.id), one_line(node.op or "leaf"), one_line(node.name or ""), one_line(str(node.shape)),
            one_line(str(node.dtype)), one_line(" ".join(inputs), 40), f"{node.flops:,}", f"{node.bytes:,}"]
