"""Node: one value of the graph with the op and the parents it came from; recording, topological order.

A node is made after its parents, so its serial number alone gives a topological order: sorting by it, and in
`tinygraph.core.backward` a heap of what is left to do, are all that is needed. Nothing recurses.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from itertools import count
from types import CodeType
from typing import Any, Generic, NamedTuple, TypeVar

from tinygraph.core.arguments import Array, Handle
from tinygraph.core.context import GRAD_ENABLED, HOOKS, MARKS, WATCHES, watching
from tinygraph.core.errors import TinygraphError
from tinygraph.core.messages import INSIDE, line_of
from tinygraph.core.op import EXPLAINED, Op, as_array, pick

T = TypeVar("T")

SERIAL = count()

_new = object.__new__
_last_user_code: list[CodeType | None] = [None]


class _Rare(Generic[T]):
    """An attribute that few nodes have: kept in a dict of theirs, so that the others are smaller and sooner made."""

    def __init__(self, otherwise: T) -> None:
        self.otherwise = otherwise

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, node: Node | None, kind: type) -> T:
        if node is None:
            return self  # type: ignore[return-value]
        return self.otherwise if node.rare is None else node.rare.get(self.name, self.otherwise)

    def __set__(self, node: Node, value: T) -> None:
        if node.rare is not None:
            node.rare[self.name] = value
        elif value is not self.otherwise:
            node.rare = {self.name: value}


class Node:
    """A value and where it came from. Edges run to the parents only, so counting references frees a graph at once.

    Attributes:
        op: What made it; None for a leaf.
        parents: The op's inputs in order: a Node, or the bare constant that stood there.
        params: The op's static keywords, or None.
        value: The array; a tuple where the op has several outputs.
        serial: The place in the order of creation; parents have smaller ones.
        requires_grad: Whether a gradient may flow here.
        watched: Whether somebody wants to hear of its cotangent: a leaf, `retain_grad`, a hook.
        code, instruction: The place in the user's code that made it; `location` reads it.
        grad: What backward left.
        rare: The following, by name, of a node that has any of them.
        name, hooks: What the user gave it.
        scope: The names of the `tinygraph.scope` s that it was made in, each with a number, outermost first.
        seen: What `tinygraph.debug` noted when it was made.
    """

    __slots__ = ("code", "grad", "instruction", "op", "params", "parents", "rare", "requires_grad", "serial", "value",
                 "watched")

    op: Op[..., Any] | None
    parents: tuple[Any, ...]
    params: dict[str, Any] | None
    value: Any
    serial: int
    requires_grad: bool
    watched: bool
    code: CodeType | None
    instruction: int
    grad: Array | None
    rare: dict[str, Any] | None

    name = _Rare[str | None](None)
    hooks = _Rare[dict[int, Callable[[Array], Array | None]] | None](None)
    scope = _Rare[tuple[str, ...]](())
    seen = _Rare[Any](None)

    def __init__(self) -> None:
        # Not left to __getattr__, with which a look at any slot costs twice as much.
        self.grad = self.rare = self.code = None
        self.instruction = -1

    def __repr__(self) -> str:
        return f"<node {self.serial} {self.op.name if self.op else 'leaf'}{f' {self.name!r}' if self.name else ''}>"

    @property
    def location(self) -> tuple[str, int, str] | None:
        """File, line and function that made this node, or None where that is not known."""
        if self.code is None:
            return None
        return self.code.co_filename, line_of(self.code, self.instruction) or 0, self.code.co_name


def leaf(value: Any, requires_grad: bool = False, name: str | None = None) -> Node:
    """A node without a past."""
    node = Node()
    node.op = node.params = None
    node.parents, node.value = (), value
    if name is not None:
        node.name = name
    node.serial, node.requires_grad, node.watched = next(SERIAL), requires_grad, True
    return node


def inner(op: Op[..., Any], parents: tuple[Any, ...], params: dict[str, Any] | None, value: Any,
          depth: int = 2) -> Node:
    """A node that was computed, stamped with the line of the user's code that asked for it.

    That is looked for from the caller's caller upwards, or from ``depth`` calls above.
    """
    node: Node = _new(Node)  # what __init__ does is done here, without the call
    node.op, node.parents = op, parents
    node.params, node.value = params, value
    node.serial, node.requires_grad, node.watched = next(SERIAL), True, False
    node.grad = node.rare = None
    if marks := MARKS.get():
        if marks.scope:
            node.scope = marks.scope
        if marks.watch is not None:
            marks.watch.made(node)
    # A code object and an offset cost 50 ns; the line is worked out when somebody asks.
    frame: Any = sys._getframe(depth)
    code = frame.f_code
    while code is not _last_user_code[0]:  # the function that made the last node made most of the others too
        if not code.co_filename.startswith(INSIDE):
            _last_user_code[0] = code
            break
        frame = frame.f_back
        if frame is None:
            node.code, node.instruction = None, -1
            return node
        code = frame.f_code
    node.code, node.instruction = code, frame.f_lasti
    return node


def record(handle: Handle, op: Op[..., Any], inputs: tuple[Any, ...], params: dict[str, Any] | None) -> Any:
    """Run ``op`` on what the inputs hold; give handles of ``handle``'s kind, with a past where a gradient may flow."""
    kind = type(handle)
    parents, values, requires_grad = [], [], False
    for x in inputs:
        if type(x) is not kind and not isinstance(x, Handle):
            x = as_array(x)  # a list of tensors becomes one
            if not isinstance(x, Handle):
                parents.append(x)
                values.append(x)
                continue
        node = x.node
        parents.append(node)
        values.append(node.value)
        if node.requires_grad and (op.total or op.rule(len(parents) - 1) is not None):
            requires_grad = True
    simple = op.simple
    try:
        value = op.forward(*values) if simple else op.run(tuple(values), params)
    except EXPLAINED as error:
        if simple:
            raise failed(op.explain(error, tuple(values), {}), op, tuple(parents)) from error
        if isinstance(error, TinygraphError):
            failed(error, op, tuple(parents))
        raise
    if not (requires_grad and GRAD_ENABLED.get()):
        if WATCHES and (watch := watching()) is not None:
            watch.computed(op, tuple(parents), value)
        return _without_past(kind, op.present(value))
    if simple or not op.outputs:
        rounded = not simple and value.dtype.kind not in "fc"  # to integers, say: a constant
        node = leaf(value) if rounded else inner(op, tuple(parents), params, value, 3)
        return wrap(kind, node)
    made = inner(op, tuple(parents), params, value, 3)
    handles = []
    for i, v in enumerate(value[:op.outputs - op.hidden]):
        node = inner(pick, (made,), {"index": i}, v, 3) if v.dtype.kind in "fc" else leaf(v)
        handles.append(wrap(kind, node))
    return op.present(tuple(handles))


class Failure(NamedTuple):
    """An op that raised, with its inputs as a node would hold them."""

    op: Op[..., Any]
    parents: tuple[Any, ...]

    def graph(self, message: str) -> Any:
        """The graph up to it, by the hook of `tinygraph.analysis`."""
        return HOOKS["failure"](self.op, self.parents, message)


def failed(error: TinygraphError, op: Op[..., Any], parents: tuple[Any, ...]) -> TinygraphError:
    """The error, with what its ``graph`` is made of."""
    error.failed = Failure(op, parents)
    return error


def _without_past(kind: type[Handle], value: Any) -> Any:
    """The arrays of a result as handles on leaves; what is no array (a bool, a shape) stays what it is."""
    if isinstance(value, tuple):
        arrays = [_without_past(kind, v) for v in value]
        return type(value)(*arrays) if hasattr(value, "_fields") else type(value)(arrays)
    if isinstance(value, list):
        return [_without_past(kind, v) for v in value]
    return wrap(kind, leaf(value)) if hasattr(value, "dtype") else value


def wrap(kind: type[Handle], node: Node) -> Any:
    """A new handle on a node."""
    handle = _new(kind)
    handle.node = node
    return handle


def ancestors(roots: Iterable[Node], since: int = 0) -> list[Node]:
    """Every node that the roots were computed from, themselves included, in topological order: parents first.

    Nodes with a serial number below ``since`` are left out, and what lies behind them.
    """
    stack = list(roots)
    seen = set(stack)
    for node in stack:  # grows while it is walked
        for parent in node.parents:
            if type(parent) is Node and parent not in seen and parent.serial >= since:
                seen.add(parent)
                stack.append(parent)
    stack.sort(key=lambda node: node.serial)
    return stack
