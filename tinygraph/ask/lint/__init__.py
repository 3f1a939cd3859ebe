"""lint: rules that read a live graph and name what is likely a mistake; plugins add their own with `rule`."""

from tinygraph.ask.lint.report import Lint, lint
from tinygraph.ask.lint.rule import RULES, Finding, Rule, rule
from tinygraph.ask.lint.view import View

__all__ = ["RULES", "Finding", "Lint", "Rule", "View", "lint", "rule"]
