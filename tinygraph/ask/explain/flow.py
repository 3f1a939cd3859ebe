"""How a gradient flows from a root back to one tensor: what each use of it adds, over which ways, and what stops it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from heapq import nlargest
from typing import Any, NamedTuple

import numpy as np

from tinygraph.ask import reasons
from tinygraph.core.node import Node, ancestors, cotangents
from tinygraph.core.op import Array, pick
from tinygraph.nn.wrap import layer_of

_FILTERS = frozenset({"relu", "clip", "where", "maximum", "minimum", "fmax", "fmin", "multiply", "sigmoid", "tanh",
                      "absolute", "sign", "getitem"})
"""Ops that let a gradient through element by element, of which it can be said where they do not."""


class Use(NamedTuple):
    """One edge: ``node`` uses a value as its argument number ``position``; ``gradient`` is what that adds to it."""

    node: Node
    position: int
    gradient: Array


class Stop(NamedTuple):
    """A place that a gradient does not pass: the rule of an argument gives 0, or the shares that meet there cancel.

    Attributes:
        node: The op, or, where shares cancel, the value at which they do.
        position: Whose gradient it is; None where shares cancel.
        stopped, size: In how many elements nothing passes, of how many in which something arrives.
        why: A sentence.
    """

    node: Node
    position: int | None
    stopped: int
    size: int
    why: str


class Origin(NamedTuple):
    """Where a gradient first is not finite: the rule of ``node`` for an argument made it; ``why`` in a sentence."""

    node: Node
    position: int
    why: str
    forward: Node | None


class Way(NamedTuple):
    """One way from the tensor to the root: its nodes in that order, and what comes back along it."""

    nodes: list[Node]
    gradient: Array


class _Step(NamedTuple):
    """The last part of a way from the root: how large it is (as a logarithm), and from where it was continued."""

    score: float
    child: Node | None
    position: int
    rank: int


class Flow:
    """What flows from ``root`` to ``target``, by one sweep.

    Attributes:
        gradient: The target's whole cotangent; None where none arrives.
        uses: What each use adds, in the order in which the engine adds them: their sum is ``gradient`` to the last bit.
        number: How many ways there are; a float, at last infinity, where there are very many.
        ways: The largest of them; their gradients, and ``rest``, the sum of all the others, make ``gradient``.
        stops: Where nothing passes. cut: uses without a derivative, as (node, position).
        origin: Where it first is not finite, or None.
    """

    def __init__(self, target: Node, root: Node, seed: Array, most: int) -> None:
        self.target, self.root, self.seed, self.most = target, root, seed, most
        self.gradient: Array | None = None
        self.uses: list[Use] = []
        self.number: float = 0
        self.ways: list[Way] = []
        self.rest: Array | None = None
        self.stops: list[Stop] = []
        self.cut: list[tuple[Node, int]] = []
        self.origin: Origin | None = None
        self.order = ancestors([root], since=target.serial)
        self.reached = _descendants(target, self.order)
        if root in self.reached:
            with np.errstate(all="ignore"):
                self._sweep()
                self._follow()
                if any(layer_of(node) is not None for node in self.reached):
                    self._sweep(look=False)  # a wrapped layer's own dW are left as backward leaves them

    def _sweep(self, look: bool = True) -> None:
        incoming: dict[Node, list[tuple[Node, int, float]]] = {}
        self._best: dict[Node, list[_Step]] = {}
        counts: dict[Node, float] = {}
        sweep = cotangents(self.root, self.seed, only=self.reached, every=True, hooks=False)
        for node, g, handed in sweep:
            if not look:
                continue
            edges = incoming.pop(node, [])
            ways = 1 if node is self.root else sum(counts[child] for child, _, _ in edges)
            counts[node] = ways if ways < 1e30 else float(ways)  # a long chain of forks would make it a book of digits
            self._best[node] = self._largest(node, edges)
            if node is self.target:
                self.gradient, self.number = g, counts[node]
            if len(edges) > 1 and _is_zero(g) and any(size for _, _, size in edges):
                self.stops.append(Stop(node, None, np.size(g), np.size(g), "the shares that meet here cancel"))
            if node.op is pick:
                handed = [(0, g)]
            for position, c in handed:
                parent = node.parents[position]
                size = float(np.add.reduce(np.absolute(c), None))
                incoming.setdefault(parent, []).append((node, position, size))
                if parent is self.target:
                    self.uses.append(Use(node, position, c))
                # Where all of a finite gradient passes there is nothing to say, and the look costs.
                op = node.op
                if op is not None and op is not pick and (op.name in _FILTERS or not 0 < size < math.inf):
                    self._judge(node, position, g, c)
            given = {position for position, _ in handed}
            if node.op is not None:
                self.cut += [(node, i) for i, p in enumerate(node.parents)
                             if type(p) is Node and p in self.reached and i not in given]

    def _largest(self, node: Node, edges: list[tuple[Node, int, float]]) -> list[_Step]:
        """The largest ways from the root to a node, by the share of each edge in what arrives at its end."""
        if node is self.root:
            return [_Step(0.0, None, 0, 0)]
        total = sum(size for _, _, size in edges)
        found = []
        for child, position, size in edges:
            share = size / total if 0 < total < math.inf else 1 / len(edges)
            score = math.log(share) if share > 0 else -1e9
            found += [_Step(step.score + score, child, position, rank) for rank, step in enumerate(self._best[child])]
        return nlargest(self.most, found, key=lambda step: step.score) if len(found) > self.most else \
            sorted(found, key=lambda step: -step.score)

    def _follow(self) -> None:
        """The largest ways with what comes back along each, and the sum of the others."""
        if self.gradient is None:
            return
        rest = self.gradient
        for step in self._best[self.target]:
            edges = list(self._edges(step))
            if self.number == 1:
                c = self.gradient
            elif len(edges) == 1:
                c = next(u.gradient for u in self.uses if (u.node, u.position) == edges[0])
            else:
                c = self._along(edges)
            self.ways.append(Way([self.target, *(node for node, _ in edges)], c))
            rest = rest - c
        self.ways.sort(key=lambda way: -float(np.nan_to_num(np.sum(np.absolute(way.gradient)))))
        self.rest = rest if self.number > len(self.ways) else None
        del self._best

    def _edges(self, step: _Step) -> Iterator[tuple[Node, int]]:
        """The edges of a way, from the target's first use to the root."""
        while step.child is not None:
            yield step.child, step.position
            step = self._best[step.child][step.rank]

    def _along(self, edges: list[tuple[Node, int]]) -> Array:
        """What comes back to the target if the seed goes along these edges alone."""
        g: Any = self.seed
        for node, position in reversed(edges):
            parent = node.parents[position]
            if node.op is pick:
                parts: list[Any] = [None] * len(parent.value)
                parts[node.params["index"]] = g  # type: ignore[index]
                g = parts
                continue
            # The engine's own step, which fits the cotangent to its input.
            _, _, handed = next(cotangents(node, g, only={parent}, every=True, hooks=False))
            g = next(c for i, c in handed if i == position)
        return g

    def _judge(self, node: Node, position: int, g: Any, c: Array) -> None:
        """Note where a gradient stops, and where it first is not finite."""
        op = node.op
        assert op is not None
        arrived = [part for part in (g if isinstance(g, list | tuple) else [g]) if part is not None]
        if self.origin is None and not np.all(np.isfinite(c)) and all(np.all(np.isfinite(part)) for part in arrived):
            self.origin = self._named(node, position)
        if not np.size(c) or not any(np.any(part) for part in arrived):
            return
        if _is_zero(c):
            some = sum(int(np.count_nonzero(part)) for part in arrived)
            self.stops.append(Stop(node, position, some, some, self._why(node, position)))
        elif len(arrived) == 1 and op.name in _FILTERS and np.shape(arrived[0]) == np.shape(c):
            stopped = int(np.count_nonzero((arrived[0] != 0) & (c == 0)))
            if stopped:
                some = int(np.count_nonzero(arrived[0]))
                self.stops.append(Stop(node, position, stopped, some, self._why(node, position, arrived[0], c)))

    @staticmethod
    def _why(node: Node, position: int, g: Array | None = None, c: Array | None = None) -> str:
        """Why a rule gives 0, of the elements in which it does."""
        values = [p.value if type(p) is Node else p for p in node.parents]
        y = node.value
        if g is not None and c is not None:
            where = (g != 0) & (c == 0)
            values = [x[where] if np.shape(x) == np.shape(where) else x for x in values]
            y = y[where] if np.shape(y) == np.shape(where) else y
        assert node.op is not None
        return reasons.of_zero(node.op.name, y, position, values)

    def _named(self, node: Node, position: int) -> Origin:
        """What made a gradient that is not finite: a value that was not in the forward, or the rule itself."""
        assert node.op is not None
        values = [p.value if type(p) is Node else p for p in node.parents]
        for earlier in ancestors([self.root]):
            if earlier.op is not pick and not _all_finite(earlier.value):
                if earlier.op is None:
                    return Origin(node, position, "this input holds it already", earlier)
                given = [p.value if type(p) is Node else p for p in earlier.parents]
                return Origin(node, position, reasons.of_value(earlier.op.name, given), earlier)
        return Origin(node, position, reasons.of_gradient(node.op.name, values), None)


def _descendants(target: Node, order: list[Node]) -> set[Node]:
    """The target, and what was computed from it, among nodes in topological order."""
    reached = {target}
    for node in order:
        if any(type(p) is Node and p in reached for p in node.parents):
            reached.add(node)
    return reached


def _is_zero(c: Any) -> bool:
    return not isinstance(c, list | tuple) and np.size(c) > 0 and not np.any(c)


def _all_finite(value: Any) -> bool:
    return all(np.all(np.isfinite(part)) for part in (value if isinstance(value, tuple) else (value,))
               if part.dtype.kind in "fc")
