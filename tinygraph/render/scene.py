"""Scene: what a picture of a graph shows, as plain data that every format prints its own way.

An op is a box, a value is a wire from the box that makes it to the box that uses it, with text above for the forward
pass and below for the backward pass. A value used more than once goes to a fan-out point, from which one wire leads to
each use: the contributions that come back on those add up there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from tinygraph.analysis import Cotangents, Edge, Graph, GraphNode, drawn, one_line
from tinygraph.core.errors import ArgumentError
from tinygraph.core.node import Node
from tinygraph.core.op import Array, Op
from tinygraph.render.formula import SUBSCRIPTS, Formula, Fraction, Run, parse, plain
from tinygraph.render.text import DASH, LITERAL, LONGEST, Text, constant, expression, literal, named, numbered, printed

SHOW = ("symbols", "shapes", "values", "all")

SMALL = 40
"""Up to so many nodes everything is shown unless the caller says otherwise."""

LARGE = 1000
"""Above so many nodes formulas are left out unless the caller says otherwise: nobody could read them."""

COLOURS = {"ink": "#1A1A1A", "backward": "#0072B2", "quiet": "#6B6B6B", "op": "#FFF3C4", "highlight": "#D55E00"}
"""Okabe and Ito's, which the colour-blind can tell apart; position and direction say the same."""

Lines: TypeAlias = tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """A place where wires end.

    Attributes:
        id: Unique in the scene; the same graph gives the same.
        kind: op, leaf, constant, fan (a fan-out point) or root (where the result leaves).
        text: Its lines; none for a fan.
        row: The straight line that it belongs to; 0 is the main line.
        node: The id of the graph's node behind it.
        note: What a pointer resting on it is told.
    """

    id: str
    kind: str
    text: Lines
    row: int
    node: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Wire:
    """A value on its way from one box to another, and the gradient on its way back.

    Attributes:
        id, node: As a box's.
        source, target: Ids of boxes, in the direction of the data.
        above, below: The lines of text: the value's name, shape and numbers; the gradient's formula and numbers.
        gradient: Whether one comes back here.
        passive: Whether it is an input that no gradient flows to: data, labels, a constant.
        row: The straight line that it belongs to, or None where it leads from one to another.
        side: Whether it is an op's side input, from a leaf or a constant that is used nowhere else.
    """

    id: str
    source: str
    target: str
    above: Lines
    below: Lines
    gradient: bool
    passive: bool
    row: int | None
    side: bool
    node: int


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that a picture shows.

    Attributes:
        title: What it is called, for those who cannot see it.
        boxes, wires: In the order of creation.
        nodes: How many nodes the graph has.
        dense: Whether nothing wide stands on the wires, so that boxes may stand close together.
    """

    title: str
    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]
    nodes: int
    dense: bool


def scene(graph: Graph, show: str | None = None, backward: bool | None = None, seed: Array | None = None) -> Scene:
    """What a picture of this graph shows; `tinygraph.render.drawing.draw` says what the arguments mean."""
    if show is None:
        small, large = len(graph) <= SMALL, len(graph) > LARGE
        return _Builder(graph, "all" if small else "symbols" if large else "shapes", backward, seed, not large).scene()
    if show not in SHOW:
        raise ArgumentError(f"draw: show={show!r}; it is one of {', '.join(SHOW)}")
    return _Builder(graph, show, backward, seed).scene()


class _Builder:
    """Goes through a graph once and collects the scene."""

    def __init__(self, graph: Graph, show: str, backward: bool | None, seed: Array | None,
                 formulas: bool = True) -> None:
        self.graph = graph
        self.backward, self.formulas = backward is not False, formulas
        self.shapes, self.values, self.both = show in ("shapes", "all"), show in ("values", "all"), show == "all"
        self.boxes: list[Box] = []
        self.wires: list[Wire] = []
        self.uses: dict[Node, list[Edge]] = {}
        for edge in graph.edges:
            self.uses.setdefault(edge.node, []).append(edge)
        self.rows = _rows(graph)
        self.letters: dict[int, dict[str, tuple[Run, ...]]] = {}
        self.texts: dict[Node, Text] = {}
        self.loss = _loss(graph)
        for node in graph:
            self._name(node)
        self.cotangents = self._sweep(backward, seed)

    def _sweep(self, backward: bool | None, seed: Array | None) -> Cotangents | None:
        """The gradients where they are to be shown: where they were asked for, or where backward has run."""
        graph, root = self.graph, self.graph.roots[0]
        if backward is None:
            known = root.value.size == 1 or seed is not None
            backward = len(graph.roots) == 1 and root.requires_grad and known and (
                seed is not None or any(node.grad is not None for node in graph if node.requires_grad))
        return graph.cotangents(seed) if backward and self.values else None

    # --- names and formulas ---------------------------------------------------------------------------------------

    def _name(self, node: GraphNode) -> None:
        """Settle how the node's values are written, from how its inputs are."""
        op = node.node.op
        if op is None:
            self.texts[node.node] = self._leaf(node)
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
            self.texts[out] = text
        # What the letters in the card's formulas stand for. With several outputs Y is one that only the rules see.
        letters = {op.inputs[position].upper(): text.bracketed
                   for position, text in inputs.items() if position < len(op.inputs) and len(op.inputs[position]) == 1}
        letters["L"] = self.loss
        if not op.outputs:
            letters.setdefault("Y", self.texts[node.node].bracketed)
        self.letters[node.id] = letters

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
                texts[position] = self.texts[parent]
            elif drawn(parent):
                texts[position] = constant(parent, _argument(op, position))
        return texts

    def _derivative(self, text: Text) -> Formula:
        return (Fraction((Run("∂"), *self.loss), (Run("∂"), *text.bracketed)),)

    def _formula(self, edge: Edge) -> Formula:
        """What comes back along an edge: the card's formula with this graph's names, or ∂L/∂x where it has none."""
        op = edge.target.node.op
        assert op is not None
        tex = op.tex[edge.position] if edge.position < len(op.tex) else ""
        if not tex:
            return self._derivative(self.texts[edge.node])
        if not any(out.value.shape for out in edge.target.outputs):
            tex = tex.replace(r"\odot", r"\cdot")
        formula = parse(tex, self.letters[edge.target.id])
        axes = _summed(edge) if not tex.startswith(r"\sum") else ()
        if axes:
            over = f" over axis {axes[0]}" if len(axes) == 1 else f" over axes {', '.join(map(str, axes))}"
            formula = (Run("Σ "), *formula, Run(over))
        return formula

    # --- boxes and wires ------------------------------------------------------------------------------------------

    def scene(self) -> Scene:
        """The finished description."""
        for node in self.graph:
            self._draw(node)
        root = self.graph.roots[0]
        name = one_line(root.name or "") or self.texts[root].plain
        ops = sum(node.op is not None for node in self.graph)
        title = f"Graph of {name}: {ops} op{'s' * (ops != 1)}"
        return Scene(title, tuple(self.boxes), tuple(self.wires), len(self.graph),
                     dense=not (self.backward and self.formulas))

    def _draw(self, node: GraphNode) -> None:
        row, op = self.rows[node.id], node.node.op
        home = f"n{node.id}"
        if op is None:
            self.boxes.append(Box(home, "leaf", self._leaf_text(node), row, node.id, f"#{node.id} leaf"))
        else:
            lines = [shown for line in op.symbol.splitlines() if (shown := one_line(line))]
            symbol = tuple((Run(line),) for line in lines or [op.name])
            self.boxes.append(Box(home, "op", symbol, row, node.id, f"#{node.id} {op.name}"))
            self._draw_constants(node, op)
        for index, out in enumerate(node.outputs):
            mark = f"{node.id}_{index}" if len(node.outputs) > 1 else f"{node.id}"
            self._draw_value(node, out, home, mark)

    def _leaf_text(self, node: GraphNode) -> Lines:
        text = (self.texts[node.node].runs,)
        if node.node in self.graph.roots and node.node not in self.uses and node.name:
            return (*text, *_facts(printed(node.value)))
        return text

    def _draw_constants(self, node: GraphNode, op: Op[..., Any]) -> None:
        for position, value in enumerate(node.node.parents):
            if type(value) is Node or not drawn(value):
                continue
            mark = f"{node.id}_{position}"
            argument = _argument(op, position)
            text = constant(value, argument)
            leads = position == _leading(node)
            row = self.rows[node.id] if leads else -1
            self.boxes.append(Box(f"c{mark}", "constant", (text.runs,), row, node.id, f"{argument} of #{node.id}"))
            above = () if literal(value) else self._above(Text(()), value)
            self.wires.append(Wire(f"k{mark}", f"c{mark}", f"n{node.id}", above, (), False, True,
                                   row if leads else None, not leads, node.id))

    def _draw_value(self, node: GraphNode, out: Node, home: str, mark: str) -> None:
        """One value: a wire to its only use, or a wire to a fan-out point and one from there to each use."""
        uses = self.uses.get(out, [])
        ends: list[Edge | None] = [*uses, None] if out in self.graph.roots and (uses or node.op) else [*uses]
        if len(ends) == 1:
            self._wire(node, out, home, f"w{mark}", ends[0])
        elif ends:
            row, text = self.rows[node.id], self.texts[out]
            gradient = self.backward and any(_flows(e) if e else out.requires_grad for e in ends)
            self.boxes.append(Box(f"f{mark}", "fan", (), row, node.id))
            above = self._above(Text(()) if node.op is None else text, out.value)
            below = self._below(self._derivative(text), self._total(node, out), out) if gradient else ()
            self.wires.append(Wire(f"w{mark}", home, f"f{mark}", above, below, gradient, _is_passive(out), row, False,
                                   node.id))
            for number, end in enumerate(ends):
                self._wire(node, out, f"f{mark}", f"w{mark}b{number}", end)

    def _wire(self, node: GraphNode, out: Node, source: str, id: str, end: Edge | None) -> None:
        """The wire to one use of a value, or for None to where the result leaves the picture."""
        row, text, branch = self.rows[node.id], self.texts[out], source[0] == "f"
        gradient = self.backward and (_flows(end) if end else out.requires_grad)
        formula = self._derivative(text)
        line: int | None = row
        if end is None:
            target = f"r{id[1:]}"
            self.boxes.append(Box(target, "root", (text.runs,), row, node.id, f"#{node.id}"))
            amount = None if branch else self._total(node, out)
        else:
            target = f"n{end.target.id}"
            line = row if self.rows[end.target.id] == row else None
            amount = self._handed(end)
            if gradient and self.formulas:
                whole = not branch and bool(out.op is None or out.name)
                formula = _equation(formula, self._formula(end)) if whole else self._formula(end)
        if branch and end is not None:
            above: Lines = (text.runs,)
        else:  # what is written at its end need not be said again
            above = self._above(Text(()) if end is None or node.op is None else text, out.value)
        side = line is None and out.op is None and not branch
        below = self._below(formula, amount, out) if gradient else ()
        self.wires.append(Wire(id, source, target, above, below, gradient, _is_passive(out), line, side, node.id))

    def _above(self, text: Text, value: Any) -> Lines:
        """The lines over a wire: what the value is called, its shape, its numbers."""
        head: list[Run] = list(text.runs)
        shape = tuple(getattr(value, "shape", ()))
        if self.shapes and (shape or not self.values):
            head += [Run("   " if head else ""), Run(str(shape), role="fact")]
        lines = printed(value) if self.values else []
        if len(lines) == 1 and not (head and len(lines[0]) > LITERAL):
            head += [Run("   " if head else ""), Run(lines.pop(), role="fact")]
        return tuple(line for line in ((*(run for run in head if run.text),), *_facts(lines)) if line)

    def _below(self, formula: Formula, gradient: Array | None, out: Node) -> Lines:
        """The lines under a wire: the gradient's formula, its shape, its numbers or a dash."""
        lines: list[Formula] = [tuple(_as_gradient(piece) for piece in formula)] if self.formulas else []
        if self.shapes and not self.values and out.value.shape:
            lines.append((Run(str(tuple(out.value.shape)), role="fact"),))
        if self.values:
            numbers = printed(gradient) if gradient is not None else [DASH]
            lines += [(Run(line, role="amount"),) for line in numbers]
        return tuple(lines)

    def _total(self, node: GraphNode, out: Node) -> Array | None:
        """The whole cotangent of a value, where it is known."""
        if self.cotangents is None:
            return None
        found = self.cotangents.nodes.get(node.id)
        return found[out.params["index"]] if isinstance(found, tuple) and out.params else found

    def _handed(self, edge: Edge) -> Array | None:
        """What one use adds to the cotangent of a value, where it is known."""
        return None if self.cotangents is None else self.cotangents.edges.get((edge.target.id, edge.position))


def _argument(op: Op[..., Any], position: int) -> str:
    return op.inputs[position] if position < len(op.inputs) else op.nested or op.name


def _is_passive(out: Node) -> bool:
    return out.op is None and not out.requires_grad


def _flows(edge: Edge) -> bool:
    """Whether a gradient comes back along this edge."""
    op = edge.target.node.op
    return edge.node.requires_grad and op is not None and op.rule(edge.position) is not None


def _loss(graph: Graph) -> tuple[Run, ...]:
    """What is differentiated: the root's own short name where it is one number, or L."""
    root = graph.roots[0]
    name = one_line(root.name or "")
    if len(graph.roots) == 1 and not root.value.shape and 0 < len(name) <= 6:
        return named(name, 0).bracketed
    return (Run("L", italic=True),)


def _equation(left: Formula, right: Formula) -> Formula:
    return left if plain(left) == plain(right) else (*left, Run(" = "), *right)


def _as_gradient(piece: Run | Fraction) -> Run | Fraction:
    if isinstance(piece, Run):
        return Run(piece.text, piece.italic, piece.bold, "gradient")
    return Fraction(tuple(Run(r.text, r.italic, r.bold, "gradient") for r in piece.above),
                    tuple(Run(r.text, r.italic, r.bold, "gradient") for r in piece.below))


def _facts(lines: list[str]) -> Lines:
    return tuple((Run(line, role="fact"),) for line in lines)


def _summed(edge: Edge) -> tuple[int, ...]:
    """The axes of the output that a gradient is summed over, where a broadcast stretched this input."""
    op = edge.target.node.op
    # A ufunc without a signature works element by element, so only there do different shapes mean a broadcast.
    if op is None or not any(isinstance(f, np.ufunc) and f.signature is None for f in op.numpy):
        return ()
    shape, wide = edge.node.value.shape, edge.target.node.value.shape
    extra = len(wide) - len(shape)
    return (*range(extra), *(extra + i for i, n in enumerate(shape) if n == 1 and wide[extra + i] != 1))


def _rows(graph: Graph) -> list[int]:
    """The straight line that each node belongs to, by its id; 0 is the main line, which ends at the root.

    Each op's line is carried on by the first of its inputs that was computed and that no other op has claimed; where
    none was computed, by the first leaf, unless data that is no node comes before it.
    """
    rows = [-1] * len(graph)
    count = 0
    for node in reversed(graph.nodes):
        if rows[node.id] < 0:
            rows[node.id] = count
            count += 1
        free = [i for i in node.inputs if isinstance(i, GraphNode) and rows[i.id] < 0]
        computed = [i for i in free if i.node.op is not None]
        if computed or (free and _leading(node) is None):
            rows[(computed or free)[0].id] = rows[node.id]
    return rows


def _leading(node: GraphNode) -> int | None:
    """The position of an array that is no node and that begins the op's line, as an image does a network's."""
    if any(isinstance(i, GraphNode) and i.node.op is not None for i in node.inputs):
        return None
    first = next((position for position, i in enumerate(node.inputs)
                  if isinstance(i, GraphNode) or np.shape(i)), None)
    return None if first is None or isinstance(node.inputs[first], GraphNode) else first
