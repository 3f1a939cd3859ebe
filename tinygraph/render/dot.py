"""A scene as DOT, the language of Graphviz.

A wire is a node of its own: a table with the text above, a line one point high for the forward pass (port f), another
for the backward pass (port b), the text below. So Graphviz keeps room for the text, which it does not for the labels
of twin edges.
"""

from __future__ import annotations

import functools
import html
import itertools
import re
from collections.abc import Sequence
from typing import NamedTuple

from tinygraph.analysis import one_line
from tinygraph.render.formula import Formula, Fraction, Run
from tinygraph.render.layout import columns
from tinygraph.render.metrics import SIZES, circle, letters, printed, wire_size
from tinygraph.render.scene import COLOURS, Box, Group, Scene, Wire

FONT = "DejaVu Sans"
"""Wide: where another font stands in for it there are gaps, and no overlaps."""

_TABLE = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">'
_ROLES = {"name": COLOURS["ink"], "fact": COLOURS["quiet"], "gradient": COLOURS["backward"],
          "amount": COLOURS["backward"], "alarm": COLOURS["highlight"]}

GAP = 7
"""Between the two lines of a wire (points)."""

NBSP = "\N{NO-BREAK SPACE}"
"""Stands for a space at the end of a run, which SVG would drop."""

_INNER = ("op", "fan", "group")

SPACERS = 8
"""Empty cells on either side of a fraction: they take the width that would stretch its bar."""


def dot(scene: Scene, background: str = "transparent") -> str:
    """The scene in DOT; no user's text leaves its place in it.

    >>> import tinygraph as tg
    >>> tg.draw(tg.tensor(1.0, name="<b>")).source.count("&lt;b&gt;")
    1
    """
    space = 0.2 if scene.dense else 0.6
    label = _caption(scene)
    head = [
        "digraph G {",
        f'  graph [rankdir=LR, bgcolor="{background}", splines=spline, nodesep=0.12, ranksep={space}, pad=0.15, '
        f'class="tinygraph", fontname="{FONT}"{label}]',
        f'  node [shape=plain, fontname="{FONT}", fontsize=13, fontcolor="{COLOURS["ink"]}"]',
        f'  edge [arrowsize=0.65, penwidth=1, color="{COLOURS["ink"]}"]',
    ]
    kinds = {box.id: box.kind for box in scene.boxes}
    straight = {box.row for box in scene.boxes if box.kind in ("op", "group")}
    gradients = {end for wire in scene.wires if wire.gradient for end in (wire.source, wire.target)}
    sides = _sides(scene)
    framed: dict[str, list[str]] = {id: [] for id in ("", *(group.id for group in scene.groups))}
    for box in scene.boxes:
        row = f', group="row{box.row}"' if box.row in straight else ""
        shafts = sum(1 + wire.gradient for wire in sides[box.id].below) if box.id in sides else 0
        text = _op(box, shafts) if box.kind == "op" else _group(box) if box.kind == "group" else _fan(
            box) if box.kind == "fan" else _end(box, box.id in gradients)
        framed[box.group].append(f"  {box.id} [{text}{row}]")
    entries = _entries(scene, sides)
    ways = _ways(scene, kinds)
    frames = {box.id: box.group for box in scene.boxes} | {wire.id: wire.group for wire in scene.wires}
    # Side inputs end one below the other, or the lines from one would have to go around the text of another.
    wide = {wire.id: max(wire_size(peer)[0] for peer in each.below) for each in sides.values() for wire in each.below}
    for wire in scene.wires:
        into = ", minlen=3" if wire.target in sides and wire.group != frames[wire.target] and not wire.side else ""
        nodes, edges = _wire(wire, kinds, entries.get(wire.id), scene.straight, into, ways.get(wire.id, 0),
                             wide.get(wire.id, 24.0))
        framed[wire.group] += nodes
        framed[""] += edges
    for above, main, below in sides.values():
        _stack([_stands_for(wire) for wire in (*above, main, *below)], frames, framed)
    if scene.order:
        _stack(scene.order, frames, framed)
    for group in reversed(scene.groups):
        framed[group.parent] += _cluster(group, framed[group.id])
    return "\n".join([*head, *framed[""], "}", ""])


def _stack(ids: Sequence[str], frames: dict[str, str], framed: dict[str, list[str]]) -> None:
    """Have nodes stand one below the other, which Graphviz takes where all of them stand in one frame."""
    around = {frames[id] for id in ids}
    if len(around) == 1:
        framed[around.pop()].append(f"  {{rank=same; {' -> '.join(ids)} [style=invis]}}")


def _cluster(group: Group, lines: list[str]) -> list[str]:
    quiet = COLOURS["quiet"]
    title = f'<FONT COLOR="{quiet}" POINT-SIZE="14">{_escaped(one_line(group.title, 60))}</FONT>'
    return [f"  subgraph cluster_{group.id} {{",
            f'  graph [id="{group.id}", class="frame", style="rounded,dashed", color="{quiet}", labeljust=l, '
            f"margin=10, label=<{title or ' '}>]", *lines, "  }"]


def _caption(scene: Scene) -> str:
    """What stands under the picture: the legend of its colours, and what it says about itself."""
    rows = []
    if scene.legend is not None:
        cells = [f"<TD>{_fact(scene.legend.title)}  </TD>"]
        for colour, meaning in scene.legend.entries:
            cells.append(f'<TD WIDTH="16" HEIGHT="12" BORDER="1" COLOR="{COLOURS["ink"]}" '
                         f'BGCOLOR="{COLOURS[colour]}"></TD><TD> {_fact(meaning)}   </TD>')
        rows.append(f"<TR><TD>{_TABLE}<TR>{''.join(cells)}</TR></TABLE></TD></TR>")
    if scene.note:
        rows.append(f'<TR><TD ALIGN="LEFT">{_fact(scene.note)}</TD></TR>')
    return f", labelloc=b, labeljust=l, label=<{_TABLE}{''.join(rows)}</TABLE>>" if rows else ""


def _fact(text: str) -> str:
    return f'<FONT COLOR="{COLOURS["quiet"]}" POINT-SIZE="11">{_escaped(text)}</FONT>'


def _ways(scene: Scene, kinds: dict[str, str]) -> dict[str, int]:
    """How many columns a wire passes that goes on from a fan-out point along a line that was asked for.

    Going through a waypoint in each, its two lines stay together and straight; Graphviz would have them part.
    """
    if scene.straight == 1:
        return {}
    column = columns(scene)
    return {wire.id: column[wire.target] - column[wire.id] - 1 for wire in scene.wires
            if wire.texts and wire.row is not None and wire.row < scene.straight and kinds[wire.source] == "fan"}


class _Sides(NamedTuple):
    """An op's side inputs and where they stand, seen from the wire of its own line."""

    above: list[Wire]
    main: Wire
    below: list[Wire]


def _sides(scene: Scene) -> dict[str, _Sides]:
    """The side inputs by their op's box, where it has a line of its own.

    Data with a wire of its own stands above the line: below, its name would be in the way of the wires that lead from
    there to the op before.
    """
    main = {wire.target: wire for wire in scene.wires if wire.row is not None}
    found: dict[str, _Sides] = {}
    for wire in scene.wires:
        if wire.side and wire.target in main:
            sides = found.setdefault(wire.target, _Sides([], main[wire.target], []))
            (sides.above if wire.passive and wire.texts else sides.below).append(wire)
    return found


def _entries(scene: Scene, sides: dict[str, _Sides]) -> dict[str, tuple[str, str]]:
    """By a side input's wire: where on its op its two lines end; those from below in order from left to right."""
    circles = {box.id for box in scene.boxes if circle(box)}
    entries = {}
    for target, (above, _, below) in sides.items():
        entries.update({wire.id: (f"{target}:{'nw' if target in circles else 'n'}", "") for wire in above})
        count = 0
        for wire in below:
            ends = []
            for _ in range(1 + wire.gradient):
                ends.append(f"{target}:{('sw', 's', 'se')[min(count, 2)]}" if target in circles
                            else f"{target}:p{count}:s")
                count += 1
            entries[wire.id] = (ends[0], ends[-1])
    return entries


def _stands_for(wire: Wire) -> str:
    """The node next to the op: the wire's own, or where it has no text the box it comes from."""
    return wire.id if wire.texts else wire.source


def _op(box: Box, shafts: int) -> str:
    """A circle, or for a longer symbol a rounded box with a port in its lower edge for each line from below."""
    style = _style(box)
    texts = [letters(line) for line in box.text]
    if known := circle(box):
        size, width = known
        return (f"shape=circle, fixedsize=true, width={width}, style=filled, fontsize={size}, {style}, "
                f"label=<{_escaped(texts[0])}>")
    span = max(shafts, 1)
    label = f'<TR><TD COLSPAN="{span}" CELLPADDING="7">{"<BR/>".join(map(_escaped, texts))}</TD></TR>'
    ports = "".join(f'<TD PORT="p{i}" HEIGHT="1" WIDTH="12"></TD>' for i in range(shafts))
    label += f"<TR>{ports}</TR>" if shafts else ""
    return f'shape=box, style="rounded,filled", margin=0, {style}, label=<{_TABLE}{label}</TABLE>>'


def _style(box: Box) -> str:
    fill = COLOURS[box.fill or ("group" if box.kind == "group" else "op")]
    line, width = (COLOURS["highlight"], 2) if box.alarm else (COLOURS["ink"], 1)
    return (f'id="{box.id}", class="{box.kind}", tooltip="{_quoted(box.tip)}", color="{line}", fillcolor="{fill}", '
            f"penwidth={width}")


def _group(box: Box) -> str:
    """A collapsed group: a double box."""
    rows = "".join(f'<TR><TD CELLPADDING="2">{_text(line)}</TD></TR>' for line in box.text)
    return (f'shape=box, style="rounded,filled", peripheries=2, margin=0.08, {_style(box)}, '
            f"label=<{_TABLE}{rows}</TABLE>>")


def _fan(box: Box) -> str:
    return f'shape=point, width=0.06, id="{box.id}", class="fan", color="{COLOURS["ink"]}"'


def _end(box: Box, gradient: bool) -> str:
    """A text, and where a gradient ends there too the ports of the two lines beside it, in the middle of its height."""
    size = 13 if box.kind == "constant" else 17
    colour = COLOURS["quiet"] if box.kind == "constant" else COLOURS["ink"]
    rows = "".join(f'<TR><TD CELLPADDING="1">{_text(line, size, colour)}</TD></TR>' for line in box.text)
    look = f' BGCOLOR="{COLOURS[box.fill]}"' if box.fill else ""
    look += f' BORDER="2" COLOR="{COLOURS["highlight"]}"' if box.alarm else ' BORDER="0"'
    table = f'<TABLE STYLE="ROUNDED"{look} CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">{rows}</TABLE>'
    if not (box.fill or box.alarm):
        table = f"{_TABLE}{rows}</TABLE>"
    if gradient:
        label = f'<TD ROWSPAN="5">{table}</TD>'
        heights = [(9, ""), (1, ' PORT="f"'), (GAP, ' PORT="m"'), (1, ' PORT="b"'), (9, "")]
        cells = [f'<TD{port} HEIGHT="{height}" WIDTH="1"></TD>' for height, port in heights]
        first = f"{cells[0]}{label}" if box.kind == "root" else f"{label}{cells[0]}"
        table = f"{_TABLE}<TR>{first}</TR>{''.join(f'<TR>{cell}</TR>' for cell in cells[1:])}</TABLE>"
    return f'id="{box.id}", class="{box.kind}", tooltip="{_quoted(box.tip)}", label=<{table}>'


def _wire(wire: Wire, kinds: dict[str, str], entry: tuple[str, str] | None, straight: int, into: str,
          ways: int, wide: float) -> tuple[list[str], list[str]]:
    """The nodes that stand for a wire, if any do, and the edges to, between and from them.

    entry: where they end   straight: how many rows are main lines   into: keeps it left of the frame that it leads into
    ways: how many waypoints it goes through after its text   wide: how wide its text is at least (points)
    """
    ink = COLOURS["quiet" if wire.passive else "ink"]
    main = wire.row is not None and wire.row < straight
    weight = 20 if main else 5 if wire.row is not None else 1 if wire.passive else 2
    tail, back_at = _ports(wire.source, kinds, wire.gradient, "e")
    head, back_from = entry or _ports(wire.target, kinds, wire.gradient, "w")
    arrow = "dir=none, " if kinds[wire.target] == "fan" else ""
    forward = f'class="forward {wire.id}", color="{ink}", weight={weight}'
    backward = f'class="backward {wire.id}", color="{COLOURS["backward"]}", weight={weight}'
    if not wire.texts:
        edges = [f"  {tail} -> {head} [{arrow}{forward}{into}]"]
        if wire.gradient:
            edges.append(f"  {back_at} -> {back_from} [dir=back, {backward}{into}]")
        return [], edges
    # Its lines: the port that they go through, where they begin and end, and their arrows at either end.
    lanes = [("f", tail, head, "dir=none, ", arrow, forward)]
    if wire.gradient:
        lanes.append(("b", back_at, back_from, "dir=back, ", "dir=none, ", backward))
    # Between the two lines, so that neither pulls a box to its own height. A frame pulls with 128.
    if wire.gradient and wire.row is not None and (kinds[wire.source] != "fan" or ways):
        start, end = (box if kinds[box] in _INNER else f"{box}:m:{side}"
                      for box, side in ((wire.source, "e"), (wire.target, "w")))
        lanes.append(("m", start, end, "", "", f"style=invis, weight={1000 if main else 10}"))
    group = f', group="row{wire.row}"' if wire.row is not None else ""
    nodes = [f'  {wire.id} [id="{wire.id}", class="wire"{group}, label=<{_shafts(wire, ink, int(wide))}>]']
    nodes += [f'  {wire.id}_{n} [class="way {wire.id}", label=<{_TABLE}{_two_lines(ink, 1)}</TABLE>>]'
              for n in range(ways)]
    stops = [wire.id, *(f"{wire.id}_{n}" for n in range(ways))]
    edges = []
    for port, start, end, first, last, look in lanes:
        edges.append(f"  {start} -> {wire.id}:{port}:w [{first}{look}]")
        edges += [f"  {a}:{port}:e -> {b}:{port}:w [dir=none, {look}]" for a, b in itertools.pairwise(stops)]
        edges.append(f"  {stops[-1]}:{port}:e -> {end} [{last}{look}{into}]")
    return nodes, edges


def _ports(box: str, kinds: dict[str, str], gradient: bool, side: str) -> tuple[str, str]:
    """Where the lines of a wire touch a box, forward and backward."""
    if kinds[box] in _INNER:
        return box, box
    return (f"{box}:f:{side}", f"{box}:b:{side}") if gradient else (f"{box}:{side}", "")


def _shafts(wire: Wire, ink: str, wide: int) -> str:
    above = "".join(f"<TR><TD>{_line(line)}</TD></TR>" for line in wire.above)
    if not wire.gradient:
        return f'{_TABLE}{above}<TR><TD PORT="f" HEIGHT="1" WIDTH="{wide}" BGCOLOR="{ink}"></TD></TR></TABLE>'
    below = "".join(f"<TR><TD>{_line(line)}</TD></TR>" for line in wire.below)
    return f"{_TABLE}{above}{_two_lines(ink, wide)}{below}</TABLE>"


def _two_lines(ink: str, width: int) -> str:
    """The rows of a table that are a wire's two lines, and the gap between them."""
    return (f'<TR><TD PORT="f" HEIGHT="1" WIDTH="{width}" BGCOLOR="{ink}"></TD></TR><TR><TD PORT="m" HEIGHT="{GAP}">'
            f'</TD></TR><TR><TD PORT="b" HEIGHT="1" BGCOLOR="{COLOURS["backward"]}"></TD></TR>')


def _line(line: Formula) -> str:
    """One line of text, or a table of two rows where it has fractions."""
    if not any(isinstance(piece, Fraction) for piece in line):
        return _text(line)
    above: list[str] = []
    below: list[str] = []
    for fraction, pieces in itertools.groupby(line, lambda piece: isinstance(piece, Fraction)):
        if not fraction:
            text = tuple(piece for piece in pieces if isinstance(piece, Run))
            if above and text[0].text[:1].isalnum():
                text = (Run(" ", role=text[0].role), *text)
            above.append(f'<TD ROWSPAN="2" CELLPADDING="1">{_text(text)}</TD>')
            continue
        for piece in pieces:
            assert isinstance(piece, Fraction)
            if above and "ROWSPAN" not in above[-1]:  # or two bars would read as one
                above.append('<TD ROWSPAN="2" WIDTH="5"></TD>')
            colour = _ROLES[piece.above[0].role]
            above.append(f'<TD SIDES="B" BORDER="1" COLOR="{colour}" CELLPADDING="1">{_text(piece.above)}</TD>')
            below.append(f'<TD CELLPADDING="1">{_text(piece.below)}</TD>')
    space = "<TD></TD>" * SPACERS
    return f"{_TABLE}<TR>{space}{''.join(above)}{space}</TR><TR>{space}{''.join(below)}{space}</TR></TABLE>"


def _text(line: Formula, size: float | None = None, colour: str | None = None) -> str:
    """Runs of text, neighbours of one size and colour in one FONT."""
    parts: list[str] = []
    last = ""
    for run in line:
        if isinstance(run, Run):
            font, text = _run(run, size, colour)
            if font == last:
                parts[-1] = f"{parts[-1].removesuffix('</FONT>')}{text}</FONT>"
            else:
                parts.append(f"{font}{text}</FONT>")
                last = font
    return "".join(parts)


@functools.lru_cache(maxsize=4096)
def _run(run: Run, size: float | None, colour: str | None) -> tuple[str, str]:
    """The FONT of a run, and what stands in it."""
    text = _escaped(printed(run.text))
    text = f"<I>{text}</I>" if run.italic else text
    text = f"<B>{text}</B>" if run.bold else text
    own = run.role != "name"
    colour = _ROLES[run.role] if own or not colour else colour
    return f'<FONT COLOR="{colour}" POINT-SIZE="{SIZES[run.role] if own or not size else size:g}">', text


@functools.lru_cache(maxsize=4096)
def _escaped(text: str) -> str:
    """A text inside an HTML-like label, where Graphviz fails at a lone square bracket and reads backslash escapes."""
    spaced = re.sub(r"^ +| +$", lambda spaces: NBSP * len(spaces[0]), text)
    return html.escape(spaced).replace("]", "&#93;").replace("\\", "\\\\")


def _quoted(text: str) -> str:
    """A text inside a quoted attribute, where Graphviz reads escapes, and entities in what it writes as SVG."""
    return html.escape(text).replace("\\", "\\\\")
