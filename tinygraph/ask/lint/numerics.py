"""Rules on numbers: what overflows, divides by zero, loses precision, or sends a NaN back.

Where the structure alone does not decide, this run's values do, so that a computation that is safe on its data is left
alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinygraph.analysis import GraphNode
from tinygraph.ask.lint.rule import Found, rule
from tinygraph.ask.lint.view import RESHAPING, View
from tinygraph.core.arguments import Array
from tinygraph.core.node import Node

LOGS = ("log", "log2", "log10")

BASES = {"exp": 1.0, "expm1": 1.0, "sinh": 1.0, "cosh": 1.0, "exp2": 1 / np.log(2), "logaddexp": 0.0}
"""Ops that grow exponentially, with what the natural logarithm of the largest number is multiplied by for them."""


@rule("TG101", "log of softmax", "Use tg.log_softmax(z), or tg.softmax_with_loss(z, t) on the logits.")
def log_of_softmax(view: View) -> Iterator[Found]:
    """A softmax rounds small probabilities to 0, whose log is -inf. One by hand is let be while nothing is lost."""
    for node in view.graph:
        if node.op not in LOGS or not view.is_softmax(source := view.source(node, 0)):
            continue
        assert source is not None
        least, eps = _least(view.value(node, 0)), float(np.finfo(node.dtype).eps)
        if source.op == "softmax" or not least > eps:
            yield node, f"the log of a softmax, whose smallest probability is {least:.3g} here, loses what is small"


@rule("TG102", "exp that can overflow",
      "Take the largest element off first, as tg.softmax and tg.logsumexp do, or bound the argument with np.clip.")
def exp_that_can_overflow(view: View) -> Iterator[Found]:
    """The argument has come at least half of the way to where the result is infinite."""
    for node in view.graph:
        if not (scale := BASES.get(node.op or "", 0.0)):
            continue
        x, value = view.value(node, 0), node.node.value
        if np.iscomplexobj(value) or not np.size(x) or value.dtype.kind != "f":
            continue
        limit = scale * float(np.log(np.finfo(value.dtype).max))
        largest = float(np.max(np.absolute(x) if node.op in ("sinh", "cosh") else x))
        if largest > limit / 2:
            yield node, (f"{node.op} of {largest:.4g}: the result is infinite above {limit:.4g} in {value.dtype}, and "
                         "nothing bounds the argument")


@rule("TG103", "division by a possible zero",
      "Add a small constant to what may be zero, or choose another argument there with np.where before dividing.")
def division_by_a_possible_zero(view: View) -> Iterator[Found]:
    """The divisor is zero now, or is of a kind that is never negative and may be zero, such as a norm."""
    signs: dict[int, int] = {}
    for node in view.graph:
        signs[node.id] = _sign(node, signs)
        position = _divisor(node)
        if position is None:
            continue
        divisor, source = view.value(node, position), node.inputs[position]
        zeros = int(np.size(divisor)) - int(np.count_nonzero(divisor))
        what = {"log": "log and its derivative 1/x", "sqrt": "the derivative of sqrt, 1/(2√x),"}.get(
            "log" if node.op in LOGS else node.op or "", node.op)
        if zeros and (node.op != "sqrt" or node.requires_grad):
            yield node, f"{what} at {zeros:,} of {np.size(divisor):,} elements that are 0"
        elif node.op in ("divide", "reciprocal") and isinstance(source, GraphNode) and signs[source.id] == NON_NEGATIVE:
            yield node, f"{node.op} by the result of {source.op}, which is never negative and may be 0"


@rule("TG104", "where over an invalid branch",
      "Make the argument valid first: np.where(x > 0, f(np.where(x > 0, x, 1)), 0).")
def where_over_an_invalid_branch(view: View) -> Iterator[Found]:
    """What the branch that was not taken holds there comes back as 0 times infinity, a NaN."""
    for node in view.graph:
        if node.op != "where":
            continue
        condition = np.broadcast_to(view.value(node, 0), node.shape)
        for position, unselected in ((1, ~(condition != 0)), (2, condition != 0)):
            source = node.inputs[position]
            if not isinstance(source, GraphNode) or source.node.op is None or not source.requires_grad:
                continue
            branch = np.broadcast_to(view.value(node, position), node.shape)
            invalid = int(np.count_nonzero(~np.isfinite(branch) & unselected))
            if invalid:
                yield node, (f"the branch {source.op} is NaN or infinite at {invalid:,} elements where it is not "
                             "chosen, and its gradient there becomes NaN")
            elif _sends_back_nan(view, node, position, source):
                yield node, (f"the derivative of the branch {source.op} is infinite where it is not chosen, and 0 "
                             "times infinity sends a NaN back")


@rule("TG105", "float64 creeping into float32",
      "Convert it once, with .astype(np.float32), or use a Python number, which takes the other operand's dtype.")
def float64_creeping_in(view: View) -> Iterator[Found]:
    """What is trained goes on in a higher precision than it has, and nobody asked for it by name."""
    for node in view.graph:
        if node.op is None or node.op == "astype" or (node.node.params or {}).get("dtype") is not None:
            continue
        outputs = node.node.value if isinstance(node.node.value, tuple) else (node.node.value,)
        eps = min((_eps(y) for y in outputs), default=1.0)
        values = [view.value(node, i) for i in range(len(node.inputs))]
        low = [x for x, i in zip(values, node.inputs, strict=True)
               if _eps(x) > eps and isinstance(i, GraphNode) and i.requires_grad]
        if not low:
            continue
        culprit = next((i for i, x in enumerate(values) if getattr(x, "dtype", None) is not None
                        and x.dtype.kind in "iufc" and x.dtype.itemsize > low[0].dtype.itemsize), None)
        told = f"{node.op} of {low[0].dtype} gives {outputs[0].dtype}"
        if culprit is not None:
            told += f", since its argument {_argument(node, culprit)} is {values[culprit].dtype}"
        yield node, told


def _least(x: Array) -> float:
    return float(np.min(x)) if np.size(x) else 1.0


def _eps(x: Any) -> float:
    """The precision of a real or complex array; 0 for anything else."""
    dtype = getattr(x, "dtype", None)
    return float(np.finfo(dtype).eps) if dtype is not None and dtype.kind in "fc" else 0.0


def _argument(node: GraphNode, position: int) -> str:
    names = node.node.op.inputs if node.node.op else ()
    return names[position] if position < len(names) else str(position)


def _divisor(node: GraphNode) -> int | None:
    """The position of the input that an op, or its rule, divides by."""
    if node.op == "divide":
        return 1
    if node.op in ("reciprocal", "sqrt", *LOGS):
        return 0
    negative = node.op == "power" and not isinstance(node.inputs[1], GraphNode) and np.size(node.inputs[1]) == 1
    return 0 if negative and bool(np.all(node.inputs[1] < 0)) else None


def _sends_back_nan(view: View, node: GraphNode, position: int, source: GraphNode) -> bool:
    """Whether the branch's own rules make a NaN of the zeros that `where` sends back to it."""
    g, made = view.cotangents.edges.get((node.id, position)), source.node
    if g is None or made.op is None or isinstance(made.value, tuple) or not bool(np.all(np.isfinite(g))):
        return False
    values = [p.value if type(p) is Node else p for p in made.parents]
    rules = made.op.rules if made.params is None else made.op.bound_rules(made.params, values)
    for parent, vjp in zip(made.parents, rules, strict=False):
        if vjp is None or type(parent) is not Node or not parent.requires_grad:
            continue
        if bool(np.any(np.isnan(vjp(g, made.value, *values)))):
            return True
    return False


# --- signs: 2 is positive, 1 is non-negative, 0 is not known ----------------------------------------------------------

POSITIVE, NON_NEGATIVE, UNKNOWN = 2, 1, 0

_FIXED = {"exp": POSITIVE, "exp2": POSITIVE, "sigmoid": POSITIVE, "softmax": POSITIVE, "cosh": POSITIVE,
          "square": NON_NEGATIVE, "absolute": NON_NEGATIVE, "relu": NON_NEGATIVE, "var": NON_NEGATIVE,
          "std": NON_NEGATIVE, "norm": NON_NEGATIVE, "hypot": NON_NEGATIVE, "fabs": NON_NEGATIVE}

_PASSED_ON = RESHAPING | {"sum", "mean", "max", "min", "prod", "cumsum", "cumprod", "sqrt", "log1p", "expm1"}


def _both(signs: list[int]) -> int:
    return min(signs)


def _total(signs: list[int]) -> int:
    return max(signs) if min(signs) >= NON_NEGATIVE else UNKNOWN


_COMBINED: dict[str, Callable[[list[int]], int]] = {
    "add": _total, "multiply": _both, "divide": _both, "minimum": _both, "maximum": max, "logaddexp": _both}


def _sign(node: GraphNode, known: dict[int, int]) -> int:
    """What is known of a node's sign from those of its inputs, whatever the data."""
    op = node.op or ""
    if op in _FIXED:
        return _FIXED[op]
    signs = [known[i.id] if isinstance(i, GraphNode) else _sign_of(i) for i in node.inputs]
    if not signs:
        return UNKNOWN
    if op in _PASSED_ON:
        return signs[0]
    if op == "multiply" and node.inputs[0] is node.inputs[1]:
        return max(NON_NEGATIVE, signs[0])
    if op == "power":
        exponent = node.inputs[1]
        even = isinstance(exponent, int | float) and exponent % 2 == 0 and exponent > 0
        return max(signs[0], NON_NEGATIVE) if even else signs[0]
    if op == "clip":
        return max(signs[:2])
    if op == "where":
        return _both(signs[1:])
    return _COMBINED[op](signs) if op in _COMBINED else UNKNOWN


def _sign_of(constant: Any) -> int:
    """A number's sign; an array of data may be another one in the next run."""
    if constant is None or np.size(constant) != 1 or isinstance(constant, str | bytes | bool):
        return UNKNOWN
    if np.iscomplexobj(constant) or np.asarray(constant).dtype.kind not in "iuf":
        return UNKNOWN
    number = float(np.asarray(constant).reshape(()))
    return POSITIVE if number > 0 else NON_NEGATIVE if number == 0 else UNKNOWN
