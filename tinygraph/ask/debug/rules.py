"""What `tinygraph.debug` does around a rule: it cannot write into what it is given, and what it gives is looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from sys import getrefcount
from typing import Any

import numpy as np

from tinygraph.ask import reasons
from tinygraph.ask.debug.arrays import changed, copied, is_finite, owner
from tinygraph.ask.debug.fault import fault
from tinygraph.ask.ways import down_to
from tinygraph.ask.wording import called, inputs, place, span, step, strange_at, way
from tinygraph.core.arguments import Array
from tinygraph.core.errors import DebugError
from tinygraph.core.messages import here
from tinygraph.core.node import Node

_ndarray, _generic = np.ndarray, np.generic


class _Handed:
    """A cotangent that a rule gave and that has not been used up yet."""

    __slots__ = ("array", "node", "owner", "position")

    def __init__(self, array: Array, owner: Array, node: Node, position: int) -> None:
        self.array, self.owner, self.node, self.position = array, owner, node, position


class Rules:
    """The rules of one sweep, and the cotangents that they gave and that are still on their way."""

    def __init__(self, root: Node) -> None:
        self.root = self.node = root
        self.own: tuple[Any, ...] = ()
        self.given_by_rule: dict[Node, Any] = {}
        self.leaving: Sequence[_Handed] = ()
        self.waiting: dict[Node, list[_Handed]] = {}
        self.buffers: dict[int, _Handed] = {}

    def settle(self, node: Node, g: Any) -> None:
        """A node's cotangent is whole: what was handed to it is used up; what the engine summed or cast is finite."""
        # What the last node had may have been passed on by it, so it is let go of only now.
        for handed in self.leaving:
            if self.buffers.get(id(handed.owner)) is handed:
                del self.buffers[id(handed.owner)]
        self.leaving = self.waiting.pop(node, ()) if self.waiting else ()
        if g is not self.given_by_rule.pop(node, None) and not isinstance(g, tuple | list) and not is_finite(g):
            raise fault(
                f"backward: the cotangents that reach {called(node)} give {strange_at(g)} where they are added up and "
                f"cast to {node.value.dtype}{here()}\n  path from the loss: {way(down_to(self.root, node))}",
                self.root, node, kind="non-finite", during="backward", argument=None, why="a sum or a cast")

    def call(self, rule: Callable[..., Any], position: int, *arrays: Any) -> Any:
        """Call a rule on arrays that it cannot write into, and look at what it gives."""
        node = self.node
        try:
            c = rule(*arrays)
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            c = self._called_on_copies(rule, position, error)
        if c is None:
            return None
        if c is arrays[0] and not self.buffers:  # passed on as it came
            self.given_by_rule[node.parents[position]] = None if node.parents[position] in self.given_by_rule else c
            return c
        if not is_finite(c):
            raise self._not_finite(position, c)
        if type(c) is _ndarray:
            base = c.base
            # What nobody else holds cannot be written into later. This look is what keeps the cost down.
            if getrefcount(c) > 2 if base is None else type(base) is not _ndarray or getrefcount(base) > 2:
                self._check_buffer(position, c)
        parent = node.parents[position]
        # What is added to another or cast is looked at again when it arrives.
        self.given_by_rule[parent] = None if parent in self.given_by_rule else c
        return c

    def recorded(self, rule: Callable[..., Any], position: int, *handles: Any) -> Any:
        """Call a rule that is itself recorded; a fault within it is told with the op that it belongs to."""
        node = self.node
        try:
            return rule(*handles)
        except DebugError as error:
            rule_of = {"rule_of": node.op.name if node.op else None, "rule_place": place(node)}
            raise fault(f"the rule of {step(node)} for argument {position}: {error}", self.root, node,
                        **{**error.facts, **rule_of}) from error

    def _called_on_copies(self, rule: Callable[..., Any], position: int, error: ValueError) -> Any:
        """Something in a rule wants arrays that may be written into: let it have copies, and see if it does write."""
        node, op = self.node, self.node.op
        assert op is not None
        g, y, *values = (copied(x) for x in self.own)
        bound = (op.rules if node.params is None else op.bound_rules(node.params, values))[position]
        assert bound is not None
        c = bound(g, y, *values)
        names = ["g", "y", *(f"argument {i}" for i in range(len(values)))]
        for name, was, now in zip(names, self.own, (g, y, *values), strict=True):
            if (change := changed(was, now)) is not None:
                raise fault(
                    f"{op.name}: its rule for argument {position} writes into {name}, which other nodes may share: "
                    f"{change}; let it compute into an array of its own{here()}\n  made by {step(node)}",
                    self.root, node, kind="rule wrote", argument=position, written=name) from error
        return c

    def _check_buffer(self, position: int, c: Array) -> None:
        """Raise if a rule gives a second time an array that it gave before and that is still waiting to be used."""
        node, memory = self.node, owner(c)
        g = self.own[0]
        passed_on = type(g) is _ndarray and owner(g) is memory
        if passed_on and not self.buffers:
            return
        assert node.op is not None
        other = self.buffers.get(id(memory))
        mine = passed_on or any(type(x) is _ndarray and owner(x) is memory for x in self.own)
        if other is not None and not mine and np.may_share_memory(other.array, c):
            raise fault(
                f"{node.op.name}: its rule for argument {position} gives an array that the rule of "
                f"{step(other.node)} for argument {other.position} gave before, so that two gradients are in one "
                f"buffer; give a new array each time{here()}\n  made by {step(node)}", self.root, node,
                kind="shared", argument=position)
        first = other if other is not None and passed_on else None
        handed = _Handed(c, memory, first.node if first else node, first.position if first else position)
        self.buffers[id(memory)] = handed
        self.waiting.setdefault(node.parents[position], []).append(handed)

    def _not_finite(self, position: int, c: Array) -> DebugError:
        """The error for a rule that gave NaN or infinity."""
        node = self.node
        assert node.op is not None
        values = [p.value if type(p) is Node else p for p in node.parents]
        why = reasons.of_gradient(node.op.name, values)
        g = self.own[0]
        parts = [("", g)] if not isinstance(g, tuple | list) else [(f" at output {i}", c) for i, c in enumerate(g)]
        text = [f"backward of {node.op.name}: {strange_at(c)} of the gradient in argument {position}, "
                f"{called(node.parents[position])}{f': {why}' if why else ''} ({place(node)})",
                *(f"  the gradient that arrives{where}: {span(part)}" for where, part in parts if part is not None)]
        text += [*(f"  {told}" for told in inputs(node)),
                 f"  path from the loss: {way(down_to(self.root, node))}"]
        return fault("\n".join(text), self.root, node, kind="non-finite", during="backward", argument=position, why=why)
