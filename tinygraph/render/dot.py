"""A scene as DOT, the language of Graphviz.

A wire is a node of its own: a table with the text above, a line one point high for the forward pass (port f), another
for the backward pass (port b), the text below. So Graphviz keeps room for the text, which it does not for the labels
of twin edges. A wire without text is an edge for each of its lines.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import NamedTuple

from tinygraph.analysis import one_line
from tinygraph.render.labels import GAP, TABLE, caption, escaped, lettering, quoted, shafts, waypoint
from tinygraph.render.layout import columns
from tinygraph.render.metrics import circle, letters, wire_size
from tinygraph.render.scene import COLOURS, Box, Group, Lines, Scene, Wire

FONT = "DejaVu Sans"
"""Wide: where another font stands in for it there are gaps, and no overlaps."""

_INNER = ("op", "fan", "group")

_BACKWARD = COLOURS["backward"]


def dot(scene: Scene, background: str = "transparent") -> str:
    """The scene in DOT; no user's text leaves its place in it.

    >>> import tinygraph as tg
    >>> tg.draw(tg.tensor(1.0, name="<b>")).source.count("&lt;b&gt;")
    1
    """
    label = caption(scene)
    head = [
        "digraph G {",
        f'  graph [rankdir=LR, bgcolor="{background}", splines=spline, nodesep=0.12, '
        f'ranksep={0.2 if scene.dense else 0.6}, pad=0.15, class="tinygraph", fontname="{FONT}"'
        f'{f", labelloc=b, labeljust=l, label=<{label}>" if label else ""}]',
        f'  node [shape=plain, fontname="{FONT}", fontsize=13, fontcolor="{COLOURS["ink"]}"]',
        f'  edge [arrowsize=0.65, penwidth=1, color="{COLOURS["ink"]}"]',
    ]
    return "\n".join([*head, *_Printer(scene).lines(), "}", ""])


class _Sides(NamedTuple):
    """An op's side inputs and where they stand, seen from the wire of its own line."""

    above: list[Wire]
    main: Wire
    below: list[Wire]


class _Printer:
    """Prints the boxes and wires of one scene, each in the frame that it stands in.

    Attributes:
        kinds: Of the boxes, by id.
        inner: The ids of boxes that lines touch at their rims.
        furnished: The ids of ops with side inputs.
        sides: By an op's box: its side inputs, where their order can be settled.
        entries: By a side input's wire: where on its op its two lines end.
        ways: By a long wire: how many waypoints it goes through.
        wide: By a side input's wire: how wide its text is at least (points).
        framed: The lines by the group that they stand in.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.kinds = {box.id: box.kind for box in scene.boxes}
        self.inner = {id for id, kind in self.kinds.items() if kind in _INNER}
        self.furnished = {wire.target for wire in scene.wires if wire.side}
        self.sides = _sides(scene)
        self.entries = _entries(scene, self.sides)
        self.ways = _ways(scene, self.kinds)
        # Side inputs end one below the other, or the lines from one would have to go around the text of another.
        self.wide = {wire.id: max(wire_size(peer)[0] for peer in each.below)
                     for each in self.sides.values() for wire in each.below}
        self.frames = {box.id: box.group for box in scene.boxes} if scene.groups else {}
        self.framed: dict[str, list[str]] = {id: [] for id in ("", *(group.id for group in scene.groups))}

    def lines(self) -> list[str]:
        """Everything between the braces."""
        scene, framed = self.scene, self.framed
        straight = {box.row for box in scene.boxes if box.kind in ("op", "group")}
        gradients = {end for wire in scene.wires if wire.gradient for end in (wire.source, wire.target)}
        for box in scene.boxes:
            row = f', group="row{box.row}"' if box.row in straight else ""
            framed[box.group].append(f"  {box.id} [{self._box(box, box.id in gradients)}{row}]")
        for wire in scene.wires:
            (self._wire if wire.above or wire.below else self._arrows)(wire)
        frames = self.frames | {wire.id: wire.group for wire in scene.wires} if scene.groups else {}
        for above, main, below in self.sides.values():
            # Next to the op stands the wire, or where that has no text the box it comes from.
            self._stack([wire.id if wire.texts else wire.source for wire in (*above, main, *below)], frames)
        if scene.order:
            self._stack(scene.order, frames)
        for group in reversed(scene.groups):
            framed[group.parent] += _cluster(group, framed[group.id])
        return framed[""]

    def _stack(self, ids: Sequence[str], frames: dict[str, str]) -> None:
        """Have nodes stand one below the other, which Graphviz takes where all of them stand in one frame."""
        around = {frames.get(id, "") for id in ids}
        if len(around) == 1:
            self.framed[around.pop()].append(f"  {{rank=same; {' -> '.join(ids)} [style=invis]}}")

    def _box(self, box: Box, gradient: bool) -> str:
        """The attributes of a box.

        gradient: whether one begins or ends there
        """
        if box.kind == "op":
            count = sum(1 + wire.gradient for wire in self.sides[box.id].below) if box.id in self.sides else 0
            shape, label = _symbol(box.text, count)
            return f"{shape}, {_named(box)}, {_coloured(box.fill or 'op', box.alarm)}, {label}"
        if box.kind == "fan":
            return f'shape=point, width=0.06, id="{box.id}", class="fan", color="{COLOURS["ink"]}"'
        return _group(box) if box.kind == "group" else _end(box, gradient)

    def _ends(self, wire: Wire) -> tuple[str, str, str, str]:
        """Where the lines of a wire begin and end: forward, then backward."""
        source, target = wire.source, wire.target
        tail = head = back_at = back_from = ""
        if source in self.inner:
            tail = back_at = source
        else:
            tail, back_at = (f"{source}:f:e", f"{source}:b:e") if wire.gradient else (f"{source}:e", "")
        if wire.id in self.entries:
            head, back_from = self.entries[wire.id]
        elif target in self.inner:
            head = back_from = target
        else:
            head, back_from = (f"{target}:f:w", f"{target}:b:w") if wire.gradient else (f"{target}:w", "")
        return tail, head, back_at, back_from

    def _weight(self, wire: Wire) -> int:
        if wire.row is None:
            return 1 if wire.passive else 2
        return 20 if wire.row < self.scene.straight else 5

    def _into(self, wire: Wire) -> str:
        """What keeps a wire left of the frame that it leads into."""
        outside = self.frames and wire.group != self.frames[wire.target]
        return ", minlen=3" if outside and wire.target in self.furnished and not wire.side else ""

    def _arrows(self, wire: Wire) -> None:
        """A wire without text."""
        tail, head, back_at, back_from = self._ends(wire)
        rest = f"weight={self._weight(wire)}{self._into(wire)}]"
        arrow = "dir=none, " if self.kinds[wire.target] == "fan" else ""
        colour = f'color="{COLOURS["quiet"]}", ' if wire.passive else ""
        edges = self.framed[""]
        edges.append(f'  {tail} -> {head} [{arrow}class="forward {wire.id}", {colour}{rest}')
        if wire.gradient:
            look = f'dir=back, class="backward {wire.id}", color="{_BACKWARD}"'
            edges.append(f"  {back_at} -> {back_from} [{look}, {rest}")

    def _wire(self, wire: Wire) -> None:
        """The nodes that stand for a wire with text, and the edges to, between and from them."""
        id, ink, ways = wire.id, COLOURS["quiet" if wire.passive else "ink"], self.ways.get(wire.id, 0)
        weight, into = self._weight(wire), self._into(wire)
        tail, head, back_at, back_from = self._ends(wire)
        arrow = "dir=none, " if self.kinds[wire.target] == "fan" else ""
        # Its lines: the port that they go through, where they begin and end, and their arrows at either end.
        lanes = [("f", tail, head, "dir=none, ", arrow, f'class="forward {id}", color="{ink}", weight={weight}')]
        if wire.gradient:
            look = f'class="backward {id}", color="{_BACKWARD}", weight={weight}'
            lanes.append(("b", back_at, back_from, "dir=back, ", "dir=none, ", look))
        # Between the two lines, so that neither pulls a box to its own height. A frame pulls with 128.
        if wire.gradient and wire.row is not None and (self.kinds[wire.source] != "fan" or ways):
            start, end = (box if box in self.inner else f"{box}:m:{side}"
                          for box, side in ((wire.source, "e"), (wire.target, "w")))
            lanes.append(("m", start, end, "", "", f"style=invis, weight={1000 if weight == 20 else 10}"))
        row = f', group="row{wire.row}"' if wire.row is not None else ""
        label = shafts(wire, ink, int(self.wide.get(id, 24)))
        self.framed[wire.group].append(f'  {id} [id="{id}", class="wire"{row}, label=<{label}>]')
        stops = [id, *(f"{id}_{n}" for n in range(ways))]
        self.framed[wire.group] += [f'  {way} [class="way {id}", label=<{waypoint(wire.gradient, ink)}>]'
                                    for way in stops[1:]]
        for port, start, end, first, last, look in lanes:
            edges = [f"  {start} -> {id}:{port}:w [{first}{look}]"]
            edges += [f"  {a}:{port}:e -> {b}:{port}:w [dir=none, {look}]" for a, b in itertools.pairwise(stops)]
            self.framed[""] += [*edges, f"  {stops[-1]}:{port}:e -> {end} [{last}{look}{into}]"]


# --- where wires go ---------------------------------------------------------------------------------------------------


def _ways(scene: Scene, kinds: dict[str, str]) -> dict[str, int]:
    """How many columns a wire passes that goes on from a fan-out point along a line that was asked for.

    Going through a waypoint in each, its two lines stay together and straight; Graphviz would have them part.
    """
    if scene.straight == 1:
        return {}
    column = columns(scene)
    return {wire.id: column[wire.target] - column[wire.id] - 1 for wire in scene.wires
            if wire.texts and wire.row is not None and wire.row < scene.straight and kinds[wire.source] == "fan"}


def _sides(scene: Scene) -> dict[str, _Sides]:
    """The side inputs by their op's box, where it has a line of its own that comes from the same frame.

    Else Graphviz would order them at will, and their lines come in as it likes.

    Data with a wire of its own stands above the line: below, its name would be in the way of the wires that lead from
    there to the op before.
    """
    side = [wire for wire in scene.wires if wire.side]
    frames = {box.id: box.group for box in scene.boxes} if side else {}
    main = {wire.target: wire for wire in scene.wires if side and wire.row is not None
            and frames[wire.source] == frames[wire.target]}
    found: dict[str, _Sides] = {}
    for wire in side:
        if wire.target in main:
            sides = found.setdefault(wire.target, _Sides([], main[wire.target], []))
            (sides.above if wire.passive and wire.texts else sides.below).append(wire)
    return found


def _entries(scene: Scene, sides: dict[str, _Sides]) -> dict[str, tuple[str, str]]:
    """By a side input's wire: where on its op its two lines end; those from below in order from left to right."""
    portless = {box.id for box in scene.boxes if box.id in sides and (box.kind == "group" or circle(box.text))}
    entries = {}
    for target, (above, _, below) in sides.items():
        entries.update({wire.id: (f"{target}:{'nw' if target in portless else 'n'}", "") for wire in above})
        count = 0
        for wire in below:
            ends = []
            for _ in range(1 + wire.gradient):
                ends.append(f"{target}:{('sw', 's', 'se')[min(count, 2)]}" if target in portless
                            else f"{target}:p{count}:s")
                count += 1
            entries[wire.id] = (ends[0], ends[-1])
    return entries


# --- boxes ------------------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=1024)
def _symbol(lines: Lines, shafts: int) -> tuple[str, str]:
    """The shape of an op's box, and the label in it."""
    texts = [letters(line) for line in lines]
    if known := circle(lines):
        size, width = known
        return (f"shape=circle, fixedsize=true, width={width}, style=filled, fontsize={size}",
                f"label=<{escaped(texts[0])}>")
    span = max(shafts, 1)
    label = f'<TR><TD COLSPAN="{span}" CELLPADDING="7">{"<BR/>".join(map(escaped, texts))}</TD></TR>'
    ports = "".join(f'<TD PORT="p{i}" HEIGHT="1" WIDTH="12"></TD>' for i in range(shafts))
    label += f"<TR>{ports}</TR>" if shafts else ""
    return 'shape=box, style="rounded,filled", margin=0', f"label=<{TABLE}{label}</TABLE>>"


@functools.lru_cache(maxsize=64)
def _coloured(fill: str, alarm: bool) -> str:
    line, width = ("highlight", 2) if alarm else ("ink", 1)
    return f'color="{COLOURS[line]}", fillcolor="{COLOURS[fill]}", penwidth={width}'


def _named(box: Box) -> str:
    return f'id="{box.id}", class="{box.kind}", tooltip="{quoted(box.tip if box.remarks else box.note)}"'


def _group(box: Box) -> str:
    """A collapsed group: a double box."""
    rows = "".join(f'<TR><TD CELLPADDING="2">{lettering(line)}</TD></TR>' for line in box.text)
    return (f'shape=box, style="rounded,filled", peripheries=2, margin=0.08, {_named(box)}, '
            f"{_coloured(box.fill or 'group', box.alarm)}, label=<{TABLE}{rows}</TABLE>>")


def _end(box: Box, gradient: bool) -> str:
    """A text, and where a gradient ends there too the ports of the two lines beside it, in the middle of its height."""
    size = 13 if box.kind == "constant" else 17
    colour = COLOURS["quiet"] if box.kind == "constant" else COLOURS["ink"]
    rows = "".join(f'<TR><TD CELLPADDING="1">{lettering(line, size, colour)}</TD></TR>' for line in box.text)
    look = f' BGCOLOR="{COLOURS[box.fill]}"' if box.fill else ""
    look += f' BORDER="2" COLOR="{COLOURS["highlight"]}"' if box.alarm else ' BORDER="0"'
    table = f'<TABLE STYLE="ROUNDED"{look} CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">{rows}</TABLE>'
    if not (box.fill or box.alarm):
        table = f"{TABLE}{rows}</TABLE>"
    if gradient:
        label = f'<TD ROWSPAN="5">{table}</TD>'
        heights = [(9, ""), (1, ' PORT="f"'), (GAP, ' PORT="m"'), (1, ' PORT="b"'), (9, "")]
        cells = [f'<TD{port} HEIGHT="{height}" WIDTH="1"></TD>' for height, port in heights]
        first = f"{cells[0]}{label}" if box.kind == "root" else f"{label}{cells[0]}"
        table = f"{TABLE}<TR>{first}</TR>{''.join(f'<TR>{cell}</TR>' for cell in cells[1:])}</TABLE>"
    return f"{_named(box)}, label=<{table}>"


def _cluster(group: Group, lines: list[str]) -> list[str]:
    quiet = COLOURS["quiet"]
    title = f'<FONT COLOR="{quiet}" POINT-SIZE="14">{escaped(one_line(group.title, 60))}</FONT>'
    return [f"  subgraph cluster_{group.id} {{",
            f'  graph [id="{group.id}", class="frame", style="rounded,dashed", color="{quiet}", labelloc=t, '
            f"labeljust=l, margin=10, label=<{title or ' '}>]", *lines, "  }"]
