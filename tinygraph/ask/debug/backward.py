"""What `tinygraph.debug` does while a sweep goes back: it asks if the arrays are still those of the forward."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from tinygraph.ask.debug.arrays import changed, holds, locked, owner, restored
from tinygraph.ask.debug.fault import fault
from tinygraph.ask.debug.rules import Rules
from tinygraph.ask.ways import down_to
from tinygraph.ask.wording import called, place, span, way
from tinygraph.core.arguments import Array
from tinygraph.core.messages import here
from tinygraph.core.node import Node
from tinygraph.core.op import Rule
from tinygraph.nn.wrap import layer_of

_ndarray = np.ndarray

SMALL = 1 << 16
"""Arrays up to this size are compared as bytes each time they are met; larger ones in place, once a sweep (bytes)."""


Note = tuple[Any, Any, tuple[Any, ...]]
"""What was true of a node when it was recorded: its generation, the bytes of its value, and those of its inputs.

It is a bare tuple, since a class of its own would take as long to make as all that is put into it."""


class Sweep:
    """One sweep under debug."""

    def __init__(self, root: Node, kind: Any) -> None:
        self.root, self.bare = root, kind is None
        # Apart from this object, so that the rules that are kept refer to nothing that refers to them: a sweep that
        # waited for the garbage collector would keep its graph waiting too.
        self.rules = Rules(root)
        self.kept: dict[Any, list[Rule | None]] = {}
        self.verified: dict[int, tuple[Array, Any]] = {}
        self.grads: dict[int, tuple[Array, Array, Node]] = {}

    def arrived(self, node: Node, args: tuple[Any, ...]) -> tuple[tuple[Any, ...], list[Rule | None]]:
        """See a node before its rules are called; give what to call them with, and the rules to call."""
        g, y, *values = args
        look = self.rules
        look.settle(node, g)
        op, params = node.op, node.params
        assert op is not None
        seen: Note | None = node.seen
        if seen is not None:
            self._compare(node, seen, g)
        look.node = node
        if not self.bare:
            rules = op.rules if params is None else op.bound_rules(params, values)
            return args, [r and partial(look.recorded, r, i) for i, r in enumerate(rules)]
        look.own = args
        given = []
        for x in values:  # not a comprehension, which costs a call in Python 3.11
            if type(x) is _ndarray:
                x = x[...]
                x.setflags(write=False)
            given.append(x)
        if params is not None:
            rules = [r and partial(look.call, r, i) for i, r in enumerate(op.bound_rules(params, given))]
        elif op in self.kept:
            rules = self.kept[op]
        else:
            rules = self.kept[op] = [r and partial(look.call, r, i) for i, r in enumerate(op.rules)]
        return (locked(g), locked(y), *given), rules

    def given(self, node: Node, g: Any) -> None:
        """See a cotangent that leaves the sweep, such as a leaf's."""
        if node.op is None or not node.parents:
            self.rules.settle(node, g)
        if node.hooks:
            self.verified.clear()  # a hook may write where it likes
        grad = node.grad
        if type(grad) is _ndarray:
            memory = owner(grad)
            _, of_other, other = self.grads.setdefault(id(memory), (memory, grad, node))
            if other is not node and np.may_share_memory(grad, of_other):
                raise fault(
                    f"the gradients of {called(node)} and {called(other)} share one array, so what is added to the one "
                    f"is added to the other; give each a copy of its own{here()}", self.root, node,
                    kind="shared", op=None, names=[node.name, other.name])

    def _compare(self, node: Node, seen: Note, g: Any) -> None:
        """Raise if an array that a rule of this node needs is no longer what it was when the node was recorded."""
        _, before, noted = seen
        x = node.value
        is_large = type(before) is not bytes or len(before) > SMALL
        if (is_large or x.tobytes() != before) and not self._same(x, before):
            self._judge(node, g, -1)
        position = -1
        for before in noted:
            position += 1
            if before is None:
                continue
            x = node.parents[position]
            if type(x) is Node:
                x = x.value
            # As in _same, here because a call costs as much as the look.
            is_large = type(before) is not bytes or len(before) > SMALL
            if (is_large or x.tobytes() != before) and not self._same(x, before):
                self._judge(node, g, position)

    def _same(self, x: Any, before: Any) -> bool:
        """Whether an array holds the bytes that were noted."""
        if type(before) is not bytes:
            return before is None or all(map(self._same, x, before))
        if len(before) <= SMALL:
            return x.tobytes() == before  # type: ignore[no-any-return]
        known = self.verified.get(id(x))
        if known is not None and known[0] is x and known[1] is before:
            return True
        if not holds(x, before):
            return False
        self.verified[id(x)] = (x, before)
        return True

    def _judge(self, node: Node, g: Any, position: int) -> None:
        """An array was written into: raise if a gradient comes out different for it."""
        op = node.op
        assert op is not None
        now = node.value if position < 0 else node.parents[position]
        now = now.value if type(now) is Node else now
        before = node.seen[1] if position < 0 else node.seen[2][position]
        was = restored(before, now)
        values = [p.value if type(p) is Node else p for p in node.parents]
        if was is not None and not self._differs(node, g, values, position, was):
            return
        holder = node if position < 0 else node.parents[position]
        what = called(holder) if type(holder) is Node else f"the array {span(now)}"
        name = holder.name if type(holder) is Node else None
        if name is None and (base := _named_base(node, now)) is not None:
            name, what = base.name, f"{what} in the memory of {called(base)}"
        part = "its own result" if position < 0 else f"argument {position}"
        change = changed(was, now) if was is not None else f"it was replaced by an array {span(now)}"
        made = place(node)
        raise fault(
            f"{op.name}: backward needs {part}, {what}, as it was in the forward ({made}), and it was written into "
            f"since: {change}; write after backward, or into a copy{here()}\n"
            f"  path from the loss: {way(down_to(self.root, node))}", self.root, node, kind="written",
            argument=None if position < 0 else position, name=name, change=change)

    def _differs(self, node: Node, g: Any, values: list[Any], position: int, was: Any) -> bool:
        """Whether a gradient of this node is another with the array as it is now than with it as it was."""
        op, params = node.op, node.params
        assert op is not None
        if (layer := layer_of(node)) is not None:
            return position >= len(values) - len(layer.weights)  # it keeps copies of its inputs, and shares its weights
        then = list(values)
        y = node.value
        if position < 0:
            y = was
        else:
            then[position] = was
        g = getattr(getattr(g, "node", None), "value", g)
        for i, parent in enumerate(node.parents):
            if type(parent) is Node and parent.requires_grad:
                pair = []
                for at_y, at_values in ((node.value, values), (y, then)):
                    rules = op.rules if params is None else op.bound_rules(params, at_values)
                    rule = rules[i]
                    pair.append(None if rule is None else rule(g, at_y, *at_values))
                now_, then_ = pair
                if now_ is not None and then_ is not None and not np.array_equal(now_, then_):
                    return True
        return False


def _named_base(node: Node, x: Any) -> Node | None:
    """A named node among what a node was computed from whose memory ``x`` is a view of."""
    stack, seen = [node], {node}
    for here_ in stack:
        for p in here_.parents:
            if type(p) is Node and p not in seen:
                if p.name is not None and type(p.value) is _ndarray and np.may_share_memory(p.value, x):
                    return p
                seen.add(p)
                stack.append(p)
    return None
