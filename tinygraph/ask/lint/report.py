"""The linter itself: run the rules on a graph, collect what they find, and say it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from tinygraph.analysis import Graph
from tinygraph.ask.lint import losses, numerics, structure
from tinygraph.ask.lint.rule import RULES, Finding, load_plugins
from tinygraph.ask.lint.view import View
from tinygraph.ask.report import Report, asked
from tinygraph.core.arguments import Handle
from tinygraph.core.errors import ArgumentError, UnsupportedError
from tinygraph.core.messages import here
from tinygraph.tensors import Tensor

BUILT_IN = (numerics, structure, losses)
"""The files of tinygraph's own rules; importing one registers them."""


@dataclass(frozen=True)
class Lint(Report):
    """What the linter found; it is true where that is anything, can be iterated over, and prints a line a finding.

    Attributes:
        graph: The graph that was read; a finding's ``node`` is an id of it.
        findings: In the order of the nodes.
        rules: The ids of the rules that were asked.
    """

    graph: Graph
    findings: tuple[Finding, ...]
    rules: tuple[str, ...]

    measure: ClassVar[str] = "rules"

    def __len__(self) -> int:
        return len(self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    @property
    def by_node(self) -> dict[int, str]:
        """The ids of the rules that speak of each node."""
        return self._of_nodes(", ", lambda finding: finding.rule)

    @property
    def notes(self) -> dict[int, str]:
        """What they say."""
        return self._of_nodes("; ", lambda finding: f"{finding.rule} {finding.sentence}")

    def _of_nodes(self, between: str, told: Callable[[Finding], str]) -> dict[int, str]:
        found: dict[int, list[str]] = {}
        for finding in self.findings:
            if finding.node is not None:
                found.setdefault(finding.node, []).append(told(finding))
        return {id: between.join(dict.fromkeys(parts)) for id, parts in found.items()}

    def __str__(self) -> str:
        if not self.findings:
            return f"nothing found by {len(self.rules)} rules in {len(self.graph):,} nodes"
        return "\n".join(f"{_place(finding)}: {finding.rule} {finding.title}: {finding.sentence}. {finding.remedy}"
                         for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """The findings as plain data."""
        findings = [{**asdict(finding), "location": list(finding.location) if finding.location else None}
                    for finding in self.findings]
        return {"findings": findings, "rules": list(self.rules), "nodes": len(self.graph)}


def lint(loss: Handle | Graph, weights: Any = None, *, select: Iterable[str] | str = (),
         ignore: Iterable[str] | str = ()) -> Lint:
    """Read the graph of a loss and name what is likely a mistake, each with a sentence, a remedy and the line.

    The rules read the structure and this run's values; they change nothing. docs/my-gradient-is-wrong.md lists them.

    Args:
        loss: The loss, or its graph.
        weights: What should be trained: a dict of tensors, a list of them, or a model with ``params``. Only with it
            can an unused weight be found.
        select: Ask these rules alone: ids, or beginnings of ids such as "TG1".
        ignore: Leave these out.

    Raises ArgumentError for a selection that names no rule.

    >>> import tinygraph as tg
    >>> z = tg.tensor([[1.0, 2.0]], requires_grad=True)
    >>> [finding.rule for finding in tg.lint(-np.log(tg.softmax(z))[0, 1])]
    ['TG101']
    >>> print(tg.lint(tg.softmax_with_loss(z, np.array([1])), weights=[z]))  # doctest: +ELLIPSIS
    nothing found by ... rules in 2 nodes
    """
    load_plugins()
    found = asked("lint", loss)
    chosen = _chosen(select, ignore)
    view = View(found, _named(weights))
    findings = []
    with np.errstate(all="ignore"):  # what a rule computes again may overflow again
        for id in chosen:
            rule = RULES[id]
            findings += [Finding(id, rule.title, sentence, rule.remedy, None if node is None else node.id,
                                 None if node is None else node.location) for node, sentence in rule.check(view)]
    findings.sort(key=lambda finding: (finding.node is None, finding.node or 0, finding.rule))
    return Lint(found, tuple(findings), tuple(chosen))


def _chosen(select: Iterable[str] | str, ignore: Iterable[str] | str) -> list[str]:
    """The ids of the rules to ask, in order."""
    chosen, left_out = ([part] if isinstance(part, str) else list(part) for part in (select, ignore))
    for part in (*chosen, *left_out):
        if not part or not any(id.startswith(part) for id in RULES):
            raise ArgumentError(f"lint: no rule begins with {part!r}; there are {', '.join(sorted(RULES))}{here()}")
    return [id for id in sorted(RULES)
            if (not chosen or id.startswith(tuple(chosen))) and not (left_out and id.startswith(tuple(left_out)))]


def _named(weights: Any) -> dict[str, Tensor]:
    """The weights by name, from any of the forms that `lint` takes."""
    if weights is None:
        return {}
    held = getattr(weights, "params", weights)
    if isinstance(held, Mapping):
        named = {str(name): weight for name, weight in held.items()}
    elif isinstance(held, Tensor):
        named = {held.name or "weight": held}
    else:
        named = {getattr(weight, "name", None) or f"number {i}": weight for i, weight in enumerate(held)}
    for name, weight in named.items():
        if not isinstance(weight, Tensor):
            raise UnsupportedError(f"lint: the weight {name} is a {type(weight).__name__} and not a tensor{here()}")
    return named


def _place(finding: Finding) -> str:
    if finding.location:
        return f"{os.path.basename(finding.location[0])}:{finding.location[1]}"
    return "the graph" if finding.node is None else f"node {finding.node}"
