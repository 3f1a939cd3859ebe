"""Ready: a program with the tensors that it works on, and the guards that tell whether it still fits them."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygraph.compiler.leaves import overlap
from tinygraph.compiler.passes import optimised
from tinygraph.compiler.program import Program
from tinygraph.compiler.recording import LOCK, Recording, put_back
from tinygraph.compiler.source import printed
from tinygraph.compiler.traced import Traced
from tinygraph.core.context import GRAD_ENABLED
from tinygraph.core.errors import TraceError
from tinygraph.core.messages import here
from tinygraph.tensors import Tensor


class Ready:
    """A recorded step that can be replayed.

    Attributes:
        plan, program: What was recorded, and what runs.
        arrays, known: The latest call's arguments, and the arrays of the tensors.
    """

    def __init__(self, recording: Recording) -> None:
        self.plan = plan = recording.plan
        self.shape, self.rebound = recording.shape, recording.rebound
        self.program: Program = printed(optimised(plan))
        written = {state for state, _ in plan.writes}
        self.written = [i for i, state in enumerate(plan.states) if state in written]
        # Weak, since a tensor that is gone has been replaced by another, which the program knows nothing of.
        self.guards = [(weakref.ref(handle), i, state.shape, state.dtype, requires_grad)
                       for i, (state, handles) in enumerate(zip(plan.states, recording.handles, strict=True))
                       for handle, requires_grad in handles]
        self.switches = [(weakref.ref(thing), name, value) for thing, name, value in recording.switches]
        self.one_each = len(self.guards) == len(plan.states)
        self.known: list[Any] = [None] * len(plan.states)
        self.owners: frozenset[int] = frozenset()
        self.local = threading.local()
        self.arrays: Any = None
        self.seen: tuple[bool, list[tuple[Any, ...]]] | None = None

    def remember(self, args: tuple[Any, ...]) -> None:
        """Note what these arguments look like, where all are plain arrays, so that `takes` knows them again."""
        if all(type(a) is np.ndarray for a in args):
            self.seen = GRAD_ENABLED.get(), [(a.shape, a.strides, a.dtype) for a in args]

    def takes(self, args: tuple[Any, ...]) -> bool:
        """Whether these arguments look like those of the latest call, which is quicker to tell than a key to make."""
        if self.seen is None or self.seen[0] is not GRAD_ENABLED.get() or len(args) != len(self.seen[1]):
            return False
        for a, (shape, strides, dtype) in zip(args, self.seen[1]):  # noqa: B905
            if type(a) is not np.ndarray or a.shape != shape or a.strides != strides or a.dtype is not dtype:
                return False
        return True

    def fits(self) -> bool:
        """Whether the tensors are still what they were when they were recorded; a rebound array may be another."""
        known, changed = self.known, False
        for ref, name, setting in self.switches:
            if getattr(ref(), name, None) != setting:
                return False
        for ref, i, shape, dtype, requires_grad in self.guards:
            handle = ref()
            if handle is None:
                return False
            node = handle.node
            value = node.value
            if node.requires_grad is not requires_grad or node.op is not None:
                return False
            if value is not known[i]:
                if type(value) is Traced:
                    with LOCK:  # another thread is recording; it puts the array back
                        return self.fits()
                if not isinstance(value, np.ndarray) or value.shape != shape or value.dtype != dtype:
                    return False
                if known[i] is not None and value.strides != known[i].strides:
                    return False  # whether a reshape is a view depends on it
                if not changed:
                    known, changed = list(known), True
                known[i] = value
        if not changed:
            return True
        if not self._apart(known):
            return False
        self.known, self.owners = known, frozenset(id(owner(known[i])) for i in self.written)
        return True

    def _apart(self, known: list[Any]) -> bool:
        """Whether the arrays, some of which are new, still share memory only where they did."""
        if not self.one_each and any(ref().node.value is not known[i] for ref, i, *_ in self.guards):  # type: ignore[union-attr]
            return False
        return not any(overlap(known[i], other) for i in self.written for j, other in enumerate(known) if i != j)

    def run(self, arrays: Sequence[Any]) -> Any:
        """One call of the program, with buffers of this thread's own."""
        step = getattr(self.local, "step", None)
        if step is None:
            step = self.local.step = self.program.load()
        if self.seen is None:
            arrays = [a.node.value if isinstance(a, Tensor) else a for a in arrays]
        self.arrays = arrays
        owners = self.owners
        if owners:
            for a in arrays:
                if id(a if a.base is None else a.base) in owners:
                    self._refuse_shared(a)
        outputs = step(*arrays, *self.known)
        if self.rebound:
            for rebound, value in zip(self.rebound, outputs[len(outputs) - len(self.rebound):], strict=True):
                rebound.hold(value)
        return put_back(self.shape, outputs)

    def _refuse_shared(self, a: Any) -> None:
        if any(overlap(a, self.known[i]) for i in self.written):
            raise TraceError("an argument shares memory with a tensor that the step writes into; give the step a copy"
                             f"{here()}")


def owner(a: Any) -> Any:
    """The array whose memory a view looks into; the array itself where it is no view."""
    return a if a.base is None else a.base
