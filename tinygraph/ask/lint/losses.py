"""Rules on the end of the network: what a cross entropy is given, and what its sum is divided by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygraph.analysis import GraphNode
from tinygraph.ask.lint.numerics import LOGS
from tinygraph.ask.lint.rule import Found, rule
from tinygraph.ask.lint.view import View


@rule("TG301", "sigmoid before cross entropy",
      "Give logits: -log σ(z) is np.logaddexp(0, -z), which never takes the log of 0; for several classes use "
      "tg.softmax_with_loss(z, t).")
def sigmoid_before_cross_entropy(view: View) -> Iterator[Found]:
    """A saturated sigmoid is exactly 0 or 1, and its log or the gradient of it is lost."""
    for node in view.graph:
        if node.op in LOGS or node.op == "cross_entropy_error":
            source = view.source(node, 0)
            if source is not None and source.op == "subtract" and not isinstance(source.inputs[0], GraphNode):
                source = view.source(source, 1)  # log(1 - σ)
            if view.is_sigmoid(source):
                yield node, f"{node.op} of a sigmoid, which rounds to 0 or 1 for large logits"
        elif node.op == "softmax_with_loss" and view.is_sigmoid(view.source(node, 0)):
            yield node, "a sigmoid squeezes the logits of a softmax into (0, 1), so no probability can come near 1"


@rule("TG302", "softmax before softmax with loss", "Give it the logits: it applies the softmax itself.")
def softmax_twice(view: View) -> Iterator[Found]:
    """Of probabilities in [0, 1] a second softmax makes nearly equal ones; the gradient all but vanishes."""
    for node in view.graph:
        if node.op in ("softmax_with_loss", "log_softmax", "softmax") and view.is_softmax(view.source(node, 0)):
            yield node, f"{node.op} of what is a softmax already: the probabilities go through softmax twice"


@rule("TG303", "loss summed over the batch",
      "Use np.mean, or divide by the number of samples, so that the learning rate means the same for every batch size.")
def loss_summed_over_the_batch(view: View) -> Iterator[Found]:
    """The loss, and every gradient, grows with the number of samples."""
    n, rows = view.batch
    if n < 2:
        return
    root = view.graph.nodes[-1]
    pending: list[tuple[GraphNode, float]] = [(root, 1.0)]
    seen: set[int] = set()
    for node, scale in pending:  # grows while it is walked: back over numbers, to the sums that made them
        if node.id in seen or np.size(node.node.value if not isinstance(node.node.value, tuple) else 0) != 1:
            continue
        seen.add(node.id)
        if node.op == "sum" and isinstance(node.inputs[0], GraphNode) and node.inputs[0].id in rows:
            if scale * n > 2:
                yield node, f"the loss is a sum over the {n} samples of the batch" + (
                    "" if scale == 1 else f", times {scale:.4g}")
            continue
        pending += [(source, scale * factor) for source, factor in _terms(node)]


@rule("TG304", "labels that look like logits",
      "Give the logits first and the labels second, the labels as class indices or as rows that are distributions.")
def labels_that_look_like_logits(view: View) -> Iterator[Found]:
    """Labels that are computed from weights, or that no distribution could be."""
    for node in view.graph:
        if node.op in ("softmax_with_loss", "cross_entropy_error"):
            scores, labels = node.inputs[:2]
            computed = isinstance(labels, GraphNode) and labels.requires_grad
            if computed and not (isinstance(scores, GraphNode) and scores.requires_grad):
                yield node, f"{node.op} got labels that are computed from weights, and scores that are not: swapped"
            elif _is_no_distribution(view.value(node, 1)):
                yield node, f"the labels of {node.op} go {_range(view.value(node, 1))}, and probabilities are in [0, 1]"
        elif node.op == "multiply":
            for given, log in ((0, 1), (1, 0)):
                labels, values = node.inputs[given], view.value(node, given)
                computed = isinstance(labels, GraphNode) and labels.requires_grad
                if not computed and _is_log_probability(view, view.source(node, log)) and _is_no_distribution(values):
                    yield node, f"what multiplies the log probabilities goes {_range(values)}, and labels are in [0, 1]"


def _terms(node: GraphNode) -> list[tuple[GraphNode, float]]:
    """The numbers that a number is a sum of, each with the factor before it."""
    sources = [i for i in node.inputs if isinstance(i, GraphNode)]
    if node.op in ("add", "subtract", "negative", "positive", "reshape", "squeeze"):
        return [(source, 1.0) for source in sources]
    if node.op in ("multiply", "divide"):
        pairs = [(0, 1)] if node.op == "divide" else [(0, 1), (1, 0)]
        for ours, other in pairs:
            source, factor = node.inputs[ours], _number(node.inputs[other])
            if isinstance(source, GraphNode) and factor:
                return [(source, factor if node.op == "multiply" else 1 / factor)]
    return []


def _number(x: Any) -> float:
    """The size of a coefficient, one number that no gradient flows to; 0.0 for anything else."""
    if isinstance(x, GraphNode):
        x = 0.0 if x.requires_grad else x.node.value
    return abs(float(np.asarray(x).reshape(()).real)) if np.size(x) == 1 else 0.0


def _is_log_probability(view: View, node: GraphNode | None) -> bool:
    if node is None or node.op not in LOGS:
        return node is not None and node.op == "log_softmax"
    source = view.source(node, 0)
    return view.is_softmax(source) or view.is_sigmoid(source)


def _is_no_distribution(labels: Any) -> bool:
    """Whether labels hold both negative numbers and numbers above one, as logits do and distributions cannot."""
    if not hasattr(labels, "dtype") or labels.dtype.kind != "f" or not np.size(labels):
        return False
    return bool(np.min(labels) < 0 and np.max(labels) > 1)


def _range(labels: Any) -> str:
    return f"from {float(np.min(labels)):.3g} to {float(np.max(labels)):.3g}"
