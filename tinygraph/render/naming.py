"""How the values of a graph are written in a picture, and the formulas of what comes back along its edges."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygraph.analysis import Edge, Graph, GraphNode, drawn, one_line
from tinygraph.core.node import Node
from tinygraph.core.op import Op
from tinygraph.render.formula import SUBSCRIPTS, Formula, Fraction, Run, parse
from tinygraph.render.hints import Hints
from tinygraph.render.text import LONGEST, Text, constant, expression, literal, named, numbered
from tinygraph.render.view import View


class Names:
    """The texts of values and gradients: a user's name, or an expression of the inputs, or v with the node's number."""

    def __init__(self, graph: Graph, seen: View, hints: Hints) -> None:
        self.graph, self.seen = graph, seen
        self.loss = _loss(graph)
        self._texts: dict[Node, Text] = {}
        self._letters: dict[int, dict[str, tuple[Run, ...]]] = {}
        self._given: dict[str, tuple[Run, ...]] = {}
        self._asked = _formulas(hints)
        for node in graph:
            if not seen.folded(node.id) and seen.home(node.id) is None:
                self._name(node)

    def __getitem__(self, out: Node) -> Text:
        """How a value is written."""
        if out not in self._texts:  # one that only leaves a collapsed group, or that a fold hides
            name = one_line(out.name or "")
            ndim = len(out.value.shape)
            self._texts[out] = named(name, ndim) if name else numbered(self.graph.of_node(out).id, ndim)
        return self._texts[out]

    def derivative(self, out: Node) -> Formula:
        """∂L/∂x of a value."""
        return (Fraction((Run("∂"), *self.loss), (Run("∂"), *self[out].bracketed)),)

    def asked(self, out: Node, edge: Edge | None = None) -> Formula | None:
        """The formula that a hint gives for a value, or for one use of it."""
        tex = self._asked.get((out, edge.target.node if edge else None))
        return None if tex is None else parse(tex, self._known())

    def _known(self) -> dict[str, tuple[Run, ...]]:
        """What stands for the letters that users gave as names."""
        if not self._given:
            named = [(out.name, out) for node in self.graph for out in node.outputs if out.name and len(out.name) == 1]
            self._given = {"L": self.loss} | {str(name): self[out].bracketed for name, out in named}
        return self._given

    def handed(self, edge: Edge) -> Formula:
        """What comes back along an edge: the card's formula with this graph's names, or ∂L/∂x where it has none."""
        op = edge.target.node.op
        assert op is not None
        tex = op.formula(edge.position)
        if not tex or edge.target.id not in self._letters:
            return self.derivative(edge.node)
        if not any(out.value.shape for out in edge.target.outputs):
            tex = tex.replace(r"\odot", r"\cdot")
        formula = parse(tex, self._letters[edge.target.id])
        axes = _summed(edge) if not tex.startswith(r"\sum") else ()
        if axes:
            over = f" over axis {axes[0]}" if len(axes) == 1 else f" over axes {', '.join(map(str, axes))}"
            formula = (Run("Σ "), *formula, Run(over))
        return formula

    def _name(self, node: GraphNode) -> None:
        """Settle how the node's values are written, from how its inputs are."""
        op = node.node.op
        if op is None:
            self._texts[node.node] = self._leaf(node)
            return
        inputs = self._inputs(node, op)
        written = expression(op, list(inputs.values()))
        for index, out in enumerate(node.outputs):
            ndim = len(out.value.shape)
            if name := one_line(out.name or ""):
                text = named(name, ndim)
            elif out in self.graph.roots and len(self.graph.roots) == 1 and ndim == 0:
                text = Text(self.loss)
            elif len(node.outputs) > 1 and len(written.plain) < LONGEST:
                text = Text((*written.bracketed, Run("".join(SUBSCRIPTS[digit] for digit in str(index)))))
            else:
                text = written if len(written.plain) <= LONGEST else numbered(node.id, ndim)
            self._texts[out] = text
        # What the letters in the card's formulas stand for. With several outputs Y is one that only the rules see.
        letters = {op.letters[i]: text.bracketed for i, text in inputs.items() if i < len(op.letters) and op.letters[i]}
        letters["L"] = self.loss
        for out in node.outputs:
            letters.setdefault(f"Y_{out.params['index']}" if op.outputs and out.params else "Y",
                               self._texts[out].bracketed)
        self._letters[node.id] = letters

    def _leaf(self, node: GraphNode) -> Text:
        value = node.node.value
        if name := one_line(node.name or ""):
            return named(name, len(value.shape))
        written = None if node.requires_grad else literal(value)
        return written or numbered(node.id, len(value.shape))

    def _inputs(self, node: GraphNode, op: Op[..., Any]) -> dict[int, Text]:
        """How each input that is worth drawing is written, by its position."""
        texts: dict[int, Text] = {}
        for position, parent in enumerate(node.node.parents):
            if type(parent) is Node:
                texts[position] = self[parent]
            elif drawn(parent):
                texts[position] = constant(parent, argument(op, position))
        return texts


def argument(op: Op[..., Any], position: int) -> str:
    """What an op calls its input."""
    return op.inputs[position] if position < len(op.inputs) else op.nested or op.name


def _formulas(hints: Hints) -> dict[tuple[Node, Node | None], str]:
    """The formulas that hints give, by the value and, for one use of it, what was computed from it."""
    found: dict[tuple[Node, Node | None], str] = {}
    for arrow, tex in hints.formulas.items():
        if isinstance(arrow, tuple):
            found[arrow[0].node, arrow[1].node] = tex
        else:
            found[arrow.node, None] = tex
    return found


def _loss(graph: Graph) -> tuple[Run, ...]:
    """What is differentiated: the root's own short name where it is one number, or L."""
    root = graph.roots[0]
    name = one_line(root.name or "")
    if len(graph.roots) == 1 and not root.value.shape and 0 < len(name) <= 6:
        return named(name, 0).bracketed
    return (Run("L", italic=True),)


def _summed(edge: Edge) -> tuple[int, ...]:
    """The axes of the output that a gradient is summed over, where a broadcast stretched this input."""
    op = edge.target.node.op
    # A ufunc without a signature works element by element, so only there do different shapes mean a broadcast.
    if op is None or not any(isinstance(f, np.ufunc) and f.signature is None for f in op.numpy):
        return ()
    shape, wide = edge.node.value.shape, edge.target.node.value.shape
    extra = len(wide) - len(shape)
    return (*range(extra), *(extra + i for i, n in enumerate(shape) if n == 1 and wide[extra + i] != 1))
