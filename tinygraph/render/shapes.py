"""Shapes as a picture writes them, and formulas in shapes: (4, 2) = (4, 3)·(3, 2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygraph.analysis import Edge
from tinygraph.core.node import Node

ARRIVING = r"\frac{\partial L}{\partial Y}"
"""The derivative that comes back to an op, as its card writes it."""

_FACTOR = re.compile(rf"(?:{re.escape(ARRIVING)}|([A-Z]))(\^\\top)?")

Sizes = Mapping[int, str]
"""What to write for a length."""


def written(shape: tuple[int, ...], sizes: Sizes) -> str:
    """A shape, with letters for those of its lengths that have one.

    >>> written((4, 3), {4: "N"}), written((3,), {})
    ('(N, 3)', '(3,)')
    """
    return f"({', '.join(sizes.get(n, str(n)) for n in shape)}{',' * (len(shape) == 1)})"


def on_card(edge: Edge) -> str:
    """The formula on the op's card of what comes back along an edge, or ""."""
    op = edge.target.node.op
    return op.formula(edge.position) if op is not None else ""


def returning(edge: Edge, axes: tuple[int, ...], sizes: Sizes) -> str:
    """The shape of what comes back along an edge, with those that it is a product or a sum of where the card says so.

    axes: of the op's output that it is summed over
    """
    op, whole, tex = edge.target.node.op, written(np.shape(edge.node.value), sizes), on_card(edge)
    came = tuple(edge.target.node.value.shape) if op is not None and not op.outputs else ()
    if axes and tex.endswith(ARRIVING):
        over = ", ".join(sizes.get(came[axis], f"axis {axis}") for axis in axes)
        return f"{whole} = Σ over {over} of {written(came, sizes)}"
    factors = [_factor(edge, factor.strip(), came) for factor in tex.split(r"\cdot")]
    if len(factors) != 2 or _product(*factors) != np.shape(edge.node.value):
        return whole
    return f"{whole} = {'·'.join(written(factor, sizes) for factor in factors)}"


def _product(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape of a matrix product, or None where these do not fit."""
    if len(b) < 2 or not a or a[-1] != b[-2]:
        return None
    try:
        return (*np.broadcast_shapes(a[:-2], b[:-2]), *a[-2:-1], b[-1])
    except ValueError:
        return None


def _factor(edge: Edge, tex: str, came: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of one factor of a product; () where it is more than an input or the arriving derivative.

    A vector that is transposed is a column, and the one that comes back to it a row.
    """
    match, op = _FACTOR.fullmatch(tex), edge.target.node.op
    if match is None or op is None:
        return ()
    shape = came
    if match[1]:
        if match[1] not in op.letters:
            return ()
        value: Any = edge.target.node.parents[op.letters.index(match[1])]
        shape = tuple(np.shape(value.value if type(value) is Node else value))
    if not match[2]:
        return (1, *shape) if len(shape) == 1 and len(np.shape(edge.node.value)) == 2 else shape
    return (*shape[:-2], *shape[:-3:-1]) if len(shape) > 1 else (*shape, 1)
