"""Places: the line of the user's code that a call or an error of the recorder comes from."""

from __future__ import annotations

import sys
from typing import Any

from tinygraph.core.messages import INSIDE


def why() -> str:
    """The op or optimiser that is at work and the line of the user's code, as a comment of the program says them."""
    frame: Any = sys._getframe(1)
    op = node = None
    while frame is not None and frame.f_code.co_filename.startswith(INSIDE):
        names = frame.f_locals
        if frame.f_code.co_name == "cotangents" and "node" in names:
            node = names["node"]
            break
        if op is None and "op" in names and hasattr(names["op"], "rules"):
            op = names["op"].name
        if frame.f_code.co_name == "step" and hasattr(names.get("self"), "slots"):
            op = f"step of {type(names['self']).__name__}"
        frame = frame.f_back
    if node is not None and node.op is not None:
        place = node.location
        line = f", {place[0].rsplit('/', 1)[-1]}:{place[1]}" if place else ""
        return f"backward of {node.op.name}{line}"
    if frame is None:
        return op or ""
    line = f"{frame.f_code.co_filename.rsplit('/', 1)[-1]}:{frame.f_lineno}"
    return f"{op}, {line}" if op else line
