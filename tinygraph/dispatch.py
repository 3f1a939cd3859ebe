"""From Python's operators and NumPy's protocols to ops: what a Tensor's special methods are made of."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygraph.core.arguments import Handle, is_array
from tinygraph.core.context import GRAD_ENABLED, WATCHES, watching
from tinygraph.core.errors import UnsupportedError
from tinygraph.core.kinds import Constant
from tinygraph.core.messages import here
from tinygraph.core.node import failed, inner, leaf
from tinygraph.core.op import BY_NUMPY, EXPLAINED, Op, load_all
from tinygraph.ops import constants, making, nanreduction, reduction, scan

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
        except EXPLAINED as error:
            raise failed(op.explain(error, (left, right), {}), op, (x, y)) from error
        requires_grad = requires_grad and recorded and GRAD_ENABLED.get()
        if requires_grad:
            node = inner(op, (x, y), None, value)
        else:
            node = leaf(value)
            if WATCHES and (watch := watching()) is not None:
                watch.computed(op, (x, y), value)
        result = _new(kind)
        result.node = node
        return result
    return method


def op_for(function: Any) -> Op[..., Any]:
    """The op that stands for a NumPy function; one clear sentence where there is none."""
    op = BY_NUMPY.get(function) or _named(function)
    if op is None:
        load_all()
        op = BY_NUMPY.get(function) or _named(function)
    if op is None:
        name = function.__name__
        if (instead := INSTEAD.get(name)) is not None and function is getattr(np, name):
            raise UnsupportedError(f"np.{name} writes into its array, which the graph may need; {instead}{here()}")
        module = getattr(function, "__module__", None) or ("numpy" if hasattr(np, name) else "")
        prefix = f"{module}.".replace("numpy", "np", 1) if module else ""
        raise UnsupportedError(f"{prefix}{name} has no op in tinygraph; compute on .data where no gradient is "
                               f"needed, or register a rule with @tg.op{here()}")
    return op


def _named(function: Any) -> Op[..., Any] | None:
    """The op that names a function of another package, SciPy's say, which whoever calls it has imported."""
    for name, op in list(BY_NUMPY.items()):
        if isinstance(name, str):
            module, _, attribute = name.rpartition(".")
            if getattr(sys.modules.get(module), attribute, None) is function:
                BY_NUMPY[function] = op
                return op
    return None


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
    raise UnsupportedError(f"np.{ufunc.__name__}.{method} has no op in tinygraph; compute on .data where no gradient "
                           f"is needed, or write it with np.{ufunc.__name__}{here()}")


def call_function(function: Callable[..., Any], args: Any, kwargs: Any, like: Any) -> Any:
    """What ``__array_function__`` does: the op of a NumPy function; a maker of arrays makes them like ``like``."""
    if function is np.where and len(args) + len(kwargs) == 1:
        function = np.nonzero  # as NumPy itself has it: where(condition) tells places
    if (maker := _MAKERS.get(function)) is not None:
        return maker(*args, **{**kwargs, "like": like})
    return op_for(function)(*args, **kwargs)


_BY_METHOD: dict[tuple[np.ufunc, str], Callable[..., Any]] = {
    (np.add, "reduce"): reduction.sum, (np.multiply, "reduce"): reduction.prod,
    (np.add, "accumulate"): scan.cumsum, (np.multiply, "accumulate"): scan.cumprod,
    (np.maximum, "reduce"): reduction.max, (np.minimum, "reduce"): reduction.min,
    (np.fmax, "reduce"): nanreduction.nanmax, (np.fmin, "reduce"): nanreduction.nanmin,
    (np.logaddexp, "reduce"): reduction.logsumexp,
    (np.logical_and, "reduce"): constants.all, (np.logical_or, "reduce"): constants.any,
}
# With like= a tensor, arrays of its value's kind; tensors where there are tensors to make them of.
_MAKERS: dict[Callable[..., Any], Callable[..., Any]] = {
    **{f: f for f in (np.zeros, np.ones, np.empty, np.arange, np.eye, np.identity, np.tri, np.fromfunction)},
    np.array: making.array, np.asarray: making.asarray, np.asanyarray: making.asarray,
    np.ascontiguousarray: making.asarray, np.full: making.full,
}
INSTEAD = {
    "copyto": "assign instead: t[...] = value, or t[mask] = value",
    "put": "assign instead: t[np.unravel_index(places, t.shape)] = values",
    "place": "assign instead: t[mask] = values",
    "putmask": "assign instead: t[mask] = values[mask], or choose with np.where",
    "put_along_axis": "assign instead: t[index] = values, with an array of places for each axis",
    "fill_diagonal": "assign instead: t[range(n), range(n)] = value",
}
"""What to do instead of each of NumPy's functions that write into an array."""
