"""Where do the digits go? The recorded graph is replayed in higher precision, and the two are held side by side."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tinygraph.analysis import graph
from tinygraph.ask.wording import at, called, count, plain, step, table
from tinygraph.core.context import MARKS, no_grad
from tinygraph.core.errors import ArgumentError, GradientError
from tinygraph.core.messages import here
from tinygraph.core.node import Node, ancestors
from tinygraph.core.op import Array, Handle, pick
from tinygraph.nn.wrap import layer_of

__all__ = ["Shadow", "ShadowedNode", "shadow"]

_SHOWN = 10
"""So many of the nodes that lose most are shown."""


@dataclass(frozen=True, slots=True)
class ShadowedNode:
    """One value beside its shadow.

    Attributes:
        id: The node's, in ``tg.graph(loss)``.
        op, name, file, line: What made it, and where.
        digits: How many decimal digits of the largest element are right, in all elements.
        lost: How many of them this op lost: those of its worst input less its own.
        index: The element with the largest error; recorded, exact: what it holds, and what the shadow has there.
        overflows: Whether it is infinite or NaN where all inputs were finite.
        note: Why the comparison says less than it could; empty where there is nothing to say.

    >>> ShadowedNode(4, "subtract", None, None, None, 3.2, 12.4, (), 0.1, 0.2, False, "", "subtract").lost
    12.4
    """

    id: int
    op: str
    name: str | None
    file: str | None
    line: int | None
    digits: float
    lost: float
    index: tuple[int, ...]
    recorded: Any
    exact: Any
    overflows: bool
    note: str
    where: str


class Shadow:
    """The answer of `shadow`: ``nodes`` in the order of the graph; printing ranks them by the digits they lost.

    >>> import tinygraph as tg
    >>> x = tg.tensor(1e8, requires_grad=True)
    >>> answer = tg.shadow((x + 0.1) - x)
    >>> answer.ranked[0].op, answer.digits < 9
    ('subtract', True)
    """

    def __init__(self, nodes: list[ShadowedNode], dtype: np.dtype[Any], digits: float, working: float) -> None:
        self.nodes, self.dtype, self.digits, self.working = nodes, dtype, digits, working

    @property
    def ranked(self) -> list[ShadowedNode]:
        """The nodes by how many digits they lost, most first."""
        return sorted(self.nodes, key=lambda node: -node.lost)

    @property
    def overflow(self) -> ShadowedNode | None:
        """The first node that is infinite or NaN where its inputs were finite; None where there is none."""
        return next((node for node in self.nodes if node.overflows), None)

    def __repr__(self) -> str:
        return f"<shadow in {self.dtype} of {count(len(self.nodes), 'node')}: {self.digits:.1f} digits are right>"

    def __str__(self) -> str:
        lines = [f"beside a shadow in {self.dtype}, {self.digits:.1f} of {self.working:.1f} digits of the result are "
                 "right"]
        if (first := self.overflow) is not None:
            exact = f"is {_short(first.exact)} in the shadow" + (" too" if not np.isfinite(first.exact) else "")
            lines.append(f"the first to overflow: {first.where}: {_short(first.recorded)}{at(first.index)} {exact}")
        if noted := [node for node in self.nodes if node.note]:
            lines.append(f"less is known of {count(len(noted), 'node')}: {noted[0].where}: {noted[0].note}")
        worst = [node for node in self.ranked if node.lost >= 0.5][:_SHOWN]
        if not worst:
            return "\n".join([*lines, "no op loses as much as half a digit"])
        rows = [[str(node.id), node.where, f"{node.digits:.1f}", f"{node.lost:.1f}",
                 f"{_short(node.recorded)}{at(node.index)}", _short(node.exact), node.note] for node in worst]
        lines += table(["#", "op", "digits", "lost", "recorded", "exact", "note"], rows, right=[0, 2, 3])
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """The nodes as plain data."""
        nodes = [{name: plain(value) for name, value in asdict(node).items()} for node in self.nodes]
        nodes = [{**node, "index": [int(i) for i in node["index"]]} for node in nodes]
        first = self.overflow
        return {"dtype": str(self.dtype), "digits": self.digits, "working": self.working, "nodes": nodes,
                "ranked": [node.id for node in self.ranked], "overflow": None if first is None else first.id}


def shadow(loss: Handle, dtype: Any = np.longdouble) -> Shadow:
    """Replay the graph of ``loss`` in higher precision on the same leaves, and say at which op its digits are lost.

    The error of a value is its largest difference from the shadow, relative to the shadow's largest element; its
    digits are -log10 of that. An op has lost what its worst input had more. A subtraction of nearly equal numbers shows
    as such, although it rounds nothing: it brings to light what its inputs had lost. Only the forward is replayed.

    dtype: the shadow's; of higher precision than anything in the graph

    Where an op cannot compute in ``dtype``, as LAPACK in longdouble, it does so in float64, and its note says it.
    Raises ArgumentError where ``dtype`` is not more precise than the graph, as longdouble is not on every machine.

    >>> import numpy as np
    >>> import tinygraph as tg
    >>> x = tg.tensor(np.array([1e4, 1e4 + 1], np.float32), requires_grad=True, name="x")
    >>> variance = np.mean(x * x) - np.mean(x) ** 2
    >>> answer = tg.shadow(variance, np.float64)
    >>> answer.ranked[0].op, float(answer.ranked[0].exact)
    ('subtract', 0.25)
    """
    root = loss.node
    wide = np.dtype(dtype)
    order = ancestors([root])
    _check_precision(order, wide)
    whole = graph(loss)
    token = MARKS.set(None)
    try:
        with no_grad(), np.errstate(all="ignore"):
            replay = _Replay(wide)
            nodes = []
            for node in order:
                row = replay.add(node, whole.of_node(node).id)
                if row is not None:
                    nodes.append(row)
    finally:
        MARKS.reset(token)
    return Shadow(nodes, wide, replay.digits[root], _working(root.value.dtype))


def _check_precision(order: list[Node], wide: np.dtype[Any]) -> None:
    if wide.kind != "f":
        raise ArgumentError(f"shadow: dtype is a real floating type such as np.longdouble, not {wide}{here()}")
    for node in order:
        if node.op is not None and not node.parents:
            raise GradientError(f"shadow: the graph behind {node.op.name} was freed by an earlier "
                                f"backward(retain_graph=False){here()}")
        dtypes = [part.dtype for part in _parts(node.value) if part.dtype.kind in "fc"]
        if any(np.finfo(dtype).eps <= np.finfo(wide).eps for dtype in dtypes):
            raise ArgumentError(f"shadow: {wide} is no more precise than the graph, in which {called(node)} is "
                                f"{dtypes[0]}; give a wider dtype, or compute in a narrower one{here()}")


class _Replay:
    """Each node's value in higher precision, and how far the recorded one is from it."""

    def __init__(self, wide: np.dtype[Any]) -> None:
        self.wide = wide
        self.values: dict[Node, Any] = {}
        self.digits: dict[Node, float] = {}

    def add(self, node: Node, id: int) -> ShadowedNode | None:
        """Replay one node, whose parents were; None for a leaf, and for the taking of one output."""
        op = node.op
        if op is None:
            self.values[node] = _cast(node.value, self.wide)
            self.digits[node] = math.inf
            return None
        if op is pick:
            self.values[node] = self.values[node.parents[0]][node.params["index"]]  # type: ignore[index]
            self.digits[node] = _digits(node.value, self.values[node])
            return None
        exact, note = self._run(node)
        parts, shadows = _parts(node.value), _parts(exact)
        own = min(map(_digits, parts, shadows))
        if own < 1 and not note and not self._repeats(node):
            exact, note = _cast(node.value, self.wide), "it gives another result now than it gave then"
            own = _working(parts[0].dtype)
            shadows = _parts(exact)
        self.values[node], self.digits[node] = exact, own
        return self._row(node, id, parts, shadows, own, note)

    def _row(self, node: Node, id: int, parts: tuple[Any, ...], shadows: tuple[Any, ...], own: float,
             note: str) -> ShadowedNode:
        visible = len(parts) - node.op.hidden  # type: ignore[union-attr]
        worst = min(range(visible), key=lambda i: _digits(parts[i], shadows[i]))
        y, exact = np.asarray(parts[worst]), np.asarray(shadows[worst])
        index = _furthest(y, exact)
        sources = [p for p in node.parents if type(p) is Node]
        before = min([_working(y.dtype), *(self.digits[p] for p in sources)])
        finite = all(_is_finite(p.value if type(p) is Node else p) for p in node.parents)
        location = node.location
        empty = not y.size
        return ShadowedNode(
            id, node.op.name, node.name, location[0] if location else None,  # type: ignore[union-attr]
            location[1] if location else None, own, max(0.0, before - own) if finite else 0.0, index,
            None if empty else y[index], None if empty else exact[index], finite and not _is_finite(node.value), note,
            step(node))

    def _run(self, node: Node) -> tuple[Any, str]:
        """The op on its inputs' shadows; in the recorded precision where it knows no other."""
        op = node.op
        assert op is not None
        inputs = tuple(self.values[p] if type(p) is Node else _cast(p, self.wide) for p in node.parents)
        if (layer := layer_of(node)) is not None:
            return self._run_layer(layer, node, inputs)
        unchecked = object.__new__(type(op))  # copy.copy gives what is registered under its name
        unchecked.__dict__.update(op.__dict__)
        unchecked.validate = None
        try:
            exact = unchecked.run(inputs, self._params(node.params))
        except Exception:  # SciPy's functions raise errors of their own kinds for a dtype that they do not know
            exact = None
        if exact is not None and all(self._is_wide(y, part) for y, part in zip(_parts(exact), _parts(node.value),
                                                                               strict=True)):
            return _as_tuple(exact, node.value), ""
        narrow = tuple(_cast(x, np.dtype(np.float64)) for x in inputs)
        exact = _as_tuple(unchecked.run(narrow, node.params), node.value)
        return _cast(exact, self.wide), f"it cannot compute in {self.wide}"

    def _run_layer(self, layer: Any, node: Node, inputs: tuple[Any, ...]) -> tuple[Any, str]:
        """A copy of a wrapped layer, with the weights that it had in the graph."""
        first_weight = len(inputs) - len(layer.weights)
        assert node.params is not None
        try:
            own = layer.copied().layer
            for name, weight in zip(layer.weights, inputs[first_weight:], strict=True):
                setattr(own, name, weight)
            return own.forward(*inputs[:first_weight], **node.params["call"].keywords), ""
        except Exception as error:
            return _cast(node.value, self.wide), f"the layer was not replayed: {error}"

    def _params(self, params: dict[str, Any] | None) -> dict[str, Any] | None:
        """The params, with a floating dtype that was asked for widened too."""
        if params is None or params.get("dtype") is None or np.dtype(params["dtype"]).kind not in "fc":
            return params
        return {**params, "dtype": _widened(np.dtype(params["dtype"]), self.wide)}

    def _is_wide(self, exact: Any, recorded: Any) -> bool:
        return recorded.dtype.kind not in "fc" or exact.dtype == _widened(recorded.dtype, self.wide)

    @staticmethod
    def _repeats(node: Node) -> bool:
        """Whether the op still gives, in the recorded precision, what was recorded."""
        op = node.op
        assert op is not None
        if layer_of(node) is not None:
            return True
        again = op.run(tuple(p.value if type(p) is Node else p for p in node.parents), node.params)
        return all(np.array_equal(a, b, equal_nan=b.dtype.kind in "fc")
                   for a, b in zip(_parts(again), _parts(node.value), strict=True))


def _parts(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def _as_tuple(value: Any, like: Any) -> Any:
    return tuple(value) if isinstance(like, tuple) else value


def _widened(dtype: np.dtype[Any], wide: np.dtype[Any]) -> np.dtype[Any]:
    return np.result_type(wide, np.complex64) if dtype.kind == "c" else wide


def _cast(x: Any, wide: np.dtype[Any]) -> Any:
    """Floating and complex arrays in another precision; integers, Python numbers and the like as they are."""
    if isinstance(x, tuple):
        return tuple(_cast(part, wide) for part in x)
    if isinstance(x, np.ndarray | np.generic) and x.dtype.kind in "fc":
        return x.astype(_widened(x.dtype, wide))
    return x


def _working(dtype: np.dtype[Any]) -> float:
    """How many digits a dtype has (float64: 15.7)."""
    return -math.log10(float(np.finfo(dtype).eps)) if dtype.kind in "fc" else math.inf


def _digits(y: Any, exact: Any) -> float:
    """How many digits of the largest element are right in all elements."""
    if y.dtype.kind not in "fc":
        return math.inf if np.array_equal(y, exact) else 0.0
    working = _working(y.dtype)
    if not np.size(y):
        return working
    if not _is_finite(y):
        same = np.array_equal(np.isfinite(y), np.isfinite(exact)) and np.array_equal(np.isnan(y), np.isnan(exact))
        if not same:
            return 0.0
        y, exact = (np.where(np.isfinite(part), part, 0) for part in (y, exact))
    scale = np.max(np.absolute(exact))
    error = np.max(np.absolute(y.astype(exact.dtype) - exact))
    if not error:
        return working
    if not scale or not np.isfinite(error):
        return 0.0
    return float(min(working, max(0.0, -np.log10(error / scale))))


def _furthest(y: Array, exact: Array) -> tuple[int, ...]:
    """Where a value is furthest from its shadow; the first place that is not finite in it alone comes before."""
    if not y.size:
        return ()
    if y.dtype.kind not in "fc":
        return tuple(int(i) for i in np.unravel_index(int(np.argmax(y != exact)), y.shape))
    gap = np.absolute(y.astype(exact.dtype) - exact)
    gap = np.where(np.isfinite(gap), gap, np.where(np.isfinite(y), 0, np.inf))
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(gap)), y.shape))


def _is_finite(x: Any) -> bool:
    if isinstance(x, tuple | list):
        return all(map(_is_finite, x))
    if isinstance(x, np.ndarray | np.generic):
        return x.dtype.kind not in "fc" or bool(np.all(np.isfinite(x)))
    return not isinstance(x, float) or math.isfinite(x)


def _short(x: Any) -> str:
    if x is None:
        return ""
    return f"{x:.8g}" if not isinstance(x, np.longdouble) else np.format_float_scientific(x, 8, trim="-") \
        if x and not 1e-4 <= abs(x) < 1e8 else np.format_float_positional(x, 8, fractional=False, trim="-")
