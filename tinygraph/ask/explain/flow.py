"""How a gradient flows from a root back to one tensor: what each use of it adds, over which ways, and what stops it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from tinygraph.ask import reasons
from tinygraph.ask.explain.ranking import Edge, Ranking
from tinygraph.core.arguments import Array
from tinygraph.core.backward import cotangents
from tinygraph.core.node import Node, ancestors
from tinygraph.core.op import pick
from tinygraph.nn.wrap import layer_of

_FILTERS = frozenset({"relu", "clip", "where", "maximum", "minimum", "fmax", "fmin", "multiply", "sigmoid", "tanh",
                      "absolute", "sign", "getitem"})
"""Ops that let a gradient through element by element, of which it can be said where they do not."""

_PRODUCTS = frozenset({"matmul", "affine", "dot"})

_WORTH_A_LOOK = _FILTERS | _PRODUCTS


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
        incoming: dict[Node, list[Edge]] = {}
        self._ranking = Ranking(self.root, self.most)
        counts: dict[Node, float] = {}
        sweep = cotangents(self.root, self.seed, only=self.reached, every=True, hooks=False)
        for node, g, handed in sweep:
            if not look:
                continue
            edges = incoming.pop(node, ())
            if node is not self.root:
                self._ranking.add(node, edges)
            ways = sum([counts[child] for child, _, _ in edges]) if edges else 1
            counts[node] = ways if ways < 1e30 else float(ways)  # a long chain of forks would make it a book of digits
            if node is self.target:
                self.gradient, self.number = g, counts[node]
            if len(edges) > 1 and _is_zero(g) and any(size for _, _, size in edges):
                self.stops.append(Stop(node, None, np.size(g), np.size(g), "the shares that meet here cancel"))
            op = node.op
            if op is None:
                continue
            if op is pick:
                handed = [(0, g)]
            for position, c in handed:
                parent = node.parents[position]
                size = float(np.add.reduce(np.absolute(c), None))
                incoming.setdefault(parent, []).append((node, position, size))
                if parent is self.target:
                    self.uses.append(Use(node, position, c))
                # Where all of a finite gradient passes there is nothing to say, and the look costs.
                if op is not pick and (not 0 < size < math.inf or (
                        op.name in _WORTH_A_LOOK and np.count_nonzero(c) != c.size)):
                    self._judge(node, position, g, c)
            if len(handed) < len(node.parents):
                given = {position for position, _ in handed}
                self.cut += [(node, i) for i, p in enumerate(node.parents)
                             if type(p) is Node and p in self.reached and i not in given]

    def _follow(self) -> None:
        """The largest ways with what comes back along each, and the sum of the others."""
        if self.gradient is None:
            return
        ways = self._ranking.ways(self.target)
        del self._ranking
        gradients = [self.gradient] if self.number == 1 else self._along(ways)
        self.ways = [Way([self.target, *(node for node, _, _ in reversed(edges))], c)
                     for edges, c in zip(ways, gradients, strict=True)]
        self.ways.sort(key=lambda way: -float(np.nan_to_num(np.sum(np.absolute(way.gradient)))))
        if self.number > len(ways):
            self.rest = self.gradient
            for c in gradients:
                self.rest = self.rest - c

    def _along(self, ways: list[list[Edge]]) -> list[Array]:
        """What comes back to the target if the seed goes along each of these ways alone.

        Ways are followed together from the root to where they part.
        """
        found: dict[int, Array] = {}
        pending: list[tuple[Any, list[int], int]] = [(self.seed, [*range(len(ways))], 0)]
        while pending:
            g, together, depth = pending.pop()
            length = len(ways[together[0]])
            while depth < length:
                edge = ways[together[0]][depth]
                if len(together) > 1 and (others := [i for i in together if ways[i][depth] != edge]):
                    pending.append((g, others, depth))
                    together = [i for i in together if ways[i][depth] == edge]
                g = _handed(edge[0], edge[1], g)
                depth += 1
            found[together[0]] = g
        return [found[i] for i in range(len(ways))]

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
        elif op.name in _PRODUCTS and position == 1:
            self._judge_weights(node, c)

    def _judge_weights(self, node: Node, c: Array) -> None:
        """Note inputs of a layer that are 0 for every sample, so that the weights they meet have no gradient."""
        x = node.parents[0].value if type(node.parents[0]) is Node else node.parents[0]
        if np.ndim(x) == np.ndim(c) == 2:
            empty = int(np.count_nonzero(~np.any(x, axis=0)))
            if empty:
                self.stops.append(Stop(node, 1, empty * c.shape[1], int(c.size),
                                       f"{empty:,} of {x.shape[1]:,} columns of argument 0 are all 0"))

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
        return reasons.of_zero(node.op.name, y, position, values, whole=c is None)

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


def _handed(node: Node, position: int, g: Any) -> Any:
    """What a node hands to one argument."""
    parent = node.parents[position]
    if node.op is pick:
        parts: list[Any] = [None] * len(parent.value)
        parts[node.params["index"]] = g  # type: ignore[index]
        return parts
    # The engine's own step, which fits the cotangent to its input.
    _, _, handed = next(cotangents(node, g, only={parent}, every=True, hooks=False))
    return next((c for i, c in handed if i == position), np.zeros_like(parent.value))  # or this output alone hands none


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
