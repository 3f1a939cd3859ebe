"""How the values of a graph are written in a picture, and the formulas of what comes back along its edges."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygraph.analysis import Edge, Graph, GraphNode, drawn, one_line
from tinygraph.core.node import Node
from tinygraph.core.op import Op
from tinygraph.render.blocks import View
from tinygraph.render.formula import SUBSCRIPTS, Formula, Fraction, Run, parse
from tinygraph.render.hints import Hints
from tinygraph.render.shapes import ARRIVING, on_card
from tinygraph.render.text import LONGEST, Text, constant, expression, literal, named, numbered

_CAME = "\N{LEFTWARDS ARROW}"
"""Stands in an arriving derivative for the value whose derivative it is, which may not be the op's own output."""


class Names:
    """The texts of values and gradients: a user's name, or an expression of the inputs, or v with the node's number."""

    def __init__(self, graph: Graph, seen: View, hints: Hints) -> None:
        self.graph, self.seen = graph, seen
        self.loss = _loss(graph)
        self._texts: dict[Node, Text] = {}
        self._same: dict[Node, Node] = {}
        self.sizes = {size: letter for letter, size in hints.sizes.items()}
        self._letters: dict[int, dict[str, tuple[Run, ...]]] = {}
        self._given: dict[str, tuple[Run, ...]] = {}
        self._asked = _formulas(hints)
        self._settled = False

    def _settle(self) -> None:
        """Name everything that is drawn, inputs before what is computed from them."""
        self._settled = True
        for node in self.graph:
            if not self.seen.folded(node.id) and self.seen.home(node.id) is None:
                self._name(node)
        self._find_same()

    def brief(self, out: Node) -> Text:
        """A name that needs no look at how the value was computed."""
        node, ndim = self.graph.of_node(out), len(out.value.shape)
        if node.op is None:
            return self._leaf(node)
        if name := one_line(out.name or ""):
            return named(name, ndim)
        return Text(self.loss) if (out,) == self.graph.roots and not ndim else numbered(node.id, ndim)

    def __getitem__(self, out: Node) -> Text:
        """How a value is written."""
        if not self._settled:
            self._settle()
        if out not in self._texts:  # one that only leaves a collapsed group, or that a fold hides
            name = one_line(out.name or "")
            ndim = len(out.value.shape)
            self._texts[out] = named(name, ndim) if name else numbered(self.graph.of_node(out).id, ndim)
        return self._texts[out]

    def derivative(self, out: Node) -> Formula:
        """∂L/∂x of a value; ∂L/∂y where that is the same, and x has no name of its own."""
        return (Fraction((Run("∂"), *self.loss), (Run("∂"), *self.differentiated(out))),)

    def same(self, out: Node) -> tuple[Run, ...]:
        """What stands for a value in formulas of derivatives where that is another's name, or nothing."""
        text = self.differentiated(out)
        return () if text == self[out].bracketed else text

    def differentiated(self, out: Node) -> tuple[Run, ...]:
        """What stands under the line in a value's derivative."""
        text = self[out]
        return (self[self._same[out]] if out in self._same else text).bracketed

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

    def knows(self, edge: Edge) -> bool:
        """Whether the op that an edge leads to is drawn, so that its formula can be told."""
        return edge.target.id in self._letters

    def handed(self, edge: Edge) -> Formula:
        """What comes back along an edge: the card's formula with this graph's names, or ∂L/∂x where it has none."""
        op = edge.target.node.op
        assert op is not None
        derivative = self.derivative(edge.node)
        tex = on_card(edge)
        if not tex or not self.knows(edge):
            return derivative
        if not any(out.value.shape for out in edge.target.outputs):
            tex = tex.replace(r"\odot", r"\cdot")
        tex = tex.replace(ARRIVING, rf"\frac{{\partial L}}{{\partial {_CAME}}}")
        came = self.differentiated(made[0]) if len(made := edge.target.outputs) == 1 else (Run("Y", italic=True),)
        formula = parse(tex, {**self._letters[edge.target.id], _CAME: came})
        axes = summed(edge) if not tex.startswith(r"\sum") else ()
        if axes:
            over = f" over axis {axes[0]}" if len(axes) == 1 else f" over axes {', '.join(map(str, axes))}"
            formula = (Run("Σ "), *formula, Run(over))
        return formula

    def _find_same(self) -> None:
        """By value without a name: the one whose derivative is its own, since its only use hands that on unchanged."""
        uses: dict[Node, Edge | None] = {}
        for edge in self.graph.edges if self._letters else ():
            uses[edge.node] = None if edge.node in uses else edge
        for id in reversed(self._letters):
            out = self.graph[id].node
            use = uses.get(out)
            if use is None or use.target.id not in self._letters or out.name or out in self.graph.roots:
                continue
            result = use.target.node
            unchanged = on_card(use) == ARRIVING and not isinstance(result.value, tuple)
            if unchanged and result.value.shape == out.value.shape:
                self._same[out] = self._same.get(result, result)

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


def summed(edge: Edge) -> tuple[int, ...]:
    """The axes of the output that a gradient is summed over, where a broadcast stretched this input."""
    op = edge.target.node.op
    # A ufunc without a signature works element by element, so different shapes mean a broadcast; other cards say so.
    elementwise = op is not None and any(isinstance(f, np.ufunc) and f.signature is None for f in op.numpy)
    if op is None or op.outputs or not (elementwise or on_card(edge).startswith(r"\sum_N")):
        return ()
    shape, wide = edge.node.value.shape, edge.target.node.value.shape
    extra = len(wide) - len(shape)
    return (*range(extra), *(extra + i for i, n in enumerate(shape) if n == 1 and wide[extra + i] != 1))
