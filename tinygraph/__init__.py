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

from tinygraph import fft, linalg, scipy
from tinygraph.core.context import HOOKS, enable_grad, is_grad_enabled, no_grad, scope
from tinygraph.core.errors import (
    ArgumentError,
    DataError,
    DebugError,
    DTypeError,
    GradientError,
    MissingDependencyError,
    ScriptError,
    ShapeError,
    StateError,
    TinygraphError,
    TraceError,
    UnsupportedError,
)
from tinygraph.core.op import OPS, op
from tinygraph.ops.applying import (
    apply_along_axis,
    apply_over_axes,
    fromfunction,
    piecewise,
)
from tinygraph.ops.bessel import (
    i0,
    sinc,
)
from tinygraph.ops.choice import (
    clip,
    copysign,
    fmax,
    fmin,
    heaviside,
    maximum,
    minimum,
    nan_to_num,
    where,
)
from tinygraph.ops.complex import (
    angle,
    conj,
    conjugate,
    imag,
    real,
    real_if_close,
)
from tinygraph.ops.constants import (
    all,
    allclose,
    any,
    argmax,
    argmin,
    argsort,
    around,
    array_equal,
    array_equiv,
    bitwise_and,
    bitwise_count,
    bitwise_invert,
    bitwise_left_shift,
    bitwise_not,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    ceil,
    count_nonzero,
    empty_like,
    equal,
    fix,
    floor,
    gcd,
    greater,
    greater_equal,
    invert,
    isclose,
    iscomplex,
    iscomplexobj,
    isfinite,
    isinf,
    isnan,
    isneginf,
    isposinf,
    isreal,
    isrealobj,
    lcm,
    left_shift,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    nanargmax,
    nanargmin,
    ndim,
    nextafter,
    nonzero,
    not_equal,
    ones_like,
    result_type,
    right_shift,
    rint,
    round,
    searchsorted,
    shape,
    signbit,
    size,
    spacing,
    trunc,
    zeros_like,
)
from tinygraph.ops.einsum import (
    einsum,
)
from tinygraph.ops.elementwise import (
    abs,
    absolute,
    add,
    cbrt,
    deg2rad,
    degrees,
    divide,
    divmod,
    fabs,
    float_power,
    floor_divide,
    fmod,
    frexp,
    ldexp,
    mod,
    modf,
    multiply,
    negative,
    positive,
    pow,
    power,
    rad2deg,
    radians,
    reciprocal,
    relu,
    remainder,
    sigmoid,
    sign,
    sqrt,
    square,
    subtract,
    true_divide,
)
from tinygraph.ops.index import (
    choose,
    compress,
    delete,
    extract,
    getitem,
    insert,
    resize,
    scatter_add,
    select,
    setitem,
    take,
    take_along_axis,
)
from tinygraph.ops.join import (
    append,
    array_split,
    block,
    column_stack,
    concatenate,
    dsplit,
    dstack,
    hsplit,
    hstack,
    repeat,
    split,
    stack,
    tile,
    unstack,
    vsplit,
    vstack,
)
from tinygraph.ops.linalg import (
    add_bias,
    affine,
    dot,
    inner,
    matmul,
    matvec,
    outer,
    tensordot,
    vdot,
    vecdot,
    vecmat,
)
from tinygraph.ops.loss import (
    cross_entropy_error,
    log_softmax,
    softmax,
    softmax_with_loss,
)
from tinygraph.ops.making import (
    arange,
    array,
    asarray,
    broadcast_shapes,
    empty,
    eye,
    full,
    full_like,
    geomspace,
    identity,
    indices,
    ix_,
    linspace,
    logspace,
    meshgrid,
    ones,
    tri,
    zeros,
)
from tinygraph.ops.matrices import (
    corrcoef,
    cov,
    cross,
    diag,
    diagflat,
    diagonal,
    kron,
    trace,
    tril,
    triu,
    vander,
)
from tinygraph.ops.nanreduction import (
    nanmax,
    nanmean,
    nanmin,
    nanprod,
    nanstd,
    nansum,
    nanvar,
)
from tinygraph.ops.padding import pad
from tinygraph.ops.quantile import (
    median,
    nanmedian,
    nanpercentile,
    nanquantile,
    percentile,
    quantile,
)
from tinygraph.ops.reduction import (
    amax,
    amin,
    average,
    logsumexp,
    max,
    mean,
    min,
    prod,
    ptp,
    std,
    sum,
    trapezoid,
    var,
)
from tinygraph.ops.sampled import (
    diff,
    ediff1d,
    gradient,
    interp,
    unwrap,
)
from tinygraph.ops.scan import (
    cumprod,
    cumsum,
    cumulative_prod,
    cumulative_sum,
    nancumprod,
    nancumsum,
)
from tinygraph.ops.shape import (
    astype,
    atleast_1d,
    atleast_2d,
    atleast_3d,
    broadcast_arrays,
    broadcast_to,
    copy,
    expand_dims,
    flip,
    fliplr,
    flipud,
    matrix_transpose,
    moveaxis,
    ravel,
    reshape,
    roll,
    rollaxis,
    rot90,
    squeeze,
    swapaxes,
    transpose,
)
from tinygraph.ops.sorting import (
    argpartition,
    argwhere,
    bincount,
    digitize,
    flatnonzero,
    histogram,
    histogram_bin_edges,
    intersect1d,
    isin,
    lexsort,
    partition,
    ravel_multi_index,
    setdiff1d,
    setxor1d,
    sort,
    union1d,
    unique,
    unique_all,
    unique_counts,
    unique_inverse,
    unique_values,
    unravel_index,
)
from tinygraph.ops.transcendental import (
    acos,
    acosh,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
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
    logaddexp2,
    sin,
    sinh,
    tan,
    tanh,
)
from tinygraph.ops.windows import (
    convolve,
    correlate,
    overlap_add,
    sliding_window_view,
)
from tinygraph.tensors import Tensor, tensor
from tinygraph.transforms import (
    checkpoint,
    custom_vjp,
    elementwise_grad,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    linearize,
    stop_gradient,
    value_and_grad,
    vjp,
)

if TYPE_CHECKING:
    from tinygraph import data, random
    from tinygraph.analysis import Graph, graph
    from tinygraph.ask.check import check_grads, check_graph, numerical_gradient
    from tinygraph.ask.debug import debug
    from tinygraph.ask.derive import derive
    from tinygraph.ask.diff import diff_graphs
    from tinygraph.ask.explain import explain
    from tinygraph.ask.lint import lint
    from tinygraph.ask.profile import profile
    from tinygraph.ask.shadow import shadow
    from tinygraph.compiler.compiled import compile
    from tinygraph.nn.wrap import wrap_layer
    from tinygraph.render.drawing import draw
    from tinygraph.render.exports import graph_from_json, graph_to_json
    from tinygraph.render.hints import Hints
    from tinygraph.training import load_state, save_state

permute_dims, concat = transpose, concatenate

# What needs more than NumPy, or is not needed to compute, is imported when it is first asked for.
_LATER = {
    "Graph": "analysis", "graph": "analysis", "check_grads": "ask.check", "numerical_gradient": "ask.check",
    "check_graph": "ask.check", "debug": "ask.debug", "derive": "ask.derive",
    "explain": "ask.explain", "shadow": "ask.shadow",
    "diff_graphs": "ask.diff", "lint": "ask.lint",
    "profile": "ask.profile",
    "compile": "compiler.compiled", "wrap_layer": "nn.wrap", "draw": "render.drawing", "Hints": "render.hints",
    "graph_to_json": "render.exports", "graph_from_json": "render.exports",
    "save_state": "training", "load_state": "training",
}
_MODULES = {"data", "nn", "optim", "random", "testing", "training"}


def _display(thing: Any) -> dict[str, str]:
    shown: dict[str, str] = importlib.import_module("tinygraph.render.drawing").display(thing)
    return shown


def _failure(*facts: Any) -> Any:
    return importlib.import_module("tinygraph.analysis").failure(*facts)


def _differences(*graphs: Any, **tolerances: float) -> Any:
    return importlib.import_module("tinygraph.ask.diff").diff_graphs(*graphs, **tolerances)


# A notebook asks a Tensor for its picture, and a user an error for its graph; what makes them is loaded then.
HOOKS["display"] = _display
HOOKS["failure"] = _failure
HOOKS["diff"] = _differences


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
    from tinygraph.dispatch import INSTEAD
    why = f": NumPy's writes into its array, which the graph may need; {INSTEAD[name]}" if name in INSTEAD else ""
    raise AttributeError(f"module 'tinygraph' has no attribute {name!r}{why}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER, *_MODULES})
