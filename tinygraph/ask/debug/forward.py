"""What `tinygraph.debug` does while a graph is recorded: it looks at each value, and notes it and its inputs."""

from __future__ import annotations

import cmath
import math
from collections.abc import Iterator
from typing import Any
from weakref import ref

import numpy as np

from tinygraph.ask import reasons
from tinygraph.ask.debug.arrays import holds, is_finite
from tinygraph.ask.debug.backward import SMALL, Note, Sweep
from tinygraph.ask.ways import lineage
from tinygraph.ask.wording import called, count, inputs, span, strange_at, way
from tinygraph.core.arguments import Array
from tinygraph.core.errors import DebugError
from tinygraph.core.kinds import Constant
from tinygraph.core.messages import here
from tinygraph.core.node import Node, ancestors, failed
from tinygraph.core.op import Op, pick

_ndarray, _generic = np.ndarray, np.generic


class Generation:
    """What was recorded between two calls of backward. It lives as long as one of its nodes."""

    __slots__ = ("__weakref__", "nbytes", "nodes", "place")

    def __init__(self) -> None:
        self.nodes, self.nbytes, self.place = 0, 0, ""


class Watch:
    """One `tinygraph.debug` that is on."""

    def __init__(self, graphs: int) -> None:
        self.graphs = graphs
        self.generation = Generation()
        self.earlier: list[ref[Generation]] = []

    def made(self, node: Node) -> None:
        """Look at a recorded value, and note it and its inputs."""
        op, value, parents = node.op, node.value, node.parents
        assert op is not None
        noted: Any = None
        dtype = None
        if op is pick:
            whole = parents[0].seen
            if whole is not None:
                node.seen = whole[0], whole[1][node.params["index"]], ()  # type: ignore[index]
            return
        if type(value) is tuple:
            for part in value:
                self._check(op, parents, node.params, part)
            noted = tuple(map(_bytes, value))
        elif type(value) is _ndarray or isinstance(value, _generic):
            dtype = value.dtype
            if not is_finite(value):
                self._check(op, parents, node.params, value)
            noted = value.tobytes()
        kept = []
        for p in parents:
            if type(p) is Node:
                seen, x = p.seen, p.value
                if seen is None or p.op is None:  # a leaf may rightly change between two uses
                    seen = self._note_leaf(p, seen)
                if dtype is not None and p.requires_grad and x.dtype is not dtype:
                    self._check_dtype(op, parents, node.params, x.dtype, dtype)
                kept.append(seen[1])
            else:
                kept.append(p.tobytes() if type(p) is _ndarray else None)
        generation = self.generation
        if not generation.nodes:
            generation.place = here()
        generation.nodes += 1
        generation.nbytes += value.nbytes if dtype is not None else 0
        node.seen = generation, noted, tuple(kept)

    def _note_leaf(self, leaf: Node, seen: Note | None) -> Note:
        x = leaf.value
        if seen is not None and type(x) is _ndarray and x.nbytes > SMALL and holds(x, seen[1]):
            return seen
        value = tuple(map(_bytes, x)) if type(x) is tuple else _bytes(x)
        if seen is None or seen[1] != value:
            seen = leaf.seen = (None, value, ())
        return seen

    def computed(self, op: Op[..., Any], parents: tuple[Any, ...], value: Any) -> None:
        """Look at a value that was not recorded."""
        if not isinstance(op, Constant):
            for part in value if isinstance(value, tuple | list) else (value,):
                self._check(op, parents, None, part)

    def sweep(self, root: Node, seed: Any, kind: Any) -> Sweep:
        """Who looks on while a sweep goes back through the graph."""
        return Sweep(root, kind)

    # --- values that are not finite, and dtypes -----------------------------------------------------------------

    def _check(self, op: Op[..., Any], parents: tuple[Any, ...], params: dict[str, Any] | None, value: Array) -> None:
        """Raise if an op gave NaN, or infinity where none came in: one that came in, as in a mask, is meant."""
        if is_finite(value):
            return
        values = [p.value if type(p) is Node else p for p in parents]
        if not np.any(np.isnan(value)):
            came = {sign for x in (*values, params) for sign in _infinities(x)}
            if set(_infinities(value)) <= came:
                return
        guilty = [i for i, x in enumerate(values) if _holds_nan(x)]
        if guilty:
            parent = parents[guilty[0]]
            name = f", {called(parent)}," if type(parent) is Node else ""
            why = f"it came in with argument {guilty[0]}{name} which holds one"
        else:
            why = reasons.of_value(op.name, values)
        node = Node()
        node.op, node.parents = op, parents
        earlier = way(lineage(node)[:-1])
        line = here()
        text = [f"{op.name}: {strange_at(value)} of its result{f': {why}' if why else ''}{line}",
                *(f"  {told}" for told in inputs(node)), f"  computed: {earlier} → {op.name}{line}"]
        error = DebugError("\n".join(text), kind="non-finite", op=op.name, during="forward", origin=not guilty,
                           argument=guilty[0] if guilty else None, place=line.strip(" ()"), why=why)
        raise failed(error, op, parents)

    def _check_dtype(self, op: Op[..., Any], parents: tuple[Any, ...], params: dict[str, Any] | None,
                     before: np.dtype[Any], after: np.dtype[Any]) -> None:
        """Raise if a result has another precision than an input that carries a gradient, and nobody asked for it."""
        if before.kind not in "fc" or after.kind not in "fc" or np.finfo(after).eps == np.finfo(before).eps:
            return
        if params is not None and params.get("dtype") is not None:
            return
        values = [p.value if type(p) is Node else p for p in parents]
        wide = [i for i, x in enumerate(values) if _widens(x, before)]
        if np.finfo(after).eps > np.finfo(before).eps:
            wide, why = [], f"the op itself computes in {after}, and what its input has beyond that is lost"
        elif wide:
            why = f"argument {wide[0]} is {span(values[wide[0]])}; give it as {before}"
        else:
            why = f"the op itself computes in {after}; convert its result with astype"
        line = here()
        node = Node()
        node.op, node.parents = op, parents
        text = [f"{op.name}: {before} became {after}, of which every later value and gradient is made: {why}{line}",
                *(f"  {told}" for told in inputs(node))]
        error = DebugError("\n".join(text), kind="dtype", op=op.name, during="forward", before=str(before),
                           after=str(after), argument=wide[0] if wide else None, place=line.strip(" ()"))
        raise failed(error, op, parents)

    # --- graphs that are not freed ------------------------------------------------------------------------------

    def goes_back(self, root: Node) -> None:
        """Count the graphs of earlier calls of backward that are still there; raise where they pile up."""
        self.earlier = [generation for generation in self.earlier if generation() is not None]
        alive = [generation for made in self.earlier if (generation := made()) is not None]
        if len(alive) > self.graphs:
            mine = self.generation
            reached = any(node.seen is not None and node.seen[0] not in (None, mine)
                          for node in ancestors([root]))
            nbytes = sum(generation.nbytes for generation in alive)
            why = ("this loss was computed from them: take a total with float(loss), and detach() a state that is "
                   "carried from one step to the next" if reached else
                   "something holds tensors of theirs, a list of losses maybe: keep float(loss) instead")
            raise DebugError(
                f"backward: the graphs of {count(len(alive), 'earlier call')} are still in memory, {nbytes:,} bytes "
                f"that grow with each step, the oldest made{alive[0].place}; {why}{here()}", kind="leak",
                op=root.op.name if root.op else None, graphs=len(alive), bytes=nbytes, reached=reached,
                place=alive[0].place.strip(" ()"))
        del alive
        if self.generation.nodes:
            self.earlier.append(ref(self.generation))
            self.generation = Generation()


def _bytes(x: Any) -> bytes | None:
    """What an array holds, to be compared later; None for arrays of other packages."""
    return x.tobytes() if type(x) is _ndarray or isinstance(x, _generic) else None


def _widens(x: Any, dtype: np.dtype[Any]) -> bool:
    """Whether an array makes NumPy compute in a higher precision than this dtype's."""
    if not hasattr(x, "dtype"):
        return False
    return x.dtype.kind in "iu" or (x.dtype.kind in "fc" and np.finfo(x.dtype).eps < np.finfo(dtype).eps)


def _holds_nan(x: Any) -> bool:
    if isinstance(x, float | complex):
        return cmath.isnan(x)
    return isinstance(x, _ndarray | _generic) and x.dtype.kind in "fc" and bool(np.any(np.isnan(x)))


def _infinities(x: Any) -> Iterator[float]:
    """The signs of the infinities in an input or, at any depth, among the params."""
    if isinstance(x, _ndarray | _generic):
        if x.dtype.kind == "c":
            x = np.stack([np.real(x), np.imag(x)])
        if x.dtype.kind == "f":
            yield from {1.0} if np.any(x == np.inf) else ()
            yield from {-1.0} if np.any(x == -np.inf) else ()
    elif isinstance(x, float):
        if math.isinf(x):
            yield math.copysign(1.0, x)
    elif isinstance(x, dict | list | tuple):
        for part in x.values() if isinstance(x, dict) else x:
            yield from _infinities(part)
