"""Node: one value of the graph with the op and the parents it came from; recording, topological order, backward.

A node is made after its parents, so its serial number alone gives a topological order: sorting by it, and a heap of
what is left to do, are all that drawing and backward need. Nothing here recurses.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush, heappushpop
from itertools import count
from types import CodeType
from typing import Any, NamedTuple

import numpy as np

from tinygraph.core.arguments import Array, Handle
from tinygraph.core.context import GRAD_ENABLED, HOOKS, MARKS, WATCHES, enable_grad, watching
from tinygraph.core.errors import DTypeError, GradientError, ShapeError, TinygraphError
from tinygraph.core.messages import INSIDE, here, line_of
from tinygraph.core.op import EXPLAINED, Op, as_array, pick
from tinygraph.core.plain import is_matrix, ones

SERIAL = count()

_new = object.__new__
_last_user_code: list[CodeType | None] = [None]


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
        name, grad, hooks: What the user gave it, and what backward left.
        scope: The names of the `tinygraph.scope` s that it was made in, each with a number, outermost first.
        seen: What `tinygraph.debug` noted when it was made.
    """

    __slots__ = ("code", "grad", "hooks", "instruction", "name", "op", "params", "parents", "requires_grad", "scope",
                 "seen", "serial", "value", "watched")

    op: Op[..., Any] | None
    parents: tuple[Any, ...]
    params: dict[str, Any] | None
    value: Any
    serial: int
    requires_grad: bool
    watched: bool
    code: CodeType | None
    instruction: int
    name: str | None
    grad: Array | None
    hooks: dict[int, Callable[[Array], Array | None]] | None
    scope: tuple[str, ...]
    seen: Any

    def __init__(self) -> None:
        # What most nodes never have. Not left to __getattr__, with which a look at any slot costs twice as much.
        self.grad = self.name = self.hooks = self.code = self.seen = None
        self.instruction, self.scope = -1, ()

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
    node.parents, node.value, node.name = (), value, name
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
    node.grad = node.name = node.hooks = node.seen = None
    node.scope = ()
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


Contribution = tuple[int, Array]
"""What one node hands to its parent at an argument position."""


def cotangents(root: Node, seed: Array, kind: type[Handle] | None = None, *, only: set[Node] | None = None,
               until: set[Node] | frozenset[Node] = frozenset(), every: bool = False, hooks: bool = True,
               release: bool = False) -> Iterator[tuple[Node, Array, list[Contribution]]]:
    """Go through the graph in reverse topological order and give (node, its whole cotangent, what it handed on).

    The one sweep behind backward, `grad`, pictures and questions.

    Args:
        root: Where to start.
        seed: The root's cotangent, of its shape.
        kind: None to compute on bare arrays; a kind of Handle to compute with it, so that the cotangents themselves
            can be differentiated.
        only: Go to these nodes alone.
        until: Go to these nodes and no further.
        every: Give every node, and not the watched ones alone.
        hooks: Call the hooks that users registered.
        release: Let each node forget its parents once it is done, so that their values can be freed.
    """
    watch = watching() if WATCHES else None
    sweep = None if watch is None else watch.sweep(root, seed, kind)
    pending: dict[Node, Any] = {root: seed}
    heap: list[tuple[int, Node]] = []
    args: Any = None
    node = root
    while True:
        g = pending.pop(node)
        ahead: Node | None = None  # the last made of the parents that are new, which in a chain comes next
        watched = node.watched
        if watched and hooks and node.hooks:
            g = _hooked(g, node)
        op = node.op
        handed: list[Contribution] = []
        if op is not None and not (until and node in until):
            parents, params = node.parents, node.params
            if not parents:
                raise GradientError(f"backward: the graph behind {op.name} was freed by an earlier "
                                    "backward(retain_graph=False); keep it with retain_graph=True")
            if op is pick:
                ahead = _hand_to_tuple(parents[0], node.params["index"], g, pending)  # type: ignore[index]
            else:
                if kind is not None:
                    args = (g, *_handles(node, kind))
                elif len(parents) == 2:  # as most have: half the time of the general way
                    a, b = parents
                    args = g, node.value, a.value if type(a) is Node else a, b.value if type(b) is Node else b
                    a = b = None  # they may be freed before the next two are here
                else:
                    args = (g, node.value, *[p.value if type(p) is Node else p for p in parents])
                if sweep is not None:
                    args, rules = sweep.arrived(node, args)
                elif params is None:
                    rules = op.rules
                else:
                    rules = op.bound_rules(params, args[2:])
                position = -1
                for parent in parents:
                    position += 1
                    if type(parent) is not Node or not parent.requires_grad:
                        continue
                    rule = rules[position]
                    if rule is None:
                        continue
                    if only is not None and parent not in only:
                        continue
                    c = rule(*args)
                    if c is None:
                        continue
                    value = parent.value
                    if c.shape != value.shape:
                        c = _sum_to(c, value.shape, op, position)
                    if c.dtype is not value.dtype and c.dtype != value.dtype:
                        c = _cast_to(c, value.dtype)
                    if every:
                        handed.append((position, c))
                    known = pending.get(parent)
                    if known is not None:
                        pending[parent] = known + c
                        continue
                    pending[parent] = c
                    if parent.op is None:
                        continue  # a leaf hands nothing on, and waits for the end
                    if ahead is None:
                        ahead = parent
                    elif ahead.serial < parent.serial:
                        heappush(heap, (-ahead.serial, ahead))
                        ahead = parent
                    else:
                        heappush(heap, (-parent.serial, parent))
            if release:
                node.parents = ()
        if watched or every:
            # The last contribution may be this very cotangent, and who is alone with it need not copy it.
            args = c = None
            if sweep is not None:
                sweep.given(node, g)
            yield node, g, handed
        if ahead is not None:
            node = ahead if not heap or heap[0][0] > -ahead.serial else heappushpop(heap, (-ahead.serial, ahead))[1]
        elif heap:
            node = heappop(heap)[1]
        elif pending:
            node = next(iter(pending))
        else:
            return


def _hooked(g: Array, node: Node) -> Array:
    """What the user's hooks make of a cotangent; each gets an array that it may keep."""
    assert node.hooks is not None
    for hook in list(node.hooks.values()):
        changed = hook(_own(g))
        if changed is not None:
            g = _replaced(g, changed)
    return g


def _replaced(g: Array, changed: Any) -> Array:
    """What a hook gave in the place of a cotangent: an array of the same shape and dtype."""
    changed = changed if hasattr(changed, "dtype") else np.asarray(changed)
    if changed.shape != g.shape:
        raise ShapeError(f"a hook was given a gradient of shape {g.shape} and gave one of shape "
                         f"{changed.shape}{here()}")
    return _cast_to(changed, g.dtype)


def _hand_to_tuple(parent: Node, index: int, g: Array, pending: dict[Node, Any]) -> Node | None:
    """Put the cotangent of one output into the tuple of its op's; the outputs that nobody used keep None.

    Gives the parent, where it is new.
    """
    parts = pending.get(parent)
    if parts is not None:
        parts[index] = g if parts[index] is None else parts[index] + g
        return None
    pending[parent] = parts = [None] * len(parent.value)
    parts[index] = g
    return parent


def backward(root: Handle, seed: Array | None = None, *, create_graph: bool = False, retain_graph: bool = True) -> None:
    """Add the derivative of ``root`` to the gradient of every watched node it was computed from."""
    node = root.node
    g = start(node, seed)
    if WATCHES and (watch := watching()) is not None:
        watch.goes_back(node)
    if create_graph:
        kind = type(root)
        with enable_grad():
            for target, c, _ in cotangents(node, g if isinstance(g, Handle) else wrap(kind, leaf(g)), kind):
                target.grad = c if target.grad is None else target.grad + c
        return
    if isinstance(g, Handle):
        g = g.node.value
    for target, c, _ in cotangents(node, g, release=not retain_graph):
        if target.grad is None:
            alone = sys.getrefcount(c) == _ALONE and type(c) is np.ndarray and c.base is None
            target.grad = c if alone else _own(c)
        else:
            total = target.grad + c
            target.grad = np.array(total) if isinstance(total, np.generic) else total


def _references() -> int:
    """How many references to a cotangent there are in the loop of `backward` where nobody else holds it.

    Such a one becomes the gradient without a copy. This interpreter says how it counts: versions differ.
    """
    def sweep() -> Iterator[Array]:
        g = np.empty(0)
        yield None, g, []
    for _, c, _ in sweep():
        return sys.getrefcount(c)
    raise AssertionError


_ALONE = _references()


def start(node: Node, seed: Array | None) -> Array:
    """The cotangent that backward starts from, after checking that there is something to differentiate."""
    if not node.requires_grad:
        raise GradientError("backward: nothing that this tensor was computed from requires a gradient; make a leaf "
                            f"with tg.tensor(..., requires_grad=True), outside tg.no_grad(){here()}")
    value = node.value
    if seed is None:
        if value.size != 1:
            raise GradientError(f"backward: a tensor of shape {value.shape} has no single derivative; reduce it to "
                                f"one number (t.sum(), t.mean()) or give a gradient of its shape{here()}")
        return type(value)(1) if isinstance(value, np.generic) else np.ones_like(value)
    if not hasattr(seed, "shape"):
        seed = np.asarray(seed)
    if seed.shape != value.shape:
        raise GradientError(f"backward: the gradient given has shape {seed.shape}, the tensor {value.shape}{here()}")
    if seed.dtype.kind == "c" and value.dtype.kind != "c":
        raise DTypeError(f"backward: the gradient given is {seed.dtype} and the tensor is {value.dtype}; a real tensor "
                         f"has a real gradient{here()}")
    return seed if seed.dtype == value.dtype else _cast_to(seed, value.dtype)


def _handles(node: Node, kind: type[Handle]) -> tuple[Any, ...]:
    """A node's value and inputs as handles, so that its rules are recorded."""
    if type(node.value) is tuple:
        y: Any = tuple(wrap(kind, inner(pick, (node,), {"index": i}, v)) for i, v in enumerate(node.value))
    else:
        y = wrap(kind, node)
    return y, *[wrap(kind, p) if type(p) is Node else p for p in node.parents]


def _sum_to(c: Array, shape: tuple[int, ...], op: Op[..., Any], position: int) -> Array:
    """Undo a broadcast: add up what one element was copied to."""
    if is_matrix(c, "f") and c.shape[1:] == shape:  # a bias, say; float64 is added up as a hand-written np.sum does it
        return ones(len(c), c.dtype).dot(c)
    extra = len(c.shape) - len(shape)
    if type(c) is np.ndarray and c.shape[extra:] == shape:  # np.sum comes to the same after 1 µs
        return np.add.reduce(c, tuple(range(extra)))
    stretched = [axis + extra for axis, size in enumerate(shape) if size == 1 and c.shape[axis + extra] != 1]
    if extra < 0 or any(n not in (1, m) for n, m in zip(shape, c.shape[extra:], strict=True)):
        raise GradientError(f"{op.name}: its rule for argument {position} gave a gradient of shape {c.shape}, "
                            f"which does not reduce to the input's {shape}")
    c = np.sum(c, axis=(*range(extra), *stretched), keepdims=True)
    return np.reshape(c, shape)


def _cast_to(c: Array, dtype: np.dtype[Any]) -> Array:
    """A cotangent in its input's dtype; the real part where the input is real."""
    if c.dtype.kind == "c" and dtype.kind != "c":
        c = np.real(c)
    return c if c.dtype == dtype else c.astype(dtype)


def _own(c: Array) -> Array:
    """An array that nobody else holds."""
    if isinstance(c, Handle):
        return c
    return np.array(c) if isinstance(c, np.generic) else c.copy()
