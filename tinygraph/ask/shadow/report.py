"""Where do the digits go? The recorded graph is replayed in higher precision, and the two are held side by side."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from tinygraph.analysis import Graph
from tinygraph.ask.report import Report, asked
from tinygraph.ask.shadow.replay import Replay, ShadowedNode, digits_of, parts_of
from tinygraph.ask.wording import at, called, count, plain, table
from tinygraph.core.arguments import Handle
from tinygraph.core.context import MARKS, no_grad
from tinygraph.core.errors import ArgumentError, GradientError
from tinygraph.core.messages import here
from tinygraph.core.node import Node, ancestors

__all__ = ["Shadow", "ShadowedNode", "shadow"]

_SHOWN = 10
"""So many of the nodes that lose most are shown."""

WORTH_TELLING = 0.5
"""An op that loses fewer digits is not spoken of."""


class Shadow(Report):
    """The answer of `shadow`: ``nodes`` in the order of the graph; printing ranks them by the digits they lost.

    >>> import tinygraph as tg
    >>> x = tg.tensor(1e8, requires_grad=True)
    >>> answer = tg.shadow((x + 0.1) - x)
    >>> answer.ranked[0].op, answer.digits < 9
    ('subtract', True)
    """

    measure = "digits lost"

    def __init__(self, graph: Graph, nodes: list[ShadowedNode], dtype: np.dtype[Any], digits: float,
                 working: float) -> None:
        self.graph, self.nodes = graph, nodes
        self.dtype, self.digits, self.working = dtype, digits, working

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
        worst = [node for node in self.ranked if node.lost >= WORTH_TELLING][:_SHOWN]
        if not worst:
            return "\n".join([*lines, "no op loses as much as half a digit"])
        rows = [[str(node.id), node.where, f"{node.digits:.1f}", f"{node.lost:.1f}",
                 f"{_short(node.recorded)}{at(node.index)}", _short(node.exact), node.note] for node in worst]
        lines += table(["#", "op", "digits", "lost", "recorded", "exact", "note"], rows, right=[0, 2, 3])
        return "\n".join(lines)

    @property
    def by_node(self) -> dict[int, float]:
        """How many digits each op lost."""
        return {node.id: round(node.lost, 2) for node in self.nodes}

    @property
    def notes(self) -> dict[int, str]:
        """Where digits are lost, where a value overflows, and of what less is known."""
        first = self.overflow
        told = {} if first is None else {first.id: f"the first to overflow: {_short(first.exact)} in the shadow"}
        for node in self.ranked:
            if node.note or node.lost >= WORTH_TELLING:
                told.setdefault(node.id, node.note or f"{node.lost:.1f} digits lost: {_short(node.recorded)}"
                                                      f"{at(node.index)} is {_short(node.exact)} in the shadow")
        return told

    def as_dict(self) -> dict[str, Any]:
        """The nodes as plain data."""
        nodes = [{name: plain(value) for name, value in asdict(node).items()} for node in self.nodes]
        nodes = [{**node, "index": [int(i) for i in node["index"]]} for node in nodes]
        first = self.overflow
        return {"dtype": str(self.dtype), "digits": self.digits, "working": self.working, "nodes": nodes,
                "ranked": [node.id for node in self.ranked], "overflow": None if first is None else first.id}


def shadow(loss: Handle | Graph, dtype: Any = np.longdouble) -> Shadow:
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
    whole, wide = asked("shadow", loss), np.dtype(dtype)
    root, order = whole.roots[0], ancestors(whole.roots)
    _check_precision(order, wide)
    token = MARKS.set(None)
    try:
        with no_grad(), np.errstate(all="ignore"):
            replay = Replay(wide)
            nodes = []
            for node in order:
                row = replay.add(node, whole.of_node(node).id)
                if row is not None:
                    nodes.append(row)
    finally:
        MARKS.reset(token)
    return Shadow(whole, nodes, wide, replay.digits[root], digits_of(root.value.dtype))


def _check_precision(order: list[Node], wide: np.dtype[Any]) -> None:
    if wide.kind != "f":
        raise ArgumentError(f"shadow: dtype is a real floating type such as np.longdouble, not {wide}{here()}")
    for node in order:
        if node.op is not None and not node.parents:
            raise GradientError(f"shadow: the graph behind {node.op.name} was freed by an earlier "
                                f"backward(retain_graph=False){here()}")
        dtypes = [part.dtype for part in parts_of(node.value) if part.dtype.kind in "fc"]
        if any(np.finfo(dtype).eps <= np.finfo(wide).eps for dtype in dtypes):
            raise ArgumentError(f"shadow: {wide} is no more precise than the graph, in which {called(node)} is "
                                f"{dtypes[0]}; give a wider dtype, or compute in a narrower one{here()}")


def _short(x: Any) -> str:
    if x is None:
        return ""
    return f"{x:.8g}" if not isinstance(x, np.longdouble) else np.format_float_scientific(x, 8, trim="-") \
        if x and not 1e-4 <= abs(x) < 1e8 else np.format_float_positional(x, 8, fractional=False, trim="-")
