"""Assignment: ``t += v`` and ``t[i] = v`` make a new node, and the handle stands for it from then on.

What was computed from the old node keeps it. On a leaf under no_grad they write into the array, as NumPy's do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygraph.core.arguments import Array, Handle
from tinygraph.core.context import GRAD_ENABLED
from tinygraph.core.errors import DTypeError, GradientError, ShapeError
from tinygraph.core.messages import here
from tinygraph.core.op import Op
from tinygraph.ops import constants, elementwise, index, linalg, sorting
from tinygraph.ops import shape as shapes


def in_place(op: Op[..., Any]) -> Callable[[Any, Any], Any]:
    """The special method of an operator that assigns, such as ``+=``."""
    def method(self: Any, other: Any) -> Any:
        return self._assign(op, other)
    return method


class Assignable(Handle):
    """A handle whose name may come to stand for another value."""

    __slots__ = ()

    if TYPE_CHECKING:
        @property
        def data(self) -> Array:
            """The array itself."""

    __iadd__ = in_place(elementwise.add)
    __isub__ = in_place(elementwise.subtract)
    __imul__ = in_place(elementwise.multiply)
    __itruediv__ = in_place(elementwise.divide)
    __ifloordiv__ = in_place(elementwise.floor_divide)
    __imod__ = in_place(elementwise.remainder)
    __ipow__ = in_place(elementwise.power)
    __imatmul__ = in_place(linalg.matmul)
    __iand__ = in_place(constants.bitwise_and)
    __ior__ = in_place(constants.bitwise_or)
    __ixor__ = in_place(constants.bitwise_xor)
    __ilshift__ = in_place(constants.left_shift)
    __irshift__ = in_place(constants.right_shift)

    def _assign(self, op: Op[..., Any], other: Any) -> Any:
        if self._writes_in_place():
            result = op(self.data, other.node.value if isinstance(other, Handle) else other)
            self._check_fits(op, result)
            self.data[...] = result
            return self
        result = op(self, other)
        self._check_fits(op, result)
        self._become(result if result.dtype == self.data.dtype else shapes.astype(result, self.data.dtype))
        return self

    def _become(self, result: Any) -> None:
        """Stand for another value from now on; where nothing is recorded, under the name that there was."""
        node = result.node
        if node.op is None and self.node.name is not None:
            node.name = self.node.name
        self.node = node

    def _check_fits(self, op: Op[..., Any], result: Array) -> None:
        if np.shape(result) != self.data.shape:
            raise ShapeError(f"{op.name} in place: the result has shape {np.shape(result)}, the tensor it is assigned "
                             f"to {self.data.shape}{here()}")
        if not np.can_cast(result.dtype, self.data.dtype, "same_kind"):
            raise DTypeError(f"{op.name} in place: {result.dtype} does not fit into {self.data.dtype}{here()}")

    def __setitem__(self, key: Any, value: Any) -> None:
        if self._writes_in_place():
            key = tuple(map(_value, key)) if isinstance(key, tuple) else _value(key)
            value = _value(value)
            index.fits(self.data, value)
            try:
                self.data[key] = value
            except (ValueError, TypeError, IndexError) as error:
                raise index.setitem.explain(error, (self.data, value), {"index": key}) from error
        else:
            if self.data.dtype.kind not in "fc" and isinstance(value, Handle) and value.node.requires_grad:
                raise DTypeError(f"setitem: {value.node.value.dtype} does not fit into {self.data.dtype}, where its "
                                 f"gradient would be lost; convert one of them with astype{here()}")
            self._become(index.setitem(self, key, value))

    def _writes_in_place(self) -> bool:
        """Whether an assignment writes into the array (a leaf under no_grad); raises where it would break a leaf."""
        if self.node.op is not None or not self.node.requires_grad:
            return not GRAD_ENABLED.get() and self.node.op is None
        if GRAD_ENABLED.get():
            raise GradientError("assigning to a leaf that requires a gradient would lose the leaf; assign under "
                                "tg.no_grad(), through .data, or to a computed tensor such as t + 0" + here())
        return True

    def fill(self, value: Any) -> None:
        """Replace every element by one value, as ``t[...] = value`` does."""
        self[...] = value

    def sort(self, axis: int = -1, kind: Any = None, order: Any = None, *, stable: bool | None = None) -> None:
        """Put the elements in rising order along an axis, in place; `tinygraph.sort` gives a new tensor."""
        self[...] = sorting.sort(self, axis, kind, order, stable=stable)

    def partition(self, kth: Any, axis: int = -1, kind: Any = "introselect", order: Any = None) -> None:
        """Move the kth smallest to its place, in place; `tinygraph.partition` gives a new tensor."""
        self[...] = sorting.partition(self, kth, axis, kind, order)


def _value(x: Any) -> Any:
    return x.node.value if isinstance(x, Handle) else x
