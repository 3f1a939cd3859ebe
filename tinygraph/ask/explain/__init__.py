"""explain: where a gradient came from, along which ways, and why it is zero, NaN or None."""

from tinygraph.ask.explain.report import Explanation, explain

__all__ = ["Explanation", "explain"]
