"""Why a tensor has no gradient, and which loss one may have come from, found among the graphs in memory."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np

from tinygraph.analysis import drawn
from tinygraph.ask.wording import called, place, span, step
from tinygraph.core.arguments import Handle
from tinygraph.core.node import Node, ancestors


def ends_of(node: Node) -> list[Node]:
    """What was computed from a node and is used no further, newest first: a loss is one of these.

    Edges run to parents alone, so the nodes in memory are asked. That costs nothing before a question is asked.
    """
    children: dict[Node, list[Node]] = {}
    for thing in gc.get_objects():
        if type(thing) is Node:
            for parent in getattr(thing, "parents", ()):  # one that is being made has none yet
                if type(parent) is Node:
                    children.setdefault(parent, []).append(thing)
    found, seen, stack = [], {node}, [node]
    for one in stack:  # grows while it is walked
        if one not in children and one is not node:
            found.append(one)
        for child in children.get(one, ()):
            if child not in seen:
                seen.add(child)
                stack.append(child)
    return sorted(found, key=lambda end: -end.serial)


def of_its_own(node: Node) -> str:
    """Why no gradient can come to a node, whatever the loss; empty where one can."""
    if node.value.dtype.kind not in "fc":
        return f"it holds {node.value.dtype}, and only real and complex numbers carry a gradient: give it as floats"
    if node.requires_grad:
        return ""
    return ("it does not require a gradient: it was made without requires_grad=True, or by detach(), or computed under "
            "no_grad() or from tensors that require none")


def from_loss(node: Node, root: Node) -> str:
    """Why a loss that was not computed from a node gives it no gradient: where its graph ends instead."""
    order = ancestors([root])
    if cut := detached(node, order):
        return f"the way was cut: {cut}"
    if any(end.op is not None and not end.parents for end in order):
        return "the graph behind the loss was freed by backward(retain_graph=False)"
    ends = []
    for user in order:
        for position, parent in enumerate(user.parents):
            if type(parent) is Node:
                if parent.op is None and not parent.requires_grad and parent.value.dtype.kind in "fc":
                    ends.append(f"argument {position} of {step(user)}, {called(parent)}")
            elif hasattr(parent, "shape") and drawn(parent) and parent.dtype.kind in "fc":
                ends.append(f"argument {position} of {step(user)}, the array {span(parent)}")
    if not ends:
        return "the loss was not computed from it"
    shown = "; ".join(ends[:4]) + (f"; and {len(ends) - 4:,} more" if len(ends) > 4 else "")
    return ("the loss was not computed from it, or the way was cut by detach(), .data, no_grad() or a plain array; its "
            f"graph takes these as constants: {shown}")


def detached(node: Node, order: list[Node]) -> str:
    """What was computed from a node and is a constant of a loss's graph all the same, since it was detached; or ""."""
    constants: dict[int, tuple[Node, int, Any]] = {}
    for user in order:
        for position, parent in enumerate(user.parents):
            if type(parent) is Node and parent.requires_grad:
                continue
            array = parent.value if type(parent) is Node else parent
            if isinstance(array, np.ndarray):
                constants[id(array)] = user, position, array
    twins = [thing for thing in gc.get_objects()
             if type(thing) is Node and getattr(thing, "requires_grad", False) and id(thing.value) in constants]
    for twin in sorted(twins, key=lambda twin: -twin.serial):
        if twin is node or node in set(ancestors([twin], since=node.serial)):
            user, position, _ = constants[id(twin.value)]
            became = f", by detach() or .data, before it became argument {position} of {step(user)}"
            return f"{called(twin)} was detached{became if place(user) else ''}"
    return ""


def match(node: Node, ends: list[Node], gradient_from: Any) -> Node | None:
    """The end whose gradient a node has, or else the newest that is a single number; None where there is none."""
    single = [end for end in ends if end.op is not None and end.requires_grad and np.size(end.value) == 1]
    if node.grad is not None and len(single) > 1:
        grad = node.grad.node.value if isinstance(node.grad, Handle) else node.grad
        for end in single[:8]:
            c = gradient_from(end)
            if c is not None and np.array_equal(c, grad, equal_nan=True):
                return end
    return single[0] if single else None


