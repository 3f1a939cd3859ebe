"""Which rule of this graph is wrong? Every rule that backward uses is held against central differences in its place."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

import numpy as np

from tinygraph.analysis import Graph
from tinygraph.ask.check.rule import FREE, CheckedRule, NodeCheck
from tinygraph.ask.report import Report, asked
from tinygraph.ask.wording import count, plain
from tinygraph.core.arguments import Handle
from tinygraph.core.context import MARKS, no_grad
from tinygraph.core.errors import GradientError
from tinygraph.core.messages import here

__all__ = ["CheckedRule", "GraphCheck", "check_graph"]


class GraphCheck(Report):
    """The answer of `check_graph`: ``rows``, one a gradient; ``ok`` where none is wrong; printing names what is not.

    >>> import tinygraph as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> answer = tg.check_graph((x * x).sum())
    >>> answer.ok, len(answer.rows), answer.wrong
    (True, 3, [])
    """

    measure = "verdict"

    def __init__(self, graph: Graph, rows: list[CheckedRule]) -> None:
        self.graph = graph
        self.rows = rows

    @property
    def wrong(self) -> list[CheckedRule]:
        """The gradients that are wrong."""
        return self._of("wrong")

    @property
    def kinks(self) -> list[CheckedRule]:
        """The gradients at points where there is no derivative."""
        return self._of("kink")

    @property
    def skipped(self) -> list[CheckedRule]:
        """What was not checked, each with the reason."""
        return self._of("skipped")

    @property
    def ok(self) -> bool:
        """Whether none is wrong."""
        return not self.wrong

    def _of(self, verdict: str) -> list[CheckedRule]:
        return [row for row in self.rows if row.verdict == verdict]

    def __repr__(self) -> str:
        counts = Counter(row.verdict for row in self.rows)
        return f"<graph check: {', '.join(f'{n} {verdict}' for verdict, n in counts.items()) or 'nothing to check'}>"

    def __str__(self) -> str:
        checked = len(self.rows) - len(self.skipped)
        counts = Counter(row.verdict for row in self.rows)
        told = ", ".join(f"{counts[verdict]:,} {called}" for verdict, called in
                         (("right", "right"), ("wrong", "wrong"), ("kink", "at a kink")) if counts[verdict])
        lines = [f"{count(checked, 'gradient')} checked{f': {told}' if told else ''}"
                 f"{f'; {len(self.skipped):,} skipped' if self.skipped else ''}"]
        lines += [str(row) for row in self.wrong + self.kinks]
        reasons = Counter(f"{row.reason}" for row in self.skipped)
        return "\n".join([*lines, *(f"skipped {n:,}: {reason}" for reason, n in reasons.items())])

    @property
    def by_node(self) -> dict[int, str]:
        """The verdict on each node: the worst on its arguments; "skipped" where none was checked."""
        worst = sorted(self.rows, key=lambda row: ("wrong", "kink", "right", "skipped").index(row.verdict))
        return {row.id: row.verdict for row in reversed(worst)}

    @property
    def notes(self) -> dict[int, str]:
        """What is wrong, and what is at a kink."""
        return {row.id: str(row) for row in reversed(self.wrong + self.kinks)}

    def as_dict(self) -> dict[str, Any]:
        """The rows as plain data."""
        rows = [{name: plain(value) for name, value in asdict(row).items()} for row in self.rows]
        return {"ok": self.ok, "rows": [{**row, "index": row["index"] and list(row["index"])} for row in rows]}


def check_graph(loss: Handle | Graph, *, seed: int = 0) -> GraphCheck:
    """Check every rule that going back from ``loss`` uses, where it stands: on copies of the very inputs it has there.

    Each op is moved a little along a random direction, and the change of its results, with random weights, is compared
    with what its rule says. Where they differ at every step size, the worst element is looked for. A point without a
    derivative (a kink of ReLU, a tie of max, a jump) is told apart: there the rule may give any slope between those of
    the two sides. Low precision is checked in float64. Nothing of the graph is changed.

    A wrapped layer of the lecture's kind is checked as a whole, on a copy; see `WrappedLayer.check`.

    seed: of the random directions

    Raises GradientError where nothing requires a gradient, or where the graph was freed.

    >>> import numpy as np
    >>> import tinygraph as tg
    >>> from tinygraph.core.op import OPS
    >>> @tg.op(vjp=(lambda g, y, x: g * np.sin(x),))
    ... def wrong_cosine(x):
    ...     return np.cos(x)
    >>> x = tg.tensor([0.5, 1.0], requires_grad=True)
    >>> print(tg.check_graph((wrong_cosine(x) * 2).sum()))  # doctest: +ELLIPSIS
    3 gradients checked: 2 right, 1 wrong
    wrong: wrong_cosine (...), argument 0 at [1]: the rule gives 0.841471, central differences -0.841471: the sign is...
    >>> del OPS["wrong_cosine"]
    """
    whole = asked("check_graph", loss)
    if not any(root.requires_grad for root in whole.roots):
        raise GradientError(f"check_graph: nothing that this tensor was computed from requires a gradient{here()}")
    actual: dict[int, Any] = {}
    rng = np.random.default_rng(seed)
    rows: list[CheckedRule] = []
    token = MARKS.set(None)  # under debug these trials would be seen as part of the graph
    try:
        with no_grad(), np.errstate(all="ignore"):
            for member in whole:
                node = member.node
                if node.op is None:
                    continue
                if not node.parents:
                    raise GradientError(f"check_graph: the graph behind {node.op.name} was freed by an earlier "
                                        f"backward(retain_graph=False){here()}")
                if node.op.name in FREE and not actual:
                    actual = _cotangents(whole)
                rows += NodeCheck(member.id, node, rng, actual.get(member.id)).rows()
    finally:
        MARKS.reset(token)
    return GraphCheck(whole, rows)


def _cotangents(whole: Graph) -> dict[int, Any]:
    """The cotangents of a graph by node id; none where one of its rules raises, which is then said of that rule."""
    try:
        return whole.cotangents(np.ones_like(whole.roots[0].value)).nodes
    except Exception:
        return {}
