"""From Python's operators and NumPy's protocols to ops: what a Tensor's special methods are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygraph.core.context import GRAD_ENABLED
from tinygraph.core.errors import UnsupportedError
from tinygraph.core.messages import here
from tinygraph.core.node import inner, leaf
from tinygraph.core.op import BY_NUMPY, Constant, Handle, Op, is_array, load_plugins
from tinygraph.ops import constants, reduction

_PLAIN = frozenset({float, int, np.ndarray, np.float64, np.float32})
_OPERANDS = (int, float, complex, np.generic, np.ndarray, Handle, list, tuple)
_new = object.__new__


def operator(op: Op[..., Any], swapped: bool = False) -> Callable[[Any, Any], Any]:
    """The special method of a binary operator; ``swapped`` where the tensor stands on the right.

    Two tensors, or a tensor and a number or ndarray, are recorded here and now: the binding and the loops of the
    general way are half of what an operation on a few numbers costs. Everything else takes the general way.
    """
    forward, recorded = op.forward, op.total
    quick = recorded or isinstance(op, Constant)

    def method(self: Any, other: Any) -> Any:
        x = self.node
        kind = type(self)
        if type(other) is kind and quick:
            y = other.node
            right = y.value
            requires_grad = x.requires_grad or y.requires_grad
        elif type(other) in _PLAIN and quick:
            y = right = other
            requires_grad = x.requires_grad
        elif isinstance(other, _OPERANDS) or is_array(other):
            return op(other, self) if swapped else op(self, other)
        else:
            return NotImplemented
        left = x.value
        if swapped:
            x, y, left, right = y, x, right, left
        try:
            value = forward(left, right)
        except Exception as error:
            raise op.explain(error, (left, right), {}) from error
        requires_grad = requires_grad and recorded and GRAD_ENABLED.get()
        result = _new(kind)
        result.node = inner(op, (x, y), None, value) if requires_grad else leaf(value)
        return result
    return method


def method(op: Op[..., Any]) -> Callable[..., Any]:
    """The method that is exactly NumPy's function of the same name, with the array in front."""
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return op(self, *args, **kwargs)
    call.__name__, call.__qualname__ = op.name, f"Tensor.{op.name}"
    call.__doc__ = f"See `tinygraph.{op.name}`."
    return call


def op_for(function: Any) -> Op[..., Any]:
    """The op that stands for a NumPy function; one clear sentence where there is none."""
    op = BY_NUMPY.get(function)
    if op is None:
        load_plugins()
        op = BY_NUMPY.get(function)
    if op is None:
        module = (getattr(function, "__module__", None) or "numpy").replace("numpy", "np", 1)
        raise UnsupportedError(f"{module}.{function.__name__} has no op in tinygraph; compute on .data where no "
                               f"gradient is needed, or register a rule with @tg.op{here()}")
    return op


def call_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What ``__array_ufunc__`` does: the op of a ufunc, or of its reduce, accumulate or outer."""
    if kwargs.get("out") is not None:
        raise UnsupportedError(f"np.{ufunc.__name__}(..., out=): an ndarray cannot hold what a tensor remembers; "
                               f"assign the result to a name instead{here()}")
    if method == "__call__":
        return op_for(ufunc)(*inputs, **kwargs)
    if method == "outer" and ufunc.nin == 2:
        a, b = inputs
        return op_for(ufunc)(np.reshape(a, np.shape(a) + (1,) * np.ndim(b)), b, **kwargs)
    if (function := _BY_METHOD.get((ufunc, method))) is not None:
        kwargs.setdefault("axis", 0)
        return function(*inputs, **kwargs)
    raise UnsupportedError(f"np.{ufunc.__name__}.{method} has no derivative rule here{here()}")


def call_function(function: Callable[..., Any], args: Any, kwargs: Any, like: Any) -> Any:
    """What ``__array_function__`` does: the op of a NumPy function; a maker of arrays makes them like ``like``."""
    if function is np.where and len(args) + len(kwargs) == 1:
        function = np.nonzero  # as NumPy itself has it: where(condition) tells places
    if function in _MAKERS:
        return function(*args, **kwargs, like=like)
    return op_for(function)(*args, **kwargs)


_BY_METHOD: dict[tuple[np.ufunc, str], Callable[..., Any]] = {
    (np.add, "reduce"): reduction.sum, (np.multiply, "reduce"): reduction.prod,
    (np.add, "accumulate"): reduction.cumsum, (np.multiply, "accumulate"): reduction.cumprod,
    (np.maximum, "reduce"): reduction.max, (np.minimum, "reduce"): reduction.min,
    (np.logical_and, "reduce"): constants.all, (np.logical_or, "reduce"): constants.any,
}
_MAKERS = {np.zeros, np.ones, np.empty, np.full, np.arange, np.eye, np.identity, np.array, np.asarray}
