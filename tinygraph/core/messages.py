"""What every error message is made of: how to name a value, and the line of the user's code that it is about."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from types import CodeType
from typing import Any

PACKAGE = os.path.dirname(os.path.dirname(__file__))  # os.path, since pathlib takes 4 ms to import


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
    return repr(x)


def user_frames() -> Iterator[Any]:
    """The frames of the stack that are not tinygraph's own, innermost first."""
    frame = sys._getframe(1)
    while frame is not None:
        if not frame.f_code.co_filename.startswith(PACKAGE):
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
