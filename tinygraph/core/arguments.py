"""What an op is given: arrays, tensors, and containers of them.

An array that sits inside a container (a list of arrays, an index) becomes an input of its own, and a `Slot` keeps its
place.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np

Array: TypeAlias = Any
"""Anything that speaks the NumPy protocols: an ndarray, a Tensor, a number, a CuPy or a Dask array."""


class Handle:
    """What a user holds: a name for a node. Tensor is the one kind; ops know it only by this face."""

    __slots__ = ("node",)
    node: Any

    def apply(self, op: Any, inputs: tuple[Any, ...], params: dict[str, Any] | None) -> Any:
        """Run ``op`` and record it where a gradient may flow; `tinygraph.core.node` does the work."""
        raise NotImplementedError  # pragma: no cover - every handle has its own


class Slot(NamedTuple):
    """The place, inside a param, of the array that is the node's input number ``position``."""

    position: int


def is_array(x: Any) -> bool:
    """Tell whether ``x`` is an array or a Tensor, as opposed to a number, a slice or a name."""
    return isinstance(x, np.ndarray | Handle) or (hasattr(x, "__array_function__") and hasattr(x, "shape"))


def take_out(value: Any, found: list[Any], offset: int) -> Any:
    """Nested containers with a Slot in the place of each array; the arrays go to ``found``."""
    if type(value) is list or type(value) is tuple:
        return type(value)(take_out(item, found, offset) for item in value)
    if is_array(value) or isinstance(value, np.generic):  # what a 0-d tensor holds
        found.append(value)
        return Slot(offset + len(found) - 1)
    return value


def put_back(value: Any, values: tuple[Any, ...]) -> Any:
    """Nested containers with the arrays in the places of their Slots."""
    if type(value) is Slot:
        return values[value.position]
    if type(value) is list or type(value) is tuple:
        return type(value)(put_back(item, values) for item in value)
    return value
