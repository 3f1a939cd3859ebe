"""A scene as SVG without Graphviz: laid out here, printed with the ids, classes and colours that Graphviz would give.

Where no font can be asked, each line of text is centred on its place, so that another width does no harm.
"""

from __future__ import annotations

import html
import itertools
import math
from typing import NamedTuple

from tinygraph.render.formula import Formula, Fraction, Run
from tinygraph.render.layout import Layout, Spot, place
from tinygraph.render.metrics import (
    FRACTION_SPACE,
    SIZES,
    TWIN,
    circle,
    end_size,
    fraction_width,
    letters,
    line_size,
    run_width,
    typeset,
    width,
    wrapped,
)
from tinygraph.render.scene import COLOURS, Box, Legend, Scene, Wire

MARGIN = 11.0
_ROLES = {"name": "ink", "fact": "quiet", "gradient": "backward", "amount": "backward", "alarm": "highlight"}


class Point(NamedTuple):
    """A place in the picture, y downwards (points)."""

    x: float
    y: float


def svg(scene: Scene, style: str = "", family: str = "DejaVu Sans", paper: str = "#FFFFFF") -> str:
    """The scene as an SVG document.

    style: its style sheet   family: the fonts to try   paper: the colour behind all

    >>> import tinygraph as tg
    >>> text = svg(tg.draw(tg.tensor(1.0, name="<b>")).scene)
    >>> "&lt;b&gt;" in text, "<b>" in text
    (True, False)
    """
    at = place(scene)
    foot = _foot(scene, at)
    wide, high = max(at.width, foot.width) + 2 * MARGIN, at.height + foot.height + 2 * MARGIN
    body = [*_frames(scene, at)]
    feet = _feet(scene, at)
    for number, wire in enumerate(scene.wires):
        body += _wire(wire, at, feet.get(wire.id), number)
    for box in scene.boxes:
        body += _box(box, at.spots[box.id])
    body += foot.lines
    head = (f'<svg width="{wide:.0f}pt" height="{high:.0f}pt" viewBox="0 0 {wide:.0f} {high:.0f}" '
            f'xmlns="http://www.w3.org/2000/svg" role="img" font-family="{family}">')
    left, right, low = -MARGIN, wide - MARGIN, high - MARGIN
    corners = f"{left:.0f},{left:.0f} {left:.0f},{low:.0f} {right:.0f},{low:.0f} {right:.0f},{left:.0f}"
    sheet = f'<polygon fill="{paper.lower()}" stroke="none" points="{corners}"/>'
    canvas = f'<g id="graph0" class="graph tinygraph" transform="translate({MARGIN:.0f} {MARGIN:.0f})">'
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', head, f"<title>{_text_of(scene.title)}</title>",
                      f"<style>{style}</style>", canvas, sheet, *body, "</g>", "</svg>", ""])


# --- boxes ------------------------------------------------------------------------------------------------------------


def _box(box: Box, spot: Spot) -> list[str]:
    tip = f"<title>{_text_of(box.tip)}</title>" if box.tip else ""
    return [f'<g id="{box.id}" class="node {box.kind}">{tip}', *_outline(box, spot), *_words(box, spot), "</g>"]


def _outline(box: Box, spot: Spot) -> list[str]:
    fill = COLOURS[box.fill or ("group" if box.kind == "group" else "op")].lower()
    stroke = COLOURS["highlight" if box.alarm else "ink"].lower()
    look = f'fill="{fill}" stroke="{stroke}" stroke-width="{2 if box.alarm else 1}"'
    if box.kind == "fan":
        return [f'<ellipse fill="{stroke}" stroke="{stroke}" cx="{spot.x:.1f}" cy="{spot.y:.1f}" rx="2.2" ry="2.2"/>']
    if box.kind == "op" and circle(box.text):
        return [f'<ellipse {look} cx="{spot.x:.1f}" cy="{spot.y:.1f}" rx="{spot.w / 2:.1f}" ry="{spot.w / 2:.1f}"/>']
    if box.kind not in ("op", "group"):
        look = f'fill="{fill if box.fill else "none"}" stroke="{stroke if box.alarm else "none"}" stroke-width="2"'
        return [f'<rect {look} x="{spot.x - spot.w / 2:.1f}" y="{spot.top:.1f}" width="{spot.w:.1f}" '
                f'height="{spot.h:.1f}" rx="7"/>'] if box.fill or box.alarm else []
    rims = (0.0, 3.0) if box.kind == "group" else (0.0,)
    return [f'<rect {look} x="{spot.x - spot.w / 2 + rim:.1f}" y="{spot.top + rim:.1f}" '
            f'width="{spot.w - 2 * rim:.1f}" height="{spot.h - 2 * rim:.1f}" rx="7"/>' for rim in rims]


def _words(box: Box, spot: Spot) -> list[str]:
    """The lines of a box, one below the other around its middle."""
    if box.kind in ("op", "fan"):
        size = float(known[0]) if (known := circle(box.text)) else 13.0
        texts = [letters(line) for line in box.text]
        top = spot.y - 1.25 * size * len(texts) / 2
        return [_text(text, spot.x, top + 1.25 * size * (i + 0.78), size, "ink") for i, text in enumerate(texts)]
    own = None if box.kind == "group" else end_size(box)
    colour = "quiet" if box.kind == "constant" else None
    heights = [line_size(line, own)[1] for line in box.text]
    top, found = spot.y - sum(heights) / 2, []
    for line, height in zip(box.text, heights, strict=True):
        found += _line(line, spot.x, top, height, own, colour)
        top += height
    return found


# --- wires ------------------------------------------------------------------------------------------------------------


def _feet(scene: Scene, at: Layout) -> dict[str, tuple[Point, Point]]:
    """By the wire of a side input from below: where on its op's lower edge its lines end, those of upper ones left."""
    below: dict[str, list[Wire]] = {}
    for wire in scene.wires:
        spot, target = at.spots.get(wire.id), at.spots[wire.target]
        if wire.side and spot and wire.id not in at.bends and at.boxes[wire.target].kind == "op" and (
                spot.y - TWIN > target.top + target.h):
            below.setdefault(wire.target, []).append(wire)
    found = {}
    for id, wires in below.items():
        box, spot = at.boxes[id], at.spots[id]
        count = sum(1 + wire.gradient for wire in wires)
        xs = iter(spot.x + 0.6 * spot.w * ((i + 0.5) / count - 0.5) for i in range(count))
        for wire in sorted(wires, key=lambda wire: at.spots[wire.id].y):
            ends = [*itertools.islice(xs, 1 + wire.gradient)]
            rims = [math.sqrt(spot.w ** 2 / 4 - (x - spot.x) ** 2) if circle(box.text) else spot.h / 2 for x in ends]
            feet = [Point(x, spot.y + rim) for x, rim in zip(ends, rims, strict=True)]
            found[wire.id] = (feet[0], feet[-1])
    return found


def _wire(wire: Wire, at: Layout, feet: tuple[Point, Point] | None, number: int) -> list[str]:
    """Both lines of a wire with their arrowheads, and between them the shafts with the texts.

    feet: where its lines end, where that is the lower edge of an op
    """
    ink = "quiet" if wire.passive else "ink"
    source, target = at.boxes[wire.source], at.boxes[wire.target]
    bends = at.bends.get(wire.id, [])
    spot = at.spots.get(wire.id)
    found = [] if spot is None else _shafts(wire, spot, ink)
    for way, colour, lift in (("forward", ink, -TWIN if wire.gradient else 0.0), ("backward", "backward", TWIN)):
        if way == "backward" and not wire.gradient:
            continue
        middle = [] if spot is None else [Point(spot.x - spot.w / 2, spot.y + lift), Point(spot.x + spot.w / 2,
                                                                                              spot.y + lift)]
        points = [Point(x, y + lift) for x, y in bends]
        first = [p for p in points if spot is not None and p.x < spot.x]
        rest = [p for p in points if spot is None or p.x > spot.x]
        head_at_end = way == "forward" and target.kind != "fan"
        parts: list[list[Box | Point]] = [[source, *rest, target]]
        if spot is not None:
            parts = [[source, *first, middle[0]], [middle[1], *rest, target]]
        if feet is not None:
            found += _bow(wire.id, way, colour, middle[1], feet[way == "backward"], f"edge{number}{way[0]}1")
            parts.pop()
        for part, ends in enumerate(parts):
            track = _track(ends, at, lift)
            arrow = None
            if way == "backward" and part == 0:
                track, arrow = _with_head(track[::-1])
            elif head_at_end and ends[-1] is target:
                track, arrow = _with_head(track)
            found += _edge(f"{wire.id}", way, colour, track, arrow, f"edge{number}{way[0]}{part}")
    return found


def _track(ends: list[Box | Point], at: Layout, lift: float) -> list[Point]:
    """The points that a line goes through, from rim to rim."""
    points = [Point(at.spots[end.id].x, at.spots[end.id].y) if isinstance(end, Box) else end for end in ends]
    if isinstance(ends[0], Box):
        points[0] = _rim(ends[0], at.spots[ends[0].id], points[1], lift, 1)
    if isinstance(ends[-1], Box):
        points[-1] = _rim(ends[-1], at.spots[ends[-1].id], points[-2], lift, -1)
    return points


def _rim(box: Box, spot: Spot, other: Point, lift: float, side: int) -> Point:
    """Where a line from ``other`` touches a box, on its right (side 1) or left (side -1)."""
    if box.kind == "fan":
        return Point(spot.x, spot.y)
    if box.kind == "op" and circle(box.text):
        radius = spot.w / 2
        slope = math.atan2(other.y - lift - spot.y, max(abs(other.x - spot.x), 1.0))
        angle = max(-1.2, min(1.2, slope)) + math.asin(lift / radius)
        return Point(spot.x + side * radius * math.cos(angle), spot.y + radius * math.sin(angle))
    slack = max(spot.h / 2 - 10, 0.0) if box.kind in ("op", "group") else 0.0
    y = min(max(other.y - lift, spot.y - slack), spot.y + slack) + lift
    return Point(spot.x + side * spot.w / 2, y)


def _with_head(track: list[Point]) -> tuple[list[Point], str]:
    """A line cut short for an arrowhead at its end, and the head."""
    tip, before = track[-1], track[-2]
    dx, dy = tip.x - before.x, (tip.y - before.y) * 0.4  # the curve comes in flatter than the straight line
    size = math.hypot(dx, dy) or 1.0
    ux, uy = dx / size, dy / size
    base = Point(tip.x - 6.5 * ux, tip.y - 6.5 * uy)
    corners = [Point(base.x - 2.3 * uy, base.y + 2.3 * ux), tip, Point(base.x + 2.3 * uy, base.y - 2.3 * ux)]
    return [*track[:-1], base], " ".join(f"{p.x:.1f},{p.y:.1f}" for p in corners)


def _bow(wire: str, way: str, colour: str, start: Point, foot: Point, id: str) -> list[str]:
    """A line that leaves to the right and comes up to an op's lower edge."""
    head, end = None, foot
    if way == "forward":
        end = Point(foot.x, foot.y + 6.5)
        head = f"{foot.x - 2.3:.1f},{end.y:.1f} {foot.x:.1f},{foot.y:.1f} {foot.x + 2.3:.1f},{end.y:.1f}"
    turn = max(foot.y + 6.5, start.y - abs(end.x - start.x))  # a quarter of an ellipse, and straight up from there
    path = (f"M{start.x:.1f},{start.y:.1f}C{start.x + 0.55 * (end.x - start.x):.1f},{start.y:.1f} {end.x:.1f},"
            f"{turn + 0.45 * (start.y - turn):.1f} {end.x:.1f},{turn:.1f}L{end.x:.1f},{end.y:.1f}")
    return _drawn(wire, way, colour, path, head, id)


def _edge(wire: str, way: str, colour: str, track: list[Point], head: str | None, id: str) -> list[str]:
    path = f"M{track[0].x:.1f},{track[0].y:.1f}"
    for a, b in itertools.pairwise(track):
        middle = (a.x + b.x) / 2
        path += f"C{middle:.1f},{a.y:.1f} {middle:.1f},{b.y:.1f} {b.x:.1f},{b.y:.1f}"
    return _drawn(wire, way, colour, path, head, id)


def _drawn(wire: str, way: str, colour: str, path: str, head: str | None, id: str) -> list[str]:
    stroke = COLOURS[colour].lower()
    arrow = f'<polygon fill="{stroke}" stroke="{stroke}" points="{head}"/>' if head else ""
    return [f'<g id="{id}" class="edge {way} {wire}"><path fill="none" stroke="{stroke}" d="{path}"/>{arrow}</g>']


def _shafts(wire: Wire, spot: Spot, ink: str) -> list[str]:
    """The straight part of a wire, with the lines of text above and below it."""
    found = [f'<g id="{wire.id}" class="node wire">']
    heights = [line_size(line)[1] for line in wire.above]
    lift = TWIN if wire.gradient else 0.0
    top = spot.y - lift - 2 - sum(heights)
    for line, height in zip(wire.above, heights, strict=True):
        found += _line(line, spot.x, top, height)
        top += height
    found.append(_shaft(spot, -lift, ink))
    if wire.gradient:
        found.append(_shaft(spot, lift, "backward"))
        top = spot.y + lift + 2
        for line in wire.below:
            height = line_size(line)[1]
            found += _line(line, spot.x, top, height)
            top += height
    return [*found, "</g>"]


def _shaft(spot: Spot, lift: float, colour: str) -> str:
    left, right, y = spot.x - spot.w / 2, spot.x + spot.w / 2, spot.y + lift
    corners = ((left, y - 0.5), (right, y - 0.5), (right, y + 0.5), (left, y + 0.5))
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in corners)
    return f'<polygon fill="{COLOURS[colour].lower()}" stroke="none" points="{points}"/>'


# --- text -------------------------------------------------------------------------------------------------------------


def _line(line: Formula, x: float, top: float, height: float, size: float | None = None,
          colour: str | None = None) -> list[str]:
    """A line of text around ``x``; between its fractions each stretch is centred on its own place."""
    total = line_size(line, size)[0]
    left, found = x - total / 2, []
    for is_fraction, pieces in itertools.groupby(line, lambda piece: isinstance(piece, Fraction)):
        if not is_fraction:
            runs = [piece for piece in pieces if isinstance(piece, Run)]
            wide = sum(run_width(run, size) for run in runs)
            biggest = size or max(SIZES[run.role] for run in runs)
            found.append(_spans(runs, left + wide / 2, top + height / 2 + 0.36 * biggest, size, colour))
            left += wide
            continue
        for piece in pieces:
            assert isinstance(piece, Fraction)
            wide, middle = fraction_width(piece), top + height / 2
            centre = left + (wide + FRACTION_SPACE) / 2
            stroke = COLOURS[_ROLES[piece.above[0].role]].lower()
            found += [_spans(list(piece.above), centre, middle - 3.5), _spans(list(piece.below), centre, middle + 12),
                      f'<polyline fill="none" stroke="{stroke}" points="{centre - wide / 2:.1f},{middle:.1f} '
                      f'{centre + wide / 2:.1f},{middle:.1f}"/>']
            left += wide + FRACTION_SPACE
    return found


def _spans(runs: list[Run], x: float, y: float, size: float | None = None, colour: str | None = None) -> str:
    spans = []
    for run in runs:
        look = f' font-size="{size or SIZES[run.role]:g}" fill="{COLOURS[colour or _ROLES[run.role]].lower()}"'
        look += ' font-style="italic"' if run.italic else ""
        look += ' font-weight="bold"' if run.bold else ""
        spans.append(f"<tspan{look}>{_text_of(typeset(run.text))}</tspan>")
    return f'<text xml:space="preserve" text-anchor="middle" x="{x:.1f}" y="{y:.1f}">{"".join(spans)}</text>'


def _text(text: str, x: float, y: float, size: float, colour: str, anchor: str = "middle") -> str:
    return (f'<text text-anchor="{anchor}" x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" '
            f'fill="{COLOURS[colour].lower()}">{_text_of(text)}</text>')


def _text_of(text: str) -> str:
    return html.escape(text)


# --- frames and what stands under the picture -------------------------------------------------------------------------


def _frames(scene: Scene, at: Layout) -> list[str]:
    found = []
    quiet = COLOURS["quiet"].lower()
    for group in scene.groups:
        if group.id in at.frames:
            left, top, right, bottom = at.frames[group.id]
            found += [f'<g id="{group.id}" class="cluster frame">',
                      f'<rect fill="none" stroke="{quiet}" stroke-dasharray="5,3" x="{left:.1f}" y="{top:.1f}" '
                      f'width="{right - left:.1f}" height="{bottom - top:.1f}" rx="9"/>',
                      _text(group.title, left + 8, top + 15, 14, "quiet", "start"), "</g>"]
    return found


class _Foot(NamedTuple):
    lines: list[str]
    width: float
    height: float


def _foot(scene: Scene, at: Layout) -> _Foot:
    """The legend and the note, one below the other."""
    lines: list[str] = []
    wide = high = 0.0
    if scene.legend is not None:
        lines, wide = _legend(scene.legend, at.height + 20)
        high = 24.0
    for line in wrapped(scene.note):
        lines.append(_text(line, 0, at.height + high + 18, 11, "quiet", "start"))
        wide, high = max(wide, width(line, 11)), high + 16
    high += 6 if scene.note else 0
    return _Foot(lines, wide, high)


def _legend(legend: Legend, y: float) -> tuple[list[str], float]:
    lines = [_text(legend.title, 0, y, 11, "quiet", "start")]
    left = width(legend.title, 11) + 12
    for colour, meaning in legend.entries:
        lines += [f'<rect fill="{COLOURS[colour].lower()}" stroke="{COLOURS["ink"].lower()}" x="{left:.1f}" '
                  f'y="{y - 10:.1f}" width="16" height="12"/>', _text(meaning, left + 21, y, 11, "quiet", "start")]
        left += 33 + width(meaning, 11)
    return lines, left
