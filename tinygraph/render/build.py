"""From a graph to a scene: each op a box, each value a wire, formulas and numbers beside it, groups framed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

from tinygraph.analysis import MISSING, Cotangents, Edge, Graph, GraphNode, drawn, one_line
from tinygraph.core.errors import ArgumentError
from tinygraph.core.messages import here
from tinygraph.core.node import Node
from tinygraph.core.op import Array, Op
from tinygraph.render.formula import Formula, Fraction, Run, plain
from tinygraph.render.hints import Hints
from tinygraph.render.naming import Names, argument
from tinygraph.render.overlay import Measure, Notes, coloured, noted
from tinygraph.render.rows import leading, rows
from tinygraph.render.scene import LARGE, READABLE, SHOW, SMALL, Box, Group, Lines, Scene, Wire
from tinygraph.render.text import DASH, LITERAL, Text, constant, literal, printed
from tinygraph.render.view import Collapse, View, view


class Origin(NamedTuple):
    """What a scene was made of, for formats that tell more than it shows.

    Attributes:
        graph: The live graph, with its arrays.
        homes: By node id: the id of the box that the node is drawn as or in, or "" where it is not drawn.
        names: How its values are written.
        cotangents: Its gradients, where they are known.
    """

    graph: Graph
    homes: list[str]
    names: Names
    cotangents: Cotangents | None


def picture(graph: Graph, show: str | None = None, backward: bool | None = None, seed: Array | None = None,
            hints: Hints | None = None, *, depth: int | None = None, collapse: Collapse | bool | None = None,
            fold_repeats: bool = False, color_by: Measure | None = None, notes: Notes | None = None,
            theme: str | None = None) -> tuple[Scene, Origin]:
    """What a picture of this graph shows, and what it was made of.

    `tinygraph.render.drawing.draw` says what the arguments mean.
    """
    if show is not None and show not in SHOW:
        raise ArgumentError(f"draw: show={show!r}; it is one of {', '.join(SHOW)}{here()}")
    if theme not in (None, "light", "dark"):
        raise ArgumentError(f"draw: theme={theme!r}; it is light or dark, or left out{here()}")
    hints = hints or Hints()
    backward = False if graph.failed is not None else backward
    seen = view(graph, {title: [graph.of(t) for t in tensors] for title, tensors in hints.clusters.items()},
                depth=depth, collapse=collapse, fold_repeats=fold_repeats, large=LARGE)
    formulas = show is not None or len(graph) <= READABLE
    show = show or ("all" if len(graph) <= SMALL else "symbols" if len(graph) > LARGE else "shapes")
    builder = _Builder(graph, seen, hints, show, backward, seed, formulas)
    made = dataclasses.replace(builder.scene(), theme=theme or "")
    if color_by is not None:
        made = coloured(made, graph, builder.homes, color_by, seed)
    if notes:
        made = noted(made, graph, builder.homes, notes)
    return made, Origin(graph, builder.homes, builder.names, builder.cotangents)


class _Builder:
    """Goes through a graph once and collects the scene."""

    def __init__(self, graph: Graph, seen: View, hints: Hints, show: str, backward: bool | None, seed: Array | None,
                 formulas: bool) -> None:
        self.graph, self.seen = graph, seen
        self.backward, self.formulas = backward is not False, formulas
        self.shapes, self.values = show in ("shapes", "all"), show in ("values", "all")
        self.boxes: dict[str, Box] = {}
        self.wires: list[Wire] = []
        self.bundles: dict[tuple[str, str], list[_Value]] = {}
        self.uses: dict[Node, list[Edge]] = {}
        for edge in graph.edges:
            if not seen.folded(edge.target.id):
                self.uses.setdefault(edge.node, []).append(edge)
        lines = [[graph.of(tensor) for tensor in line] for line in (hints.main, *hints.rows) if line]
        self.straight = len(lines) or 1
        self.rows = rows(graph, lines)
        self.blocks = seen.in_use()
        self.homes = [self._home(node.id) for node in graph]
        self.places = self._rows_of_boxes()
        self.names = Names(graph, seen, hints)
        self.cotangents = self._sweep(backward, seed)

    def _sweep(self, backward: bool | None, seed: Array | None) -> Cotangents | None:
        """The gradients where they are to be shown: where they were asked for, or where backward has run."""
        graph, root = self.graph, self.graph.roots[0]
        if backward is None:
            known = root.value.size == 1 or seed is not None
            backward = len(graph.roots) == 1 and root.requires_grad and known and (
                seed is not None or graph.differentiated)
        return graph.cotangents(seed) if backward and self.values else None

    def scene(self) -> Scene:
        """The finished description."""
        for node in self.graph:
            self._draw(node)
        for (source, target), values in self.bundles.items():
            self._draw_bundle(source, target, values)
        root = self.graph.roots[0]
        name = one_line(root.name or "") or self.names[root].plain
        ops = sum(node.op is not None for node in self.graph)
        groups = tuple(Group(f"g{block.id}", block.title, f"g{block.parent.id}" if block.parent else "", block.path)
                       for block in self.blocks if not block.closed)
        return Scene(f"Graph of {name}: {ops} op{'s' * (ops != 1)}", tuple(self.boxes.values()), self._framed(groups),
                     len(self.graph), dense=not (self.backward and self.formulas), groups=groups,
                     note=one_line(self.graph.message, 300) or self.seen.note, straight=self.straight,
                     order=self._order())

    def _framed(self, groups: Sequence[Group]) -> tuple[Wire, ...]:
        """The wires, each in the innermost frame that both of its ends stand in."""
        if not groups:
            return tuple(self.wires)
        parents = {group.id: group.parent for group in groups}
        framed = []
        for wire in self.wires:
            around = set()
            frame = self.boxes[wire.source].group
            while frame:
                around.add(frame)
                frame = parents[frame]
            frame = self.boxes[wire.target].group
            while frame and frame not in around:
                frame = parents[frame]
            framed.append(dataclasses.replace(wire, group=frame) if frame else wire)
        return tuple(framed)

    def _order(self) -> tuple[str, ...]:
        """The boxes at the beginning of the lines that were asked for."""
        entered = {wire.target for wire in self.wires}
        firsts = {box.row: box.id for box in reversed(self.boxes.values()) if 0 <= box.row < self.straight}
        order = tuple(firsts[row] for row in sorted(firsts) if firsts[row] not in entered)
        return order if len(order) > 1 else ()

    # --- boxes ----------------------------------------------------------------------------------------------------

    def _home(self, id: int) -> str:
        """The id of the box that a node is drawn as or in, or "" where it is not drawn."""
        block, shown = self.seen.home(id), self.seen.shown[id]
        return f"g{block.id}" if block is not None else "" if shown is None else f"n{shown}"

    def _rows_of_boxes(self) -> dict[str, int]:
        """The straight line that each box belongs to; a collapsed group to the foremost of those in it."""
        found: dict[str, int] = {}
        for home, row in zip(self.homes, self.rows, strict=True):
            found[home] = min(found.get(home, row), row) if home[:1] == "g" else found.get(home, row)
        return found

    def _frame(self, id: int) -> str:
        """The id of the innermost frame around a node's box."""
        block = self.seen.block[id]
        while block is not None and block.closed:
            block = block.parent
        return f"g{block.id}" if block else ""

    def _add(self, id: str, kind: str, text: Lines, node: int, note: str = "", row: int | None = None,
             alarm: bool = False) -> None:
        row = self.rows[node] if row is None else row
        frame = "" if kind == "root" else self._frame(node)
        self.boxes[id] = Box(id, kind, text, row, node, note, frame, alarm=alarm)

    def _draw(self, node: GraphNode) -> None:
        """A node's own box, or that of its group, unless it is there already; and what leads from it."""
        home, op, id = self.homes[node.id], node.node.op, node.id
        if home[:1] == "g":
            if home not in self.boxes:
                self._draw_group(home, id)
        elif self.seen.shown[id] == id:
            if op is None:
                self._add(home, "leaf", self._leaf_text(node), id, f"#{id} leaf")
            else:
                lines = [shown for line in op.symbol.splitlines() if (shown := one_line(line))]
                symbol = tuple((Run(line),) for line in lines or [op.name])
                self._add(home, "op", symbol, id, f"#{id} {op.name}", alarm=node is self.graph.failed)
                self._draw_constants(node, op)
        for index, out in enumerate(node.outputs):
            mark = f"{id}_{index}" if len(node.outputs) > 1 else f"{id}"
            self._draw_value(node, out, home, mark)

    def _draw_group(self, home: str, id: int) -> None:
        block = self.seen.home(id)
        assert block is not None
        members = block.everything()
        ops = sum(self.graph[member].op is not None for member in members)
        facts = f"{ops:,} op{'s' * (ops != 1)}"
        note = f"{block.path}: nodes #{members[0]} to #{members[-1]}"
        self._add(home, "group", ((Run(one_line(block.title, 40)),), (Run(facts, role="fact"),)), id, note,
                  row=self.places[home])

    def _leaf_text(self, node: GraphNode) -> Lines:
        text = (self.names[node.node].runs,)
        if node.node in self.graph.roots and node.node not in self.uses and node.name:
            return (*text, *_facts(printed(node.value)))
        return text

    def _draw_constants(self, node: GraphNode, op: Op[..., Any]) -> None:
        for position, value in enumerate(node.node.parents):
            if type(value) is Node or not drawn(value):
                continue
            mark = f"{node.id}_{position}"
            called = argument(op, position)
            text = constant(value, called)
            leads = position == leading(node)
            row = self.rows[node.id] if leads else -1
            self._add(f"c{mark}", "constant", (text.runs,), node.id, f"{called} of #{node.id}", row)
            failed = node is self.graph.failed
            above = () if literal(value) and not failed else self._above(Text(()), value, failed)
            self.wires.append(Wire(f"k{mark}", f"c{mark}", f"n{node.id}", above, (), False, True,
                                   row if leads else None, not leads, node.id))

    # --- wires ----------------------------------------------------------------------------------------------------

    def _ends(self, out: Node, home: str) -> dict[str, list[Edge]]:
        """Where a value is used: by the box that a wire leads to, the edges that it stands for."""
        ends: dict[str, list[Edge]] = {}
        for number, edge in enumerate(self.uses.get(out, [])):
            target = self.homes[edge.target.id]
            if target[0] != "g":
                ends[f"{target} {number}"] = [edge]  # x + x is two wires
            elif target != home:
                ends.setdefault(target, []).append(edge)
        return ends

    def _draw_value(self, node: GraphNode, out: Node, home: str, mark: str) -> None:
        """One value: a wire to its only use, or a wire to a fan-out point and one from there to each use."""
        if not home or out.value is MISSING:
            return
        ends = self._ends(out, home)
        leaves = out in self.graph.roots and bool(self.uses.get(out) or node.op)
        if home[0] == "g" or self.seen.folded(node.id):
            for target, edges in ends.items():
                self.bundles.setdefault((home, target.split()[0]), []).append(_Value(node, out, edges))
            if leaves:
                self._wire(node, out, home, f"w{mark}", [])
            return
        wires = [*ends.values(), []] if leaves else [*ends.values()]
        if len(wires) == 1:
            self._wire(node, out, home, f"w{mark}", wires[0])
        elif wires:
            text = self.names[out]
            gradient = (self.backward and any(map(_flows, self.uses[out]))) or (leaves and out.requires_grad)
            self._add(f"f{mark}", "fan", (), node.id)
            above = self._above(Text(()) if node.op is None else text, out.value)
            formula = self.names.asked(out) or self.names.derivative(out)
            below = self._below(formula, self._total(node, out), out) if gradient else ()
            self.wires.append(Wire(f"w{mark}", home, f"f{mark}", above, below, gradient, _is_passive(out),
                                   self.rows[node.id], False, node.id))
            for number, edges in enumerate(wires):
                self._wire(node, out, f"f{mark}", f"w{mark}b{number}", edges)

    def _wire(self, node: GraphNode, out: Node, source: str, id: str, edges: list[Edge]) -> None:
        """The wire to one use of a value, or for no edge to where the result leaves the picture."""
        row, text, branch = self.places[self.homes[node.id]], self.names[out], source[0] == "f"
        gradient = self.backward and (any(map(_flows, edges)) if edges else out.requires_grad)
        line: int | None = row
        failed = bool(edges) and edges[0].target is self.graph.failed
        if edges:
            target = self.homes[edges[0].target.id]
            line = row if self.places[target] == row else None
            amount = self._handed(edges)
        else:
            target = f"r{id[1:]}"
            self._add(target, "root", (text.runs,), node.id, f"#{node.id}", row)
            amount = None if branch else self._total(node, out)
        if branch and edges and not failed:
            above: Lines = (text.runs,)
        else:  # what is written at its end need not be said again
            above = self._above(Text(()) if not edges or node.op is None else text, out.value, failed)
        side = line is None and out.op is None and not branch
        below = self._below(self._formula(out, edges, branch), amount, out) if gradient else ()
        self.wires.append(Wire(id, source, target, above, below, gradient, _is_passive(out), line, side, node.id))

    def _formula(self, out: Node, edges: list[Edge], branch: bool) -> Formula:
        """What is written at a wire's backward arrow."""
        names, edge = self.names, edges[0] if edges else None
        asked = names.asked(out, edge) if edge else None
        if asked is None and not (branch and edges):
            asked = names.asked(out)
        formula = names.derivative(out)
        if asked is not None or edge is None or not self.formulas or not _flows(edge):
            return formula if asked is None else asked
        whole = not branch and bool(out.op is None or out.name)
        return _equation(formula, names.handed(edge)) if whole else names.handed(edge)

    def _draw_bundle(self, source: str, target: str, values: list[_Value]) -> None:
        """One wire for all values that lead from a collapsed or folded group to the same box."""
        id = f"b{source}_{target}"
        if len(values) == 1:
            node, out, edges = values[0]
            self._wire(node, out, source, id, edges)
            return
        gradient = self.backward and any(_flows(edge) for value in values for edge in value.edges)
        line = self.places[source] if self.places[source] == self.places[target] else None
        self.wires.append(Wire(id, source, target, ((Run(f"{len(values):,} values", role="fact"),),), (), gradient,
                               False, line, False, values[0].node.id))

    # --- the lines of text beside a wire --------------------------------------------------------------------------

    def _above(self, text: Text, value: Any, alarm: bool = False) -> Lines:
        """The lines over a wire: what the value is called, its shape, its numbers."""
        head: list[Run] = list(text.runs)
        shape = tuple(getattr(value, "shape", ()))
        if alarm or (self.shapes and (shape or not self.values)):
            head += [Run("   " if head else ""), Run(str(shape), role="alarm" if alarm else "fact")]
        lines = printed(value) if self.values else []
        if len(lines) == 1 and not (head and len(lines[0]) > LITERAL):
            head += [Run("   " if head else ""), Run(lines.pop(), role="fact")]
        return tuple(line for line in ((*(run for run in head if run.text),), *_facts(lines)) if line)

    def _below(self, formula: Formula, gradient: Array | None, out: Node) -> Lines:
        """The lines under a wire: the gradient's formula, its shape, its numbers or a dash."""
        lines: list[Formula] = [tuple(_as_gradient(piece) for piece in formula)] if self.formulas and formula else []
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

    def _handed(self, edges: list[Edge]) -> Array | None:
        """What the uses of a value at one place add to its cotangent, where it is known."""
        if self.cotangents is None:
            return None
        found = [self.cotangents.edges.get((edge.target.id, edge.position)) for edge in edges]
        known = [amount for amount in found if amount is not None]
        return sum(known[1:], known[0]) if known else None


class _Value(NamedTuple):
    """A value on its way to one box, and the edges that lead it there."""

    node: GraphNode
    out: Node
    edges: list[Edge]


def _is_passive(out: Node) -> bool:
    return out.op is None and not out.requires_grad


def _flows(edge: Edge) -> bool:
    """Whether a gradient comes back along this edge."""
    op = edge.target.node.op
    return edge.node.requires_grad and op is not None and op.rule(edge.position) is not None


def _equation(left: Formula, right: Formula) -> Formula:
    return left if plain(left) == plain(right) else (*left, Run(" = "), *right)


def _as_gradient(piece: Run | Fraction) -> Run | Fraction:
    if isinstance(piece, Run):
        return Run(piece.text, piece.italic, piece.bold, "gradient")
    return Fraction(tuple(Run(r.text, r.italic, r.bold, "gradient") for r in piece.above),
                    tuple(Run(r.text, r.italic, r.bold, "gradient") for r in piece.below))


def _facts(lines: list[str]) -> Lines:
    return tuple((Run(line, role="fact"),) for line in lines)
