"""The conformance suite of an op: every property that a rule must have, checked on sample inputs.

`check_op` takes an op, this package's or yours, and some `Case` objects, and tries each of `PROPERTIES` on each case.
It raises one error that says which property failed, at which case and input, and by how much.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygraph.core.errors import ArgumentError, GradientError, TinygraphError
from tinygraph.core.messages import describe
from tinygraph.core.op import Op, find
from tinygraph.testing.properties import PROPERTIES, WITHOUT_A_RULE
from tinygraph.testing.standin import StandIn
from tinygraph.testing.trial import Case, Failed, Trial

__all__ = ["PROPERTIES", "Case", "Report", "StandIn", "check_op"]


@dataclass
class Report:
    """What `check_op` found: for each property the largest error seen (relative to the scale), and the failures.

    >>> check_op("copy", [Case(np.ones(2))]).worst["value"]
    0.0
    """

    op: str
    cases: int = 0
    worst: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    gradients_fail: bool = False

    def __str__(self) -> str:
        lines = [f"{self.op}: {self.cases} cases"]
        lines += [f"  {name:<14}{error:.1e}" for name, error in self.worst.items()]
        return "\n".join(lines + self.failures)


def check_op(op: Op[..., Any] | str, cases: Iterable[Case]) -> Report:
    """Try every one of `PROPERTIES` on every case of an op.

    Where the op stands for a NumPy ufunc, the first case is also tried with 0-d arrays, with empty ones, and, if there
    are several, with shapes that broadcast. Inputs, cotangents and outputs cannot be written to meanwhile, so a rule
    that writes into one of them is found out.

    Raises GradientError (TinygraphError, where no derivative is in question) with a line for each failure.

    >>> import tinygraph as tg
    >>> report = check_op(tg.tanh, [Case(np.array([0.5, -1.0]))])
    >>> report.worst["first order"] < 1e-10
    True
    """
    op = find(op) if isinstance(op, str) else op
    cases = list(cases)
    given: list[Any] = [*cases]
    for case in given:
        if not isinstance(case, Case):
            raise ArgumentError(f"check_op: a case is a tinygraph.testing.Case(x, ...), and not {describe(case)}")
    if not cases:
        raise TinygraphError(f"check_op: {op.name} needs at least one case")
    if any(isinstance(f, np.ufunc) and f.signature is None for f in op.numpy) and all(a.size for a in cases[0].arrays):
        cases += [_resized(cases[0], [shape]) for shape in ((), (2, 0))]
        cases += [_resized(cases[0], [(3,), (2, 1), (1, 3)])] if len(cases[0].arrays) > 1 else []
    if unknown := {name for case in cases for name in case.skip} - set(PROPERTIES):
        raise ArgumentError(f"check_op: no such properties: {sorted(unknown)}; there are {list(PROPERTIES)}")
    report = Report(op.name, len(cases))
    for number, case in enumerate(cases):
        _try_all(op, case, number, report)
    if report.failures:
        kind = GradientError if report.gradients_fail else TinygraphError
        raise kind(f"{op.name} fails:\n" + "\n".join(report.failures))
    return report


def _resized(case: Case, shapes: list[tuple[int, ...]]) -> Case:
    """The same case with its arrays in other shapes, over again from the first shape where there are more of them."""
    return case.replaced([np.resize(a, shapes[i % len(shapes)]) for i, a in enumerate(case.arrays)])


def _try_all(op: Op[..., Any], case: Case, number: int, report: Report) -> None:
    wrt = True
    for place, (name, holds) in enumerate(PROPERTIES.items()):
        if name in case.skip or (place >= WITHOUT_A_RULE and not wrt):
            continue
        try:
            trial = Trial(op, case)
            wrt = bool(trial.wrt)
            holds(trial)
        except Failed as failed:
            reason = str(failed)
        except Exception as error:  # whatever a stranger's rule may raise
            reason = f"raised {type(error).__name__}: {error}"
            if isinstance(error, ValueError) and "read-only" in str(error):
                reason = f"writes into an array that it was given ({error})"
        else:
            report.worst[name] = max(report.worst.get(name, 0.0), trial.worst)
            continue
        report.failures.append(f"  case {number} {case}: {name}: {reason}")
        report.gradients_fail |= place >= WITHOUT_A_RULE
