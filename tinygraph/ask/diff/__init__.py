"""diff: what was added, removed and changed between two graphs; in text, as data, and as one picture."""

from tinygraph.ask.diff.match import match
from tinygraph.ask.diff.report import Change, Diff, diff_graphs

__all__ = ["Change", "Diff", "diff_graphs", "match"]
