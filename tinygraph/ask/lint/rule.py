"""A rule of the linter and what it finds; the registry RULES and the decorator that fills it."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tinygraph.analysis import GraphNode
from tinygraph.ask.lint.view import View

Found = tuple[GraphNode | None, str]
"""Where a mistake is, None where it is at no node, and a sentence on it."""


@dataclass(frozen=True)
class Rule:
    """One kind of mistake.

    Attributes:
        id: Letters and three digits or more; tinygraph's own begin with TG.
        title: What it is called.
        remedy: What to do about it, in one sentence.
        check: Goes through a graph and gives what it finds.
    """

    id: str
    title: str
    remedy: str
    check: Callable[[View], Iterator[Found]]


RULES: dict[str, Rule] = {}
"""Every registered rule by its id."""


@dataclass(frozen=True)
class Finding:
    """One place that a rule speaks of.

    Attributes:
        rule: The rule's id; ``title`` and ``remedy`` are the rule's too.
        sentence: What is wrong here.
        node: The id of the graph's node, or None.
        location: File, line and function that made the node, or None.
    """

    rule: str
    title: str
    sentence: str
    remedy: str
    node: int | None
    location: tuple[str, int, str] | None


def rule(id: str, title: str, remedy: str) -> Callable[[Callable[[View], Iterator[Found]]],
                                                       Callable[[View], Iterator[Found]]]:
    """Register the decorated generator as a rule of the linter. It gives (node or None, sentence) for each finding.

    A package of your own registers its rules in a module that it names as an entry point of the group
    ``tinygraph.lint``; it is imported when `lint` is first called.

    >>> import tinygraph as tg
    >>> from tinygraph.ask.lint import RULES, rule
    >>> @rule("MY001", "a tangent", "Use sin and cos.")
    ... def tangent(view):
    ...     for node in view.graph:
    ...         if node.op == "tan":
    ...             yield node, "tan has poles"
    >>> [(finding.rule, finding.sentence) for finding in tg.lint(tg.tan(tg.tensor(1.0, requires_grad=True)))]
    [('MY001', 'tan has poles')]
    >>> del RULES["MY001"]
    """
    if not re.fullmatch(r"[A-Z]+\d{3,}", id):
        raise TypeError(f"rule {id!r}: an id is capital letters and at least three digits, such as TG101")

    def register(check: Callable[[View], Iterator[Found]]) -> Callable[[View], Iterator[Found]]:
        if id in RULES:
            raise TypeError(f"rule {id} is registered already, as {RULES[id].title!r}")
        RULES[id] = Rule(id, title, remedy, check)
        return check
    return register


@functools.cache
def load_plugins() -> None:
    """Import what other packages registered as entry points of the group ``tinygraph.lint``, once."""
    from importlib.metadata import entry_points
    for entry in entry_points(group="tinygraph.lint"):
        entry.load()
