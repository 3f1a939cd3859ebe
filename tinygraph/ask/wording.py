"""How the answers of this floor name a node, a place in an array, a range of values, a way through the graph."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygraph.analysis import one_line
from tinygraph.core.arguments import Array, Handle
from tinygraph.core.node import Node
from tinygraph.core.op import pick

STEPS = 9
"""A longer way is shown by its two ends."""


def place(node: Node) -> str:
    """The file and line that made a node, or the empty string."""
    location = node.location
    return f"{os.path.basename(location[0])}:{location[1]}" if location else ""


def called(node: Node) -> str:
    """A node in a sentence: by its name, else by what made it and where.

    >>> import tinygraph as tg
    >>> called(tg.tensor([1.0], name="w").node), called(tg.tensor([1.0]).node)
    ("'w'", 'a leaf float64 (1,)')
    """
    node = node.parents[0] if node.op is pick and node.parents else node
    if node.name is not None:
        return repr(one_line(node.name))
    if node.op is None:
        return f"a leaf {node.value.dtype} {node.value.shape}"
    return f"the result of {step(node)}"


def step(node: Node) -> str:
    """A node on a way through the graph: its op and the line that made it, or its name.

    >>> import tinygraph as tg
    >>> step((tg.tensor([1.0], requires_grad=True) * 2).node)  # doctest: +ELLIPSIS
    'multiply (...:1)'
    """
    name = repr(one_line(node.name)) if node.name is not None else ""
    if node.op is None:
        return name or f"a leaf {node.value.dtype} {node.value.shape}"
    at = place(node)
    return " ".join(part for part in (one_line(node.op.name), name, f"({at})" if at else "") if part)


def way(nodes: Sequence[Node], arrow: str = " → ") -> str:
    """A way through the graph in one line; the middle of a long one is counted and not shown."""
    shown = [node for node in nodes if node.op is not pick]
    if len(shown) <= STEPS:
        return arrow.join(map(step, shown))
    head, tail = shown[:STEPS // 2], shown[-(STEPS // 2):]
    between = f"... {len(shown) - len(head) - len(tail):,} more ..."
    return arrow.join([*map(step, head), between, *map(step, tail)])


def at(index: Sequence[int]) -> str:
    """An index as Python writes it, or nothing for the one element of a 0-d array.

    >>> at((0, 2)), at(())
    (' at [0, 2]', '')
    """
    return f" at [{', '.join(str(int(i)) for i in index)}]" if len(index) else ""


def bare(x: Any) -> Any:
    """The array behind a Tensor, or what was given."""
    return x.node.value if isinstance(x, Handle) else x


def span(x: Any) -> str:
    """What an input holds, in a few words: dtype, shape, range; a number as it is.

    >>> span(np.array([3.0, -1.0, np.nan])), span(2.0)
    ('float64 (3,), from -1 to 3, 1 NaN', '2.0')
    """
    x = bare(x)
    if not isinstance(x, np.ndarray | np.generic):
        return repr(x) if not hasattr(x, "shape") else f"{x.dtype} {x.shape}"
    text = f"{x.dtype} {x.shape}"
    if not x.size:
        return text
    if x.dtype.kind == "c":
        return f"{text}, of size up to {np.max(np.absolute(x)):.6g}{_strange(x)}"
    if x.dtype.kind not in "fiub":
        return text
    if x.ndim == 0 or x.size == 1:
        return f"{text}, {x.reshape(-1)[0]:.6g}" if x.ndim else f"{x.dtype}, {x:.6g}"
    numbers = np.asarray(x)[np.isfinite(x)]
    if not numbers.size:
        return f"{text}, all {_strange(x)[2:]}"
    low, high = np.min(numbers), np.max(numbers)
    within = f"all {low:.6g}" if low == high else f"from {low:.6g} to {high:.6g}"
    return f"{text}, {within}{_strange(x)}"


def _strange(x: Array) -> str:
    """How many elements are no number or infinite."""
    nan, infinite = int(np.count_nonzero(np.isnan(x))), int(np.count_nonzero(np.isinf(x)))
    return (f", {nan:,} NaN" if nan else "") + (f", {infinite:,} infinite" if infinite else "")


def strange_at(x: Array) -> str:
    """Where an array is not finite.

    >>> strange_at(np.array([1.0, np.nan, -np.inf, np.nan]))
    'NaN at [1], in 2 of 4 elements'
    """
    is_nan = np.isnan(x)
    kind, mask = ("NaN", is_nan) if np.any(is_nan) else ("infinity", np.isinf(x))
    index = np.argwhere(mask)[0]
    many = f", in {int(np.count_nonzero(mask)):,} of {count(int(np.size(x)), 'element')}" if np.size(x) > 1 else ""
    return f"{kind}{at(index)}{many}"


def inputs(node: Node) -> list[str]:
    """A line for each input of an op: its position, what it holds, what it is called."""
    lines = []
    for position, parent in enumerate(node.parents):
        if type(parent) is Node:
            lines.append(f"argument {position}: {span(parent.value)}: {called(parent)}")
        elif isinstance(parent, np.ndarray | np.generic | int | float | complex) and not isinstance(parent, bool):
            lines.append(f"argument {position}: {span(parent)}")
    return lines


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    r"""The lines of a table with columns as wide as they need to be; those of ``right`` stand to the right.

    >>> print(*table(["op", "n"], [["add", "5"], ["mul", "10"]], right=[1]), sep="\n")
    op    n
    add   5
    mul  10
    """
    cells = [list(head), *map(list, rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    return ["  ".join(cell.rjust(w) if i in right else cell.ljust(w)
                      for i, (cell, w) in enumerate(zip(row, widths, strict=True))).rstrip() for row in cells]


def count(n: int, thing: str) -> str:
    """A number of things.

    >>> count(1, "node"), count(2000, "node")
    ('1 node', '2,000 nodes')
    """
    return f"{n:,} {thing}{'s' * (n != 1)}"


def plain(x: Any) -> Any:
    """A number of NumPy's as Python's own, for data that is written to a file.

    >>> plain(np.float32(0.5)), plain(np.int64(3))
    (0.5, 3)
    """
    if isinstance(x, np.longdouble):  # its item() is itself
        return float(x)
    x = x.item() if isinstance(x, np.generic) else x
    return [x.real, x.imag] if isinstance(x, complex) else x


def where_made(node: Node) -> dict[str, Any]:
    """Op, name, file and line of a node, as plain data."""
    node = node.parents[0] if node.op is pick and node.parents else node
    location = node.location
    return {"op": node.op.name if node.op else None, "name": node.name, "file": location[0] if location else None,
            "line": location[1] if location else None}
