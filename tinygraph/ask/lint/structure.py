"""Rules on the shape of the graph: broadcasts, weights and branches that no gradient reaches, work done twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygraph.analysis import GraphNode
from tinygraph.ask.lint.rule import Found, rule
from tinygraph.ask.lint.view import View
from tinygraph.core.node import Node
from tinygraph.core.op import pick

GATES = ("relu", "maximum", "minimum", "fmax", "fmin", "clip", "where")
"""Ops that pass a gradient on where a condition holds, and nowhere else."""

WASTE = (1000, 0.01)
"""Work done twice is told from so many FLOPs on, and from that share of the graph's."""


@rule("TG201", "accidental broadcast",
      "Give both the same shape: y[:, 0] or t[:, np.newaxis]; where every pair is meant, write x[:, np.newaxis].")
def accidental_broadcast(view: View) -> Iterator[Found]:
    """(N, 1) with (N,) makes (N, N): each of N predictions is compared with each of N labels."""
    for node in view.graph:
        if not _is_elementwise(node):
            continue
        shapes = [tuple(np.shape(view.value(node, i))) for i in (0, 1)]
        for column, row in ((0, 1), (1, 0)):
            n = shapes[row][0] if len(shapes[row]) == 1 else 0
            if n > 1 and shapes[column] == (n, 1) and not _was_made_a_column(node.inputs[column]):
                yield node, f"{node.op} of {shapes[0]} and {shapes[1]} makes {node.shape}: every pair of the {n} rows"


@rule("TG202", "unused weight", "Use it in the forward pass, take it out of the weights, or check what cut it off.")
def unused_weight(view: View) -> Iterator[Found]:
    """A weight that no gradient of this loss reaches never changes in training."""
    nodes = {node.node: node for node in view.graph}
    for name, weight in view.weights.items():
        node = nodes.get(weight.node)
        if node is None:
            yield None, f"the weight {name} {weight.shape} is no part of the loss's graph"
        elif not weight.requires_grad:
            yield node, f"the weight {name} does not require a gradient"
        elif node.id not in view.cotangents.nodes:
            yield node, f"the weight {name} is used only where no gradient passes"


@rule("TG203", "dead branch", "Look at the sign and scale of what goes in, and at what chose the other branch.")
def dead_branch(view: View) -> Iterator[Found]:
    """An input whose whole gradient is lost at one op, for every element of this run."""
    nodes, edges = view.cotangents
    for source, node, position, _ in view.graph.edges:
        op = node.node.op
        if op is None or not source.requires_grad or node.id not in nodes:
            continue
        g = nodes[node.id]
        if isinstance(g, tuple) or not np.size(g) or not np.any(g) or _lives(nodes.get(source.id)):
            continue
        if op.rule(position) is None:
            yield node, f"{node.op} has no derivative in {_called(source)}, and no gradient reaches it another way"
        elif node.op in GATES:
            handed = edges.get((node.id, position))
            if handed is None or not np.any(handed):
                yield node, (f"{node.op} passes on no gradient to {_called(source)}: none of its "
                             f"{np.size(source.node.value):,} elements was let through")
        elif node.op == "multiply" and _is_zero(node.inputs[1 - position]):
            yield node, f"{_called(source)} is multiplied by 0, so no gradient reaches it"


@rule("TG204", "repeated subexpression", "Compute it once and use the result twice.")
def repeated_subexpression(view: View) -> Iterator[Found]:
    """The same op on the same inputs, and the same result, worked out again."""
    numbers: dict[int, int] = {}
    firsts: dict[Any, GraphNode] = {}
    again: dict[int, GraphNode] = {}
    for node in view.graph:
        key = _key(node, numbers)
        first = firsts.setdefault(key, node)
        same = first is node or _equal(first.node.value, node.node.value)  # a generator gives something else each time
        numbers[node.id] = first.id if same else node.id
        if same and first is not node:
            again[node.id] = first
    wasted = sum(view.graph[id].flops for id in again)
    if wasted < max(WASTE[0], WASTE[1] * view.graph.flops):
        return
    costly: set[int] = set()
    for id in again:
        node = view.graph[id]
        if node.flops or any(isinstance(i, GraphNode) and i.id in costly for i in node.inputs):
            costly.add(id)
    for id in costly:
        uses = view.uses[id]
        if not uses or any(edge.target.id not in again for edge in uses):  # the largest repeated part, not its parts
            node, first = view.graph[id], again[id]
            line = f" (line {first.location[1]})" if first.location else ""
            yield node, f"{node.op} {node.shape} is what node {first.id}{line} has worked out already"


def _is_elementwise(node: GraphNode) -> bool:
    op = node.node.op
    return op is not None and len(node.inputs) == 2 and any(
        isinstance(f, np.ufunc) and f.signature is None for f in op.numpy)


def _was_made_a_column(operand: Any) -> bool:
    """Whether the user wrote the new axis, so that the broadcast is meant."""
    if not isinstance(operand, GraphNode) or operand.op not in ("expand_dims", "getitem", "reshape"):
        return False
    source = operand.node.parents[0]
    return type(source) is Node and len(np.shape(source.value)) == 1


def _called(node: GraphNode) -> str:
    return node.name or (f"the leaf {node.shape}" if node.op is None else f"what {node.op} gave")


def _is_zero(x: Any) -> bool:
    """Whether this is the number 0 in the program itself; data, such as a label, may be another in the next run."""
    return isinstance(x, int | float) and x == 0


def _lives(cotangent: Any) -> bool:
    return cotangent is not None and (isinstance(cotangent, tuple) or bool(np.any(cotangent)))


def _key(node: GraphNode, numbers: dict[int, int]) -> Any:
    """Two nodes of one key compute the same thing; a leaf is like no other."""
    made = node.node
    if made.op is None:
        return ("leaf", node.id)
    inputs: list[Any] = []
    for given, parent in zip(node.inputs, made.parents, strict=True):
        if isinstance(given, GraphNode):
            index = parent.params["index"] if parent.op is pick else None
            inputs.append((numbers[given.id], index))
        elif isinstance(given, int | float | complex | str | None):
            inputs.append((type(given), repr(given)))
        else:
            inputs.append(("array", id(given)))
    return made.op.name, tuple(inputs), repr(made.params)


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, tuple):
        return all(map(_equal, a, b))
    return bool(a.shape == b.shape and a.dtype == b.dtype and np.all((a == b) | ((a != a) & (b != b))))
