"""What every error message is made of: how to name a value, and the line of the user's code that it is about."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from types import CodeType
from typing import Any

import numpy as np

_NUMPY = os.path.dirname(np.__file__)  # os.path, since pathlib takes 4 ms to import
INSIDE = (os.path.dirname(os.path.dirname(__file__)), _NUMPY, os.path.join(os.path.dirname(_NUMPY), "scipy"),
          "<frozen ")
"""Where code lies that is not the user's: this package, those whose functions call it back, Python's own start."""


def broadcast_clash(left: Any, right: Any) -> str:
    """Why two shapes do not broadcast, or the empty string if they do.

    >>> broadcast_clash((2, 3), (4,))
    'axis -1 has 3 and 4'
    """
    for axis in range(1, min(len(left), len(right)) + 1):
        a, b = left[-axis], right[-axis]
        if a != b and 1 not in (a, b):
            return f"axis -{axis} has {a} and {b}"
    return ""


def plainly(error: Exception, values: tuple[Any, ...], keywords: dict[str, Any]) -> str:
    """What NumPy raised for these values and keywords, in words that do not speak of its inner parts.

    >>> import numpy as np
    >>> plainly(np.exceptions.AxisError(2, 2), (np.ones((3, 4)),), {"axis": 2})
    'axis 2 is out of bounds: axes go from -2 to 1'
    """
    text = str(error).partition("\n")[0].strip() or repr(error)
    axis, ndim = getattr(error, "axis", None), getattr(error, "ndim", None)
    if isinstance(error, IndexError) and axis is None and isinstance(keywords.get("axis"), int) and values:
        axis, ndim = keywords["axis"], len(getattr(values[0], "shape", ()))
    if axis is not None and ndim is not None and not -ndim <= axis < ndim:
        argument = f"{text.partition(':')[0]}: " if ": axis " in text else ""
        return f"{argument}axis {axis} is out of bounds: " + (
            f"axes go from {-ndim} to {ndim - 1}" if ndim else "a 0-d array has none")
    if isinstance(error, TypeError) and ("not supported for the input types" in text or " loop " in text):
        kinds = [str(getattr(v, "dtype", type(v).__name__)) for v in values]
        numbers = all(re.match("bool|u?int|float|complex", kind) for kind in kinds)
        return f"it is not defined for {'these arguments' if numbers else ' and '.join(kinds)}"
    if "broadcast together" in text:
        shapes = [tuple(map(int, filter(None, found.split(",")))) for found in re.findall(r"\(([\d,]*)\)", text)]
        clashes = (broadcast_clash(a, b) for i, a in enumerate(shapes) for b in shapes[:i])
        text = next((f"the shapes do not broadcast: {clash}" for clash in clashes if clash), text)
    return text.removesuffix(".")


def describe(x: Any) -> str:
    """A value in an error message: an array by dtype and shape, a list of arrays by theirs, a number as it is.

    >>> import numpy as np
    >>> describe(np.zeros((2, 3), np.float32)), describe(2)
    ('float32 (2, 3)', '2')
    """
    if getattr(x, "shape", ()) != () and not isinstance(x, type):
        return f"{x.dtype} {x.shape}"
    if isinstance(x, list | tuple) and any(hasattr(item, "shape") for item in x):
        return f"[{', '.join(map(describe, x))}]"
    return repr(x.node.value if hasattr(x, "node") else x)


def user_frames() -> Iterator[Any]:
    """The frames of the stack that are not tinygraph's own, innermost first."""
    frame = sys._getframe(1)
    while frame is not None:
        if not frame.f_code.co_filename.startswith(INSIDE):
            yield frame
        frame = frame.f_back  # type: ignore[assignment]


def here() -> str:
    """`` (train.py:12)``, the innermost line that is not tinygraph's own; empty where there is none."""
    for frame in user_frames():
        return f" ({os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno})"
    return ""


def line_of(code: CodeType, instruction: int) -> int | None:
    """The line of a code object that holds the instruction at this byte offset."""
    for start, end, line in code.co_lines():
        if start <= instruction < end:
            return line
    return None
