"""check: is a gradient right? Of a function, of a model's weights, and of every rule of a live graph."""

from tinygraph.ask.check.functions import Row, check_grads, gradient_check, numerical_gradient
from tinygraph.ask.check.report import CheckedRule, GraphCheck, check_graph

__all__ = ["CheckedRule", "GraphCheck", "Row", "check_grads", "check_graph", "gradient_check", "numerical_gradient"]
