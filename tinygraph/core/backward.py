"""Backward: the sweep that brings every node its cotangent, and what it leaves in the gradients.

It goes from the newest node to the oldest, so that each has all contributions before it hands on its own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from heapq import heappop, heappush, heappushpop
from typing import Any

import numpy as np

from tinygraph.core.arguments import Array, Handle
from tinygraph.core.context import WATCHES, enable_grad, watching
from tinygraph.core.errors import DTypeError, GradientError, ShapeError
from tinygraph.core.messages import here
from tinygraph.core.node import Node, inner, leaf, wrap
from tinygraph.core.op import Op, pick
from tinygraph.core.plain import is_matrix, ones

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
