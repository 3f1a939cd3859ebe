"""The story of a picture: its steps forward and backward, with formulas, numbers and places, as plain data for JSON.

The page tells it; `tinygraph.render.html` makes the page. A step is what the picture shows as one box, an op or a
collapsed group, so however large a graph is, its story is as long as its picture is full.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from tinygraph.analysis import Cotangents, Edge, GraphNode, drawn, one_line
from tinygraph.core.arguments import Array
from tinygraph.core.node import Node
from tinygraph.core.op import Op
from tinygraph.render.beside import flows
from tinygraph.render.build import Origin
from tinygraph.render.facts import array, in_line, in_pieces, made
from tinygraph.render.formula import Formula, Run, parse
from tinygraph.render.naming import argument
from tinygraph.render.scene import Scene, Wire
from tinygraph.render.shapes import on_card
from tinygraph.render.text import PRINTED, constant, expression, named

_ARRIVING = (r"\frac{\partial L}{\partial Y}", r"\frac{\partial L}{\partial L}")
_NUMBER = "G"
"""The letter that stands for the arriving gradient's number."""


class Told(Protocol):
    """What a story is about: a `Drawing`."""

    scene: Scene
    origin: Origin

    def opened(self) -> tuple[Scene, Origin]:
        """Both anew, with a frame around what was collapsed into a box."""


class Story:
    """Collects what the page tells of one picture; `data` is the result.

    frames: by node id: the frame that the opened picture has in place of the box that the node is collapsed into
    """

    def __init__(self, origin: Origin, scene: Scene, frames: Mapping[int, str]) -> None:
        self.frames = frames
        self.graph, self.homes, self.names = origin.graph, origin.homes, origin.names
        self.scene = scene
        self.cotangents = _cotangents(origin, scene)
        self.members: dict[str, list[GraphNode]] = {}
        for node in self.graph:
            if home := self.homes[node.id]:
                self.members.setdefault(home, []).append(node)
        told = [box for box in scene.boxes if box.kind in ("leaf", "op", "group")]
        # A group is done when the last of its ops is.
        told.sort(key=lambda box: self.members[box.id][-1].id if box.kind == "group" else box.node)
        self.boxes = {box.id: number for number, box in enumerate(told)}
        self.told = told
        self.remarks = {box.id: list(box.remarks) for box in told}
        self.owner = {out: node for node in self.graph for out in node.outputs}
        self.uses: dict[Node, list[Edge]] = {}
        for edge in self.graph.edges:
            self.uses.setdefault(edge.node, []).append(edge)
        self.values: dict[Node, int] = {}
        self.edges: list[dict[str, Any]] = []
        self.told_uses: dict[Node, int] = {}

    def data(self) -> dict[str, Any]:
        """Everything that the page shows, in numbers, text and lists alone."""
        root = self.graph.roots[0]
        nodes = [self._group(box.id) if box.kind == "group" else self._node(self.graph[box.node], box.id)
                 for box in self.told]
        wires = self._wires()
        result = self._number(root)
        return {
            "name": in_pieces(self.names[root].runs),
            "loss": in_pieces(self.names.loss),
            "known": self.cotangents is not None,
            "ops": sum(node.node.op is not None for node in self.graph),
            "root": result,
            "nodes": nodes,
            "values": [self._value(out) for out in self.values],
            "edges": self.edges,
            "wires": wires,
            "boxes": self._boxes("leaf", "op", "group", "fan", "root"),
            "constants": self._boxes("constant"),
            "groups": self._groups(),
            "steps": self._steps(nodes),
        }

    def _number(self, out: Node) -> int:
        """The place of a value in the list of those that the page knows."""
        return self.values.setdefault(out, len(self.values))

    # --- nodes ------------------------------------------------------------------------------------------------------

    def _node(self, node: GraphNode, box: str) -> dict[str, Any]:
        op = node.node.op
        return {
            "box": box,
            "home": self.frames.get(node.id, box),
            "kind": "op" if op else "leaf",
            "op": one_line(op.name) if op else None,
            "label": one_line(f"{op.symbol if op else ''} {node.name or ''}"),
            "values": [self._number(out) for out in node.outputs],
            "inputs": self._inputs(node, op) if op else [],
            "formula": in_pieces(self._equation(node, op)) if op else [],
            "numbers": in_pieces(self._with_numbers(node, op)) if op else [],
            "scope": [one_line(name.rpartition("#")[0]) for name in node.node.scope],
            "made": made(node),
            "flops": node.flops,
            "bytes": node.bytes,
            "gradient": self._norm(node),
            "remarks": self.remarks[box],
        }

    def _group(self, box: str) -> dict[str, Any]:
        """A collapsed group: what leaves it, what comes in, and what all of its ops cost."""
        members = self.members[box]
        inside = {node.id for node in members}
        roots = set(self.graph.roots)
        leaving = [out for node in members for out in node.outputs
                   if out in roots or any(e.target.id not in inside for e in self.uses.get(out, []))]
        entering = dict.fromkeys(i for node in members for i in node.node.parents
                                 if type(i) is Node and self.owner[i].id not in inside)
        ops = [node for node in members if node.node.op is not None]
        title = next(shown.text for shown in self.told if shown.id == box)
        return {
            "box": box,
            "home": next((self.frames[node.id] for node in members if node.id in self.frames), box),
            "kind": "group",
            "op": one_line("".join(run.text for run in title[0] if isinstance(run, Run)), 40),
            "label": " ".join(dict.fromkeys(one_line(node.op or "") for node in ops[:PRINTED * 10])),
            "values": [self._number(out) for out in leaving],
            "inputs": [{"value": self._number(out)} for out in entering],
            "formula": [],
            "numbers": [],
            "scope": [],
            "made": made(ops[0]) if ops else None,
            "flops": sum(node.flops for node in members),
            "bytes": sum(node.bytes for node in members),
            "gradient": None,
            "remarks": self.remarks[box],
            "size": len(ops),
        }

    def _inputs(self, node: GraphNode, op: Op[..., Any]) -> list[dict[str, Any]]:
        inputs: list[dict[str, Any]] = []
        for position, parent in enumerate(node.node.parents):
            if type(parent) is Node:
                inputs.append({"value": self._number(parent)})
            elif drawn(parent):
                text = named(argument(op, position), np.ndim(parent))
                inputs.append({"value": None, "name": in_pieces(text.runs), "array": array(parent)})
        return inputs

    def _equation(self, node: GraphNode, op: Op[..., Any]) -> Formula:
        """The forward pass by name: y = a + b."""
        texts = [self.names[p] if type(p) is Node else constant(p, argument(op, i))
                 for i, p in enumerate(node.node.parents) if type(p) is Node or drawn(p)]
        written = expression(op, texts).runs
        left: list[Run] = []
        for out in node.outputs:
            left += [*([Run(", ")] if left else []), *self.names[out].runs]
        return written if tuple(left) == written else (*left, Run(" = "), *written)

    def _with_numbers(self, node: GraphNode, op: Op[..., Any]) -> Formula:
        """The forward pass in numbers: 1 + 2 = 3; nothing where all of them are too long for that."""
        texts = []
        short = False
        for position, parent in enumerate(node.node.parents):
            if type(parent) is Node or drawn(parent):
                amount = in_line(parent.value if type(parent) is Node else parent)
                short = short or amount is not None
                texts.append(amount or (self.names[parent] if type(parent) is Node
                                        else constant(parent, argument(op, position))))
        if not short:
            return ()
        found = in_line(node.outputs[0].value) if len(node.outputs) == 1 else None
        return (*expression(op, texts).runs, *((Run(" = "), *found.runs) if found else ()))

    def _norm(self, node: GraphNode) -> float | None:
        """The length of the node's whole gradient, all outputs together."""
        total, known = 0.0, False
        for out in node.outputs:
            g = self._total(node, out)
            if g is not None:
                with np.errstate(all="ignore"):
                    total += float(np.sum(np.absolute(g).astype(float) ** 2))
                known = True
        return math.sqrt(total) if known and math.isfinite(total) else None

    # --- values and edges -------------------------------------------------------------------------------------------

    def _value(self, out: Node) -> dict[str, Any]:
        node = self.owner[out]
        return {
            "node": self.boxes.get(self.homes[node.id]),
            "name": in_pieces(self.names[out].bracketed),
            "same": in_pieces(self.names.same(out)),
            "shape": list(out.value.shape),
            "dtype": str(out.value.dtype),
            "array": array(out.value),
            "gradient": array(self._total(node, out)),
            "whole": self.told_uses.get(out, 0) == len(self.uses.get(out, [])),
        }

    def _edge(self, out: Node, target: str, uses: list[Edge]) -> int:
        """What one wire brings back to a value: the number of the edge."""
        self.told_uses[out] = self.told_uses.get(out, 0) + len(uses)
        flowing = [edge for edge in uses if self._flows(edge)]
        handed = [self.cotangents.edges[edge.target.id, edge.position] for edge in flowing] if self.cotangents else []
        single = flowing[0] if len(flowing) == 1 and target[0] == "n" else None
        formula = self.names.handed(single) if single else self.names.derivative(out)
        self.edges.append({
            "value": self._number(out),
            "node": self.boxes[target],
            "formula": in_pieces(formula) if flowing else None,
            "numbers": in_pieces(self._substituted(single)) if single else [],
            "handed": array(sum(handed[1:], handed[0])) if handed else None,
        })
        return len(self.edges) - 1

    def _flows(self, edge: Edge) -> bool:
        """Whether a gradient comes back along this edge: where gradients are known, whether one did."""
        if self.cotangents is not None:
            return (edge.target.id, edge.position) in self.cotangents.edges
        return flows(edge)

    def _substituted(self, edge: Edge) -> Formula:
        """The formula of an edge with the numbers put into it; nothing where one of them is too long for that."""
        node, op = edge.target, edge.target.node.op
        assert op is not None
        tex = on_card(edge)
        g = self._total(node, node.outputs[0]) if len(node.outputs) == 1 else None
        if not tex or g is None:
            return ()
        if op.outputs and (picked := node.outputs[0].params):  # the one of several outputs that was used
            tex = tex.replace(rf"\partial Y_{picked['index']}}}", r"\partial Y}")
        for arriving in _ARRIVING:
            tex = tex.replace(arriving, _NUMBER)
        if r"\partial" in tex:
            return ()
        if not any(out.value.shape for out in node.outputs):
            tex = tex.replace(r"\odot", r"\cdot")
        values = {letter: p.value if type(p) is Node else p
                  for letter, p in zip(op.letters, node.node.parents, strict=False) if type(p) is Node or drawn(p)}
        if not op.outputs:
            values.setdefault("Y", node.node.value)
        if "keepdims" in op.params:  # what a mean or a variance divides by
            first = node.node.parents[0]
            count = np.size(first.value if type(first) is Node else first) // (np.size(node.node.value) or 1)
            values.setdefault("N", count - (node.node.params or {}).get("ddof", 0))
        letters = {}
        for letter, value in {**values, _NUMBER: g}.items():
            if letter and re.search(rf"(?<![A-Za-z\\]){letter}(?![a-z])", tex):
                amount = in_line(value)
                if amount is None:
                    return ()
                letters[letter] = amount.bracketed
        return parse(tex, letters)

    def _total(self, node: GraphNode, out: Node) -> Array | None:
        """The whole cotangent of a value, where it is known."""
        if self.cotangents is None:
            return None
        found = self.cotangents.nodes.get(node.id)
        return found[out.params["index"]] if isinstance(found, tuple) and out.params else found

    # --- the picture's parts, groups, steps -------------------------------------------------------------------------

    def _boxes(self, *kinds: str) -> dict[str, int | None]:
        """By a box's id: the number of the node that it belongs to."""
        return {box.id: self.boxes.get(self.homes[box.node]) for box in self.scene.boxes if box.kind in kinds}

    def _wires(self) -> dict[str, dict[str, list[int]]]:
        """By a wire's id: the values on it, and the edges that it is where it leads to an op or a group."""
        queues: dict[tuple[Node, str], list[Edge]] = {}
        for edge in self.graph.edges:
            if home := self.homes[edge.target.id]:
                queues.setdefault((edge.node, home), []).append(edge)
        found: dict[str, dict[str, list[int]]] = {}
        for wire in self.scene.wires:
            outs = self._carried(wire)
            edges = []
            for out in outs if wire.target in self.boxes else ():
                queue = queues.get((out, wire.target), [])
                # An op's box has a wire for each use, x + x has two; a group's has one for all.
                uses = [queue.pop(0)] if wire.target[0] == "n" and queue else queue
                if uses:
                    edges.append(self._edge(out, wire.target, uses))
            found[wire.id] = {"values": [self._number(out) for out in outs], "edges": edges}
        return found

    def _carried(self, wire: Wire) -> list[Node]:
        """The values that a wire carries: one, none from a constant, or several from a collapsed group."""
        if match := re.fullmatch(r"w\d+(?:_(\d+))?(?:b\d+)?", wire.id):
            return [self.graph[wire.node].outputs[int(match[1] or 0)]]
        if wire.source not in self.members or wire.target not in self.members:
            return []
        return [out for node in self.members[wire.source] for out in node.outputs
                if any(self.homes[edge.target.id] == wire.target for edge in self.uses.get(out, []))]

    def _groups(self) -> list[dict[str, Any]]:
        """The frames of the picture with the nodes in each, those of the frames within among them."""
        parents = {group.id: group.parent for group in self.scene.groups}
        inside: dict[str, list[int]] = {group.id: [] for group in self.scene.groups}
        for box in self.told:
            frame = box.group
            while frame:
                inside[frame].append(self.boxes[box.id])
                frame = parents[frame]
        return [{"id": group.id, "name": one_line(group.title, 40), "parent": group.parent,
                 "boxed": group.boxed, "nodes": inside[group.id]}
                for group in self.scene.groups]

    def _steps(self, nodes: list[dict[str, Any]]) -> list[tuple[str, int | None]]:
        """What is given, each op forward; then the root's own derivative, each op backward that hands a gradient on."""
        ops = [number for number, node in enumerate(nodes) if node["kind"] != "leaf"]
        handing = {edge["node"] for edge in self.edges if edge["formula"] is not None}
        steps: list[tuple[str, int | None]] = [("inputs", None), *(("forward", number) for number in ops)]
        if handing:
            steps += [("seed", None), *(("backward", number) for number in reversed(ops) if number in handing)]
        return steps


def _cotangents(origin: Origin, scene: Scene) -> Cotangents | None:
    """The gradients: those of the picture, or where it shows no numbers and backward has run, the same again."""
    graph = origin.graph
    if origin.cotangents is not None or not any(wire.gradient for wire in scene.wires):
        return origin.cotangents
    alone = len(graph.roots) == 1 and graph.roots[0].value.size == 1
    return graph.cotangents() if alone and graph.differentiated else None


def boxed_frames(scene: Scene, origin: Origin) -> dict[int, str]:
    """By node id: the frame around it that is one box in the collapsed picture, where there is one."""
    frames = {group.id: group for group in scene.groups}
    around = {box.id: box.group for box in scene.boxes}
    found: dict[int, str] = {}
    for id, home in enumerate(origin.homes):
        frame = around.get(home, "")
        while frame and not frames[frame].boxed:
            frame = frames[frame].parent
        if frame:
            found[id] = frame
    return found
