"""What is written beside a wire: above it the value's name, shape and numbers, below it its gradient's."""

from __future__ import annotations

from typing import Any

from tinygraph.analysis import Cotangents, Edge, GraphNode
from tinygraph.core.arguments import Array
from tinygraph.core.node import Node
from tinygraph.render.formula import Formula, Fraction, Run, plain
from tinygraph.render.naming import Names, summed
from tinygraph.render.scene import Lines
from tinygraph.render.shapes import returning, written
from tinygraph.render.text import DASH, LITERAL, Text, printed


class Beside:
    """Writes the lines beside the wires of one picture.

    Attributes:
        names: How its values are written.
        cotangents: Its gradients, where they are known.
        formulas, shapes, values: What it shows.
    """

    def __init__(self, names: Names, cotangents: Cotangents | None, show: str, formulas: bool) -> None:
        self.names, self.cotangents, self.formulas = names, cotangents, formulas
        self.shapes, self.values = show in ("shapes", "all"), show in ("values", "all")

    def above(self, text: Text, value: Any, alarm: bool = False) -> Lines:
        """The lines over a wire."""
        head: list[Run] = list(text.runs)
        shape = tuple(getattr(value, "shape", ()))
        if alarm or (self.shapes and (shape or not self.values)):
            role = "alarm" if alarm else "fact"
            head += [Run("   " if head else ""), Run(written(shape, self.names.sizes), role=role)]
        lines = printed(value) if self.values else []
        if len(lines) == 1 and not (head and len(lines[0]) > LITERAL):
            head += [Run("   " if head else ""), Run(lines.pop(), role="fact")]
        return tuple(line for line in ((*(run for run in head if run.text),), *facts(lines)) if line)

    def below(self, node: GraphNode, out: Node, edges: list[Edge], branch: bool) -> Lines:
        """The lines under a wire: the gradient's formula, its shape, its numbers or a dash.

        edges: the uses that it leads to, none where the value leaves the picture   branch: whether from a fan-out point
        """
        formula, card = self._formula(out, edges, branch)
        lines: list[Formula] = [tuple(map(_as_gradient, formula))] if self.formulas and formula else []
        if self.shapes and not self.values and out.value.shape:
            sizes = self.names.sizes
            shapes = returning(card, summed(card), sizes) if lines and card else written(out.value.shape, sizes)
            lines.append((Run(shapes, role="fact"),))
        if self.values:
            amount = self._handed(edges) if edges else None if branch else self.total(node, out)
            numbers = printed(amount) if amount is not None else [DASH]
            if not lines or [plain(lines[-1]).replace("−", "-")] != numbers:  # a formula that is a number says it all
                lines += [(Run(line, role="amount"),) for line in numbers]
        return tuple(lines)

    def _formula(self, out: Node, edges: list[Edge], branch: bool) -> tuple[Formula, Edge | None]:
        """What is written at a wire's backward arrow, and the edge whose card says so, if one's does."""
        names, edge = self.names, edges[0] if edges else None
        asked = names.asked(out, edge) if edge else None
        if asked is None and not (branch and edges):
            asked = names.asked(out)
        if asked is not None:
            return asked, None
        formula = names.derivative(out)
        if edge is None or not self.formulas or not flows(edge):
            return formula, None
        handed = names.handed(edge)
        whole = not branch and bool(out.op is None or out.name) and plain(formula) != plain(handed)
        card = edge if len(edges) == 1 and names.knows(edge) else None
        return (*formula, Run(" = "), *handed) if whole else handed, card

    def total(self, node: GraphNode, out: Node) -> Array | None:
        """The whole cotangent of a value, where it is known."""
        if self.cotangents is None:
            return None
        found = self.cotangents.nodes.get(node.id)
        return found[out.params["index"]] if isinstance(found, tuple) and out.params else found

    def _handed(self, edges: list[Edge]) -> Array | None:
        """What the uses of a value at one place add to its cotangent, where it is known."""
        if self.cotangents is None:
            return None
        found = [self.cotangents.edges.get((edge.target.id, edge.position)) for edge in edges]
        known = [amount for amount in found if amount is not None]
        return sum(known[1:], known[0]) if known else None


def flows(edge: Edge) -> bool:
    """Whether a gradient comes back along this edge."""
    op = edge.target.node.op
    return edge.node.requires_grad and op is not None and op.rule(edge.position) is not None


def facts(lines: list[str]) -> Lines:
    """Lines in the style of facts."""
    return tuple((Run(line, role="fact"),) for line in lines)


def _as_gradient(piece: Run | Fraction) -> Run | Fraction:
    if isinstance(piece, Run):
        return Run(piece.text, piece.italic, piece.bold, "gradient")
    return Fraction(tuple(Run(r.text, r.italic, r.bold, "gradient") for r in piece.above),
                    tuple(Run(r.text, r.italic, r.bold, "gradient") for r in piece.below))
