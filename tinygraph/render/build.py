"""From a graph to a scene: each op a box, each value a wire, formulas and numbers beside it, groups framed."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

from tinygraph.analysis import MISSING, Cotangents, Edge, Graph, GraphNode, drawn, one_line
from tinygraph.core.arguments import Array
from tinygraph.core.errors import ArgumentError
from tinygraph.core.messages import here
from tinygraph.core.node import Node
from tinygraph.core.op import Op
from tinygraph.render.beside import Beside, facts, flows
from tinygraph.render.blocks import View
from tinygraph.render.formula import Run
from tinygraph.render.hints import Hints
from tinygraph.render.naming import Names, argument
from tinygraph.render.overlay import Measure, Notes, coloured, noted
from tinygraph.render.rows import leading, rows
from tinygraph.render.scene import LARGE, READABLE, SHOW, SMALL, Box, Group, Lines, Scene, Wire
from tinygraph.render.text import Text, constant, literal, printed
from tinygraph.render.view import Collapse, view

SHARED = 8
"""In a full picture a leaf that more boxes use stands beside each of them, or its wires would be all that is seen."""


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
            theme: str | None = None, opened: bool = False) -> tuple[Scene, Origin]:
    """What a picture of this graph shows, and what it was made of.

    `tinygraph.render.drawing.draw` says what the arguments mean.

    opened: draw each box that they collapse as a frame around all that is in it
    """
    if show is not None and show not in SHOW:
        raise ArgumentError(f"draw: show={show!r}; it is one of {', '.join(SHOW)}{here()}")
    if theme not in (None, "light", "dark"):
        raise ArgumentError(f"draw: theme={theme!r}; it is light or dark, or left out{here()}")
    hints = hints or Hints()
    backward = False if graph.failed is not None else backward
    seen = view(graph, {title: [graph.of(t) for t in tensors] for title, tensors in hints.clusters.items()},
                depth=depth, collapse=collapse, fold_repeats=fold_repeats, large=LARGE, opened=opened)
    builder = _Builder(graph, seen, hints, show, backward, seed)
    made = dataclasses.replace(builder.scene(), theme=theme or "")
    if color_by is not None:
        made = coloured(made, graph, builder.homes, color_by, seed)
    if notes:
        made = noted(made, graph, builder.homes, notes)
    return made, Origin(graph, builder.homes, builder.names, builder.cotangents)


class _Builder:
    """Goes through a graph once and collects the scene."""

    def __init__(self, graph: Graph, seen: View, hints: Hints, show: str | None, backward: bool | None,
                 seed: Array | None) -> None:
        self.graph, self.seen = graph, seen
        self.backward = backward is not False
        self.boxes: dict[str, Box] = {}
        self.wires: list[Wire] = []
        self.bundles: dict[tuple[str, str], list[_Value]] = {}
        self.uses: dict[Node, list[Edge]] = {}
        folds = seen.folds
        for edge in graph.edges:
            if not folds or not seen.folded(edge.target.id):
                self.uses.setdefault(edge.node, []).append(edge)
        lines = [[graph.of(tensor) for tensor in line] for line in (hints.main, *hints.rows) if line]
        self.straight = len(lines) or 1
        self.rows = rows(graph, lines)
        self.blocks = seen.in_use()
        self.homes = [self._home(node.id) for node in graph] if self.blocks or folds else [
            f"n{id}" for id in range(len(graph))]
        self.places = self._rows_of_boxes()
        self.framed = any(not block.closed for block in self.blocks)
        self.names = Names(graph, seen, hints)
        # A picture too full to be read is boxes and arrows alone.
        self.bare = show is None and len(graph) > READABLE and len(set(self.homes)) > READABLE
        formulas = show is not None or len(graph) <= READABLE
        show = show or ("all" if len(graph) <= SMALL else "symbols" if len(graph) > LARGE else "shapes")
        self.cotangents = self._sweep(backward, seed) if show in ("values", "all") else None
        self.beside = Beside(self.names, self.cotangents, show, formulas)

    def _sweep(self, backward: bool | None, seed: Array | None) -> Cotangents | None:
        """The gradients where they were asked for, or where backward has run."""
        graph, root = self.graph, self.graph.roots[0]
        if backward is None:
            known = root.value.size == 1 or seed is not None
            backward = len(graph.roots) == 1 and root.requires_grad and known and (
                seed is not None or graph.differentiated)
        return graph.cotangents(seed) if backward else None

    def scene(self) -> Scene:
        """The finished description."""
        for node in self.graph.nodes:
            self._draw(node)
        for (source, target), values in self.bundles.items():
            self._draw_bundle(source, target, values)
        root = self.graph.roots[0]
        name = one_line(root.name or "") or self._text(root).plain
        ops = sum(node.node.op is not None for node in self.graph.nodes)
        groups = tuple(Group(f"g{block.id}", block.title, f"g{block.parent.id}" if block.parent else "", block.path,
                             block.boxed)
                       for block in self.blocks if not block.closed)
        return Scene(f"Graph of {name}: {ops} op{'s' * (ops != 1)}", tuple(self.boxes.values()), self._framed(groups),
                     len(self.graph), dense=not (self.backward and self.beside.formulas), groups=groups,
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
            framed.append(wire._replace(group=frame) if frame else wire)
        return tuple(framed)

    def _order(self) -> tuple[str, ...]:
        """The boxes at the beginning of the lines that were asked for."""
        if self.straight == 1:
            return ()
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
        frame = self._frame(node) if self.framed and kind != "root" else ""
        self.boxes[id] = Box(id, kind, text, row, node, note, frame, "", alarm)

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
                self._add(home, "op", _symbol(op.symbol, op.name), id, f"#{id} {op.name}",
                          alarm=node is self.graph.failed)
                if not self.bare:
                    self._draw_constants(node, op)
        if len(node.outputs) == 1:
            self._draw_value(node, node.outputs[0], home, f"{id}")
        else:
            for index, out in enumerate(node.outputs):
                self._draw_value(node, out, home, f"{id}_{index}")

    def _text(self, out: Node) -> Text:
        """How a value is written."""
        return self.names.brief(out) if self.bare else self.names[out]

    def _draw_group(self, home: str, id: int) -> None:
        block = self.seen.home(id)
        assert block is not None
        members = block.everything()
        ops = sum(self.graph[member].op is not None for member in members)
        size = f"{ops:,} op{'s' * (ops != 1)}"
        note = f"{block.path}: nodes #{members[0]} to #{members[-1]}"
        self._add(home, "group", ((Run(one_line(block.title, 40)),), (Run(size, role="fact"),)), id, note,
                  row=self.places[home])

    def _leaf_text(self, node: GraphNode) -> Lines:
        text = (self._text(node.node).runs,)
        if node.node in self.graph.roots and node.node not in self.uses and node.name:
            return (*text, *facts(printed(node.value)))
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
            above = () if literal(value) and not failed else self.beside.above(Text(()), value, failed)
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
        uses = self.uses.get(out)
        if uses and len(uses) == 1 and out not in self.graph.roots and not self.seen.folded(node.id):
            if home[0] == "n":  # what most values are: used once
                self._wire(node, out, home, f"w{mark}", uses)
                return
            if self.homes[uses[0].target.id] == home:
                return
        ends = self._ends(out, home)
        leaves = out in self.graph.roots and bool(ends or node.node.op)
        if home[0] == "g" or self.seen.folded(node.id):
            for target, edges in ends.items():
                self.bundles.setdefault((home, target.split()[0]), []).append(_Value(node, out, edges))
            if leaves:
                self._wire(node, out, home, f"w{mark}", [])
            return
        wires = [*ends.values(), []] if leaves else [*ends.values()]
        if len(wires) == 1:
            self._wire(node, out, home, f"w{mark}", wires[0])
        elif self.seen.crowded and node.op is None and len(wires) > SHARED:
            for number, edges in enumerate(wires):
                if number:
                    self._add(f"{home}_{number}", "constant", (self._text(out).runs,), node.id, f"#{node.id} again", -1)
                self._wire(node, out, f"{home}_{number}" if number else home, f"w{mark}b{number}", edges)
        elif wires:
            gradient = (self.backward and any(map(flows, self.uses[out]))) or (leaves and out.requires_grad)
            self._add(f"f{mark}", "fan", (), node.id)
            above, below = ((), ()) if self.bare else (
                self.beside.above(Text(()) if node.op is None else self.names[out], out.value),
                self.beside.below(node, out, [], False) if gradient else ())
            self.wires.append(Wire(f"w{mark}", home, f"f{mark}", above, below, gradient, _is_passive(out),
                                   self.rows[node.id], False, node.id))
            for number, edges in enumerate(wires):
                self._wire(node, out, f"f{mark}", f"w{mark}b{number}", edges)

    def _wire(self, node: GraphNode, out: Node, source: str, id: str, edges: list[Edge]) -> None:
        """The wire to one use of a value, or for no edge to where the result leaves the picture."""
        row, branch = self.places[self.homes[node.id]], source[0] == "f"
        line: int | None = row
        if edges:
            target = self.homes[edges[0].target.id]
            line = row if self.places[target] == row else None
            gradient = self.backward and (flows(edges[0]) if len(edges) == 1 else any(map(flows, edges)))
        else:
            target = f"r{id[1:]}"
            self._add(target, "root", (self._text(out).runs,), node.id, f"#{node.id}", row)
            gradient = self.backward and out.requires_grad
        above, below = ((), ()) if self.bare else self._texts(node, out, edges, branch, gradient)
        side = line is None and out.op is None and not branch
        self.wires.append(Wire(id, source, target, above, below, gradient, _is_passive(out), line, side, node.id))

    def _texts(self, node: GraphNode, out: Node, edges: list[Edge], branch: bool,
               gradient: bool) -> tuple[Lines, Lines]:
        """What is written above and below a wire."""
        failed = bool(edges) and edges[0].target is self.graph.failed
        below = self.beside.below(node, out, edges, branch) if gradient else ()
        if branch and edges and not failed:
            return (self.names[out].runs,), below
        # What is written at its end need not be said again.
        text = Text(()) if not edges or node.op is None else self.names[out]
        return self.beside.above(text, out.value, failed), below

    def _draw_bundle(self, source: str, target: str, values: list[_Value]) -> None:
        """One wire for all values that lead from a collapsed or folded group to the same box."""
        id = f"b{source}_{target}"
        if len(values) == 1:
            node, out, edges = values[0]
            self._wire(node, out, source, id, edges)
            return
        gradient = self.backward and any(flows(edge) for value in values for edge in value.edges)
        line = self.places[source] if self.places[source] == self.places[target] else None
        self.wires.append(Wire(id, source, target, ((Run(f"{len(values):,} values", role="fact"),),), (), gradient,
                               False, line, False, values[0].node.id))


@functools.lru_cache(maxsize=1024)
def _symbol(symbol: str, name: str) -> Lines:
    """The lines of an op's symbol, or else its name."""
    lines = [shown for line in symbol.splitlines() if (shown := one_line(line))]
    return tuple((Run(line),) for line in lines or [name])


class _Value(NamedTuple):
    """A value on its way to one box, and the edges that lead it there."""

    node: GraphNode
    out: Node
    edges: list[Edge]


def _is_passive(out: Node) -> bool:
    return out.op is None and not out.requires_grad
