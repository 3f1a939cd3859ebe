"""tinygraph: the autograd whose graph you can see.

Every operation is a node of an explicit graph; backward walks it, and Graphviz draws it.

>>> import tinygraph as tg
>>> x = tg.tensor([1.0, 2.0], requires_grad=True)
>>> loss = (x * x).sum()
>>> loss.backward()
>>> x.grad
array([2., 4.])
"""

# The names below are the public interface, whether or not this file uses them.
# ruff: noqa: F401

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tinygraph import linalg
from tinygraph.core.context import HOOKS, enable_grad, is_grad_enabled, no_grad, scope
from tinygraph.core.errors import (
    ArgumentError,
    DataError,
    DTypeError,
    GradientError,
    MissingDependencyError,
    ScriptError,
    ShapeError,
    StateError,
    TinygraphError,
    UnsupportedError,
)
from tinygraph.core.op import OPS, op
from tinygraph.ops.complex import (
    conj,
    imag,
    real,
)
from tinygraph.ops.constants import (
    all,
    allclose,
    any,
    argmax,
    argmin,
    argsort,
    array_equal,
    bitwise_and,
    bitwise_or,
    bitwise_xor,
    ceil,
    count_nonzero,
    empty_like,
    equal,
    floor,
    full_like,
    greater,
    greater_equal,
    invert,
    isclose,
    iscomplexobj,
    isfinite,
    isinf,
    isnan,
    isrealobj,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    ndim,
    nonzero,
    not_equal,
    ones_like,
    result_type,
    rint,
    round,
    searchsorted,
    shape,
    size,
    trunc,
    zeros_like,
)
from tinygraph.ops.elementwise import (
    absolute,
    add,
    clip,
    divide,
    floor_divide,
    maximum,
    minimum,
    multiply,
    negative,
    positive,
    power,
    reciprocal,
    relu,
    remainder,
    sigmoid,
    sign,
    sqrt,
    square,
    subtract,
    where,
)
from tinygraph.ops.index import (
    getitem,
    scatter_add,
    setitem,
    take,
)
from tinygraph.ops.linalg import (
    add_bias,
    affine,
    dot,
    inner,
    matmul,
    outer,
    tensordot,
)
from tinygraph.ops.loss import (
    cross_entropy_error,
    log_softmax,
    softmax,
    softmax_with_loss,
)
from tinygraph.ops.reduction import (
    cumprod,
    cumsum,
    logsumexp,
    max,
    mean,
    min,
    prod,
    std,
    sum,
    var,
)
from tinygraph.ops.shape import (
    astype,
    broadcast_to,
    concatenate,
    copy,
    expand_dims,
    flip,
    hstack,
    moveaxis,
    ravel,
    reshape,
    split,
    squeeze,
    stack,
    swapaxes,
    transpose,
    vstack,
)
from tinygraph.ops.transcendental import (
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    cos,
    cosh,
    exp,
    exp2,
    expm1,
    hypot,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    sin,
    sinh,
    tan,
    tanh,
)
from tinygraph.tensors import Tensor, tensor
from tinygraph.transforms import grad, value_and_grad, vjp

if TYPE_CHECKING:
    from tinygraph import data
    from tinygraph.analysis import Graph, graph
    from tinygraph.ask.check import check_grads, numerical_gradient
    from tinygraph.nn.wrap import wrap_layer
    from tinygraph.render.drawing import draw
    from tinygraph.training import load_state, save_state

abs = absolute

# What needs more than NumPy, or is not needed to compute, is imported when it is first asked for.
_LATER = {
    "Graph": "analysis", "graph": "analysis", "check_grads": "ask.check", "numerical_gradient": "ask.check",
    "wrap_layer": "nn.wrap", "draw": "render.drawing", "save_state": "training", "load_state": "training",
}
_MODULES = {"data", "nn", "optim", "testing", "training"}


def _display(thing: Any) -> dict[str, str]:
    shown: dict[str, str] = importlib.import_module("tinygraph.render.drawing").display(thing)
    return shown


# A notebook asks a Tensor for its picture; what draws it is loaded then.
HOOKS["display"] = _display


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"tinygraph.{name}")
    if name in _LATER:
        value = getattr(importlib.import_module(f"tinygraph.{_LATER[name]}"), name)
        globals()[name] = value
        return value
    if name == "__version__":
        from importlib.metadata import version
        return version("tinygraph")
    if not name.startswith("_"):
        from tinygraph.core.op import find
        try:
            return find(name)  # an op that a plugin registers
        except KeyError:
            pass
    raise AttributeError(f"module 'tinygraph' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER, *_MODULES})
