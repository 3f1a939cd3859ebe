"""A layered layout for where Graphviz is missing: columns by the longest way from a source, ordered to cross little.

The columns are networkx's topological generations. Barycentres, swept to and fro, order them; then each thing is moved
as near as its neighbours in the column allow to the height of what it is joined with, the main lines before all others.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from tinygraph.render.metrics import TWIN, box_size, wire_size
from tinygraph.render.scene import Box, Scene, Wire

GAP = 12.0
"""Between two things one above the other (points)."""

FRAME = 9.0
"""Between a frame and what stands in it (points)."""

SWEEPS = 8
"""How often the columns are ordered, to and fro."""

MOVES = 30
"""How often the columns are then moved up and down, to and fro."""

STRAIGHTENINGS = 4
"""How often the main lines are then drawn straight."""

MAIN = 20
"""The weight of a link on a main line; others have 5 on a line and 1 off it."""

FIRM = 1000
"""The weight of a place on a main line while that is drawn straight."""

ABOVE = 0.75
"""How many places above what it is joined with data would like to stand."""

BENDS = 20_000
"""With more bends than this long wires go straight."""


class Spot(NamedTuple):
    """A place: the middle of the lines through it, and how far it reaches to the sides, up and down (points)."""

    x: float
    y: float
    w: float
    up: float
    down: float

    @property
    def top(self) -> float:
        """The upper edge."""
        return self.y - self.up

    @property
    def h(self) -> float:
        """From the upper to the lower edge."""
        return self.up + self.down


@dataclass(frozen=True)
class Layout:
    """Where everything in a scene stands (points, y downwards).

    Attributes:
        width, height: Of the whole.
        spots: Of the boxes, and of the wires that carry text, by id.
        bends: Points that a long wire goes through between columns, by its id.
        frames: Left, top, right and bottom of each group that is not empty, by id.
        boxes: The scene's boxes by id.
    """

    width: float
    height: float
    spots: dict[str, Spot]
    bends: dict[str, list[tuple[float, float]]]
    frames: dict[str, tuple[float, float, float, float]]
    boxes: dict[str, Box]


Name: TypeAlias = str
"""A box's or wire's id, or that of a bend: the wire's with a number."""


def place(scene: Scene) -> Layout:
    """Lay out a scene."""
    chart = _Chart(scene)
    columns = _ordered(chart)
    heights = _heights(chart, columns)
    gap = 16.0 if scene.dense else 26.0
    spots: dict[Name, Spot] = {}
    left = 0.0
    for column in columns:
        wide = max((chart.sizes[name][0] for name in column), default=0.0)
        for name in column:
            own, up, down = chart.sizes[name]
            spots[name] = Spot(left + wide / 2, heights[name], own, up, down)
        left += wide + gap
    frames = _frames(scene, spots)
    tops = [spot.top for spot in spots.values()] + [frame[1] for frame in frames.values()]
    lows = [spot.top + spot.h for spot in spots.values()] + [frame[3] for frame in frames.values()]
    sides = [frame[0] for frame in frames.values()]
    dx, dy = -min([0.0, *sides]), -min(tops, default=0.0)
    spots = {name: spot._replace(x=spot.x + dx, y=spot.y + dy) for name, spot in spots.items()}
    frames = {id: (a + dx, b + dy, c + dx, d + dy) for id, (a, b, c, d) in frames.items()}
    wide = max([left - gap + dx, *(frame[2] for frame in frames.values())])
    bends = {wire: [(spots[name].x, spots[name].y) for name in names] for wire, names in chart.bends.items()}
    return Layout(wide, max(lows, default=0.0) + dy, spots, bends, frames, {box.id: box for box in scene.boxes})


class _Chart:
    """The scene as a graph of places: boxes, wires with text, and the bends of long wires."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.sizes: dict[Name, tuple[float, float, float]] = {}
        self.links: list[tuple[Name, Name, int]] = []
        self.bends: dict[str, list[Name]] = {}
        self.row: dict[Name, int | None] = {}
        self.frame: dict[Name, str] = {}
        for box in scene.boxes:
            wide, high = box_size(box)
            self.sizes[box.id] = (wide, high / 2, high / 2)
            self.row[box.id], self.frame[box.id] = box.row, box.group
        for wire in scene.wires:
            if wire.texts:
                self.sizes[wire.id] = wire_size(wire)
                self.row[wire.id], self.frame[wire.id] = wire.row, wire.group
        self.column = columns(scene)
        steps = sum(self.column[wire.target] - self.column[wire.source] for wire in scene.wires)
        for wire in scene.wires:
            self._link(wire, steps < BENDS)
        self.before: dict[Name, list[tuple[Name, int]]] = {name: [] for name in self.sizes}
        self.after: dict[Name, list[tuple[Name, int]]] = {name: [] for name in self.sizes}
        for source, target, weight in self.links:
            self.after[source].append((target, weight))
            self.before[target].append((source, weight))
        self.lineage = _lineages(scene)
        # Data stands above the line that it joins: below, its name would be in the way of what leads to the op before.
        self.above = {name for wire in scene.wires if wire.side and wire.passive and wire.texts
                      for name in (wire.id, wire.source)}

    def _link(self, wire: Wire, bent: bool) -> None:
        weight = 1 if wire.row is None else MAIN if wire.row < self.scene.straight else 5
        stops = [wire.source, *([wire.id] if wire.texts else []), wire.target]
        for source, target in itertools.pairwise(stops):
            start, end = self.column[source], self.column[target]
            if start > end:  # a circle between collapsed groups
                source, target, start, end = target, source, end, start
            last = source
            for column in range(start + 1, end if bent else start + 1):
                bend = f"{wire.id}~{column}"
                self.sizes[bend] = (1.0, TWIN, TWIN)
                self.row[bend], self.frame[bend], self.column[bend] = wire.row, wire.group, column
                self.bends.setdefault(wire.id, []).append(bend)
                self.links.append((last, bend, weight))
                last = bend
            if self.column[last] != end:
                self.links.append((last, target, weight))


def columns(scene: Scene) -> dict[Name, int]:
    """The column of each place; a leaf stands as near to its first use as it can."""
    import networkx as nx

    net: nx.DiGraph[Name] = nx.DiGraph()
    net.add_nodes_from(box.id for box in scene.boxes)
    net.add_edges_from((wire.source, wire.target) for wire in scene.wires)
    first = {box.id: box.node for box in scene.boxes}
    # Collapsed groups may feed each other in a circle; what leads back to an earlier one does not count.
    back = {(a, b) for part in nx.strongly_connected_components(net) if len(part) > 1
            for a, b in net.subgraph(part).edges if first[a] >= first[b]}
    frames = {box.id: box.group for box in scene.boxes}
    sided = {wire.target for wire in scene.wires if wire.side and frames[wire.source]}
    net.clear()
    net.add_nodes_from(box.id for box in scene.boxes)
    for wire in scene.wires:
        ends = (wire.source, wire.target)
        stops = [*ends] if ends not in back else [*ends[::-1]]
        if wire.target in sided and not wire.side and wire.group != frames[wire.target]:
            stops[1:1] = [f"{wire.id}<", f"{wire.id}<<"]  # left of the frame that it leads into, its leaves included
        if wire.texts:
            stops.insert(1, wire.id)
        nx.add_path(net, stops)
    column = {name: number for number, names in enumerate(nx.topological_generations(net)) for name in names}
    for name in reversed(list(nx.topological_sort(net))):
        after = [column[target] for target in net.successors(name)]
        if after and (net.in_degree(name) == 0 or all(net.in_degree(s) == 0 for s in net.predecessors(name))):
            column[name] = min(after) - 1
    return column


def _lineages(scene: Scene) -> dict[str, tuple[str, ...]]:
    """By group: its id after those of the groups around it."""
    found: dict[str, tuple[str, ...]] = {"": ()}
    for group in scene.groups:
        found[group.id] = (*found[group.parent], group.id)
    return found


# --- the order in a column --------------------------------------------------------------------------------------------


def _ordered(chart: _Chart) -> list[list[Name]]:
    """The places column by column, in the order found that crosses least."""
    columns: list[list[Name]] = [[] for _ in range(1 + max(chart.column.values(), default=-1))]
    first = {id: place for place, id in enumerate(chart.scene.order)}
    born = {name: number for number, name in enumerate(chart.sizes)}
    alone = chart.scene.straight == 1
    for name in sorted(chart.sizes, key=lambda name: (first.get(name, -1), not (alone and name in chart.above),
                                                      _row(chart, name), born[name])):
        columns[chart.column[name]].append(name)
    best, fewest = [list(column) for column in columns], _crossings(chart, columns)
    for sweep in range(SWEEPS):
        if fewest == 0:
            break
        ahead = sweep % 2 == 0
        for column in columns if ahead else reversed(columns):
            _by_barycentre(chart, column, columns, ahead)
        crossings = _crossings(chart, columns)
        if crossings < fewest:
            best, fewest = [list(column) for column in columns], crossings
    return [_framed_together(chart, column) for column in best]


def _row(chart: _Chart, name: Name) -> int:
    """The main lines first, and all others after them."""
    row, straight = chart.row[name], chart.scene.straight
    return row if row is not None and 0 <= row < straight else straight


def _by_barycentre(chart: _Chart, column: list[Name], columns: list[list[Name]], ahead: bool) -> None:
    near = chart.before if ahead else chart.after
    place = {name: i for names in columns[max(chart.column[column[0]] - 1, 0):chart.column[column[0]] + 2]
             for i, name in enumerate(names)}
    centre = {}
    for name in column:
        around = [(place[other], weight) for other, weight in near[name] if other in place]
        total = sum(weight for _, weight in around)
        centre[name] = sum(at * weight for at, weight in around) / total if total else float(place[name])
        centre[name] -= ABOVE * (name in chart.above)
    column.sort(key=lambda name: centre[name])
    if chart.scene.straight > 1:  # the lines that were asked for stand in the order that was asked for
        lines = iter(sorted((name for name in column if _row(chart, name) < chart.scene.straight),
                            key=lambda name: _row(chart, name)))
        column[:] = [next(lines) if _row(chart, name) < chart.scene.straight else name for name in column]
    column[:] = _framed_together(chart, column)


def _framed_together(chart: _Chart, column: list[Name]) -> list[Name]:
    """The same column with the members of a frame next to each other, at the place of the first of them."""
    if not chart.scene.groups:
        return column
    firsts: dict[str, int] = {}
    for number, name in enumerate(column):
        for group in chart.lineage[chart.frame[name]]:
            firsts.setdefault(group, number)
    places = {name: number for number, name in enumerate(column)}
    return sorted(column, key=lambda name: (*(firsts[group] for group in chart.lineage[chart.frame[name]]),
                                            places[name]))


def _crossings(chart: _Chart, columns: list[list[Name]]) -> int:
    """How many pairs of links between neighbouring columns cross."""
    total = 0
    for left, right in itertools.pairwise(columns):
        place = {name: i for i, name in enumerate(right)}
        seen: list[int] = []
        for name in left:
            ends = sorted(place[other] for other, _ in chart.after[name] if other in place)
            total += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return total


# --- heights ----------------------------------------------------------------------------------------------------------


def _heights(chart: _Chart, columns: list[list[Name]]) -> dict[Name, float]:
    """How low each place lies: near what it is joined with, in the column's order, and apart."""
    heights: dict[Name, float] = {}
    for column in columns:
        _settle(chart, column, heights, (chart.before,))
    for sweep in range(MOVES):
        for column in reversed(columns) if sweep % 2 == 0 else columns:
            _settle(chart, column, heights, (chart.before, chart.after))
    for _ in range(STRAIGHTENINGS):
        for column in columns:
            _settle(chart, column, heights, (chart.before, chart.after), straight=True)
    return heights


def _settle(chart: _Chart, column: list[Name], heights: dict[Name, float],
            near: Sequence[dict[Name, list[tuple[Name, int]]]], straight: bool = False) -> None:
    """Give a column the heights that come nearest to the neighbours': isotonic regression by pooling.

    straight: have each place on a main line follow the one before it, whatever pulls it elsewhere
    """
    offset, offsets = 0.0, [0.0]
    for upper, lower in itertools.pairwise(column):
        offset += chart.sizes[upper][2] + chart.sizes[lower][1] + GAP + _frame_gap(chart, upper, lower)
        offsets.append(offset)
    pools: list[tuple[float, float, int]] = []  # height, weight, how many
    for name, shift in zip(column, offsets, strict=True):
        joined = [(heights[other], weight) for side in near for other, weight in side[name] if other in heights]
        if straight:
            ahead = [(heights[other], FIRM) for other, weight in chart.before[name] if weight == MAIN]
            joined = ahead or joined
        total = float(sum(weight for _, weight in joined))
        wish = sum(at * weight for at, weight in joined) / total if total else heights.get(name, shift)
        pool = (wish - shift, total or 0.01, 1)
        while pools and pools[-1][0] >= pool[0]:
            height, weight, count = pools.pop()
            both = weight + pool[1]
            pool = ((height * weight + pool[0] * pool[1]) / both, both, count + pool[2])
        pools.append(pool)
    settled = [height for height, _, count in pools for _ in range(count)]
    for name, height, shift in zip(column, settled, offsets, strict=True):
        heights[name] = height + shift


def _frame_gap(chart: _Chart, upper: Name, lower: Name) -> float:
    """The room that the frames between two places take."""
    a, b = chart.lineage[chart.frame[upper]], chart.lineage[chart.frame[lower]]
    common = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))
    return (len(a) - common) * FRAME + (len(b) - common) * (FRAME + 14)


def _frames(scene: Scene, spots: dict[Name, Spot]) -> dict[str, tuple[float, float, float, float]]:
    """The rectangle around what stands in each group."""
    found: dict[str, tuple[float, float, float, float]] = {}
    inside = [(box.group, spots[box.id]) for box in scene.boxes if box.group]
    inside += [(wire.group, spots[wire.id]) for wire in scene.wires if wire.group and wire.id in spots]
    for id, spot in inside:
        _widen(found, id, (spot.x - spot.w / 2 - FRAME, spot.top - FRAME - 14, spot.x + spot.w / 2 + FRAME,
                           spot.top + spot.h + FRAME))
    for group in reversed(scene.groups):
        if group.parent and group.id in found:
            left, top, right, bottom = found[group.id]
            _widen(found, group.parent, (left - FRAME, top - FRAME - 14, right + FRAME, bottom + FRAME))
    return found


def _widen(found: dict[str, tuple[float, float, float, float]], id: str,
           around: tuple[float, float, float, float]) -> None:
    left, top, right, bottom = found.get(id, around)
    found[id] = (min(left, around[0]), min(top, around[1]), max(right, around[2]), max(bottom, around[3]))
