"""The tensors from outside: while a step is recorded, each of them that is a leaf holds a traced array."""

from __future__ import annotations

import gc
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np

from tinygraph.compiler.plan import Value
from tinygraph.compiler.record import Trace
from tinygraph.compiler.traced import Traced
from tinygraph.core.errors import TraceError
from tinygraph.core.messages import here
from tinygraph.core.node import Node, leaf
from tinygraph.tensors import Tensor

MAX_WORK = 10_000
"""How hard to try to find that two interleaved arrays have no element in common."""


class _Before(NamedTuple):
    """A leaf as it was."""

    handle: Tensor
    node: Node
    value: Any
    grad: Any
    requires_grad: bool


class Rebound(NamedTuple):
    """A tensor that holds another array after the step; ``moved`` where it stands for another node (``t += v``)."""

    handle: Tensor
    moved: bool

    def hold(self, array: Any) -> None:
        """Let it hold this array."""
        array = np.asarray(array)
        if self.moved:
            self.handle.node = leaf(array, name=self.handle.node.name)
        else:
            self.handle.node.value = array


class Leaves:
    """Inside ``with``, whatever the step reads of a leaf, however it reaches it, is noted.

    The collector knows every live Tensor: a closure's, a global, an attribute. Leaving the block puts all back as it
    was; `leave` then does what the step did to gradients.

    Attributes:
        roots: The traced arrays that stand for the leaves' own; two leaves with one array share one.
        first: What each of them was at first, in the plan.
    """

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.roots: list[Traced] = []
        self.first: dict[Traced, Value] = {}
        self._before: dict[Node, _Before] = {}
        self._roots: dict[Node, Traced] = {}
        self._handles: list[tuple[Tensor, Node]] = []
        self._after: list[tuple[Node, Any, bool]] = []

    def __enter__(self) -> Self:
        try:
            self._take_over()
        except BaseException:  # Ctrl-C, say
            self.__exit__(None, None, None)
            raise
        return self

    def _take_over(self) -> None:
        of_array: dict[int, Traced] = {}
        for thing in gc.get_objects():
            if type(thing) is not Tensor or (node := _node(thing)) is None or node.op is not None:
                continue
            self._handles.append((thing, node))
            if node in self._before or not isinstance(node.value, np.ndarray | np.generic):
                continue
            if isinstance(node.value, np.generic):
                node.value = np.array(node.value)
            array = node.value
            self._before[node] = _Before(thing, node, array, node.grad, node.requires_grad)
            if isinstance(node.grad, np.ndarray):
                self.trace.grads[id(node.grad)] = node.grad
            root = of_array.get(id(array))
            if root is None:
                value = Value(array.shape, array.dtype, node.name or "")
                root = of_array[id(array)] = Traced(self.trace, value, array, origin=array)
                self.roots.append(root)
                self.first[root] = value
            self._roots[node] = root
            node.value = root

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        for handle, node in self._handles:
            handle.node = node
        for node, before in self._before.items():
            grad = node.grad.node.value if isinstance(node.grad, Tensor) else node.grad
            if isinstance(grad, Traced):
                self._after.append((node, None if isinstance(node.grad, Tensor) else np.array(grad.array),
                                    node.requires_grad))
            elif node.grad is not before.grad or node.requires_grad is not before.requires_grad:
                self._after.append((node, node.grad, node.requires_grad))
            node.value, node.grad, node.requires_grad = before.value, before.grad, before.requires_grad

    def __contains__(self, handle: Tensor) -> bool:
        """Whether a tensor was there before the step."""
        return any(handle is other for other, _ in self._handles)

    def array(self, handle: Tensor) -> Any:
        """What a tensor from outside held before the step."""
        before = self._before.get(handle.node)
        return handle.data if before is None else before.value

    def behind(self, root: Traced) -> list[tuple[Tensor, bool]]:
        """The tensors that a traced array stands for, and whether each required a gradient."""
        found = [self._before[node] for node, other in self._roots.items() if other is root]
        return [(before.handle, before.requires_grad) for before in found]

    def rebound(self) -> list[tuple[Rebound, Traced]]:
        """The tensors that hold another array now, with what they hold."""
        found = []
        for handle, node in self._handles:
            if handle.node is node or node not in self._before:
                continue
            now = handle.node
            if now.op is not None:
                raise TraceError(f"the step assigns to a tensor from outside what was computed by {now.op.name} with a "
                                 f"gradient, and no later call would see that graph; assign its .data{here()}")
            found.append((Rebound(handle, True), self.traced(now.value)))
        found += [(Rebound(before.handle, False), self.traced(node.value)) for node, before in self._before.items()
                  if node.value is not self._roots[node]]
        return found

    def traced(self, now: Any) -> Traced:
        """A traced array as it is; a plain one as a constant of the plan."""
        return now if isinstance(now, Traced) else Traced(self.trace, self.trace.noted(np.asarray(now)), now)

    def check_apart(self, states: list[Traced], written: list[Traced]) -> None:
        """Refuse where what is written shares memory with what the plan takes for an array of its own."""
        for root in written:
            for other in (*states, *self.trace.inputs):
                if other is not root and overlap(root.origin, other.origin):
                    name = self.first[root].name or "a tensor"
                    kind = "a tensor" if other in self.first else "an argument"
                    raise TraceError(f"the step writes into {name}, which shares memory with {kind} that it uses too "
                                     f"({other.value.name}); give it a copy")

    def leave(self, grads: bool) -> None:
        """Do what the step did to gradients, or else forget those, and to what requires one."""
        for node, grad, requires_grad in self._after:
            node.grad, node.requires_grad = (grad if grads else None), requires_grad

    def kept(self, known: list[Traced]) -> list[Tensor]:
        """The leaves that the step made and that somebody keeps; raises TraceError for what was computed and is kept.

        They are among the youngest objects, the collector having been off.
        """
        if not any(self._young(known, 0)):
            return []
        gc.collect(0)  # what only a cycle keeps is nobody's
        tensors, arrays = self._young(known, 1)
        for t in tensors:
            if t.node.op is not None:
                place = t.node.location
                line = f" ({place[0].rsplit('/', 1)[-1]}:{place[1]})" if place else ""
                raise TraceError(f"the step keeps a tensor that it computed by {t.node.op.name} outside of itself, "
                                 f"where no later call would put its own; return it{line}")
        own = {id(t.node.value) for t in tensors}
        if any(id(a) not in own for a in arrays):
            raise TraceError("the step keeps an array that it computed outside of itself, where no later call would "
                             "put its own; return it, or write it into a Tensor")
        return tensors

    def _young(self, known: list[Traced], generation: int) -> tuple[list[Tensor], list[Traced]]:
        ours = {id(x) for x in (*known, *self.roots, *self.trace.inputs)}
        ours |= {id(x.base) for x in known if x.base is not None}
        tensors: list[Tensor] = []
        arrays: list[Traced] = []
        for x in gc.get_objects(generation):
            if type(x) is Traced:
                if x.trace is self.trace and id(x) not in ours:
                    arrays.append(x)
            elif type(x) is Tensor and (node := _node(x)) is not None and isinstance(node.value, Traced) \
                    and node.value.trace is self.trace:
                tensors.append(x)
        return tensors, arrays


def _node(tensor: Tensor) -> Node | None:
    """A tensor's node, which one that another thread has only begun to make does not have yet."""
    return getattr(tensor, "node", None)


def overlap(a: Any, b: Any) -> bool:
    """Whether two arrays have an element in common, or may have one where that is hard to tell."""
    if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and np.may_share_memory(a, b)):
        return False
    try:
        return np.shares_memory(a, b, max_work=MAX_WORK)  # type: ignore[arg-type]  # the stubs know -1 and 0 alone
    except np.exceptions.TooHardError:
        return True
