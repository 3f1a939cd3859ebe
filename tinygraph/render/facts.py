"""What a story is made of as plain data for JSON: formulas in pieces, arrays in numbers, places in the user's code."""

from __future__ import annotations

import linecache
import math
import os
from typing import Any

import numpy as np

from tinygraph.analysis import MISSING, GraphNode, Outline, one_line
from tinygraph.core.arguments import Array
from tinygraph.render.formula import Formula, Fraction, Run
from tinygraph.render.metrics import typeset
from tinygraph.render.text import PRINTED, Text, printed

WHOLE = 64
"""An array of more elements is summed up."""


def in_pieces(formula: Formula) -> list[Any]:
    """A formula as the page reads it: runs as [text, style], fractions as {over, under}."""
    pieces: list[Any] = []
    for piece in formula:
        if isinstance(piece, Fraction):
            pieces.append({"over": in_pieces(piece.above), "under": in_pieces(piece.below)})
        else:
            pieces.append([typeset(piece.text), "i" * piece.italic + "b" * piece.bold])
    return pieces


def in_line(value: Any) -> Text | None:
    """A value of few elements written out in one line; None for a larger one."""
    lines = printed(value) if np.size(value) <= PRINTED else []
    if not lines:
        return None
    line = f"({', '.join(lines)})" if len(lines) > 1 else lines[0]
    return Text((Run(line),), whole=not line.startswith("-"))


def made(node: GraphNode) -> dict[str, Any] | None:
    """Where the node was made: the file without its folders, the line, the function, and the code on that line."""
    if node.location is None:
        return None
    path, line, function = node.location
    return {"file": one_line(os.path.basename(path), 60), "line": line, "function": one_line(function, 60),
            "code": one_line(linecache.getline(path, line), 200)}


def array(value: Any) -> dict[str, Any] | None:
    """An array with all of its elements where it is small, and otherwise with what they come to.

    Numbers keep their full precision. What JSON cannot write (NaN, infinities, complex numbers) is text.

    >>> array(np.array([1.0, np.nan]))
    {'shape': [2], 'dtype': 'float64', 'data': [1.0, 'NaN']}
    """
    if value is None or value is MISSING:
        return None
    if not hasattr(value, "dtype"):
        value = np.asarray(value)
    told: dict[str, Any] = {"shape": list(value.shape), "dtype": str(value.dtype)}
    size = math.prod(value.shape)
    if isinstance(value, Outline):
        return {**told, "size": size, "lines": list(value.lines)}
    if size > WHOLE:
        return {**told, "size": size, **_summary(value, size)}
    try:
        return {**told, "data": [_json(x) for x in np.reshape(value, (-1,)).tolist()]}
    except (AttributeError, NotImplementedError):  # a foreign array that does not hand its numbers out
        return {**told, "size": size}


def _summary(value: Array, size: int) -> dict[str, Any]:
    if value.dtype.kind not in "biuf":
        return {}
    finite = np.isfinite(value)
    fit, missing = int(np.sum(finite)), int(np.sum(np.isnan(value)))
    told: dict[str, Any] = {"zeros": size - int(np.count_nonzero(value)), "nan": missing, "inf": size - fit - missing}
    if fit:
        kept = value if fit == size else value[finite]
        with np.errstate(all="ignore"):  # a mean may overflow where no element does
            least, most, mean = np.min(kept).item(), np.max(kept).item(), float(np.mean(kept))
        if kept.dtype.kind == "f" and abs(mean) < np.finfo(kept.dtype).eps * max(abs(least), abs(most)):
            mean = 0.0  # what is left is rounding, as in the figure
        told |= {"least": _json(least), "most": _json(most), "mean": _json(mean)}
    return told


def _json(x: Any) -> Any:
    if isinstance(x, float) and not math.isfinite(x):
        return "NaN" if math.isnan(x) else "Infinity" if x > 0 else "-Infinity"
    return x if isinstance(x, int | float) and not isinstance(x, bool) else str(x)
