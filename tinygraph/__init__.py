"""tinygraph: the autograd whose graph you can see.

Every operation is a node of an explicit graph; backward walks it, and Graphviz draws it.

>>> import tinygraph as tg
>>> x = tg.tensor([1.0, 2.0], requires_grad=True)
>>> loss = (x * x).sum()
>>> loss.backward()
>>> x.grad
array([2., 4.])
"""

# The names below are the public interface, whether or not this file uses them. Which of its ops are among them each
# family says in its __all__.
# ruff: noqa: F401, F403, F405

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from numpy import (
    bool_,
    complex64,
    complex128,
    e,
    float16,
    float32,
    float64,
    inf,
    int8,
    int16,
    int32,
    int64,
    nan,
    newaxis,
    pi,
    uint8,
    uint16,
    uint32,
    uint64,
)

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
from tinygraph.core.memory import keep_freed as _keep_freed
from tinygraph.core.op import LATER, OPS, find, op
from tinygraph.ops.choice import *
from tinygraph.ops.complex import *
from tinygraph.ops.constants import *
from tinygraph.ops.elementwise import *
from tinygraph.ops.index import *
from tinygraph.ops.join import *
from tinygraph.ops.linalg import *
from tinygraph.ops.loss import *
from tinygraph.ops.making import *
from tinygraph.ops.matrices import *
from tinygraph.ops.nanreduction import *
from tinygraph.ops.reduction import *
from tinygraph.ops.scan import *
from tinygraph.ops.shape import *
from tinygraph.ops.sorting import *
from tinygraph.ops.transcendental import *
from tinygraph.tensors import Tensor, tensor

if TYPE_CHECKING:
    from tinygraph import data, fft, linalg, nn, optim, random, scipy, testing, training
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
    from tinygraph.ops.applying import *
    from tinygraph.ops.bessel import *
    from tinygraph.ops.conv import *
    from tinygraph.ops.einsum import *
    from tinygraph.ops.padding import *
    from tinygraph.ops.pool import *
    from tinygraph.ops.quantile import *
    from tinygraph.ops.sampled import *
    from tinygraph.ops.windows import *
    from tinygraph.render.drawing import draw
    from tinygraph.render.exports import graph_from_json, graph_to_json
    from tinygraph.render.hints import Hints
    from tinygraph.training import load_state, save_state
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

permute_dims, concat = transpose, concatenate

# What needs more than NumPy, or not every program needs, is imported when it is first asked for.
_LATER = {name: module for module, names in {
    "analysis": "Graph graph",
    "ask.check": "check_graph check_grads numerical_gradient",
    "ask.debug": "debug",
    "ask.derive": "derive",
    "ask.diff": "diff_graphs",
    "ask.explain": "explain",
    "ask.lint": "lint",
    "ask.profile": "profile",
    "ask.shadow": "shadow",
    "compiler.compiled": "compile",
    "nn.wrap": "wrap_layer",
    "render.drawing": "draw",
    "render.exports": "graph_from_json graph_to_json",
    "render.hints": "Hints",
    "training": "load_state save_state",
    "transforms": "checkpoint custom_vjp elementwise_grad grad hessian hvp jacobian jvp linearize stop_gradient "
                  "value_and_grad vjp",
}.items() for name in names.split()}
_MODULES = {"data", "fft", "linalg", "nn", "optim", "random", "scipy", "testing", "training"}
LATER += [f"tinygraph.ops.{name}" for name in (
    "applying", "bessel", "conv", "decompositions", "determinants", "einsum", "fft", "gamma", "matrix_functions",
    "norms", "padding", "pool", "quantile", "sampled", "solving", "special", "stacks", "windows")]


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

_keep_freed()


def _offered() -> dict[str, Any]:
    """What the families of ops that are imported later offer here."""
    families = map(importlib.import_module, LATER)
    return {name: getattr(family, name) for family in families for name in getattr(family, "__all__", ())}


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
        if name in (offered := _offered()):
            return offered[name]
        try:
            return find(name)  # an op that a plugin registers
        except KeyError:
            pass
    from tinygraph.dispatch import INSTEAD
    why = f": NumPy's writes into its array, which the graph may need; {INSTEAD[name]}" if name in INSTEAD else ""
    from tinygraph.elsewhere import hint
    raise AttributeError(f"module 'tinygraph' has no attribute {name!r}{why or hint(name)}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER, *_MODULES, *_offered()})
