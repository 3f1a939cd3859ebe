"""A recorded graph run again in higher precision, and how many digits each recorded value has right beside that."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygraph.ask.wording import step
from tinygraph.core.arguments import Array
from tinygraph.core.node import Node
from tinygraph.core.op import pick
from tinygraph.nn.wrap import layer_of


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


class Replay:
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
        parts, shadows = parts_of(node.value), parts_of(exact)
        own = min(map(_digits, parts, shadows))
        if own < 1 and not note and not self._repeats(node):
            exact, note = _cast(node.value, self.wide), "it gives another result now than it gave then"
            own = digits_of(parts[0].dtype)
            shadows = parts_of(exact)
        self.values[node], self.digits[node] = exact, own
        return self._row(node, id, parts, shadows, own, note)

    def _row(self, node: Node, id: int, parts: tuple[Any, ...], shadows: tuple[Any, ...], own: float,
             note: str) -> ShadowedNode:
        visible = len(parts) - node.op.hidden  # type: ignore[union-attr]
        worst = min(range(visible), key=lambda i: _digits(parts[i], shadows[i]))
        y, exact = np.asarray(parts[worst]), np.asarray(shadows[worst])
        index = _furthest(y, exact)
        sources = [p for p in node.parents if type(p) is Node]
        before = min([digits_of(y.dtype), *(self.digits[p] for p in sources)])
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
        if exact is not None and all(self._is_wide(y, part) for y, part in zip(parts_of(exact), parts_of(node.value),
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
                   for a, b in zip(parts_of(again), parts_of(node.value), strict=True))


def parts_of(value: Any) -> tuple[Any, ...]:
    """The arrays of a value: all outputs of an op with several."""
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


def digits_of(dtype: np.dtype[Any]) -> float:
    """How many digits a dtype has (float64: 15.7)."""
    return -math.log10(float(np.finfo(dtype).eps)) if dtype.kind in "fc" else math.inf


def _digits(y: Any, exact: Any) -> float:
    """How many digits of the largest element are right in all elements."""
    if y.dtype.kind not in "fc":
        return math.inf if np.array_equal(y, exact) else 0.0
    working = digits_of(y.dtype)
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
