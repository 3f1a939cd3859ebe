"""The derivation itself, as data: the forward pass line by line, then each node's backward step with its formulas."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygraph.analysis import Cotangents, Edge, Graph, GraphNode, drawn
from tinygraph.ask.derive.lecture import FORWARD, HIDDEN, SENTENCES, TITLES, WORDS
from tinygraph.ask.derive.names import Names, amount
from tinygraph.ask.derive.tex import escaped, parse, plain, substituted
from tinygraph.core.node import Node
from tinygraph.core.op import Op

UPSTREAM = r"\frac{\partial L}{\partial Y}"
UPSTREAM_OF_A_LOSS = r"\frac{\partial L}{\partial L}"
_GATE = re.compile(r"\[([A-Z]) > 0\]")


@dataclass(frozen=True)
class Line:
    """One equation in TeX, the shapes it works on, and this run's numbers; the last two may be empty."""

    tex: str
    shapes: str = ""
    amount: str = ""


@dataclass(frozen=True)
class Step:
    """One node's part of the backward pass.

    Attributes:
        node: The id of the graph's node.
        title, sentence: What it is and what it does, in words.
        chain: The chain rule for each input, in TeX.
        lines: The gradient of each input.
        location: File, line and function that made the node, or None.
    """

    node: int
    title: str
    sentence: str
    chain: tuple[str, ...]
    lines: tuple[Line, ...]
    location: tuple[str, int, str] | None


class Writer:
    """Goes through a graph, forward and then backward, and writes what it meets."""

    def __init__(self, graph: Graph, numbers: bool, language: str) -> None:
        self.graph, self.numbers = graph, numbers
        self.words, self.second = WORDS[language], language == "ja"
        self.names = Names(graph)
        self.root = graph.roots[0]
        self.result = self.names.of[self.root]
        self.cotangents: Cotangents = graph.cotangents()
        self.uses: dict[Node, list[Edge]] = {}
        for edge in reversed(graph.edges):
            if self._flows(edge):
                self.uses.setdefault(edge.node, []).append(edge)
        for edges in self.uses.values():
            edges.sort(key=lambda edge: (-edge.target.id, edge.position))
        self.part = {(e.target.id, e.position): k for edges in self.uses.values() for k, e in enumerate(edges, 1)}

    def _flows(self, edge: Edge) -> bool:
        return (edge.target.id, edge.position) in self.cotangents.edges

    def derivative(self, tex: str) -> str:
        """∂L/∂ of something."""
        return rf"\frac{{\partial {self.result}}}{{\partial {tex}}}"

    def _amount(self, value: Any) -> str:
        return amount(value) if self.numbers else ""

    # --- forward --------------------------------------------------------------------------------------------------

    def forward(self) -> list[Line]:
        """What each op computes, in the order of the forward pass."""
        lines: list[Line] = []
        for node in self.graph:
            op = node.node.op
            if op is None:
                continue
            letters = self._letters(node, op)
            template = FORWARD.get(op.name, "")
            if node.id in self.names.hidden and op.name in HIDDEN:
                tex = f"{self.names.hidden[node.id]} = {substituted(HIDDEN[op.name], letters)}"
                lines.append(Line(tex, self._result(node, node.inputs[0], self.names_value(node, 0)),
                                  self._amount(node.node.value[-1])))
            if self._fits(template, letters):
                right = substituted(self._over_numbers(self._with_count(template, node, op), node), letters)
            else:
                right = self._call(node, op)
            for out in node.outputs:
                mark = f"_{{[{out.params['index']}]}}" if len(node.outputs) > 1 and out.params else ""
                shapes = self._shapes(template, node, op, node, out.value) or self._result(node, node, out.value)
                lines.append(Line(f"{self.names.of[out]} = {right}{mark}", shapes, self._amount(out.value)))
        return lines

    @staticmethod
    def names_value(node: GraphNode, position: int) -> Any:
        """The array that an input holds."""
        parent = node.node.parents[position]
        return parent.value if type(parent) is Node else parent

    @staticmethod
    def _fits(template: str, letters: dict[str, str]) -> bool:
        """Whether every letter of a template stands for something here."""
        words = re.sub(r"\\[A-Za-z]+(\{[^}]*\})?" if r"\operatorname" in template else r"\\[A-Za-z]+", "", template)
        return bool(template) and all(letter in letters for letter in re.findall("[A-Z]", words))

    def _call(self, node: GraphNode, op: Op[..., Any]) -> str:
        """An op as a function of its inputs, with an axis where it has one."""
        inputs = [self.names.name(node, i) for i, x in enumerate(node.inputs) if isinstance(x, GraphNode) or drawn(x)]
        axis = (node.node.params or {}).get("axis")
        if op.name in ("sum", "mean"):
            word = rf"_{{\mathrm{{{self.words['axis']}\ }}{axis}}}" if isinstance(axis, int) else ""
            count = rf"\frac{{1}}{{{self._count(node, op)}}} " if op.name == "mean" else ""
            return rf"{count}\sum{word} {inputs[0]}"
        if isinstance(axis, int) and op.name != "softmax":
            inputs.append(rf"\mathrm{{{self.words['axis']}\ }}{axis}")
        return rf"\operatorname{{{escaped(op.name)}}}({', '.join(inputs)})"

    # --- backward -------------------------------------------------------------------------------------------------

    def backward(self) -> list[Step]:
        """Each node's step, from the result to the leaves."""
        steps: list[Step] = []
        for node in reversed(self.graph.nodes):
            op = node.node.op
            edges = [e for e in self._edges(node) if self._flows(e)]
            if op is None or not edges:
                continue
            title = TITLES[op.name][self.second] if op.name in TITLES else self._say("other", op)
            words = SENTENCES[op.name][self.second] if op.name in SENTENCES else self._say("generic", op)
            chain = [] if self._is_root(node) or not any(op.formula(e.position) for e in edges) else [
                f"{self._left(e)} = {self._upstream(node)} {self._local(node, e)}" for e in edges]
            steps.append(Step(node.id, title, words, tuple(chain), tuple(self._line(node, op, e) for e in edges),
                              node.location))
            steps += [self._branch(edge.source, value) for value, edge in {e.node: e for e in edges}.items()
                      if len(self.uses[value]) > 1 and self.uses[value][-1].target is node]
        return steps

    def _say(self, what: str, op: Op[..., Any]) -> str:
        return self.words[what].format(op=op.name)

    def _edges(self, node: GraphNode) -> list[Edge]:
        return [Edge(source, node, position, parent) for position, (source, parent)
                in enumerate(zip(node.inputs, node.node.parents, strict=True)) if isinstance(source, GraphNode)]

    def _is_root(self, node: GraphNode) -> bool:
        return self.root in (node.node, *node.outputs)

    def _upstream(self, node: GraphNode) -> str:
        return self.derivative(self.names.of[node.outputs[0]])

    def _local(self, node: GraphNode, edge: Edge) -> str:
        return rf"\frac{{\partial {self.names.of[node.outputs[0]]}}}{{\partial {self.names.of[edge.node]}}}"

    def _left(self, edge: Edge) -> str:
        """The left side of an edge's equation: the derivative, or this use's part of it."""
        whole = self.derivative(self.names.of[edge.node])
        if len(self.uses[edge.node]) == 1:
            return whole
        return rf"\left({whole}\right)_{{{self.part[edge.target.id, edge.position]}}}"

    def _line(self, node: GraphNode, op: Op[..., Any], edge: Edge) -> Line:
        tex = op.formula(edge.position)
        upstream = self._upstream(node)
        value = edge.node.value
        if not tex:
            right = f"{upstream} {self._local(node, edge)}"
            shapes = ""
        else:
            template = self._over_numbers(self._with_count(tex, node, op), node)
            letters = self._letters(node, op)
            parts = template.replace(UPSTREAM_OF_A_LOSS, UPSTREAM).split(UPSTREAM)
            right = upstream.join(substituted(part, letters) for part in parts)
            if len(parts) == 1 and r"\partial Y_" not in template and not self._is_root(node):
                right = rf"{upstream} \cdot {right}"
            right, summed = self._over_axes(right, tex, edge)
            shapes = "" if summed else self._shapes(template, node, op, edge.source, value)
            if right == upstream and self._is_root(node):
                right += " = 1"
        given = self.cotangents.edges.get((node.id, edge.position))
        return Line(f"{self._left(edge)} = {right}", shapes or self._result(node, edge.source, value),
                    self._amount(given))

    def _branch(self, source: GraphNode, value: Node) -> Step:
        """A value that is used more than once: its parts added up."""
        name, uses = self.names.of[value], self.uses[value]
        parts = " + ".join(self._left(edge) for edge in uses)
        found = self.cotangents.nodes[source.id]
        g = found[value.params["index"]] if isinstance(found, tuple) and value.params else found
        sentence = self.words["sum"].format(x=plain(parse(name)), k=len(uses))
        line = Line(f"{self.derivative(name)} = {parts}", self._result(source, source, value.value), self._amount(g))
        return Step(source.id, ("Branch", "分岐ノード")[self.second], sentence, (), (line,), None)

    def _over_axes(self, right: str, tex: str, edge: Edge) -> tuple[str, bool]:
        """A formula summed over the axes that a broadcast stretched this input along."""
        op = edge.target.node.op
        shape, wide = np.shape(edge.node.value), np.shape(edge.target.outputs[0].value)
        elementwise = op is not None and any(isinstance(f, np.ufunc) and f.signature is None for f in op.numpy)
        if not elementwise or r"\sum" in tex or shape == wide:
            return right, False
        extra = len(wide) - len(shape)
        axes = [*range(extra), *(extra + i for i, n in enumerate(shape) if n == 1 and wide[extra + i] != 1)]
        if not axes:
            return right, False
        over = ", ".join("N" if axis == 0 and self.names.has_rows(edge.target) else
                         rf"\mathrm{{{self.words['axis']}\ }}{axis}" for axis in axes)
        whole = right.startswith(r"\frac{\partial") and right.count(r"\frac") == 1 and r"\odot" not in right
        return rf"\sum_{{{over}}} " + (right if whole else rf"\left({right}\right)"), True

    # --- letters and shapes ---------------------------------------------------------------------------------------

    def _letters(self, node: GraphNode, op: Op[..., Any]) -> dict[str, str]:
        """What the letters of the op's card stand for here."""
        letters = {letter: self.names.name(node, i) for i, letter in enumerate(op.letters[:len(node.inputs)]) if letter}
        letters.setdefault("Y", self.names.hidden.get(node.id) or self.names.of[node.outputs[0]])
        if op.outputs:
            letters |= {f"Y_{out.params['index']}": self.names.of[out] for out in node.outputs if out.params}
        letters["L"] = self.result
        letters.setdefault("N", self._count(node, op))
        return letters

    def _count(self, node: GraphNode, op: Op[..., Any]) -> str:
        """The N of a formula: what a mean or a variance divides by, or the number of rows."""
        x = self.names_value(node, 0)
        shape = np.shape(x)
        rows = self.names.has_rows(node.inputs[0])
        if "keepdims" in op.params:
            count = np.size(x) // max(np.size(node.outputs[0].value), 1) - (node.node.params or {}).get("ddof", 0)
            return "N" if rows and count == self.names.n else str(count)
        return "N" if rows else str(shape[0]) if len(shape) == 2 else "1"

    def _with_count(self, tex: str, node: GraphNode, op: Op[..., Any]) -> str:
        """A card's formula without a division by one and without a sum over rows where there are none."""
        shape = np.shape(self.names_value(node, 0))
        if self._count(node, op) == "1" and "keepdims" not in op.params:
            tex = tex.replace(r"\frac{1}{N} ", "")
        if r"\sum_N" in tex:
            tex = tex.replace(r"\sum_N", r"\sum_{N}" if self.names.has_rows(node) else r"\sum_{n}")
            if len(shape) < 2:
                tex = re.sub(r"\\sum_\{[Nn]\} ", "", tex)
        return tex

    def _over_numbers(self, tex: str, node: GraphNode) -> str:
        """A formula without an elementwise product where one of the factors is a single number."""
        numbers = any(not np.shape(self.names_value(node, i)) for i in range(min(len(node.inputs), 2)))
        return tex.replace(r"\odot", r"\cdot") if numbers else tex

    def _result(self, node: GraphNode, x: Any, value: Any) -> str:
        """The shape of a result alone; nothing for a single number."""
        return self.names.shape(x, value) if np.shape(value) else ""

    def _shapes(self, template: str, node: GraphNode, op: Op[..., Any], result: Any, value: Any) -> str:
        """A product's or a sum's shapes, (784, 50) = (784, N) · (N, 50); empty where there is nothing to fit."""
        known: dict[str, tuple[Any, Any]] = {"§": (node, node.outputs[0].value)}
        for i, letter in enumerate(op.letters[:len(node.inputs)]):
            known[letter] = (node.inputs[i], self.names_value(node, i))
        known.setdefault("Y", known["§"])
        text = _GATE.sub(r"\1", template.replace(UPSTREAM, "§"))
        made, arrays = [], 0
        for token in re.findall(r"\\sum_\{[Nn]\}|\^\\top|\\[A-Za-z]+|[^\s]", text):
            if token in known and np.shape(known[token][1]):
                made.append(self.names.shape(*known[token]))
                arrays += 1
            elif token == r"^\top" and made:
                made[-1] = _turned(made[-1])
            elif token in (r"\cdot", r"\odot", "+") or token.startswith(r"\sum_"):
                made.append(token)
            elif token != "-" or made:
                return ""
        if not np.shape(value) or not arrays or (arrays == 1 and len(made) == 1):
            return ""
        return f"{self.names.shape(result, value)} = {' '.join(made)}"


def _turned(shape: str) -> str:
    """The shape of a transposed matrix."""
    return f"({', '.join(reversed(shape.strip('(),').split(', ')))})"
