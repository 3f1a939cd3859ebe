"""What the values of a graph are called in a derivation, and how their shapes are written, N for the samples."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from tinygraph.analysis import Graph, GraphNode, one_line
from tinygraph.ask.derive.lecture import HIDDEN
from tinygraph.ask.derive.tex import escaped
from tinygraph.core.node import Node

_INDEXED = re.compile(r"([^\W\d_])_?(\d{1,3})")
SMALL = 12
"""An array of more elements than this is summed up."""

COLUMNS = 10
"""amsmath sets no wider matrix, unless it is told to."""


class Names:
    """The names of all values of one graph.

    A weighted sum is A with a number, as in the lecture, an activation of it Z with the same number, anything else V.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.n = _samples(graph)
        self.rows: set[int] = set()
        self.of: dict[Node, str] = {}
        self.constants: dict[Any, str] = {}
        self.hidden: dict[int, str] = {}
        self.taken: dict[str, int] = {}
        for node in graph:
            for out in node.outputs:
                if out.name:
                    self.of[out] = self._free(named(out.name))
        root = graph.roots[0]
        self.of.setdefault(root, self._free("L"))
        sums = _sums(graph)
        for node in graph:
            self._see(node, sums)

    def _free(self, tex: str) -> str:
        """A name that nothing else has yet: itself, or with the next number."""
        letter = tex
        while tex in self.taken:
            self.taken[letter] += 1
            k = self.taken[letter]
            tex = f"{letter}_{{{k}}}" if "_" not in letter else f"{letter}^{{({k})}}"
        self.taken[tex] = 1
        return tex

    def _see(self, node: GraphNode, sums: dict[int, str]) -> None:
        op = node.node.op
        if self.n and op is None and not node.requires_grad and np.shape(node.node.value)[:1] == (self.n,):
            self.rows.add(node.id)
        if op is None:
            return
        for position, (given, parent) in enumerate(zip(node.inputs, node.node.parents, strict=True)):
            argument = op.inputs[position] if position < len(op.inputs) else op.nested or "x"
            argument = "x" if argument == "input" else argument  # as the layers call it, after PyTorch
            if type(parent) is Node:
                if parent not in self.of:
                    self.of[parent] = self._free(named(argument[:1].upper() + argument[1:]))
            elif (np.shape(given) or argument == "t") and _key(node, position) not in self.constants:
                self.constants[_key(node, position)] = self._free(named(argument[:1].upper() + argument[1:]))
        if self.n and any(self.has_rows(i) for i in node.inputs) and any(
                np.shape(out.value)[:1] == (self.n,) for out in node.outputs):
            self.rows.add(node.id)
        for out in node.outputs:
            if out not in self.of:
                self.of[out] = self._free(sums[node.id])
        if op.name in HIDDEN:
            self.hidden[node.id] = self._free("Y")

    def has_rows(self, x: Any) -> bool:
        """Whether the first axis of a value counts the samples."""
        if isinstance(x, GraphNode):
            return x.id in self.rows
        return bool(self.n) and np.shape(x)[:1] == (self.n,)

    def name(self, node: GraphNode, position: int) -> str:
        """What the op's input is called: a name, or the number itself."""
        parent = node.node.parents[position]
        if type(parent) is Node:
            return self.of[parent]
        return self.constants.get(_key(node, position)) or number(parent)

    def shape(self, x: Any, value: Any) -> str:
        """A shape, such as (N, 50), of a node's or a constant's array."""
        sizes = [str(size) for size in np.shape(value)]
        if sizes and self.has_rows(x):
            sizes[0] = "N"
        return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def _key(node: GraphNode, position: int) -> Any:
    """What a constant is known by: an array by itself; one label, a number like any other, by its place."""
    constant = node.node.parents[position]
    return id(constant) if np.shape(constant) else (node.id, position)


def named(name: str) -> str:
    r"""A user's name in TeX: a letter, a letter with an index, or a word.

    >>> named("W1"), named("x"), named("hidden_1")
    ('W_{1}', 'x', '\\mathrm{hidden\\_1}')
    """
    line = one_line(name)
    if len(line) == 1 and line.isalpha():
        return line
    if (match := _INDEXED.fullmatch(line)) and match[2].isascii():
        return f"{match[1]}_{{{match[2]}}}"
    return rf"\mathrm{{{escaped(line)}}}"


def number(x: Any) -> str:
    r"""A number in TeX, in brackets where it is negative.

    >>> number(2.0), number(-1), number(1.5e-7)
    ('2', '(-1)', '1.5 \\times 10^{-7}')
    """
    if not isinstance(x, int | float | complex | np.number | np.bool_) and np.size(x) != 1:
        return r"\mathrm{" + escaped(one_line(str(x), 12)) + "}"
    item = np.asarray(x).reshape(()).item() if not isinstance(x, str | bytes | type(None)) else x
    if not isinstance(item, int | float) or isinstance(item, bool):
        return r"\mathrm{" + escaped(one_line(str(item), 16)) + "}"
    text = plain_number(float(item))
    return f"({text})" if text.startswith("-") else text


def plain_number(x: float) -> str:
    """Four digits of a number in TeX."""
    if not np.isfinite(x):
        return r"\mathrm{NaN}" if np.isnan(x) else r"\infty" if x > 0 else r"-\infty"
    mantissa, _, exponent = f"{x + 0.0:.4g}".partition("e")
    return rf"{mantissa} \times 10^{{{int(exponent)}}}" if exponent else mantissa


def amount(value: Any) -> str:
    """The numbers of this run: a small array in full, a large one by its least, its mean and its greatest."""
    if not hasattr(value, "dtype") or value.dtype.kind not in "biuf":
        return ""
    if np.size(value) == 1:
        return plain_number(float(np.reshape(value, ())))
    if 0 < np.size(value) <= SMALL and len(value.shape) <= 2 and value.shape[-1] <= COLUMNS:
        rows = np.reshape(value, (-1, value.shape[-1])).tolist()
        return (r"\begin{pmatrix}" + r" \\ ".join(" & ".join(plain_number(float(x)) for x in row) for row in rows)
                + r"\end{pmatrix}")
    if not np.size(value):
        return ""
    facts = (("min", np.min(value)), ("mean", np.mean(value)), ("max", np.max(value)))
    return r",\ ".join(rf"\mathrm{{{word}\ }}{plain_number(float(x))}" for word, x in facts)


def _samples(graph: Graph) -> int:
    """The length of the first axis of the data, where there is a matrix of it; else 0."""
    for node in graph:
        if node.op is None:
            data = [] if node.requires_grad else [node.node.value]
        else:
            data = [i for i in node.inputs if not isinstance(i, GraphNode)]
        for array in data:
            if len(np.shape(array)) >= 2:
                return int(np.shape(array)[0])
    return 0


def _sums(graph: Graph) -> dict[int, str]:
    """A letter, with a number where there are several, for each computed node: A, Z or V."""
    kinds: dict[int, tuple[str, int]] = {}
    count = {"A": 0, "V": 0}
    for node in graph:
        if node.op is None or graph.roots[0] in (node.node, *node.outputs):
            continue
        weighted = any(isinstance(i, GraphNode) and i.op is None and i.requires_grad for i in node.inputs)
        sources = [i for i in node.inputs if isinstance(i, GraphNode)]
        if weighted and len(node.inputs) > 1 and np.shape(node.outputs[0].value):
            count["A"] += 1
            kinds[node.id] = "A", count["A"]
        elif len(node.inputs) == len(sources) == 1 and sources[0].shape == node.shape and (
                kinds.get(sources[0].id, ("", 0))[0] == "A"):
            kinds[node.id] = "Z", kinds[sources[0].id][1]
        else:
            count["V"] += 1
            kinds[node.id] = "V", count["V"]
    return {id: f"{letter}_{{{k}}}" if count["A" if letter == "Z" else letter] > 1 else letter
            for id, (letter, k) in kinds.items()}
