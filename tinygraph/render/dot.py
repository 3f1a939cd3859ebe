"""A scene as DOT, the language of Graphviz.

A wire is a node of its own: a table with the text above, a line one point high for the forward pass (port f), another
for the backward pass (port b), the text below. So Graphviz keeps room for the text, which it does not for the labels
of twin edges.
"""

from __future__ import annotations

import html
import itertools
from typing import NamedTuple

from tinygraph.render.formula import Formula, Fraction, Run
from tinygraph.render.scene import COLOURS, Box, Scene, Wire

FONT = "DejaVu Sans"
"""Wide: where another font stands in for it there are gaps, and no overlaps."""

_TABLE = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">'
_SIZES = {"name": 14, "fact": 10, "gradient": 12, "amount": 10.5}
_ROLES = {"name": COLOURS["ink"], "fact": COLOURS["quiet"], "gradient": COLOURS["backward"],
          "amount": COLOURS["backward"]}

GAP = 7
"""Between the two lines of a wire (points)."""

CIRCLE = 4
"""A symbol of more characters stands in a rounded box."""

SPACERS = 8
"""Empty cells on either side of a fraction: they take the width that would stretch its bar."""


def dot(scene: Scene, background: str = "transparent") -> str:
    """The scene in DOT; no user's text leaves its place in it.

    >>> import tinygraph as tg
    >>> tg.draw(tg.tensor(1.0, name="<b>")).source.count("&lt;b&gt;")
    1
    """
    space = 0.2 if scene.dense else 0.5
    lines = [
        "digraph G {",
        f'  graph [rankdir=LR, bgcolor="{background}", splines=spline, nodesep=0.12, ranksep={space}, pad=0.15, '
        f'class="tinygraph", fontname="{FONT}"]',
        f'  node [shape=plain, fontname="{FONT}", fontsize=13, fontcolor="{COLOURS["ink"]}"]',
        f'  edge [arrowsize=0.65, penwidth=1, color="{COLOURS["ink"]}"]',
    ]
    kinds = {box.id: box.kind for box in scene.boxes}
    straight = {box.row for box in scene.boxes if box.kind == "op"}
    gradients = {end for wire in scene.wires if wire.gradient for end in (wire.source, wire.target)}
    sides = _sides(scene)
    for box in scene.boxes:
        group = f', group="row{box.row}"' if box.row in straight else ""
        shafts = sum(1 + wire.gradient for wire in sides[box.id].below) if box.id in sides else 0
        text = _op(box, shafts) if box.kind == "op" else _fan(box) if box.kind == "fan" else _end(
            box, box.id in gradients)
        lines.append(f"  {box.id} [{text}{group}]")
    entries = _entries(scene, sides)
    for wire in scene.wires:
        lines += _wire(wire, kinds, entries.get(wire.id))
    for above, main, below in sides.values():
        order = [_stands_for(wire) for wire in (*above, main, *below)]
        lines.append(f"  {{rank=same; {' -> '.join(order)} [style=invis]}}")
    return "\n".join([*lines, "}", ""])


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
            (sides.above if wire.passive and _has_table(wire) else sides.below).append(wire)
    return found


def _entries(scene: Scene, sides: dict[str, _Sides]) -> dict[str, tuple[str, str]]:
    """By a side input's wire: where on its op its two lines end; those from below in order from left to right."""
    circles = {box.id for box in scene.boxes if _is_circle(box)}
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


def _has_table(wire: Wire) -> bool:
    return bool(wire.above) or wire.gradient


def _stands_for(wire: Wire) -> str:
    """The node next to the op: the wire's own, or where it has no text the box it comes from."""
    return wire.id if _has_table(wire) else wire.source


def _is_circle(box: Box) -> bool:
    return len(box.text) == 1 and len(_letters(box.text[0])) <= CIRCLE


def _letters(line: Formula) -> str:
    return "".join(run.text for run in line if isinstance(run, Run))


def _op(box: Box, shafts: int) -> str:
    """A circle, or for a longer symbol a rounded box with a port in its lower edge for each line from below."""
    style = (f'id="{box.id}", class="op", tooltip="{_quoted(box.note)}", color="{COLOURS["ink"]}", '
             f'fillcolor="{COLOURS["op"]}", penwidth=1')
    texts = [_letters(line) for line in box.text]
    if _is_circle(box):
        size, width = {1: (16, 0.5), 2: (14, 0.58), 3: (14, 0.58)}.get(len(texts[0]), (12, 0.6))
        return (f"shape=circle, fixedsize=true, width={width}, style=filled, fontsize={size}, {style}, "
                f"label=<{_escaped(texts[0])}>")
    span = max(shafts, 1)
    label = f'<TR><TD COLSPAN="{span}" CELLPADDING="7">{"<BR/>".join(map(_escaped, texts))}</TD></TR>'
    ports = "".join(f'<TD PORT="p{i}" HEIGHT="1" WIDTH="12"></TD>' for i in range(shafts))
    label += f"<TR>{ports}</TR>" if shafts else ""
    return f'shape=box, style="rounded,filled", margin=0, {style}, label=<{_TABLE}{label}</TABLE>>'


def _fan(box: Box) -> str:
    return f'shape=point, width=0.06, id="{box.id}", class="fan", color="{COLOURS["ink"]}"'


def _end(box: Box, gradient: bool) -> str:
    """A text, and where a gradient ends there too the ports of the two lines beside it, in the middle of its height."""
    size = 13 if box.kind == "constant" else 17
    colour = COLOURS["quiet"] if box.kind == "constant" else COLOURS["ink"]
    rows = "".join(f'<TR><TD CELLPADDING="1">{_text(line, size, colour)}</TD></TR>' for line in box.text)
    table = f"{_TABLE}{rows}</TABLE>"
    if gradient:
        label = f'<TD ROWSPAN="5">{table}</TD>'
        heights = [(9, ""), (1, ' PORT="f"'), (GAP, ""), (1, ' PORT="b"'), (9, "")]
        cells = [f'<TD{port} HEIGHT="{height}" WIDTH="1"></TD>' for height, port in heights]
        first = f"{cells[0]}{label}" if box.kind == "root" else f"{label}{cells[0]}"
        table = f"{_TABLE}<TR>{first}</TR>{''.join(f'<TR>{cell}</TR>' for cell in cells[1:])}</TABLE>"
    return f'id="{box.id}", class="{box.kind}", tooltip="{_quoted(box.note)}", label=<{table}>'


def _wire(wire: Wire, kinds: dict[str, str], entry: tuple[str, str] | None) -> list[str]:
    """The node that stands for a wire, and the edges to and from it; ``entry`` says where they end."""
    ink = COLOURS["quiet" if wire.passive else "ink"]
    weight = 20 if wire.row == 0 else 1 if wire.passive else 2 if wire.row is None else 5
    tail, back_at = _ports(wire.source, kinds, wire.gradient, "e")
    head, back_from = entry or _ports(wire.target, kinds, wire.gradient, "w")
    forward = f'class="forward", color="{ink}", weight={weight}'
    arrow = "dir=none, " if kinds[wire.target] == "fan" else ""
    if not _has_table(wire):
        return [f"  {tail} -> {head} [{arrow}{forward}]"]
    group = f', group="row{wire.row}"' if wire.row is not None else ""
    lines = [f'  {wire.id} [id="{wire.id}", class="wire"{group}, label=<{_shafts(wire, ink)}>]',
             f"  {tail} -> {wire.id}:f:w [dir=none, {forward}]",
             f"  {wire.id}:f:e -> {head} [{arrow}{forward}]"]
    if wire.gradient:
        backward = f'class="backward", color="{COLOURS["backward"]}", weight={weight}'
        lines += [f"  {back_at} -> {wire.id}:b:w [dir=back, {backward}]",
                  f"  {wire.id}:b:e -> {back_from} [dir=none, {backward}]"]
    return lines


def _ports(box: str, kinds: dict[str, str], gradient: bool, side: str) -> tuple[str, str]:
    """Where the lines of a wire touch a box, forward and backward."""
    if kinds[box] in ("op", "fan"):
        return box, box
    return (f"{box}:f:{side}", f"{box}:b:{side}") if gradient else (f"{box}:{side}", "")


def _shafts(wire: Wire, ink: str) -> str:
    rows = [f"<TR><TD>{_line(line)}</TD></TR>" for line in wire.above]
    rows.append(f'<TR><TD PORT="f" HEIGHT="1" WIDTH="24" BGCOLOR="{ink}"></TD></TR>')
    if wire.gradient:
        rows.append(f'<TR><TD HEIGHT="{GAP}"></TD></TR>')
        rows.append(f'<TR><TD PORT="b" HEIGHT="1" BGCOLOR="{COLOURS["backward"]}"></TD></TR>')
        rows += [f"<TR><TD>{_line(line)}</TD></TR>" for line in wire.below]
    return f"{_TABLE}{''.join(rows)}</TABLE>"


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


def _text(line: Formula, size: int | None = None, colour: str | None = None) -> str:
    """Runs of text, neighbours of one size and colour in one FONT."""
    parts: list[tuple[str, str]] = []
    for run in line:
        if isinstance(run, Run):
            text = _escaped(run.text)
            text = f"<I>{text}</I>" if run.italic else text
            text = f"<B>{text}</B>" if run.bold else text
            own = run.role != "name"
            font = (f'<FONT COLOR="{_ROLES[run.role] if own or not colour else colour}" '
                    f'POINT-SIZE="{_SIZES[run.role] if own or not size else size}">')
            if parts and parts[-1][0] == font:
                parts[-1] = (font, parts[-1][1] + text)
            else:
                parts.append((font, text))
    return "".join(f"{font}{text}</FONT>" for font, text in parts)


def _escaped(text: str) -> str:
    """A text inside an HTML-like label, where Graphviz fails at a lone square bracket and reads backslash escapes."""
    return html.escape(text).replace("]", "&#93;").replace("\\", "\\\\")


def _quoted(text: str) -> str:
    """A text inside a quoted attribute, where Graphviz reads escapes, and entities in what it writes as SVG."""
    return html.escape(text).replace("\\", "\\\\")
