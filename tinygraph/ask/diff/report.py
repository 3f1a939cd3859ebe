"""What is different between two graphs, and the ways to look at it."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tinygraph.analysis import Graph, GraphNode, one_line
from tinygraph.ask.diff.match import match
from tinygraph.ask.report import Report, asked
from tinygraph.core.arguments import Handle
from tinygraph.core.node import Node
from tinygraph.core.op import pick

SHOWN = 40
"""So many lines of each kind are printed."""


@dataclass(frozen=True)
class Change:
    """A node that both graphs have and that is not the same in both.

    Attributes:
        before, after: Its ids in the two graphs.
        facts: What is different, each as (what, before, after): name, op, shape, dtype, param, constant, input.
        value: The largest absolute difference of the values where that is beyond the tolerance, else None.
        origin: Whether the difference begins here, and did not come in with an input.
    """

    before: int
    after: int
    facts: tuple[tuple[str, str, str], ...]
    value: float | None
    origin: bool


@dataclass(frozen=True)
class Diff(Report):
    """The differences between two graphs; it is true where there are any, and prints them.

    ``graph`` holds both in one, for looking at: b's, and beside it what only a has; b's nodes keep their ids.

    Attributes:
        a, b: The graphs.
        pairs: Which node of a is which of b, by id.
        removed, added: The ids of a's nodes that b lacks, and of b's that a lacks.
        changed: The nodes of both that differ, in b's order.
    """

    a: Graph
    b: Graph
    pairs: dict[int, int]
    removed: tuple[int, ...]
    added: tuple[int, ...]
    changed: tuple[Change, ...]

    measure: ClassVar[str] = "difference"

    def __len__(self) -> int:
        return len(self.removed) + len(self.added) + len(self.changed)

    @property
    def graph(self) -> Graph:  # type: ignore[override]
        """Both graphs in one."""
        return self._union[0]

    @property
    def by_node(self) -> dict[int, str]:
        """"removed", "added", "changed" where a difference begins, "follows" where it only came in, or "in both"."""
        return self._union[1]

    @property
    def notes(self) -> dict[int, str]:
        """What changed where differences begin."""
        return {change.after: _facts_of(change) for change in self.changed if change.origin}

    def __str__(self) -> str:
        return "\n".join(_lines(self))

    def as_dict(self) -> dict[str, Any]:
        """The differences as plain data."""
        return {
            "same": not len(self), "pairs": [list(pair) for pair in self.pairs.items()],
            "removed": [_data(self.a[id]) for id in self.removed], "added": [_data(self.b[id]) for id in self.added],
            "changed": [{"before": c.before, "after": c.after, "op": self.b[c.after].op or "leaf",
                         "name": self.b[c.after].name or "", "facts": [list(fact) for fact in c.facts],
                         "value": c.value, "origin": c.origin} for c in self.changed]}

    @functools.cached_property
    def _union(self) -> tuple[Graph, dict[int, str]]:
        made: dict[Node, Node] = {}
        ours = dict.fromkeys(self.added, "added")
        ours |= {change.after: "changed" if change.origin else "follows" for change in self.changed}
        words: dict[Node, str] = {}
        for node in self.b:
            _copied(node, made)
            words[made[node.node]] = ours.get(node.id, "in both")
        for id, j in self.pairs.items():  # what is removed hangs on what stands for its inputs
            _stands_for(self.a[id], self.b[j], made)
        lost = []
        for id in self.removed:
            _copied(self.a[id], made)
            words[made[self.a[id].node]] = "removed"
            lost.append(made[self.a[id].node])
        used = {p for node in lost for p in node.parents if type(p) is Node}
        roots = [made[root] for root in self.b.roots] + [node for node in lost if node not in used]
        whole = Graph(tuple(dict.fromkeys(roots)))
        return whole, {node.id: words[node.node] for node in whole}

    def draw(self, **options: Any) -> Any:
        """One picture of both graphs, coloured by what was added, removed, changed, or follows from a change.

        The options are those of `tinygraph.draw`.

        >>> import tinygraph as tg
        >>> x = tg.tensor(2.0, requires_grad=True, name="x")
        >>> tg.diff_graphs(x * 2, tg.exp(x) * 2).draw()
        <drawing of 3 nodes; .save('graph.svg') writes it>
        """
        return super().draw(**{"backward": False, **options})


def diff_graphs(a: Handle | Graph, b: Handle | Graph, *, rtol: float = 1e-05, atol: float = 1e-08) -> Diff:
    """What was added, removed and changed from one graph to another.

    Nodes are matched by what they were computed from, by their names, and by what uses them. Values differ where
    |a - b| > atol + rtol |b| somewhere, as for `numpy.allclose`.

    a, b: two tensors, usually losses, or their graphs: before and after
    rtol, atol: how far values may be apart, relative and absolute

    >>> import tinygraph as tg
    >>> x = tg.tensor([1.0, -2.0], requires_grad=True, name="x")
    >>> found = tg.diff_graphs(tg.relu(x).sum(), tg.tanh(x).sum())
    >>> [(change.facts, change.origin) for change in found.changed]
    [((('op', 'relu', 'tanh'),), True), ((), False)]
    >>> len(tg.diff_graphs(tg.relu(x).sum(), tg.relu(x).sum()))
    0
    """
    one, two = asked("diff", a), asked("diff", b)
    pairs = match(one, two)
    taken = set(pairs.values())
    removed = tuple(node.id for node in one if node.id not in pairs)
    added = tuple(node.id for node in two if node.id not in taken)
    changed = tuple(_changes(one, two, pairs, rtol, atol))
    return Diff(one, two, pairs, removed, added, changed)


def _changes(a: Graph, b: Graph, pairs: dict[int, int], rtol: float, atol: float) -> Iterator[Change]:
    differs: set[int] = set()
    for i, j in sorted(pairs.items(), key=lambda pair: pair[1]):
        x, y = a[i], b[j]
        facts, data = _facts(x, y, pairs, rtol, atol)
        value = _distance(x.value, y.value, rtol, atol) if x.shape == y.shape else None
        if not facts and value is None:
            continue
        came_in = any(isinstance(s, GraphNode) and s.id in differs for s in y.inputs)
        structural = any(what not in ("shape", "dtype") for what, _, _ in facts)
        differs.add(j)
        yield Change(i, j, facts, value, origin=structural or data or not came_in)


def _facts(x: GraphNode, y: GraphNode, pairs: dict[int, int], rtol: float,
           atol: float) -> tuple[tuple[tuple[str, str, str], ...], bool]:
    """What is different about two nodes but for their values; and whether it lies in a constant's numbers."""
    told = [(what, str(before), str(after)) for what, before, after in (
        ("name", x.name or "", y.name or ""), ("op", x.op or "leaf", y.op or "leaf"), ("shape", x.shape, y.shape),
        ("dtype", x.dtype, y.dtype)) if before != after]
    if x.op != y.op:
        return tuple(told), False
    numbers = False
    before, after = x.node.params or {}, y.node.params or {}
    told += [(f"param {name}", repr(before.get(name)), repr(after.get(name)))
             for name in dict.fromkeys([*before, *after]) if repr(before.get(name)) != repr(after.get(name))]
    for position, (s, t) in enumerate(zip(x.inputs, y.inputs, strict=False)):
        if isinstance(s, GraphNode) and isinstance(t, GraphNode):
            if pairs.get(s.id) != t.id:
                told.append((f"input {position}", f"#{s.id} {s.op or 'leaf'}", f"#{t.id} {t.op or 'leaf'}"))
        elif isinstance(s, GraphNode) or isinstance(t, GraphNode) or _shown(s) != _shown(t):
            told.append((f"input {position}", _shown(s), _shown(t)))
        elif np.shape(s) and (apart := _distance(s, t, rtol, atol)) is not None:
            told.append((f"input {position}", _shown(s), f"{_shown(t)}, other values: up to {apart:.3g} apart"))
            numbers = True
    if len(x.inputs) != len(y.inputs):
        told.append(("inputs", str(len(x.inputs)), str(len(y.inputs))))
    return tuple(told), numbers


def _distance(x: Any, y: Any, rtol: float, atol: float) -> float | None:
    """The largest absolute difference of two values of one shape, None where all are within the tolerance."""
    if isinstance(x, tuple):
        distances = [d for d in (_distance(i, j, rtol, atol) for i, j in zip(x, y, strict=True)) if d is not None]
        return max(distances, default=None)
    left, right = np.asarray(x), np.asarray(y)
    if left.dtype.kind not in "biufc" or right.dtype.kind not in "biufc":
        return None if np.array_equal(left, right) else np.inf
    if np.allclose(left, right, rtol, atol, equal_nan=True):
        return None
    with np.errstate(all="ignore"):
        apart = np.absolute(left.astype(complex) - right.astype(complex))
    apart = np.where(np.isnan(apart), np.inf, apart)
    # Two infinities, or two NaNs, are not apart.
    return float(np.max(np.where((left == right) | (np.isnan(left) & np.isnan(right)), 0, apart)))


def _shown(x: Any) -> str:
    if isinstance(x, GraphNode):
        return f"#{x.id} {x.op or 'leaf'}"
    return f"{x.dtype}{tuple(x.shape)}" if np.shape(x) else repr(x)


# --- text and data ----------------------------------------------------------------------------------------------------


def _lines(found: Diff) -> list[str]:
    origins = [c for c in found.changed if c.origin]
    follow = [c for c in found.changed if not c.origin]
    if not len(found):
        return [f"the same: {len(found.a):,} nodes in both"]
    lines = [f"{len(found.removed):,} removed, {len(found.added):,} added, {len(origins):,} changed, "
             f"{len(follow):,} that follow from them; {len(found.pairs):,} nodes in both"]
    lines += _some("- ", [_named(found.a[id]) for id in found.removed])
    lines += _some("+ ", [_named(found.b[id]) for id in found.added])
    lines += _some("~ ", [_told(found, change) for change in origins])
    worst = max((c for c in follow if c.value is not None), key=lambda c: c.value or 0.0, default=None)
    if follow:
        at = f"; values are furthest apart, by {worst.value:.3g}, at {_named(found.b[worst.after])}" if worst else ""
        lines.append(f"  {len(follow):,} nodes after these differ as well{at}")
    return lines


def _some(mark: str, lines: list[str]) -> list[str]:
    rest = [f"{mark}... {len(lines) - SHOWN:,} more"] if len(lines) > SHOWN else []
    return [mark + line for line in lines[:SHOWN]] + rest


def _named(node: GraphNode) -> str:
    name = f" {one_line(node.name)!r}" if node.name else ""
    where = f" ({os.path.basename(node.location[0])}:{node.location[1]})" if node.location else ""
    return f"#{node.id} {node.op or 'leaf'}{name} {one_line(str(node.shape))}{where}"


def _told(found: Diff, change: Change) -> str:
    return f"{_named(found.b[change.after])}: {_facts_of(change)}"


def _facts_of(change: Change) -> str:
    facts = [f"{what} {one_line(before, 60)} → {one_line(after, 60)}" for what, before, after in change.facts]
    if change.value is not None:
        facts.append(f"values up to {change.value:.3g} apart")
    return "; ".join(facts)


def _data(node: GraphNode) -> dict[str, Any]:
    return {"id": node.id, "op": node.op or "leaf", "name": node.name or "", "shape": str(node.shape),
            "location": f"{os.path.basename(node.location[0])}:{node.location[1]}" if node.location else ""}


# --- both graphs in one -----------------------------------------------------------------------------------------------


def _copied(node: GraphNode, made: dict[Node, Node]) -> None:
    """Make a node like this one, and one for each output of several, on the copies of its inputs."""
    for old in dict.fromkeys((node.node, *node.outputs)):
        new = Node()
        new.op, new.params, new.value, new.requires_grad = old.op, old.params, old.value, old.requires_grad
        new.parents = tuple(made[p] if type(p) is Node else p for p in old.parents)
        new.serial, new.watched, new.name, new.scope = len(made), old.watched, old.name, old.scope
        new.code, new.instruction = old.code, old.instruction
        made[old] = new


def _stands_for(x: GraphNode, y: GraphNode, made: dict[Node, Node]) -> None:
    """Have a's node be shown as its partner in b; its outputs as the partner's, or as its first."""
    by_index = {n.params["index"]: n for n in y.outputs if n.op is pick and n.params is not None}
    for old in (x.node, *x.outputs):
        if old.op is pick and old.params is not None and by_index:
            made.setdefault(old, made[by_index.get(old.params["index"], next(iter(by_index.values())))])
        else:
            made.setdefault(old, made[y.node])
