"""What a graph is made of: nodes with their shapes and costs, edges, cotangents, outlines of arrays not there."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from tinygraph.analysis.text import one_line
from tinygraph.core.arguments import Array
from tinygraph.core.node import Node


class Outline:
    """What is known of an array that is not there: its shape, its dtype, and how a picture prints it.

    A graph that was read from a file holds them, and the op that failed, in an error's ``graph``.

    >>> Outline((2, 3), "float32", ("all 0",)).nbytes
    24
    """

    __slots__ = ("dtype", "lines", "nbytes", "shape")

    def __init__(self, shape: tuple[int, ...], dtype: str, lines: tuple[str, ...], nbytes: int | None = None) -> None:
        self.shape, self.lines = shape, lines
        self.dtype = np.dtype(dtype)
        self.nbytes = self.size * self.dtype.itemsize if nbytes is None else nbytes

    def __repr__(self) -> str:
        return f"<outline of {self.dtype} {self.shape}: {', '.join(self.lines)}>"

    def __format__(self, form: str) -> str:
        return ", ".join(self.lines)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)


MISSING = Outline((), "float64", (), 0)
"""The value of an op that raised."""


class GraphNode:
    """One value of a `Graph`, or all outputs of one op: what made it, its shape, its costs.

    Attributes:
        id: The place in the order of creation, from 0.
        node: The engine's node.
        inputs: The op's inputs in order: a GraphNode, or the bare constant that stood there.
        outputs: The engine's nodes that hold its values: its own, or one for each output that the graph uses.
        level: The longest distance from a leaf; 0 for a leaf.
    """

    __slots__ = ("id", "inputs", "level", "node", "outputs")

    def __init__(self, id: int, node: Node) -> None:
        self.id, self.node, self.level = id, node, 0
        self.inputs: tuple[Any, ...] = ()
        self.outputs: tuple[Node, ...] = (node,)

    def __repr__(self) -> str:
        return f"<{self.op or 'leaf'} #{self.id}{f' {one_line(self.name)!r}' if self.name else ''} {self.shape}>"

    @property
    def op(self) -> str | None:
        """The op's name; None for a leaf."""
        return self.node.op.name if self.node.op else None

    @property
    def symbol(self) -> str | None:
        """What the diagram's circle shows; None for a leaf."""
        return self.node.op.symbol if self.node.op else None

    @property
    def name(self) -> str | None:
        """What the user called it; the names of several outputs are joined."""
        return ", ".join(node.name for node in self.outputs if node.name is not None) or None

    @property
    def value(self) -> Array:
        """The array; a tuple of them where the op shows several outputs."""
        arrays = self._arrays()
        return arrays if len(arrays) > 1 else arrays[0]

    @property
    def shape(self) -> Any:
        """The value's shape; a tuple of shapes where the op shows several outputs."""
        return each(tuple(tuple(a.shape) for a in self._arrays()))

    @property
    def dtype(self) -> Any:
        """The value's dtype; a tuple of them where the op shows several outputs."""
        return each(tuple(a.dtype for a in self._arrays()))

    @property
    def bytes(self) -> int:
        """What the value takes up (bytes), an op's hidden outputs among it; a view counts in full."""
        value = self.node.value
        return sum(int(a.nbytes) for a in value) if isinstance(value, tuple) else int(value.nbytes)

    @property
    def flops(self) -> int:
        """Floating-point operations of the forward, by the op's card; 0 where it counts none, and for a leaf."""
        op = self.node.op
        if op is None or op.flops is None or not self.node.parents or self._arrays()[0] is MISSING:
            return 0
        values = tuple(p.value if type(p) is Node else p for p in self.node.parents)
        params = op.filled(self.node.params, values) if self.node.params is not None else {}
        return int(op.flops(self.node.value, *values, **params))

    @property
    def grad(self) -> Array | None:
        """What backward left here, or None."""
        return next((node.grad for node in self.outputs if node.grad is not None), None)

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient may flow here."""
        return self.node.requires_grad

    @property
    def location(self) -> tuple[str, int, str] | None:
        """File, line and function that made it, or None where that is not known."""
        return self.node.location

    @property
    def scope(self) -> tuple[str, ...]:
        """The names of the scopes that it was made in, outermost first, each with the number of its use."""
        return self.node.scope

    def _arrays(self) -> tuple[Array, ...]:
        """The outputs that a caller of the op sees."""
        op, value = self.node.op, self.node.value
        return value[:op.outputs - op.hidden] if op is not None and op.outputs else (value,)


class Edge(NamedTuple):
    """One use of a value: ``source`` is argument number ``position`` of ``target``; ``node`` holds the value."""

    source: GraphNode
    target: GraphNode
    position: int
    node: Node


class Cotangents(NamedTuple):
    """The derivative of one root in everything it was computed from. The arrays may be shared: read them only.

    Attributes:
        nodes: By id: the node's whole cotangent; a tuple where its op shows several outputs, with None for one that
            nothing was computed from.
        edges: By (id of the target, argument position): what this one use adds to the cotangent of its source.
    """

    nodes: dict[int, Array]
    edges: dict[tuple[int, int], Array]


def drawn(constant: Any) -> bool:
    """Tell whether an input that is no node is worth showing: a number or an array, and not an unused option.

    >>> drawn(2.0), drawn(None), drawn(True)
    (True, False, False)
    """
    is_number = isinstance(constant, int | float | complex) and not isinstance(constant, bool)
    return is_number or hasattr(constant, "shape")


def each(facts: tuple[Any, ...]) -> Any:
    """Facts about the outputs of one op: bare where there is one."""
    return facts if len(facts) > 1 else facts[0]
