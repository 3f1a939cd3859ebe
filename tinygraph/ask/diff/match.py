"""Which node of one graph is which of another: by what they were computed from, by name, by what uses them.

As Falleri et al., "Fine-grained and accurate source code differencing" (GumTree, 2014), do it for trees: first the
largest equal parts, from the roots down; then, from every pair outwards, what stands at the same place. Each node is
numbered by its structure, so that equal parts are found by looking a number up; the time is linear in nodes and edges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from tinygraph.analysis import Graph, GraphNode
from tinygraph.core.op import pick

Key = Callable[[GraphNode], Any]


def match(a: Graph, b: Graph) -> dict[int, int]:
    """The pairs of nodes of two graphs that stand for one another: id in ``a`` to id in ``b``.

    >>> import tinygraph as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    >>> one, two = tg.graph((x * 2).sum()), tg.graph((tg.exp(x) * 2).sum())
    >>> [(one[i].op, two[j].op) for i, j in match(one, two).items()]
    [(None, None), ('multiply', 'multiply'), ('sum', 'sum')]
    """
    pairs = _Pairs(a, b)
    pairs.equal_parts(_exact)
    pairs.by_name()
    pairs.equal_parts(_rough)
    pairs.roots()
    pairs.equal_parts(_bare)
    pairs.outwards()
    return dict(sorted(pairs.found.items()))


def _exact(node: GraphNode) -> Any:
    """What a leaf, or an op but for its inputs, is: name, shape, dtype, params, constants."""
    constants = tuple(_constant(i) for i in node.inputs if not isinstance(i, GraphNode))
    return node.op, node.name, node.shape, str(node.dtype), node.requires_grad, repr(node.node.params), constants


def _rough(node: GraphNode) -> Any:
    """The same in other sizes: a leaf's name, an op's own."""
    return node.op, node.name if node.op is None else None


def _bare(node: GraphNode) -> Any:
    """The op alone, whatever its leaves are called."""
    return node.op, node.requires_grad


def _constant(x: Any) -> Any:
    return (tuple(x.shape), str(x.dtype)) if getattr(x, "shape", ()) else repr(x)


class _Pairs:
    """The pairs found so far."""

    def __init__(self, a: Graph, b: Graph) -> None:
        self.a, self.b = a, b
        self.found: dict[int, int] = {}
        self.taken: set[int] = set()

    def pair(self, x: GraphNode, y: GraphNode) -> bool:
        """Make a pair of two nodes unless one of them has another partner."""
        if x.id in self.found or y.id in self.taken or (x.op is None) != (y.op is None):
            return False
        self.found[x.id] = y.id
        self.taken.add(y.id)
        return True

    def equal_parts(self, key: Key) -> None:
        """Pair the parts that are computed alike, the largest first, each with everything it was computed from."""
        numbers: dict[Any, int] = {}
        of_a, of_b = (_numbered(graph, key, numbers) for graph in (self.a, self.b))
        waiting: dict[int, list[GraphNode]] = {}
        for node in self.a:
            waiting.setdefault(of_a[node.id], []).append(node)
        for y in reversed(self.b.nodes):
            # A leaf without a name, or whose name does not count, is known by its use alone.
            if y.id in self.taken or (y.op is None and (y.name is None or key is _bare)):
                continue
            candidates = waiting.get(of_b[y.id], [])
            while candidates and candidates[-1].id in self.found:
                candidates.pop()
            if candidates:
                self._whole(candidates.pop(), y)

    def _whole(self, x: GraphNode, y: GraphNode) -> None:
        stack = [(x, y)]
        while stack:
            left, right = stack.pop()
            if self.pair(left, right):
                stack += [(i, j) for i, j in zip(left.inputs, right.inputs, strict=False)
                          if isinstance(i, GraphNode) and isinstance(j, GraphNode)]

    def by_name(self) -> None:
        """Pair what has the same name, where each graph has it once."""
        names = [Counter(node.name for node in graph if node.name) for graph in (self.a, self.b)]
        unique = {name for name, n in names[0].items() if n == 1 and names[1][name] == 1}
        there = {node.name: node for node in self.b if node.name in unique}
        for node in self.a:
            if node.name in unique:
                self.pair(node, there[node.name])

    def roots(self) -> None:
        """The results correspond, whatever computes them."""
        of_a, of_b = ({node: g for g in graph for node in (g.node, *g.outputs)} for graph in (self.a, self.b))
        for left, right in zip(self.a.roots, self.b.roots, strict=False):
            self.pair(of_a[left], of_b[right])

    def outwards(self) -> None:
        """From every pair to what stands beside it: first where the ops agree, then where only the place does."""
        uses_a, uses_b = _uses(self.a), _uses(self.b)
        for same_op in (True, False):
            queue = [(self.a[i], self.b[j]) for i, j in self.found.items()]
            for x, y in queue:  # grows while it is walked
                sides = [*zip(x.inputs, y.inputs, strict=False)]
                sides += _alike(uses_a.get(x.id, []), uses_b.get(y.id, []), self)
                for i, j in sides:
                    if not (isinstance(i, GraphNode) and isinstance(j, GraphNode)):
                        continue
                    if (i.op == j.op if same_op else self._share_an_input(i, j)) and self.pair(i, j):
                        queue.append((i, j))

    def _share_an_input(self, i: GraphNode, j: GraphNode) -> bool:
        """Whether two nodes at one place, with different ops, were computed from the same thing."""
        if i.op is None or j.op is None:
            return i.op is j.op
        return any(isinstance(s, GraphNode) and isinstance(t, GraphNode) and self.found.get(s.id) == t.id
                   for s, t in zip(i.inputs, j.inputs, strict=False))


def _numbered(graph: Graph, key: Key, numbers: dict[Any, int]) -> list[int]:
    """A number for each node: two nodes have the same where they and all that they were computed from are alike."""
    found: list[int] = []
    for node in graph:
        inputs = tuple((found[i.id], parent.params["index"] if parent.op is pick else 0)
                       if isinstance(i, GraphNode) else None
                       for i, parent in zip(node.inputs, node.node.parents, strict=False))
        found.append(numbers.setdefault((key(node), inputs), len(numbers)))
    return found


def _uses(graph: Graph) -> dict[int, list[tuple[int, GraphNode]]]:
    uses: dict[int, list[tuple[int, GraphNode]]] = {}
    for edge in graph.edges:
        uses.setdefault(edge.source.id, []).append((edge.position, edge.target))
    return uses


def _alike(left: list[tuple[int, GraphNode]], right: list[tuple[int, GraphNode]],
           pairs: _Pairs) -> Iterable[tuple[GraphNode, GraphNode]]:
    """The uses of two values that are of one op at one position, in order, as far as they have no partner yet."""
    waiting: dict[Any, list[GraphNode]] = {}
    for position, node in reversed(right):
        if node.id not in pairs.taken:
            waiting.setdefault((position, node.op), []).append(node)
    for position, node in left:
        if node.id not in pairs.found and (candidates := waiting.get((position, node.op))):
            yield node, candidates.pop()
