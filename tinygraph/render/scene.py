"""Scene: what a picture of a graph shows, as plain data that every format prints its own way.

An op is a box, a value is a wire from the box that makes it to the box that uses it, with text above for the forward
pass and below for the backward pass. A value used more than once goes to a fan-out point, from which one wire leads to
each use: the contributions that come back on those add up there. `tinygraph.render.build` makes a scene of a graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from tinygraph.render.formula import Formula

SHOW = ("symbols", "shapes", "values", "all")

SMALL = 40
"""Up to so many nodes everything is shown unless the caller says otherwise."""

READABLE = 300
"""Above so many nodes formulas are left out unless the caller says otherwise."""

LARGE = 1000
"""Above so many nodes groups are collapsed unless the caller says otherwise."""

COLOURS = {"ink": "#1A1A1A", "backward": "#0072B2", "quiet": "#6B6B6B", "op": "#FFF3C4", "highlight": "#D55E00",
           "group": "#EDEDED", "heat0": "#FFFBF0", "heat1": "#FDE2AC", "heat2": "#F9C270", "heat3": "#EE9A45",
           "heat4": "#DC7A2E", "zero": "#D2D2D2", "broken": "#FFA79B", "detached": "#CBE3F7"}
"""Okabe and Ito's, which the colour-blind can tell apart; position and direction say the same. The last eight fill
boxes: five steps of heat, and what has no place among them."""

Lines: TypeAlias = tuple[Formula, ...]


class Box(NamedTuple):
    """A place where wires end.

    Attributes:
        id: Unique in the scene; the same graph gives the same.
        kind: op, leaf, constant, fan (a fan-out point), root (where the result leaves) or group (a collapsed one).
        text: Its lines; none for a fan.
        row: The straight line that it belongs to; 0 is the main line.
        node: The id of the graph's node behind it; of a collapsed group the first.
        note: What it is, for a pointer that rests on it.
        remarks: What an overlay or the caller says of it besides.
        group: The id of the innermost group whose frame it stands in, or "".
        fill: The name of the colour that fills it, among COLOURS, where it is not that of its kind.
        alarm: Whether it is what went wrong, to be shown in the highlight's colour.
    """

    id: str
    kind: str
    text: Lines
    row: int
    node: int
    note: str = ""
    group: str = ""
    fill: str = ""
    alarm: bool = False
    remarks: tuple[str, ...] = ()

    @property
    def tip(self) -> str:
        """What a pointer resting on it is told."""
        return "; ".join((self.note, *self.remarks)) if self.remarks else self.note


class Wire(NamedTuple):
    """A value on its way from one box to another, and the gradient on its way back.

    Attributes:
        id, node, group: As a box's.
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
    group: str = ""

    @property
    def texts(self) -> bool:
        """Whether anything is written beside it."""
        return bool(self.above or self.below)


@dataclass(frozen=True, slots=True)
class Group:
    """A frame around what was computed in one scope.

    Attributes:
        id: Unique in the scene.
        title: What it is called, with the number of repeats that it stands for.
        parent: The id of the group whose frame it stands in, or "".
        path: The names of its scopes from the outermost on, with slashes between them.
        boxed: Whether it is one box in the collapsed picture of the same graph.
    """

    id: str
    title: str
    parent: str
    path: str
    boxed: bool = False


@dataclass(frozen=True, slots=True)
class Legend:
    """What the colours that fill the boxes mean: a title, and (colour's name among COLOURS, meaning) pairs."""

    title: str
    entries: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that a picture shows; no array is in it, only the texts made of them.

    Attributes:
        title: What it is called, for those who cannot see it.
        boxes, wires: In the order of creation.
        nodes: How many nodes the graph has.
        dense: Whether nothing wide stands on the wires, so that boxes may stand close together.
        groups: The frames, each after the one it stands in.
        legend: What the fills mean, or None.
        note: What the picture says about itself, such as what was collapsed; or "".
        straight: How many rows, from row 0 on, are lines that should be straight before all others.
        order: Ids of boxes without inputs that stand one below the other, from the top.
        theme: light, dark, or "" for what the reader prefers, where the format can ask.
    """

    title: str
    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]
    nodes: int
    dense: bool
    groups: tuple[Group, ...] = ()
    legend: Legend | None = None
    note: str = ""
    straight: int = 1
    order: tuple[str, ...] = ()
    theme: str = ""
