"""Overlays: boxes coloured by what a node costs, by its gradient, or by where numbers went wrong, with a legend; notes.

A report about a graph gives its findings to a picture by the ids of nodes: what to colour by, and what to note.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tinygraph.analysis import Cotangents, Edge, Graph, GraphNode, one_line
from tinygraph.core.arguments import Array, Handle
from tinygraph.core.errors import ArgumentError
from tinygraph.core.messages import here
from tinygraph.render.scene import Box, Legend, Scene
from tinygraph.render.text import number

Measure: TypeAlias = "str | Callable[[GraphNode], Any] | Mapping[int, Any]"
"""The name of what boxes are coloured by; or numbers and texts, from a function of a node or by a node's id."""

Notes: TypeAlias = Mapping[int, str]
"""What is to be told of nodes, by their ids."""

MEASURES = ("flops", "bytes", "time", "grad_norm", "nan")

STEPS = 5
"""How many steps of heat there are."""

REPLAYS = 3
"""How often an op is run to be timed; the fastest counts."""

TOLD = 3
"""So many notes stand under the picture: where something went wrong, and what the caller said."""

LONGEST = 200
"""A note of more characters is cut short."""

CATEGORIES = ("heat0", "detached", "heat3", "zero", "broken", "heat2", "heat4", "heat1")
"""The colours of texts that a function gives, in the order in which they are met; beside numbers, no heat."""


class Mark(NamedTuple):
    """What is told of a node that has no place on the scale of heat."""

    colour: str
    meaning: str
    note: str


Amounts: TypeAlias = "dict[int, float | Mark]"
"""By node id, where there is anything to tell."""


def coloured(scene: Scene, graph: Graph, homes: Sequence[str], by: Measure, seed: Array | None) -> Scene:
    """The scene with its boxes filled by a measure, notes that say how much it is, and a legend.

    homes: by node id: the box that stands for it
    """
    title, unit, amounts = _measured(graph, by, seed)
    totals = _totals(amounts, homes, sum_up=by != "grad_norm")
    scale = _scale([amount for amount in totals.values() if not isinstance(amount, Mark)])
    fills: dict[str, tuple[str, str]] = {}
    for home, amount in totals.items():
        if isinstance(amount, Mark):
            fills[home] = (amount.colour, amount.note)
        else:
            fills[home] = (f"heat{scale.step(amount)}", f"{title}: {_written(amount, unit)}")
    boxes = tuple(_filled(box, *fills[box.id]) if box.id in fills else box for box in scene.boxes)
    marks = [mark for mark in totals.values() if isinstance(mark, Mark)]
    kinds = dict.fromkeys((mark.colour, mark.meaning) for mark in marks)
    began = list(dict.fromkeys(mark.note for mark in marks if " since " in mark.note or "arrives:" in mark.note))
    return dataclasses.replace(scene, boxes=boxes, note=_told(scene.note, began),
                               legend=Legend(title, (*scale.entries(unit), *kinds)))


def noted(scene: Scene, graph: Graph, homes: Sequence[str], notes: Notes) -> Scene:
    """The scene with what the caller says of nodes: at their boxes, which stand out, and under the picture.

    homes: by node id: the box that stands for it

    Raises ArgumentError for an id that no node has.
    """
    remarks: dict[str, list[str]] = {}
    told = []
    for id, note in notes.items():
        if not 0 <= id < len(graph):
            raise ArgumentError(f"draw: notes are by the ids of the graph's {len(graph):,} nodes, and {id} is none of "
                                f"them{here()}")
        line = one_line(note, LONGEST)
        remarks.setdefault(homes[id], []).append(line)
        told.append(f"{graph[id].op or one_line(graph[id].name or '') or 'leaf'} #{id}: {line}")
    boxes = tuple(box._replace(remarks=(*box.remarks, *remarks[box.id]), alarm=True)
                  if box.id in remarks else box for box in scene.boxes)
    return dataclasses.replace(scene, boxes=boxes, note=_told(scene.note, told))


def _told(note: str, found: Sequence[str]) -> str:
    """What stands under the picture: what stood there, the first few of what was found, and how many more there are."""
    more = [f"and {len(found) - TOLD} more"] if len(found) > TOLD else []
    return "; ".join([*([note] if note else []), *found[:TOLD], *more])


def _filled(box: Box, colour: str, remark: str) -> Box:
    return box._replace(fill=colour, remarks=(*box.remarks, remark))


def _measured(graph: Graph, by: Measure, seed: Array | None) -> tuple[str, str, Amounts]:
    """What is measured in words, its unit, and the amounts."""
    if by in ("flops", "bytes"):
        ops = [node for node in graph if node.op is not None]
        return ("FLOPs" if by == "flops" else "bytes"), "", {node.id: float(getattr(node, str(by))) for node in ops}
    if by == "time":
        return _times(graph, seed)
    if by == "grad_norm":
        return "norm of the gradient", "", _norms(graph, graph.cotangents(seed))
    if by == "nan":
        return "NaN and infinity", "", _broken(graph, seed)
    if isinstance(by, Mapping):
        return "measure", "", _asked(graph, lambda node: by.get(node.id))
    if not callable(by):
        raise ArgumentError(f"draw: color_by={by!r}; it is one of {', '.join(MEASURES)}, a function of a node, or what "
                            f"to say by a node's id{here()}")
    return one_line(getattr(by, "__name__", "measure").replace("<lambda>", "measure")), "", _asked(graph, by)


def _times(graph: Graph, seed: Array | None) -> tuple[str, str, Amounts]:
    """How long each op takes on the values that it was given (seconds), with its rules where one can go back."""
    from tinygraph.ask.profile.clock import time_forward, time_nodes

    root = graph.roots[0]
    back = len(graph.roots) == 1 and root.requires_grad and (seed is not None or root.value.size == 1)
    g = seed.node.value if isinstance(seed, Handle) else seed
    least: Amounts = {node.id: 0.0 for node in graph if node.op is not None and not node.inputs}
    for _ in range(REPLAYS):
        seconds = ({node: there + rules for node, there, rules in time_nodes(root, g)} if back
                   else time_forward(graph.roots))
        for node, taken in seconds.items():
            id = graph.of_node(node).id
            least[id] = min(taken, least.get(id, taken))
    return "time of forward and backward" if back else "time of the forward pass", "s", least


def _asked(graph: Graph, by: Callable[[GraphNode], Any]) -> Amounts:
    """What a user's function says of each node."""
    told = {node.id: said for node in graph if (said := by(node)) is not None}
    words = list(dict.fromkeys(said for said in told.values() if isinstance(said, str)))
    numbers = any(not isinstance(said, str) for said in told.values())
    colours = [colour for colour in CATEGORIES if not (numbers and colour.startswith("heat"))]
    marks = {word: Mark(colours[i % len(colours)], one_line(word), one_line(word)) for i, word in enumerate(words)}
    return {id: marks[said] if isinstance(said, str) else float(said) for id, said in told.items()}


# --- gradients --------------------------------------------------------------------------------------------------------


def _norms(graph: Graph, cotangents: Cotangents) -> Amounts:
    """The norm of each gradient; those that are zero, broken or missing are marked, with where that began."""
    found: Amounts = {}
    origins = _origins(graph, cotangents)
    for node in graph:
        if not node.requires_grad:
            continue
        if node.id not in cotangents.nodes:
            found[node.id] = Mark("detached", "no gradient arrives", _cut(graph, node))
            continue
        kind = _kind(cotangents.nodes[node.id])
        if kind == "fine":
            found[node.id] = _norm(cotangents.nodes[node.id])
        elif kind == "zero":
            found[node.id] = Mark("zero", "exactly zero", f"the gradient is zero{origins.get(node.id, '')}")
        else:
            found[node.id] = Mark("broken", "NaN or infinite", f"the gradient is not finite{origins.get(node.id, '')}")
    return found


def _arrays(cotangent: Any) -> list[Any]:
    parts = cotangent if isinstance(cotangent, tuple) else (cotangent,)
    return [part for part in parts if part is not None]


def _norm(cotangent: Any) -> float:
    return math.sqrt(sum(float(np.sum(np.absolute(part) ** 2)) for part in _arrays(cotangent)))


def _kind(cotangent: Any) -> str:
    """fine, zero or broken."""
    parts = _arrays(cotangent)
    if not all(bool(np.all(np.isfinite(part))) for part in parts):
        return "broken"
    return "fine" if any(bool(np.any(part != 0)) for part in parts) else "zero"


def _origins(graph: Graph, cotangents: Cotangents) -> dict[int, str]:
    """By node id: at which op, on the way back from the root, its gradient became zero or stopped being finite."""
    found: dict[int, str] = {}
    uses: dict[int, list[Edge]] = {}
    for edge in graph.edges:
        uses.setdefault(edge.source.id, []).append(edge)
    kinds = {id: _kind(cotangent) for id, cotangent in cotangents.nodes.items()}
    for node in reversed(graph.nodes):
        kind = kinds.get(node.id, "fine")
        if kind == "fine":
            continue
        for edge in uses.get(node.id, []):
            handed = cotangents.edges.get((edge.target.id, edge.position))
            if handed is None or _kind(handed) != kind:
                continue
            came_so = kinds.get(edge.target.id) == kind
            found[node.id] = found.get(edge.target.id, "") if came_so else f", since {_called(edge.target)}"
            break
    return found


def _cut(graph: Graph, node: GraphNode) -> str:
    """Why no gradient arrives at a node."""
    uses = [edge for edge in graph.edges if edge.source is node]
    ops = ", ".join(dict.fromkeys(_called(edge.target) for edge in uses))
    return f"no gradient arrives: none comes back from {ops}" if ops else "no gradient arrives"


def _called(node: GraphNode) -> str:
    if node.location is None:
        return f"{node.op or 'leaf'} #{node.id}"
    return f"{node.op} #{node.id} ({one_line(os.path.basename(node.location[0]))}:{node.location[1]})"


def _broken(graph: Graph, seed: Array | None) -> Amounts:
    """Nodes whose values or gradients are not all finite, and where that began."""
    found: Amounts = {}
    bad: set[int] = set()
    for node in graph:
        values = node.value if isinstance(node.value, tuple) else (node.value,)
        if all(value.dtype.kind not in "fc" or bool(np.all(np.isfinite(value))) for value in values):
            continue
        bad.add(node.id)
        if any(isinstance(i, GraphNode) and i.id in bad for i in node.inputs):
            found[node.id] = Mark("broken", "value not finite", "its value is not finite")
        else:
            found[node.id] = Mark("heat4", "value not finite: here it began",
                                  f"not finite since {_called(node)}: its inputs are finite")
    root = graph.roots[0]
    if len(graph.roots) > 1 or not root.requires_grad or (seed is None and root.value.size != 1):
        return found
    with np.errstate(all="ignore"):
        cotangents = graph.cotangents(seed)
    origins = _origins(graph, cotangents)
    for id, cotangent in cotangents.nodes.items():
        if id not in found and _kind(cotangent) == "broken":
            found[id] = Mark("heat2", "gradient not finite", f"its gradient is not finite{origins.get(id, '')}")
    return found


# --- the scale --------------------------------------------------------------------------------------------------------


def _totals(amounts: Amounts, homes: Sequence[str], sum_up: bool) -> dict[str, float | Mark]:
    """The amounts by box: of a collapsed group the sum, or the greatest, and any mark before those."""
    totals: dict[str, float | Mark] = {}
    for id, amount in amounts.items():
        home = homes[id]
        known = totals.get(home)
        if known is None or (isinstance(amount, Mark) and not isinstance(known, Mark)):
            totals[home] = amount
        elif not isinstance(known, Mark) and not isinstance(amount, Mark):
            totals[home] = known + amount if sum_up else max(known, amount)
    totals.pop("", None)
    return totals


class _Scale(NamedTuple):
    """Steps of equal ratio where the amounts differ a hundredfold and more, else of equal size."""

    low: float
    high: float
    logarithmic: bool

    def step(self, amount: float) -> int:
        if not self.high > self.low or math.isnan(amount):
            return 0
        if self.logarithmic:
            share = math.log(max(amount, self.low) / self.low) / math.log(self.high / self.low)
        else:
            share = (amount - self.low) / (self.high - self.low)
        return min(int(share * STEPS), STEPS - 1)

    def entries(self, unit: str) -> tuple[tuple[str, str], ...]:
        """The legend's steps."""
        if math.isnan(self.low):
            return ()
        if not self.high > self.low:
            return (("heat0", _written(self.low, unit)),)
        if self.logarithmic:
            bounds = [self.low * (self.high / self.low) ** (i / STEPS) for i in range(STEPS + 1)]
        else:
            bounds = [self.low + (self.high - self.low) * i / STEPS for i in range(STEPS + 1)]
        return tuple((f"heat{i}", f"{'from ' if i == 0 else ''}{_written(bounds[i], unit)}"
                      + (f" to {_written(bounds[-1], unit)}" if i == STEPS - 1 else "")) for i in range(STEPS))


def _scale(amounts: list[float]) -> _Scale:
    finite = [amount for amount in amounts if math.isfinite(amount)]
    if not finite:
        return _Scale(math.nan, math.nan, False)
    positive = [amount for amount in finite if amount > 0]
    if positive and max(positive) > 100 * min(positive) and min(finite) >= 0:
        return _Scale(min(positive), max(positive), True)
    return _Scale(min(finite), max(finite), False)


def _written(amount: float, unit: str) -> str:
    if unit != "s":
        return number(amount)
    for name, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if amount >= size:
            return f"{number(amount / size)} {name}"
    return f"{number(amount / 1e-9)} ns"
