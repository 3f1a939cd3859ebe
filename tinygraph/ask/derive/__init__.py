"""derive: the derivation of a loss's gradients written out, node by node; in LaTeX, Markdown, HTML and plain text."""

from tinygraph.ask.derive.report import Derivation, derive

__all__ = ["Derivation", "derive"]
